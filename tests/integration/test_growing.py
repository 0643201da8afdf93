"""Ours, trained on while an evaluation lives it."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from clickwise.cli.evaluated import lived_as_served
from clickwise.cli.growing import GrowingSystem, Trainings, cost_table, taught_system
from clickwise.profile import Rules
from clickwise.settings import Settings
from tests.unit.training.evaluation_sites import silent
from tests.unit.training.networks import TEXT, TINY, two_tastes
from training.candidate import Trainer
from training.evaluation.candidates import INCREMENTAL, OURS
from training.evaluation.lived import plan_lived
from training.evaluation.protocols import Request, lived
from training.export import Site
from training.fit import FitConfig
from training.train import TrainOptions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COURSE = FitConfig(epochs=3, batch=16, warmup=5, learning_rate=0.01)
EVERY = 40


@pytest.fixture
def data():
    return two_tastes(users=20, items=60, events=25, again=False)


@pytest.fixture
def trainings():
    def trainer(folder):
        site = Site(encoder="text-of-the-set", text_dimension=TEXT, rules=Rules())
        return Trainer(site, TrainOptions(TINY, COURSE), folder, watch=lambda _: None)

    with closing(Trainings(trainer, now=NOW)) as made:
        yield made


@pytest.fixture
def growing(trainings):
    with closing(GrowingSystem(trainings, settings=Settings(), every=EVERY)) as made:
        yield made


def test_it_goes_on_from_what_serves_every_so_many_events_and_serves_the_outcome(
    data, trainings, growing
):
    plan = plan_lived(data, share=0.2).plan
    growing.begin(plan.train, seed=1)

    served = []
    for begin in range(0, len(plan.test), 20):
        growing.tell(plan.test.take(np.arange(begin, min(begin + 20, len(plan.test)))))
        served.append(growing.serves)

    full, first, second = (one.folder.name for one in trainings.done)
    assert served == [full, first, first, second, second]
    assert [one.story.base for one in trainings.done] == ["", full, first]
    assert [one.story.events for one in trainings.done] == [400, 440, 480]
    assert [one.learned for one in trainings.done] == [400, 40, 40]


def test_what_comes_later_changes_no_training(data, trainings, growing):
    plan = plan_lived(data, share=0.2).plan
    other = plan_lived(_with_another_end(data), share=0.2).plan
    growing.begin(plan.train, seed=1)
    growing.tell(plan.test.take(np.arange(EVERY)))
    again = GrowingSystem(trainings, settings=Settings(), every=EVERY)
    with closing(again):
        again.begin(other.train, seed=1)
        again.tell(other.test.take(np.arange(EVERY)))

        assert again.serves == growing.serves != trainings.done[0].folder.name


def test_both_begin_with_one_training_and_are_compared_on_the_same_cases(data, trainings):
    request = Request(
        data=data, systems=(INCREMENTAL,), seed=1, tuning_trials=1, quick=False, progress=silent
    )
    settings = Settings()

    report = lived(
        request,
        served={
            OURS: lambda: taught_system(trainings, settings=settings),
            INCREMENTAL: lambda: GrowingSystem(trainings, settings=settings, every=20),
        },
    )

    assert {one.name for one in report.systems} == {OURS, INCREMENTAL}
    assert [(one.system, one.other) for one in report.hybrids] == [(INCREMENTAL, OURS)]
    assert report.best_baseline == ""
    assert [one.story.kind for one in trainings.done] == ["full", "incremental", "incremental"]


@pytest.mark.parametrize(("systems", "tables"), [((INCREMENTAL,), ["Trainings"]), ((OURS,), [])])
def test_a_report_says_what_trainings_took_where_there_are_several(data, systems, tables):
    request = Request(
        data=data, systems=systems, seed=1, tuning_trials=1, quick=True, progress=silent
    )

    report = lived_as_served(Settings(), request)

    assert [one.title for one in report.tables] == tables
    assert {one.name for one in report.systems} == {OURS, *systems}
    assert report.system(OURS).note.startswith("as it serves")


def test_costs_are_shares_of_the_full_training(data, trainings):
    full = trainings.first(data)
    halved = replace(
        full,
        story=msgspec.structs.replace(full.story, seconds=full.story.seconds / 2.0),
        wall_seconds=full.wall_seconds / 4.0,
    )

    table = cost_table([full, halved])

    assert [row[0] for row in table.rows] == ["full", "incremental 1"]
    assert [row[4] for row in table.rows] == pytest.approx([1.0, 0.5])
    assert [row[6] for row in table.rows] == pytest.approx([1.0, 0.25])


def _with_another_end(data):
    """The same up to the first training, and another order of items afterwards."""
    items_N = data.log.items_N.copy()
    items_N[-50:] = items_N[-50:][::-1]
    return data.with_log(replace(data.log, items_N=items_N))
