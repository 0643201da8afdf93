"""The topic of texts on a real broker: what stands for an item, and that nothing is lost."""

import asyncio
from threading import Event

import msgspec
import pytest

from clickwise.cli.text_topic import publish
from clickwise.cli.words import beside
from clickwise.settings import load
from clickwise.state.text_port import ALL, Decision
from clickwise.testing.processes import wait_until
from clickwise.topics import TEXTS
from clickwise.types import ItemId, item_key
from clickwise.writing.published import ItemTexts
from streams import topics_admin
from streams.tail import tail_topic
from tests.writing import NOW, Kept


@pytest.fixture
def settings(kafka, topic_prefix):
    settings = load(
        {},
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=1,
        database_url="sqlite:///unused.db",
    )
    topics_admin.create_topics(settings)
    return settings


@pytest.fixture
def kept(tmp_path):
    made = Kept(tmp_path)
    yield made
    made.state.close()


def writing(settings):
    """With a model that writes."""
    return msgspec.structs.replace(settings, texts="embedded")


async def messages(settings, number):
    shown = []
    topic = TEXTS.full_name(settings.kafka_topic_prefix)
    await tail_topic(
        settings, topic, last=number, follow=False, wanted=lambda _: True, show=shown.append
    )
    return shown


async def test_what_stands_for_an_item_is_on_the_topic(kept, settings):
    kept.put("a", body="The tram is new.")
    kept.work()
    kept.texts.decide(
        [Decision(item_key("a"), ALL, "summary", ItemId("a"), "edit", "By hand", "T", 0, NOW)]
    )

    published = await asyncio.to_thread(publish, writing(settings), kept.texts)

    (raw,) = await messages(settings, 1)
    message = msgspec.json.decode(raw, type=ItemTexts)
    assert published == 1
    assert [(one.field, one.text) for one in message.texts] == [("title", "The tram is new")]
    assert [(one.action, one.text) for one in message.decisions] == [("edit", "By hand")]
    assert message.version == kept.texts.newest_number()


async def test_what_a_model_wrote_is_not_on_the_topic_once_texts_are_off(kept, settings):
    kept.put("a", body="The tram is new.")
    kept.work()
    kept.texts.decide(
        [Decision(item_key("a"), ALL, "summary", ItemId("a"), "edit", "By hand", "T", 0, NOW)]
    )

    await asyncio.to_thread(publish, settings, kept.texts)

    (raw,) = await messages(settings, 1)
    message = msgspec.json.decode(raw, type=ItemTexts)
    assert (message.texts, len(message.decisions)) == ((), 1)


async def test_what_people_decide_is_on_the_topic_where_no_model_writes(kept, settings):
    kept.put("a", body="The tram is new.")
    kept.texts.decide([Decision(item_key("a"), ALL, ALL, ItemId("a"), "block", "", "T", 0, NOW)])
    texts = kept.texts

    with beside(settings, kept.state, Event()):
        await asyncio.to_thread(
            wait_until, lambda: texts.published() == texts.newest_number(), seconds=60, what="it"
        )

    assert settings.texts == "off"
    (raw,) = await messages(settings, 1)
    (decided,) = msgspec.json.decode(raw, type=ItemTexts).decisions
    assert decided.action == "block"


async def test_only_what_changed_since_is_written_again(kept, settings):
    for number in range(3):
        kept.put(f"i{number}", body="The tram is new.")
    kept.work()
    first = await asyncio.to_thread(publish, settings, kept.texts)

    nothing = await asyncio.to_thread(publish, settings, kept.texts)
    kept.delete("i1")
    kept.work()
    gone = await asyncio.to_thread(publish, settings, kept.texts)

    assert (first, nothing, gone) == (3, 0, 1)
