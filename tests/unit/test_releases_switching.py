"""A process follows the pointer: swaps between requests, keeps what works, closes what is gone."""

import gc
import threading
import weakref
from contextlib import contextmanager

import pytest

from clickwise import metrics
from clickwise.errors import BundleError, UnavailableError
from clickwise.releases import Opened, SwitchingReleases
from clickwise.releases.models import is_in_share
from clickwise.releases.switching import FIRST_PAUSE_SECONDS
from clickwise.state.port import NamedRelease, Pointer
from clickwise.testing.index import ExactIndex
from clickwise.testing.releases import fixed_releases
from tests.site import NOW, ManualClock


class FakeState:
    """A pointer that tests move, and no items."""

    def __init__(self):
        self.current = Pointer(0, ())
        self.away = False

    def name(self, **roles):
        named = tuple(
            NamedRelease(role, version, f"/{version}", "c", share, 0, NOW)
            for role, (version, share) in roles.items()
        )
        self.current = Pointer(self.current.sequence + 1, named)

    def pointer(self):
        if self.away:
            raise UnavailableError("the database is away")
        return self.current

    def newest_change(self):
        return 0


class FakeOpener:
    """Opens a release of any version; can be told to fail, or not to be ready."""

    def __init__(self):
        self.opened = []
        self.closed = []
        self.failing = set()
        self.unready = set()
        self.settling = str
        self.tries = 0

    def is_ready(self, named):
        return named.version not in self.unready

    def keep(self, named):
        self.kept = [one.version for one in named]

    def open(self, named):
        self.tries += 1
        version = named.version
        if version in self.failing:
            raise BundleError(f"{version} is damaged")
        self.opened.append(version)
        index = ExactIndex(model=f"{version}-items", dimension=8)
        release = fixed_releases(FakeState(), index, model=version).live
        return Opened(
            release, lambda: self.settling(version), lambda: self.closed.append(version)
        )  # fmt: skip


class Process:
    """One process's releases, stepped by hand."""

    def __init__(self):
        self.state, self.opener, self.clock = FakeState(), FakeOpener(), ManualClock()
        self.state.name(live=("a", 0.0))
        self.turns = 0
        self.releases = SwitchingReleases(
            state=self.state, opener=self.opener, clock=self.clock, turn=self.turn
        )

    @contextmanager
    def turn(self):
        self.turns += 1
        yield

    def name(self, **roles):
        """Move the pointer: `live="b"`, or `canary=("b", 0.5)`."""
        self.state.name(**{r: v if isinstance(v, tuple) else (v, 0.0) for r, v in roles.items()})
        self.releases.step()

    @property
    def live(self):
        return self.releases.live.version


@pytest.fixture
def process():
    made = Process()
    yield made
    made.releases.close()


def test_without_a_named_model_nothing_can_be_opened():
    with pytest.raises(UnavailableError, match="no model is named"):
        SwitchingReleases(state=FakeState(), opener=FakeOpener(), clock=ManualClock())


def test_a_new_live_model_takes_the_old_ones_place_when_it_is_open(process):
    process.name(live="b", previous="a")

    assert process.live == "b"
    assert [one.version for one in process.releases.every()] == ["b", "a"]
    assert process.opener.closed == []


def test_a_candidate_is_opened_once_its_items_are_indexed_and_answers_nobody(process):
    process.opener.unready = {"b"}
    process.name(live="a", candidate="b")
    assert process.opener.opened == ["a"]

    process.opener.unready = set()
    process.releases.step()

    assert process.opener.opened == ["a", "b"]
    assert process.live == "a"
    assert [one.version for one in process.releases.every()] == ["a", "b"]


def test_a_promoted_candidate_is_not_opened_again(process):
    process.name(live="a", candidate="b")
    candidate = process.releases.every()[1]

    process.name(live="b", previous="a")
    process.name(live="a", previous="b")
    process.name(live="b", previous="a")

    assert process.opener.opened == ["a", "b"]
    assert process.releases.live is candidate


def test_a_batch_sees_one_set_of_models_from_beginning_to_end(process):
    process.releases.refresh()
    process.name(live="b", previous="a")

    assert process.live == "a"
    assert process.releases.of("anna").version == "a"
    process.releases.refresh()
    assert process.live == "b"


def test_a_model_is_closed_only_when_no_batch_uses_it(process):
    process.releases.refresh()
    process.name(live="b")
    process.releases.step()
    assert process.opener.closed == []

    process.releases.rest()
    process.releases.step()

    assert process.opener.closed == ["a"]
    assert [one.version for one in process.releases.every()] == ["b"]


def test_a_model_that_is_leaving_is_not_found_by_the_next_batch(process):
    process.releases.refresh()
    process.name(live="b")

    process.releases.refresh()
    process.releases.step()

    assert [one.version for one in process.releases.every()] == ["b"]
    assert process.opener.closed == ["a"]


def test_another_threads_batch_keeps_its_model_open(process):
    inside, leave = threading.Event(), threading.Event()
    seen = []

    def batch():
        process.releases.refresh()
        inside.set()
        leave.wait(10)
        seen.append(process.live)
        process.releases.rest()

    thread = threading.Thread(target=batch)
    thread.start()
    inside.wait(10)
    process.name(live="b")
    assert (process.live, process.opener.closed) == ("b", [])
    leave.set()
    thread.join()
    process.releases.step()

    assert seen == ["a"]
    assert process.opener.closed == ["a"]


def test_a_model_that_cannot_be_opened_leaves_the_old_one_and_is_tried_less_and_less(process):
    process.opener.failing = {"b"}
    process.name(live="b", previous="a")
    tries = []
    for _ in range(40):
        process.clock.advance(seconds=FIRST_PAUSE_SECONDS)
        process.releases.step()
        tries.append(process.opener.tries)

    assert process.live == "a"
    assert process.opener.closed == []
    assert tries[-1] < 10

    process.opener.failing = set()
    process.clock.advance(seconds=60)
    process.releases.step()

    assert process.live == "b"


def test_a_change_of_the_pointer_tries_at_once(process):
    process.opener.failing = {"b"}
    process.name(live="b", previous="a")
    process.opener.failing = set()
    process.releases.step()
    assert process.live == "a"

    process.name(live="b", previous="a")

    assert process.live == "b"


def test_while_the_database_is_away_what_serves_goes_on(process):
    process.state.away = True

    with pytest.raises(UnavailableError):
        process.releases.step()

    assert process.live == "a"


def test_writers_know_of_a_model_before_it_is_brought_up_to_date(process):
    known = []
    process.opener.settling = lambda _: known.append(
        [one.version for one in process.releases.every()]
    )

    process.name(live="b", previous="a")

    assert known == [["a", "b"]]
    assert process.live == "b"


def test_a_model_that_is_not_settled_answers_nobody(process):
    def away(version):
        raise UnavailableError(f"{version} cannot catch up")

    process.opener.settling = away
    process.name(live="b", previous="a")

    assert process.live == "a"
    assert [one.version for one in process.releases.every()] == ["a", "b"]


def test_a_canary_gets_its_share_of_users_always_the_same(process):
    process.name(live="a", canary=("b", 0.3))
    users = [f"user-{n}" for n in range(2_000)]

    first = [process.releases.of(user).version for user in users]

    assert 0.26 < first.count("b") / len(users) < 0.34
    assert first == [process.releases.of(user).version for user in users]
    assert process.releases.of(None).version == "a"
    assert process.releases.on_trial


def test_another_version_is_tried_on_other_users():
    users = [f"user-{n}" for n in range(1_000)]

    one = {user for user in users if is_in_share(user, "b", 0.2)}
    other = {user for user in users if is_in_share(user, "c", 0.2)}

    assert one != other
    assert len(one & other) < len(one) / 2


def test_a_withdrawn_canary_answers_nobody_and_is_closed(process):
    process.name(live="a", canary=("b", 1.0))
    assert process.releases.of("anna").version == "b"

    process.name(live="a")

    assert process.releases.of("anna").version == "a"
    assert process.opener.closed == ["b"]


def test_a_shadow_answers_nobody(process):
    process.name(live="a", shadow=("b", 0.5))

    assert process.releases.of("anna").version == "a"
    assert process.releases.shadow.release.version == "b"
    assert process.releases.shadow.share == 0.5


def test_what_is_opened_later_takes_its_turn(process):
    assert process.turns == 0

    process.name(live="a", candidate="b")
    process.releases.step()

    assert process.turns == 1


def test_a_hundred_swaps_leave_one_model_behind_and_close_the_rest(process):
    gone = []
    for number in range(100):
        gone.append(weakref.ref(process.releases.live.bundle.scorer))
        before = process.live
        process.name(live=f"m{number}", previous=before)
    gc.collect()

    assert [one.version for one in process.releases.every()] == ["m99", "m98"]
    assert len(process.opener.closed) == 99
    assert [ref() is None for ref in gone] == [True] * 99 + [False]


def test_metrics_show_the_models_in_use_and_no_others(process):
    process.name(live="b", previous="a")
    process.name(live="c", previous="b")

    lines = metrics.expose().decode().splitlines()
    info = [line for line in lines if line.startswith("clickwise_model_info{")]
    holding = {line for line in lines if line.startswith("clickwise_releases_open_processes{")}

    assert info == ['clickwise_model_info{version="c"} 1.0']
    assert holding == {
        'clickwise_releases_open_processes{role="live",version="c"} 1.0',
        'clickwise_releases_open_processes{role="previous",version="b"} 1.0',
    }
