"""What is old is forgotten, and only that."""

from datetime import UTC, datetime, timedelta

import pytest

from clickwise.cli.archiving import clocks_agree, kept_days
from clickwise.cli.pruning import prune_once
from clickwise.errors import UnavailableError
from clickwise.settings import Settings, load
from clickwise.state.port import DeadLetter, EventRow
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.doors import StoppedClock
from clickwise.types import EventKey

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def letter(offset, days):
    at = NOW - timedelta(days=days)
    return DeadLetter("events", 0, offset, None, b"{", "invalid", "no JSON", at)


class Apart(SqlState):
    """A database whose clock is far from this machine's."""

    def clock_skew_seconds(self):
        return 4_000.0


def test_what_was_received_before_the_window_is_forgotten(tmp_path):
    state = open_state(f"sqlite:///{tmp_path}/s", timeout_seconds=5.0, pool_size=2)
    state.migrate()
    ages = {1: 9, 2: 7}
    with state.write() as write:
        write.add_events(
            [
                EventRow(EventKey(key), NOW - timedelta(days=days), b"{}")
                for key, days in ages.items()
            ]
        )
        for days in (21, 19):
            write.add_exposures([b"{}"], received=NOW - timedelta(days=days))
        write.add_dead_letters([letter(1, 41), letter(2, 39)])
    settings = Settings(dedupe_days=8.0, exposure_days=20.0, dead_letter_days=40.0)

    forgotten = prune_once(settings, state, clock=StoppedClock(NOW))

    assert forgotten == 3
    assert len(state.events()) == 1
    assert len(state.exposures()) == 1
    assert [one.offset for one in state.dead_letters()] == [2]
    state.close()


def test_nothing_goes_by_a_clock_that_the_database_contradicts(tmp_path):
    state = open_state(f"sqlite:///{tmp_path}/s", timeout_seconds=5.0, pool_size=2)
    state.migrate()
    with state.write() as write:
        write.add_events([EventRow(EventKey(1), NOW, b"{}")])
    state.__class__ = Apart

    with pytest.raises(UnavailableError, match="clock differs"):
        prune_once(Settings(), state, clock=StoppedClock(NOW + timedelta(days=400)))

    assert len(state.events()) == 1
    assert not clocks_agree(state)
    assert kept_days(load({"CLICKWISE_ARCHIVE_DAYS": "7"}), lambda: False) is None
    state.__class__ = SqlState
    assert clocks_agree(state)
    assert kept_days(load({"CLICKWISE_ARCHIVE_DAYS": "7"}), lambda: True) == timedelta(days=7)
    state.close()
