"""A model that answers nobody: asked what it would have said, and compared with what was said.

Off the request path, in a thread of its own, behind a bounded queue: while it is busy, answers
go uncompared and are counted as dropped.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from clickwise import logs, metrics
from clickwise.clock import Clock
from clickwise.errors import ClickwiseError
from clickwise.ranking import Policy
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.freshness import Unobserved
from clickwise.recommend.gathering import Limits
from clickwise.recommend.recommender import Recommender
from clickwise.releases.models import Trial
from clickwise.state.port import State

COMPARED = 10  # places
WAITING = 64  # answers that may wait
_WHOLE = float(1 << 64)

_log = logs.get(__name__)


class Shadowing(Protocol):
    """The part of `SwitchingReleases` that is needed here."""

    @property
    def shadow(self) -> Trial | None:
        """What is asked beside the live one, if anything."""
        ...

    def refresh(self) -> None:
        """See Releases."""
        ...

    def rest(self) -> None:
        """See Releases."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two lists: the share of places that they have in common, and Spearman's correlation of the
    items that both have (None under two).
    """

    overlap: float
    correlation: float | None


class Shadow:
    """Compares a share of answers; `offer` from the thread that answers, all else in its own."""

    def __init__(
        self,
        *,
        state: State,
        releases: Shadowing,
        policy: Policy,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._state = state
        self._releases = releases
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._waiting: deque[tuple[RecommendRequest, Answer]] = deque()
        self._changed = threading.Semaphore(0)
        self._stopped = threading.Event()
        self._recommender: Recommender | None = None
        self._trial: Trial | None = None
        self._thread = threading.Thread(target=self._run, name="clickwise-shadow", daemon=True)

    def start(self) -> None:
        """Start comparing."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is let go."""
        self._stopped.set()
        self._changed.release()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, request: RecommendRequest, answer: Answer) -> None:
        """An answer that was given; never waits."""
        trial = self._releases.shadow
        if trial is None or request.offset or request.cursor or not _drawn(answer, trial.share):
            return
        if len(self._waiting) >= WAITING:
            metrics.dropped.labels("shadow").inc()
            return
        self._waiting.append((request, answer))
        self._changed.release()

    def step(self) -> None:
        """Compare one answer that waits, if one does."""
        if not self._waiting:
            return
        request, answer = self._waiting.popleft()
        self._releases.refresh()
        try:
            self._compare(request, answer)
        finally:
            self._releases.rest()

    def _run(self) -> None:
        while True:
            self._changed.acquire()
            if self._stopped.is_set():
                return
            try:
                self.step()
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "shadow").inc()
            except Exception:  # noqa: BLE001  # the thread's edge: nobody waits for a comparison
                metrics.errors.labels("internal", "shadow").inc()
                _log.exception("shadow_failed")

    def _compare(self, request: RecommendRequest, answer: Answer) -> None:
        trial = self._releases.shadow
        if trial is None:
            self._trial = self._recommender = None
            return
        if self._recommender is None or self._trial is None or self._trial != trial:
            self._recommender = Recommender(
                state=self._state,
                release=trial.release,
                policy=self._policy,
                limits=self._limits,
                clock=self._clock,
                freshness=Unobserved(),
            )
            self._trial = trial
        other = self._recommender.recommend(request)
        if answer.items and other.items:
            found = compared(
                [one.item for one in answer.items], [one.item for one in other.items]
            )  # fmt: skip
            metrics.shadow_overlap.observe(found.overlap)
            if found.correlation is not None:
                metrics.shadow_correlation.observe(found.correlation)


def compared(one: Sequence[str], other: Sequence[str]) -> Comparison:
    """The first ten places of two lists.

    Spearman (1904) on the ranks of the common items among themselves: 1 - 6 sum d^2 / (n^3 - n).
    """
    first, second = list(one[:COMPARED]), list(other[:COMPARED])
    common = set(first) & set(second)
    overlap = len(common) / max(1, min(COMPARED, max(len(first), len(second))))
    number = len(common)
    if number < 2:
        return Comparison(overlap, None)
    ranks = {item: rank for rank, item in enumerate(i for i in second if i in common)}
    squares = sum(
        (rank - ranks[item]) ** 2 for rank, item in enumerate(i for i in first if i in common)
    )
    return Comparison(overlap, 1.0 - 6.0 * squares / (number**3 - number))


def _drawn(answer: Answer, share: float) -> bool:
    digest = blake2b(answer.request_id.encode(), digest_size=8, person=b"shadow").digest()
    return int.from_bytes(digest) / _WHOLE < share
