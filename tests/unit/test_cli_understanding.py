"""`clickwise understand`: items of a file, understood and shown, stored nowhere."""

import json

import pytest

from clickwise.cli import run
from clickwise.cli.item_files import TOLD
from clickwise.testing.tiny_bert import write_tiny_bert

SENTENCE = "The city opened a new bridge over the river."
ITEMS = (
    {"id": "a", "kind": "news", "title": "A new bridge", "body": SENTENCE},
    {"id": "b", "kind": "news", "title": "A football match"},
    {"id": "c", "kind": "news", "title": "\U0001f600"},
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


def test_addresses_are_masked_as_on_the_site_unless_the_setting_says_not_to(
    file, monkeypatch, capsys
):
    item = {"id": "a", "kind": "news", "title": "Write to ann@example.com", "body": SENTENCE}
    file.write_text(json.dumps(item) + "\n", encoding="utf-8")

    def title():
        assert run(["understand", str(file), "--json"]) == 0
        return json.loads(capsys.readouterr().out)["title"]

    assert title() == "Write to [email]"
    monkeypatch.setenv("CLICKWISE_MASK", "")
    assert title() == "Write to ann@example.com"


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


def test_a_row_that_is_no_item_is_told_with_its_place_and_the_rest_is_understood(file, capsys):
    sound = {"id": "e", "kind": "news", "title": "A harbor"}
    with file.open("w", encoding="utf-8") as lines:
        lines.write('{"kind": "news", "title": "Nameless"}\nno json\n' + json.dumps(sound) + "\n")

    code = run(["understand", str(file), "--json"])

    told = capsys.readouterr()
    assert code == 1
    assert [json.loads(line)["item"] for line in told.out.splitlines()] == ["e"]
    nameless, broken = told.err.splitlines()
    assert "refused items.jsonl:1: id: " in nameless
    assert "refused items.jsonl:2: not valid JSON" in broken


def test_of_many_rows_that_are_no_items_the_first_are_told_and_all_are_counted(file, capsys):
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"id": "d", "kind": "news"}\n' * (2 * TOLD))

    assert run(["understand", str(file), "--json"]) == 1

    *each, sum_ = capsys.readouterr().err.splitlines()
    assert len(each) == TOLD
    assert f"{2 * TOLD} items refused" in sum_


def test_a_file_of_events_alone_has_nothing_to_understand(file, capsys):
    file.write_text('{"id": "e", "user": "u", "item": "a", "type": "click"}\n', encoding="utf-8")

    assert run(["understand", str(file)]) == 2

    assert "holds no items" in capsys.readouterr().err


def test_an_unknown_format_is_told(file, capsys):
    assert run(["understand", str(file), "--format", "xml"]) != 0
    assert "expected one of auto" in capsys.readouterr().err


def test_no_home_is_made_and_the_encoder_is_kept_in_one_that_is_there(
    file, tmp_path, monkeypatch, capsys
):
    taxonomy = tmp_path / "taxonomy.toml"
    taxonomy.write_text('[[topic]]\nid = "sport"\n[[topic]]\nid = "bridge"\n', encoding="utf-8")
    monkeypatch.setenv("CLICKWISE_TAXONOMY", str(taxonomy))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", str(write_tiny_bert(tmp_path / "tiny")))
    home = tmp_path / "home"
    before = set(tmp_path.iterdir())

    def understood():
        assert run(["understand", str(file), "--json", "--limit", "1"]) == 0
        return json.loads(capsys.readouterr().out)["understanding"]["topics"]

    without = understood()

    assert set(tmp_path.iterdir()) == before
    home.mkdir()
    assert understood() == without
    assert [path.name for path in home.iterdir()] == ["models"]
