"""Several processes over one database write, and understand, as often as one."""

import pytest
from prometheus_client import REGISTRY

from clickwise.leases import LEASE_SECONDS, RENEW_SECONDS
from clickwise.testing.encoder import HashingEncoder
from clickwise.understanding.keeper import UnderstandingKeeper
from clickwise.understanding.topics import NoTaxonomy
from clickwise.understanding.understander import Understander
from clickwise.writing.breaker import LONGEST_PAUSE_SECONDS, BreakerState
from tests.writing import Kept

ITEMS = 4


@pytest.fixture
def processes(tmp_path):
    """Makes so many, with one clock."""
    made = []

    def make(count, **more):
        for _ in range(count):
            made.append(Kept(tmp_path, clock=made[0].clock if made else None, **more))
        return made

    yield make
    for one in made:
        one.state.close()


def fill(kept):
    for number in range(ITEMS):
        kept.put(f"i{number}")


def work(*running, seconds=60):
    """Let them step in turns, each with its thread beside it, while time passes."""
    for _ in range(seconds):
        for one in running:
            one.keeper.step()
            one.keeper.lease.renew()
        running[0].clock.advance(seconds=1)


def calls(*running):
    return sum(len(one.writer.asked) for one in running)


def test_two_make_as_many_calls_as_one(processes, tmp_path):
    (alone,) = [Kept(tmp_path / "alone")]
    fill(alone)
    work(alone)
    running = processes(3)
    fill(running[0])

    work(*running)

    assert calls(*running) == calls(alone) > 0
    assert running[1].of("i0") == alone.of("i0") != {}
    alone.state.close()


def test_when_the_writer_ends_another_one_goes_on(processes):
    one, two = processes(2)
    work(one, two, seconds=1)
    fill(one)

    one.keeper.lease.release()
    work(two, seconds=round(RENEW_SECONDS) + 30)

    assert calls(one) == 0
    assert two.of(f"i{ITEMS - 1}")


def test_when_the_writer_dies_another_one_goes_on_after_the_leases_time(processes):
    one, two = processes(2)
    work(one, two, seconds=1)
    fill(one)

    work(two, seconds=round(LEASE_SECONDS) - 1)
    assert calls(two) == 0
    work(two, seconds=30)

    assert two.of(f"i{ITEMS - 1}")


def test_who_may_spend_nothing_leaves_it_to_others(processes):
    (poor,) = processes(1, budget=0)
    work(poor, seconds=1)
    poor.budget = 1_000_000
    one, two = processes(1)
    fill(one)

    work(one, two)

    assert calls(one) == 0
    assert two.of("i0")


def test_who_cannot_reach_the_model_leaves_it_to_another(processes):
    one, two = processes(2)
    one.writer.mode = "error"
    work(one, seconds=1)
    fill(one)

    work(one, two, seconds=120)

    assert two.of(f"i{ITEMS - 1}")
    one.clock.advance(seconds=LONGEST_PAUSE_SECONDS)  # it may try again, and has nothing to try
    two.keeper.step()
    one.keeper.step()
    assert one.breaker.state is BreakerState.HALF_OPEN
    assert REGISTRY.get_sample_value("clickwise_text_breaker_state") == 0


def test_an_item_that_changes_while_it_waits_is_written_about_once(processes):
    (kept,) = processes(1)
    kept.put("alone")
    work(kept, seconds=5)
    once = calls(kept)
    kept.language = None
    kept.put("a", language=None)
    work(kept, seconds=2)  # chosen, and waits to be understood

    kept.put("a", language=None, inferred_language="en")
    kept.language = "en"
    work(kept, seconds=5)

    assert calls(kept) == 2 * once
    assert kept.of("a")


def test_texts_of_what_went_are_withdrawn_while_another_one_writes(processes):
    one, two = processes(2)
    fill(one)
    work(one, two)
    one.delete("i0")

    two.keeper.step()

    assert two.of("i0") == {}


class CountingUnderstander(Understander):
    """Counts what it is given."""

    count = 0

    def understand(self, item, vector_D=None):
        self.count += 1
        return super().understand(item, vector_D)


def test_an_item_is_understood_by_one(processes):
    running = processes(2)
    fill(running[0])
    clock = running[0].clock
    understanders = [
        CountingUnderstander(encoder=HashingEncoder(dimension=64), topics=NoTaxonomy(), clock=clock)
        for _ in running
    ]
    one, two = (
        UnderstandingKeeper(state=kept.state, understander=each, clock=clock)
        for kept, each in zip(running, understanders, strict=True)
    )

    looked = [(one.step(), two.step()) for _ in range(5)]

    assert sum(first + second for first, second in looked) == ITEMS
    assert [each.count for each in understanders] == [ITEMS, 0]

    running[0].put("late")
    assert two.step() == 0
    clock.advance(seconds=LEASE_SECONDS)
    assert two.step() == 1
    one.step()
    assert [each.count for each in understanders] == [ITEMS, 1]
