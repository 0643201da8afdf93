"""`clickwise events tail`: a line for each message of the log."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.cli.homes import make_home
from clickwise.cli.wiring import state_of
from clickwise.codec import encode
from clickwise.merges import Merge
from clickwise.settings import load
from clickwise.state.port import EventRow
from clickwise.types import EventId, UserId, event_key

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A site whose log has a click of a guest, and the merge of that guest into anna."""
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    settings = load({}, home=str(tmp_path / "home"))
    make_home(settings)
    click = {"id": "e1", "user": "g1", "item": "i1", "type": "click", "time": NOW}
    merge = Merge(id=EventId("m1"), user=UserId("g1"), into=UserId("anna"), time=NOW)
    rows = {"e1": encode(click), "m1": encode(merge)}
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        with state.write() as write:
            write.add_events([EventRow(event_key(EventId(n)), NOW, b) for n, b in rows.items()])


def test_a_merge_says_into_whom(capsys):
    assert run(["events", "tail"]) == Exit.DONE

    click, merge = (line.split()[1:] for line in capsys.readouterr().out.splitlines())
    assert click == ["g1", "click", "i1", "e1"]
    assert merge == ["g1", "merge", "anna", "m1"]
