"""Texts as a site sees them: written beside the server, shown in lists, and never waited for."""

import json

import pytest

from clickwise.cli import run
from clickwise.testing.language_model import LanguageModel
from clickwise.testing.processes import wait_until
from clickwise.testing.running import RunningSite

BODY = "The city opened a new tram line on Monday. It has eighteen stops."
SECONDS = 120.0


@pytest.fixture
def model():
    with LanguageModel() as model:
        yield model


@pytest.fixture
def site(model, tmp_path):
    environment = {
        "CLICKWISE_TEXTS": "url",
        "CLICKWISE_TEXTS_URL": model.url,
        "CLICKWISE_TEXTS_MODEL": "scripted-1",
        "CLICKWISE_TEXTS_DEADLINE_SECONDS": "0.5",
        "CLICKWISE_TEXTS_HOLDOUT": "0",
    }
    with RunningSite(tmp_path / "home", environment=environment) as running:
        yield running


def put(site, *names):
    site.put(
        {"id": name, "kind": "news", "title": f"Item {name}", "body": BODY, "language": "en"}
        for name in names
    )


def text_of(site, item, user="ada"):
    found = site.list_of(user, limit=50)["items"]
    return next(one["text"] for one in found if one["item"] == item)


def metric(site, name):
    lines = site._client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_a_written_title_reaches_the_list_and_the_exposure_log(site):
    put(site, "a")

    wait_until(
        lambda: text_of(site, "a")["shown"] == "written", seconds=SECONDS, what="a written text"
    )

    assert text_of(site, "a")["title"].startswith("The city opened a new tram line")
    assert metric(site, "clickwise_texts_total") >= 1


@pytest.mark.parametrize("mode", ["hung", "error", "nonsense"])
def test_a_model_that_is_down_costs_texts_and_nothing_else(site, model, mode):
    model.mode = mode
    put(site, "a", "b", "c", "d")

    wait_until(
        lambda: metric(site, "clickwise_text_breaker_state ") == 2.0,
        seconds=SECONDS,
        what="an open breaker",
    )
    answer = site.list_of("ada", limit=4)

    assert answer["items"][0]["text"]["shown"] == "own"
    assert answer["items"][0]["text"]["title"] == answer["items"][0]["title"]
    model.mode = "good"
    wait_until(
        lambda: all(text_of(site, name)["shown"] == "written" for name in "abcd"),
        seconds=SECONDS,
        what="texts after the model is well again",
    )
    assert metric(site, "clickwise_text_breaker_state ") == 0.0


def test_a_persons_word_is_shown_within_seconds(site):
    put(site, "a")
    wait_until(lambda: text_of(site, "a")["shown"] == "written", seconds=SECONDS, what="a text")
    home = ["--home", str(site.home)]

    assert run(["texts", "edit", "a", "By hand", *home]) == 0
    wait_until(lambda: text_of(site, "a")["title"] == "By hand", seconds=SECONDS, what="the edit")
    assert run(["texts", "block", "a", *home]) == 0
    assert run(["texts", "unblock", "a", "--field", "title", *home]) == 0
    wait_until(lambda: text_of(site, "a")["shown"] == "own", seconds=SECONDS, what="the block")
    assert run(["texts", "unblock", "a", *home]) == 0
    wait_until(lambda: text_of(site, "a")["shown"] == "written", seconds=SECONDS, what="the text")


def test_where_no_model_writes_a_persons_word_is_shown_all_the_same(tmp_path):
    environment = {"CLICKWISE_TEXTS": "off", "CLICKWISE_UNDERSTAND": "false"}
    with RunningSite(tmp_path / "home", environment=environment) as site:
        put(site, "a")

        assert run(["texts", "edit", "a", "By hand", "--home", str(site.home)]) == 0

        wait_until(
            lambda: text_of(site, "a")["title"] == "By hand", seconds=SECONDS, what="the edit"
        )


def test_a_model_is_tried_on_a_file_before_readers_see_a_word(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_TEXTS", "url")
    monkeypatch.setenv("CLICKWISE_TEXTS_URL", model.url)
    monkeypatch.setenv("CLICKWISE_TEXTS_MODEL", "scripted-1")
    file, out = tmp_path / "items.jsonl", tmp_path / "drafts.jsonl"
    file.write_text(
        json.dumps({"id": "a", "kind": "news", "title": "Item a", "body": BODY, "language": "en"}),
        encoding="utf-8",
    )

    assert run(["texts", "try", str(file), "--fields", "title", "--json", str(out), "--show"]) == 0

    assert json.loads(out.read_text("utf-8"))["model"] == "scripted-1"
    assert "The city opened a new tram line" in capsys.readouterr().out
    assert model.calls == 1
