"""A pass of the main faults on the whole system, and everything compared with a replay.

An hour of all of them: `make soak`; see docs/faults.md. More seeds: CLICKWISE_TEST_CHAOS_SEEDS=5,6
"""

import os
import tempfile
from pathlib import Path

import pytest

from clickwise.testing.kafka import KafkaMissingError
from clickwise.testing.postgres import PostgresMissingError
from clickwise.testing.services import missing
from tests.chaos.deployment import SESSION_SECONDS
from tests.chaos.report import markdown
from tests.chaos.required import need_all_made
from tests.chaos.run import run_in
from tests.chaos.schedule import schedule, short_kinds

SEEDS = [int(seed) for seed in os.environ.get("CLICKWISE_TEST_CHAOS_SEEDS", "4").split(",")]


@pytest.fixture
def folder():
    """Not pytest's: PostgreSQL may run as another user, and pytest closes the way to its own."""
    with tempfile.TemporaryDirectory(prefix="clickwise-chaos-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.case(17)
@pytest.mark.case(18)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_strikes_nothing_is_lost_counted_twice_or_wrong(folder, seed):
    kinds = short_kinds(session_seconds=SESSION_SECONDS)
    steps, struck = [], set()
    for step in schedule(seed, kinds):
        if len(struck) == len(kinds):
            break
        steps.append(step)
        struck |= {fault.kind for fault in step.faults}
    said = []

    try:
        report = run_in(folder, steps, seed=seed, seconds=600.0, per_second=40.0, say=said.append)
    except (KafkaMissingError, PostgresMissingError) as error:
        missing(str(error))

    assert report.problems == [], "\n".join([*said, markdown(report)])
    assert report.events["distinct events"] > 500
    assert report.requests["200"] > 100
    need_all_made(report)
