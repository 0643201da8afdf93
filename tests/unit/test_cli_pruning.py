"""Old event ids are forgotten, and only old ones."""

from datetime import UTC, datetime, timedelta

from clickwise.cli.pruning import prune_once
from clickwise.state.port import EventRow
from clickwise.state.sql import open_state
from clickwise.testing.doors import StoppedClock
from clickwise.types import EventKey

NOW = datetime(2026, 11, 25, tzinfo=UTC)


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

    forgotten = prune_once(state, dedupe_days=8.0, clock=StoppedClock(NOW))

    assert forgotten == 1
    assert len(state.events()) == 1
    state.close()
