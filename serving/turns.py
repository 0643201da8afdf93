"""The one thread of a serving process that computes, and the lines before it.

Lists, look-ups and the parsing of bodies take milliseconds of the interpreter's lock, so they are
done one after the other, beside the event loop (ADR 16). Requests stand in one line and the lists
of streams in another; where both wait they take turns. So a thousand streams that connect again at
once cost each request one list more, and about half as many may wait meanwhile.
"""

import asyncio
import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from clickwise.errors import UnavailableError

THREAD = "clickwise-lists"
# Of the newest turn in the mean of its kind, and how many times the mean it may count as: one pause
# of the process is no reason to turn away those who come after it.
_NEWEST = 1 / 16
_MOST_TIMES = 4.0
_STOPPING = "this server is stopping; ask again"

T = TypeVar("T")


@dataclass(slots=True)
class _Kind:
    """Turns of one operation. The loop counts `asked` and `given_up`, the thread the rest: so none
    needs a lock. `seconds`: mean of the newest turns.
    """

    asked: int = 0
    given_up: int = 0
    begun: int = 0
    seconds: float = 0.0

    @property
    def waiting(self) -> int:
        """Those that have not begun."""
        return self.asked - self.given_up - self.begun

    def took(self, seconds: float) -> None:
        """A turn is over."""
        if self.seconds:
            seconds = min(seconds, _MOST_TIMES * self.seconds)
            self.seconds += _NEWEST * (seconds - self.seconds)
        else:
            self.seconds = seconds


class Waiting(Protocol):
    """A turn in a line."""

    def run(self, monotonic: Callable[[], float]) -> None:
        """Do it, in the thread; nothing where it was given up meanwhile."""
        ...

    def refuse(self, fault: Exception) -> None:
        """Let it fail, in the loop."""
        ...


@dataclass(frozen=True, slots=True)
class _Turn(Generic[T]):
    """What is to be done, in the context of who asked; `outcome` is what they wait for."""

    kind: _Kind
    work: Callable[[], T]
    outcome: "Future[T]"
    context: contextvars.Context

    def run(self, monotonic: Callable[[], float]) -> None:
        """See Waiting."""
        if not self.outcome.set_running_or_notify_cancel():
            return
        self.kind.begun += 1
        began = monotonic()
        fault: BaseException | None = None
        try:
            done = self.context.run(self.work)
        except StopIteration as error:  # a future cannot hold it
            fault = RuntimeError("the work ran out of an iterator")
            fault.__cause__ = error
        except BaseException as error:  # noqa: BLE001  # whoever waits gets it
            fault = error
        self.kind.took(monotonic() - began)  # before the loop is woken, which takes time too
        if fault is not None:
            self.outcome.set_exception(fault)
        else:
            self.outcome.set_result(done)

    def refuse(self, fault: Exception) -> None:
        """See Waiting."""
        if self.outcome.set_running_or_notify_cancel():
            self.kind.given_up += 1
            self.outcome.set_exception(fault)


@dataclass(slots=True)
class Line:
    """Turns in the order in which they were asked for, and their kinds by name."""

    turns: deque[Waiting] = field(default_factory=deque)
    kinds: dict[str, _Kind] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Turns that have not begun."""
        return sum(kind.waiting for kind in self.kinds.values())

    @property
    def wait_seconds(self) -> float:
        """How long they will take together, each as long as its kind does now."""
        return sum(kind.waiting * kind.seconds for kind in self.kinds.values())


class Turns:
    """See the module. Asked by one event loop; the thread begins with the first turn."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.requests, self.streams = Line(), Line()
        # One for each turn in a line, None for the end.
        self._tokens: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended = False

    @property
    def wait_seconds(self) -> float:
        """How long a request that comes now would wait for its turn, as far as one can tell."""
        waiting, streams = self.streams.waiting, self.streams.wait_seconds
        between = min(waiting, self.requests.waiting + 1) / waiting if waiting else 0.0
        return self.requests.wait_seconds + between * streams

    async def take(self, line: Line, kind: str, work: Callable[[], T]) -> T:
        """What `work` returns or raises, done in the thread when it is its turn.

        Given up meanwhile (canceled), it is not begun, or its outcome is dropped.

        Raises:
            UnavailableError: the process is stopping.
        """
        if self._ended:
            raise UnavailableError(_STOPPING)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
            self._thread.start()
        of_kind = line.kinds.setdefault(kind, _Kind())
        turn = _Turn(of_kind, work, Future[T](), contextvars.copy_context())
        of_kind.asked += 1
        line.turns.append(turn)
        self._tokens.put(True)
        try:
            return await asyncio.wrap_future(turn.outcome)
        finally:
            if turn.outcome.cancelled():
                of_kind.given_up += 1

    def begin(self) -> None:
        """Give turns again after `end`."""
        self._ended = False

    async def end(self) -> None:
        """Refuse who waits and whoever comes, and wait for the turn that has begun."""
        self._ended = True
        for line in (self.requests, self.streams):
            with suppress(IndexError):  # the thread may take the last one first
                while True:
                    line.turns.popleft().refuse(UnavailableError(_STOPPING))
        ended, self._thread = self._thread, None
        if ended is not None:
            self._tokens.put(None)
            await asyncio.to_thread(ended.join)

    def _run(self) -> None:
        first, second = self.requests.turns, self.streams.turns
        while self._tokens.get() is not None:
            for line in (first, second):
                try:
                    turn = line.popleft()
                except IndexError:  # none waits there, or the loop refused it just now
                    continue
                turn.run(self._monotonic)
                if line is first:
                    first, second = second, first
                break
