"""The models of one process, following what the database names.

A thread of its own looks at the pointer, opens what is new beside what serves, and puts it in
place between requests and batches. What is no longer named is closed once no thread is in the
middle of something that uses it.

A model that cannot be opened changes nothing: the one that serves goes on, the fault is told
once and counted, and opening is tried again, less and less often.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from clickwise import logs, metrics
from clickwise.clock import Clock
from clickwise.errors import ClickwiseError, UnavailableError
from clickwise.releases.models import Models, Trial
from clickwise.releases.release import Release
from clickwise.state.port import NamedRelease, Pointer, Role, State
from clickwise.types import UserId

POLL_SECONDS = 0.2
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# Those that answer come first; what may be needed next is opened when there is time.
_ORDER: tuple[Role, ...] = ("live", "canary", "shadow", "previous", "candidate")
_STANDBY: tuple[Role, ...] = ("previous", "candidate")
_Key = tuple[str, str]

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An open release. `settle` makes it complete and warm; `close` lets go of its files."""

    release: Release
    settle: Callable[[], None]
    close: Callable[[], None]


class Opener(Protocol):
    """Opens what the pointer names."""

    def is_ready(self, named: NamedRelease) -> bool:
        """Whether its items are indexed, so that opening takes a moment."""
        ...

    def keep(self, named: Sequence[NamedRelease]) -> None:
        """These are named now: what was prepared for others can be let go of."""
        ...

    def open(self, named: NamedRelease) -> Opened:
        """Open it.

        Raises:
            ClickwiseError: it cannot be had, is damaged, or does not fit.
        """
        ...


@dataclass(slots=True)
class _Held:
    """One open release; `settled` when it may serve."""

    opened: Opened
    settled: bool = False


@dataclass(slots=True)
class _Fault:
    """When opening may be tried again."""

    pause_seconds: float
    due: float


@dataclass(slots=True)
class _Seen:
    """The pointer that was read last, and when it was new (monotonic seconds)."""

    pointer: Pointer
    at: float


@dataclass(slots=True)
class _Readers:
    """What each thread is in the middle of, by thread id; and what is in use now."""

    now: Models
    pins: dict[int, Models] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class SwitchingReleases:
    """Implements `Releases`. `start` and `close` it; tests call `step` instead of `start`."""

    def __init__(
        self,
        *,
        state: State,
        opener: Opener,
        clock: Clock,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Open what serves now, in this thread. `turn` is held while anything is opened later, so
        that the processes of one machine do not stand still together.

        Raises:
            ClickwiseError: no model is named, or the live one cannot be opened.
        """
        self._state = state
        self._opener = opener
        self._clock = clock
        self._turn = turn
        self._held: dict[_Key, _Held] = {}
        self._leaving: list[Opened] = []
        self._faults: dict[_Key, _Fault] = {}
        self._shown: dict[str, str] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clickwise-releases", daemon=True)
        pointer = state.pointer()
        self._seen = _Seen(pointer, clock.monotonic())
        live = pointer.role("live")
        if live is None:
            raise UnavailableError("no model is named as the live one yet")
        first = self._held[_key(live)] = _Held(opener.open(live))
        first.opened.settle()
        first.settled = True
        self._readers = _Readers(Models(first.opened.release))
        for role in ("canary", "shadow"):
            self._open_role(pointer, role)
        self._swap(pointer)
        self._report(pointer)

    @property
    def live(self) -> Release:
        """See Releases."""
        return self._models().live

    @property
    def shadow(self) -> Trial | None:
        """What is asked beside the live one, if anything."""
        return self._models().shadow

    @property
    def on_trial(self) -> bool:
        """See Releases."""
        return self._models().canary is not None

    @property
    def pointer(self) -> Pointer:
        """What the database named when it was last asked."""
        return self._seen.pointer

    def of(self, user: UserId | None) -> Release:
        """See Releases."""
        return self._models().of(user)

    def every(self) -> tuple[Release, ...]:
        """See Releases."""
        return self._models().every()

    def refresh(self) -> None:
        """See Releases. Asks nobody: the thread behind this has looked."""
        readers = self._readers
        with readers.lock:
            readers.pins[threading.get_ident()] = readers.now

    def rest(self) -> None:
        """See Releases."""
        readers = self._readers
        with readers.lock:
            readers.pins.pop(threading.get_ident(), None)

    def start(self) -> None:
        """Follow the pointer until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Follow it no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """Stop, and close every release; nothing is asked of them afterwards."""
        self.stop()
        for opened in (*self._leaving, *(held.opened for held in self._held.values())):
            opened.close()
        self._leaving.clear()
        self._held.clear()
        metrics.show_models(self._shown, {})
        self._shown = {}

    def step(self) -> None:
        """Look at the pointer once, and do what follows from it."""
        pointer = self._state.pointer()
        if pointer.sequence != self._seen.pointer.sequence:
            self._seen = _Seen(pointer, self._clock.monotonic())
            self._faults.clear()  # whoever changed it may have mended the cause
            self._opener.keep(pointer.named)
        for role in _ORDER:
            self._open_role(pointer, role)
        self._swap(pointer)
        self._keep_up()
        self._retire(pointer)
        self._report(pointer)

    def _run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            try:
                self.step()
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "releases").inc()
            except Exception:  # noqa: BLE001  # the thread's edge: the model that serves goes on
                metrics.errors.labels("internal", "releases").inc()
                _log.exception("releases not followed")

    def _models(self) -> Models:
        readers = self._readers
        return readers.pins.get(threading.get_ident(), readers.now)

    def _open_role(self, pointer: Pointer, role: Role) -> None:
        """Open what a role names, unless it is, cannot be yet, or failed a moment ago."""
        named = pointer.role(role)
        if named is None:
            return
        key = _key(named)
        held = self._held.get(key)
        fault = self._faults.get(key)
        if held is not None and held.settled:
            return
        if fault is not None and self._clock.monotonic() < fault.due:
            return
        try:
            if role in _STANDBY and not self._opener.is_ready(named):
                return
            with self._turn():
                if held is None:
                    held = self._held[key] = _Held(self._opener.open(named))
                # First every writer of this process knows of it, then it is brought up to date:
                # what is written in between is in it one way or the other.
                self._swap(pointer)
                held.opened.settle()
                held.settled = True
        except ClickwiseError as error:
            self._failed(named, error)
            return
        self._faults.pop(key, None)

    def _failed(self, named: NamedRelease, error: ClickwiseError) -> None:
        key = _key(named)
        known = self._faults.get(key)
        metrics.errors.labels(error.kind, "releases").inc()
        if known is None:
            _log.error(
                "release cannot be opened",
                role=named.role,
                model=named.version,
                kind=error.kind,
                reason=str(error),
            )
        pause = FIRST_PAUSE_SECONDS if known is None else known.pause_seconds * 2
        pause = min(pause, LONGEST_PAUSE_SECONDS)
        self._faults[key] = _Fault(pause, self._clock.monotonic() + pause)

    def _swap(self, pointer: Pointer) -> None:
        """Put what is named and complete in the place of what is in use."""
        before = self._readers.now
        live = self._settled(pointer, "live")
        canary, shadow = self._trial(pointer, "canary"), self._trial(pointer, "shadow")
        answering = live if live is not None else before.live
        used = [answering, *(trial.release for trial in (canary, shadow) if trial is not None)]
        standby = tuple(
            held.opened.release
            for held in self._held.values()
            if not any(held.opened.release is one for one in used)
        )
        after = Models(answering, canary, shadow, standby)
        if _same(before, after):
            return
        with self._readers.lock:
            self._readers.now = after
        if before.live is not after.live:
            seconds = self._clock.monotonic() - self._seen.at
            metrics.swap_seconds.observe(seconds)
            _log.info(
                "model swapped",
                model=after.live.version,
                before=before.live.version,
                seconds=round(seconds, 3),
            )

    def _settled(self, pointer: Pointer, role: Role) -> Release | None:
        named = pointer.role(role)
        held = None if named is None else self._held.get(_key(named))
        return held.opened.release if held is not None and held.settled else None

    def _trial(self, pointer: Pointer, role: Role) -> Trial | None:
        named, release = pointer.role(role), self._settled(pointer, role)
        if named is None or release is None:
            return None
        return Trial(release, named.share)

    def _keep_up(self) -> None:
        """Let models that answer nobody see new items, so that they are ready when they have to."""
        standby = self._readers.now.standby
        if standby:
            newest = self._state.newest_change()
            for release in standby:
                try:
                    release.catalog.refresh(newest)
                except ClickwiseError as error:  # told when it was opened; the others go on
                    metrics.errors.labels(error.kind, "releases").inc()

    def _retire(self, pointer: Pointer) -> None:
        """Close what is neither named nor in use, once no thread is in the middle of it."""
        named = {_key(one) for one in pointer.named}
        now = self._readers.now
        answering = [now.live, *(t.release for t in (now.canary, now.shadow) if t is not None)]
        gone = [
            key
            for key, held in self._held.items()
            if key not in named and not any(held.opened.release is one for one in answering)
        ]
        if gone:
            self._leaving += [self._held.pop(key).opened for key in gone]
            self._swap(pointer)  # no thread finds them from here on
        if not self._leaving:
            return
        readers = self._readers
        with readers.lock:
            pinned = {id(one) for models in readers.pins.values() for one in models.every()}
        closing = [opened for opened in self._leaving if id(opened.release) not in pinned]
        self._leaving = [opened for opened in self._leaving if id(opened.release) in pinned]
        for opened in closing:
            opened.close()

    def _report(self, pointer: Pointer) -> None:
        now = self._readers.now
        shown: dict[str, str] = {
            named.role: named.version
            for named in pointer.named
            if self._settled(pointer, named.role) is not None
        }
        shown["live"] = now.live.version
        if shown == self._shown:
            return
        metrics.show_models(self._shown, shown)
        self._shown = shown
        metrics.model_created.set(now.live.bundle.manifest.created.timestamp())


def _key(named: NamedRelease) -> _Key:
    return named.version, named.checksum


def _same(one: Models, other: Models) -> bool:
    def parts(models: Models) -> list[object]:
        trials = [
            (id(trial.release), trial.share) if trial is not None else None
            for trial in (models.canary, models.shadow)
        ]
        return [id(models.live), *trials, *map(id, models.standby)]

    return parts(one) == parts(other)
