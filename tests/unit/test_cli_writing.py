"""Writing beside the server: whose understanding it goes by, and that texts go while it writes."""

import time
from threading import Event, Thread

import msgspec
import pytest

from clickwise.cli.writing import language_of, write_texts
from clickwise.settings import load
from clickwise.state.understandings import StoredUnderstanding
from clickwise.testing.language_model import LanguageModel
from clickwise.types import item_key
from clickwise.understanding import Understanding
from tests.writing import NOW, Kept


@pytest.fixture
def kept(tmp_path):
    made = Kept(tmp_path)
    yield made
    made.state.close()


def understand(kept, name, *, language="pt", reason=""):
    body = b""
    if not reason:
        made = Understanding(
            language=language, confidence=1.0, tokens=1, keywords=(), summary=(), topics=(),
            near=(), methods={}, made=NOW,
        )  # fmt: skip
        body = msgspec.json.encode(made)
    row = StoredUnderstanding(
        key=item_key(name), change=kept.state.newest_change(), methods="m", reason=reason,
        body=body, signature=b"", bands=(),
    )  # fmt: skip
    kept.state.understandings.put([row])


def test_a_language_is_waited_for_whoever_understands(kept):
    kept.put("a", language=None)

    before = language_of(kept.state, item_key("a"))
    understand(kept, "a")

    assert (before, language_of(kept.state, item_key("a"))) == (None, "pt")


def test_what_nobody_can_understand_is_not_waited_for(kept):
    kept.put("a", language=None)
    understand(kept, "a", reason="no_text")

    assert language_of(kept.state, item_key("a")) == ""


def wait_until(true):
    for _ in range(300):
        if true():
            return True
        time.sleep(0.1)
    return False


def test_texts_of_a_changed_item_go_while_the_model_hangs(kept):
    stop = Event()
    with LanguageModel() as model:
        settings = load({}, texts="url", texts_url=model.url, texts_model="scripted-1")
        writing = Thread(target=write_texts, args=(settings, kept.state, stop), daemon=True)
        writing.start()
        kept.put("a", body="The tram is new.")
        assert wait_until(lambda: kept.of("a"))
        model.mode = "hung"
        calls = model.calls
        kept.put("b", body="The bus is new.")
        assert wait_until(lambda: model.calls > calls)

        kept.put("a", body="The tram is old.")
        gone = wait_until(lambda: kept.of("a") == {})
        stop.set()

    writing.join(30.0)
    assert gone
