"""`clickwise understand`: items of a file, understood and shown, stored nowhere."""

import json

import pytest

from clickwise.cli import run

SENTENCE = "The city opened a new bridge over the river."
ITEMS = (
    {"id": "a", "kind": "news", "title": "A new bridge", "body": SENTENCE},
    {"id": "b", "kind": "news", "title": "A football match"},
    {"id": "c", "kind": "news", "title": "\U0001f600"},
    {"id": "d", "kind": "news"},
)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in ITEMS), encoding="utf-8")
    return path


def test_each_item_is_a_line_of_json(file, capsys):
    code = run(["understand", str(file), "--json"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1  # one has no word
    assert [(one["item"], one["reason"]) for one in lines] == [
        ("a", None),
        ("b", None),
        ("c", "no_text"),
    ]
    assert lines[0]["understanding"]["summary"] == [SENTENCE]
    assert lines[0]["understanding"]["keywords"]


def test_people_get_a_table_and_what_it_took(file, capsys):
    code = run(["understand", str(file), "--texts"])

    told = capsys.readouterr().out
    assert code == 0
    assert "bridge" in told
    assert "football" not in told
    assert "CPU seconds an item" in told


def test_a_taxonomy_is_tried_before_it_is_used(file, tmp_path, monkeypatch, capsys):
    taxonomy = tmp_path / "taxonomy.toml"
    taxonomy.write_text('[[topic]]\nid = "sport"\n[[topic]]\nid = "bridge"\n', encoding="utf-8")
    monkeypatch.setenv("CLICKWISE_TAXONOMY", str(taxonomy))

    run(["understand", str(file), "--json", "--limit", "1"])

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["understanding"]["topics"][0]["topic"] == "bridge"


def test_an_unknown_format_is_told(file, capsys):
    assert run(["understand", str(file), "--format", "xml"]) != 0
    assert "expected one of auto" in capsys.readouterr().err
