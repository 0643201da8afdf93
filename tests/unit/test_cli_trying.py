"""`clickwise texts try`: drafts of a file's items, judged, counted and stored nowhere."""

import json
from pathlib import Path

import pytest

from clickwise.cli import run
from clickwise.cli.trying import FAILURES, TryOptions, try_texts
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.settings import load
from clickwise.testing.writer import ScriptedWriter
from tests.writing import BODY

ITEMS = [
    {"id": f"i{number}", "kind": "news", "title": f"A tram, part {number}", "body": BODY}
    for number in range(5)
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "items.jsonl"
    titled = {"id": "short", "kind": "news", "title": "A bridge opens"}
    lines = (json.dumps(one) + "\n" for one in [*ITEMS, titled])
    path.write_text("".join(lines), encoding="utf-8")
    return path


def options(file: Path, **changes) -> TryOptions:
    given = {
        "path": file, "layout": "auto", "texts": True, "limit": 0, "fields": "title",
        "material": "item", "readers": "", "rows": None, "show": False, **changes,
    }  # fmt: skip
    return TryOptions(**given)


def tried(file, writer, **changes):
    return try_texts(load({}), options(file, **changes), writer=writer)


def rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_accepted_and_refused_drafts_are_counted_and_shown(file, capsys):
    assert tried(file, ScriptedWriter(), limit=1, show=True) == 0
    assert tried(file, ScriptedWriter("nonsense"), limit=1) == 0

    told = capsys.readouterr().out
    assert "The city of Porto opened a new tram line" in told
    assert "1, 1 (1.000)" in told
    assert "nonsense 2" in told
    assert "ROUGE-1, ROUGE-L of accepted titles" in told


def test_each_draft_is_a_line_that_says_how_it_was_made(file, tmp_path):
    out = tmp_path / "rows.jsonl"

    tried(file, ScriptedWriter(), limit=2, fields="title,summary", rows=out)

    made = rows(out)
    assert [(one["item"], one["field"]) for one in made] == [
        ("i0", "title"), ("i0", "summary"), ("i1", "title"), ("i1", "summary"),
    ]  # fmt: skip
    assert {one["model"] for one in made} == {"scripted-1"}
    assert made[0]["rouge_l"] > 0
    assert made[1]["rouge_l"] is None


def test_drafts_for_readers_of_a_topic_are_asked_for_and_kept_apart(file, tmp_path):
    out, writer = tmp_path / "rows.jsonl", ScriptedWriter()

    tried(file, writer, limit=1, rows=out)
    tried(file, writer, limit=1, rows=out, readers=" trams ")
    tried(file, writer, limit=1, rows=out, readers="trams")

    assert [one["readers"] for one in rows(out)] == ["", "trams"]
    assert len({one["recipe"] for one in rows(out)}) == 2
    told = [" ".join(part.content for part in asked) for asked in writer.asked]
    assert ["READERS LIKE" in one for one in told] == [False, True]


def test_items_without_enough_text_get_a_title_alone(file, tmp_path):
    out = tmp_path / "rows.jsonl"

    tried(file, ScriptedWriter(), texts=False, fields="summary,title", rows=out)

    assert [one["field"] for one in rows(out) if one["item"] == "short"] == ["title"]


def test_without_titles_an_item_without_a_body_is_left_out(file, tmp_path):
    out = tmp_path / "rows.jsonl"

    tried(file, ScriptedWriter(), texts=False, material="body", rows=out)

    assert "short" not in {one["item"] for one in rows(out)}


def test_an_interrupted_run_goes_on_where_it_stopped(file, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    whole = tmp_path / "whole.jsonl"
    tried(file, ScriptedWriter("nonsense"), rows=whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3]) + lines[3][:40])  # torn in the middle of a line
    writer = ScriptedWriter("nonsense")
    capsys.readouterr()

    tried(file, writer, rows=out)

    assert len(writer.asked) == len(lines) - 3
    keys = [(one["item"], one["attempt"]) for one in rows(out)]
    assert keys == [(f"i{number}", attempt) for number in range(5) for attempt in (1, 2)]
    assert "nonsense 10" in capsys.readouterr().out


def test_what_is_made_otherwise_is_made_anew(file, tmp_path):
    out = tmp_path / "rows.jsonl"
    tried(file, ScriptedWriter(), limit=1, rows=out)
    again, withheld = ScriptedWriter(), ScriptedWriter()

    tried(file, again, limit=1, rows=out)
    tried(file, withheld, limit=1, rows=out, material="body")

    assert not again.asked
    assert withheld.asked


def test_another_gate_judges_what_was_kept_and_has_nothing_written_anew(file, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    tried(file, ScriptedWriter(), limit=1, rows=out)
    (good,) = rows(out)
    wrong = good["text"].replace("Porto", "Lisbon")
    earlier = {"gate": "gate-0", "accepted": False, "reason": "length"}
    kept = [
        {**good, **earlier, "attempt": 1, "said": wrong},
        {**good, **earlier, "attempt": 2, "said": good["text"]},
    ]
    out.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    writer = ScriptedWriter()
    capsys.readouterr()

    tried(file, writer, limit=1, rows=out)
    tried(file, writer, limit=1, rows=out)

    assert not writer.asked
    judged = rows(out)[2:]
    assert [(row["attempt"], row["accepted"]) for row in judged] == [(1, False), (2, True)]
    assert {row["gate"] for row in judged} == {good["gate"]}
    assert "2, 1 (0.500)" in capsys.readouterr().out


def test_a_kept_draft_that_is_refused_now_gets_its_second_try(file, tmp_path):
    out = tmp_path / "rows.jsonl"
    tried(file, ScriptedWriter(), limit=1, rows=out)
    (good,) = rows(out)
    wrong = {**good, "gate": "gate-0", "said": good["text"].replace("Porto", "Lisbon")}
    out.write_text(json.dumps(wrong) + "\n", encoding="utf-8")
    writer = ScriptedWriter()

    tried(file, writer, limit=1, rows=out)

    assert len(writer.asked) == 1
    assert [(row["attempt"], row["accepted"]) for row in rows(out)[1:]] == [(1, False), (2, True)]


def test_a_model_that_is_away_ends_the_run_and_loses_nothing(file, tmp_path):
    out = tmp_path / "rows.jsonl"
    tried(file, ScriptedWriter(), limit=1, rows=out)
    writer = ScriptedWriter("error")

    with pytest.raises(UnavailableError):
        tried(file, writer, rows=out)

    assert len(writer.asked) == FAILURES
    assert len(rows(out)) == 1


def test_items_without_an_answer_fail_the_run(file, capsys):
    assert tried(file, ScriptedWriter("error"), limit=FAILURES - 1) == 1
    assert "2 items without an answer" in capsys.readouterr().out


class Unsteady(ScriptedWriter):
    """Answers every second time."""

    def complete(self, messages, **bounds):
        self.mode = "error" if len(self.asked) % 2 == 0 else "good"
        return super().complete(messages, **bounds)


def test_answers_in_between_let_the_run_go_on(file, capsys):
    assert tried(file, Unsteady(), texts=False) == 1
    assert "3 items without an answer" in capsys.readouterr().out


def test_a_line_without_an_id_is_told_and_fails_the_run_and_the_rest_is_written_for(file, capsys):
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"kind": "news", "title": "Nameless", "body": "Words."}\n')
    writer = ScriptedWriter()

    code = tried(file, writer)

    assert code == 1
    assert len(writer.asked) == len(ITEMS)
    assert "items.jsonl:7: id: " in capsys.readouterr().err


def test_a_file_of_something_else_is_left_as_it_is(file, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\nno line end', encoding="utf-8")

    with pytest.raises(ConfigurationError):
        tried(file, ScriptedWriter(), rows=other)

    assert other.read_text("utf-8") == '{"a": 1}\nno line end'


@pytest.mark.parametrize(
    "arguments", [["--fields", "headline"], ["--material", "all"], ["--format", "xml"]]
)
def test_wrong_options_are_told_in_one_line(file, capsys, arguments):
    assert run(["texts", "try", str(file), *arguments]) == 2

    told = capsys.readouterr().err
    assert "expected" in told
    assert len(told.splitlines()) == 1
