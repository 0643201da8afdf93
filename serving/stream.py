"""Server-sent streams: a user's list, and a new one each time the profile changes.

One poller per process asks for the profile versions of all connected users at once, in a
thread. It only notes the newest version of each, so a slow client never builds up a queue: it
gets the newest list once it has taken the one before.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from clickwise import codec, logs, metrics
from clickwise.errors import ClickwiseError, OverloadedError, UnavailableError
from clickwise.recommend.answers import Answer
from clickwise.types import UserId
from serving.parts import Lookups

RETRY_SECONDS: Final = 2.0
SEND_SECONDS: Final = 10.0
WHERE: Final = "stream"

_log = logs.get(__name__)


class Subscription:
    """One connected client: the newest known version of its user's profile."""

    def __init__(self, user: UserId) -> None:
        self.user = user
        self.newest: int | None = None
        self.over = False
        self._changed = asyncio.Event()

    def note(self, version: int) -> None:
        """Keep `version`; wake the client's task if it is new."""
        if version != self.newest:
            self.newest = version
            self._changed.set()

    def end(self) -> None:
        """The client is gone, or the process stops."""
        self.over = True
        self._changed.set()

    async def change(self, seconds: float) -> bool:
        """Wait for a new version or the end; False when `seconds` passed without one."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class StreamHub:
    """All streams of this process, and the one poller behind them."""

    def __init__(self, lookups: Lookups, *, limit: int, poll_seconds: float) -> None:
        self._lookups = lookups
        self._limit = limit
        self._poll_seconds = poll_seconds
        self._open: set[Subscription] = set()
        self._any = asyncio.Event()
        self._ending = False
        self._failing = False

    def __len__(self) -> int:
        return len(self._open)

    def join(self, user: UserId) -> Subscription:
        """Take a place for one client; `leave` gives it back.

        Raises:
            UnavailableError: every place is taken, or the process is stopping.
        """
        if self._ending:
            raise UnavailableError("this server is stopping; connect again")
        if len(self._open) >= self._limit:
            raise UnavailableError(
                f"{len(self._open)} streams are open, the most for this worker",
                retry_after_seconds=5.0,
            )
        subscription = Subscription(user)
        self._open.add(subscription)
        self._any.set()
        metrics.streams_open.inc()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Give a place back; twice is once."""
        if subscription in self._open:
            self._open.remove(subscription)
            metrics.streams_open.dec()
        if not self._open:
            self._any.clear()

    def begin(self) -> None:
        """Take streams; call it in the loop that will serve them."""
        self._ending = False
        self._any = asyncio.Event()

    def end(self) -> None:
        """End every stream and take no new one until `begin`."""
        self._ending = True
        for subscription in self._open:
            subscription.end()

    async def poll(self) -> None:
        """Look for changes until canceled; does nothing while nobody is connected."""
        while True:
            await self._any.wait()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  # a poller that died would freeze every stream
                self._failed(error)
            else:
                self._failing = False
            await asyncio.sleep(self._poll_seconds)

    async def _look(self) -> None:
        users = {subscription.user for subscription in self._open}
        versions = await asyncio.to_thread(self._lookups.profile_versions, users)
        for subscription in self._open:
            version = versions.get(subscription.user)
            if version is not None:
                subscription.note(version)

    def _failed(self, error: Exception) -> None:
        kind = error.kind if isinstance(error, ClickwiseError) else "internal"
        metrics.errors.labels(kind, WHERE).inc()
        if not self._failing:
            _log.warning("streams cannot look for changes", kind=kind, exc_info=error)
        self._failing = True


class EventStream(Response):
    """The response: `first`, then `ask()` again after each change of the profile.

    It ends when `still_allowed()` is false: a key that is revoked gets no list more.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        first: Answer,
        *,
        ask: Callable[[], Awaitable[Answer]],
        shown: Callable[[Answer], None],
        still_allowed: Callable[[], bool],
        subscription: Subscription,
        hub: StreamHub,
        heartbeat_seconds: float,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"x-accel-buffering", b"no"),
        ]
        self._first = first
        self._ask = ask
        self._shown = shown
        self._still_allowed = still_allowed
        self._subscription = subscription
        self._hub = hub
        self._heartbeat = heartbeat_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette.responses.Response."""
        del scope
        listening = asyncio.create_task(self._listen(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._write_lists(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (OSError, TimeoutError):
            _log.debug("a stream's client is gone or does not read")
        finally:
            self._hub.leave(self._subscription)
            listening.cancel()
            await asyncio.wait({listening})

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end()

    def _goes_on(self) -> bool:
        return not self._subscription.over and self._still_allowed()

    async def _write_lists(self, send: Send) -> None:
        subscription = self._subscription
        answer = self._first
        await _write(send, f"retry: {RETRY_SECONDS * 1000:.0f}\n".encode() + _block(answer))
        self._shown(answer)
        told = {answer.profile_version}
        pause = self._heartbeat
        while True:
            changed = await subscription.change(pause)
            if not self._goes_on():
                return
            if not changed and pause == self._heartbeat:
                await _write(send, b": still here\n\n")
            pause = self._heartbeat
            newest = subscription.newest
            if newest is None or newest in told:
                continue
            try:
                answer = await self._ask()
            except (UnavailableError, OverloadedError) as error:
                metrics.errors.labels(error.kind, WHERE).inc()
                pause = max(1.0, error.retry_after_seconds)
                continue
            if not self._goes_on():  # it ended while the list was made
                return
            # The list may rest on a newer version than the poller has seen, or an older copy.
            told = {newest, answer.profile_version}
            await _write(send, _block(answer))
            self._shown(answer)


def _block(answer: Answer) -> bytes:
    """A list as one server-sent event."""
    lines = b"event: recommendations\nid: %d\ndata: %b\n\n"
    return lines % (answer.profile_version, codec.encode(answer))


async def _write(send: Send, body: bytes) -> None:
    """Send one piece; a client that does not take it in time is let go."""
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})
