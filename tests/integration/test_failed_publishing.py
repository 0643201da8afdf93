"""Where no broker answers: what could not be written is counted, as the alert PublishFails asks."""

import asyncio
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from clickwise.cli.announcing import announce
from clickwise.cli.text_topic import publish
from clickwise.errors import UnavailableError
from clickwise.settings import load
from clickwise.state.port import NamedRelease, Pointer
from clickwise.state.text_port import ALL, Decision
from clickwise.types import ItemId, ModelVersion, item_key
from tests.writing import NOW, Kept

SETTINGS = load({}, kafka_bootstrap="127.0.0.1:1", database_url="sqlite:///unused.db")


def failed(topic):
    labels = {"topic": topic, "outcome": "failed"}
    return REGISTRY.get_sample_value("clickwise_published_total", labels) or 0.0


async def test_a_model_that_could_not_be_announced():
    live = NamedRelease(
        "live", ModelVersion("m1"), "", "", 0.0, 0, datetime(2026, 11, 26, tzinfo=UTC)
    )
    before = failed("models")

    announced = await asyncio.to_thread(announce, SETTINGS, Pointer(1, (live,)))

    assert not announced
    assert failed("models") == before + 1


async def test_words_that_could_not_be_published(tmp_path):
    kept = Kept(tmp_path)
    for name in ("a", "b"):
        kept.put(name)
        kept.texts.decide(
            [Decision(item_key(name), ALL, "title", ItemId(name), "edit", "By hand", "T", 0, NOW)]
        )
    before = failed("texts")

    with pytest.raises(UnavailableError):
        await asyncio.to_thread(publish, SETTINGS, kept.texts)

    assert failed("texts") == before + 2
    kept.state.close()
