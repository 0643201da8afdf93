"""The generated pages say what the code says."""

from pathlib import Path

from clickwise import reference
from clickwise.cli import documents
from clickwise.settings import PREFIX, Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_fresh():
    stale = reference.stale_pages(DOCS, documents.PAGES)

    assert not stale, f"run `{reference.COMMAND}`: {', '.join(stale)}"


def test_a_changed_page_is_stale(tmp_path):
    written = reference.write_pages(tmp_path)
    assert reference.stale_pages(tmp_path) == []

    written[0].write_text("old")

    assert reference.stale_pages(tmp_path) == [written[0].name]


def test_every_setting_is_there():
    page = reference.settings_page()

    assert all(f"`{PREFIX}{name.upper()}`" in page for name in Settings.__struct_fields__)


def test_a_choice_of_words_is_told_as_one_and_any_other_pattern_as_text():
    page = reference.settings_page()

    types = {row.split("`")[1]: row.split(" | ")[1] for row in page.splitlines() if "| `" in row}
    assert types["CLICKWISE_LOG_FORMAT"] == "`console` or `json`"
    assert types["CLICKWISE_TRACE_ENDPOINT"] == "text"
    assert not any("(" in told or ")" in told for told in types.values())


def test_every_figure_is_there_once():
    page = reference.metrics_page()

    names = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert len(names) == len(set(names)) == len(reference.declared_metrics())
    assert all(name.startswith("clickwise_") for name in names)
