"""Profiles of another model, folded anew in the background for the one that is live.

Whoever touches a profile (an event, a request) rebuilds it first, so nothing depends on this: it
spares those readers the time. Users in order of their ids, a few at a time, with rests between;
every write is conditional, so an event that comes meanwhile wins. It stops when another model
goes live, and goes on where it was after a restart.
"""

import time
from threading import Event

from clickwise import logs, metrics
from clickwise.clock import Clock
from clickwise.errors import BundleError, ClickwiseError, ConflictError
from clickwise.profile import from_stored, stored_body
from clickwise.releases.models import is_in_share
from clickwise.releases.switching import Opened, Opener
from clickwise.state.port import NamedRelease, Pointer, ProfileWrite, Rebuild, State
from clickwise.types import UserId

PAGE = 200  # users looked at between two notes of progress
AT_ONCE = 16  # profiles in one transaction: writers of events wait for it
REST = 3.0  # seconds of rest per second of work: a quarter of a core at most
POLL_SECONDS = 1.0

_log = logs.get(__name__)


class Rebuilder:
    """Rebuilds until it is stopped; one thread."""

    def __init__(self, *, state: State, opener: Opener, clock: Clock) -> None:
        self._state = state
        self._opener = opener
        self._clock = clock
        self._opened: tuple[NamedRelease, Opened] | None = None

    def run(self, stop: Event) -> None:
        """Work and rest until `stop`; what is away is waited for."""
        pause = POLL_SECONDS
        while not stop.wait(pause):
            started = time.perf_counter()
            try:
                more = self.step()
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "rebuild").inc()
                _log.warning("rebuild_put_off", kind=error.kind, reason=str(error))
                more = False
            pause = (time.perf_counter() - started) * REST if more else POLL_SECONDS
        self._let_go()

    def step(self) -> bool:
        """Look at the next users; False when all of them have been looked at."""
        pointer = self._state.pointer()
        live = pointer.role("live")
        if live is None:
            return False
        known = self._state.rebuild()
        if known is None or (known.version, known.changed) != (live.version, live.changed):
            before, progress = known, Rebuild(live.version, live.changed, "", 0, 0, done=False)
        else:
            before = progress = known
        if progress.done:
            self._let_go()
            return False
        users = self._state.users(after=progress.after, limit=PAGE)
        rebuilt = self._rebuild(users, live, pointer)
        after = Rebuild(
            version=live.version,
            changed=live.changed,
            after=users[-1] if users else progress.after,
            seen=progress.seen + len(users),
            rebuilt=progress.rebuilt + rebuilt,
            done=len(users) < PAGE,
        )
        try:
            with self._state.write() as write:
                write.put_rebuild(after, expected=before)
        except ConflictError:
            return True  # somebody else rebuilds too: go on from where they are
        metrics.profiles_seen.set(after.seen)
        if after.done and after.rebuilt:
            _log.info("profiles_rebuilt", model=live.version, number=after.rebuilt)
        return not after.done

    def _rebuild(self, users: list[UserId], live: NamedRelease, pointer: Pointer) -> int:
        """Rebuild those of `users` that have another model's profile; how many had."""
        canary = pointer.role("canary")
        waiting: list[ProfileWrite] = []
        rebuilt = 0
        for user in users:
            stored, _ = self._state.profile(user)
            if stored is None:
                continue
            try:
                profile, received = from_stored(stored.body)
            except BundleError as error:  # whoever asks for it is told; the others go on
                metrics.errors.labels(error.kind, "rebuild").inc()
                continue
            if profile.model == live.version:
                continue
            if canary is not None and is_in_share(user, canary.version, canary.share):
                continue
            release = self._open(live).release
            body = stored_body(release.rebuilt(profile), received=received)
            waiting.append(ProfileWrite(user=user, expected=stored.version, body=body))
            if len(waiting) == AT_ONCE:
                rebuilt += self._store(waiting)
                waiting = []
        return rebuilt + self._store(waiting)

    def _store(self, writes: list[ProfileWrite]) -> int:
        """Write profiles that are as they were read; the others have been rebuilt by an event."""
        if not writes:
            return 0
        try:
            with self._state.write() as write:
                write.put_profiles(writes)
        except ConflictError:
            if len(writes) == 1:
                return 0
            return sum(self._store([one]) for one in writes)
        metrics.rebuilt_profiles.labels("background").inc(len(writes))
        return len(writes)

    def _open(self, live: NamedRelease) -> Opened:
        """The live release, opened when the first profile needs it."""
        if self._opened is not None and self._opened[0] == live:
            self._opened[1].release.catalog.refresh()
            return self._opened[1]
        self._let_go()
        opened = self._opener.open(live)
        opened.release.catalog.catch_up()
        self._opened = (live, opened)
        return opened

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None
