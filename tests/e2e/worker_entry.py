"""A stream worker as a process, on items that need no encoder: `python worker_entry.py`.

Settings come from the environment, as for `clickwise stream`. What tests add:

- CLICKWISE_TEST_DIE=MOMENT:N kills the process with SIGKILL at a moment of its Nth batch:
  `before-commit` and `after-commit` of events, `after-activity-commit` of what they do to items.
- CLICKWISE_TEST_DIE=raise:N lets the Nth batch of events raise what nobody expects, and
  CLICKWISE_TEST_DIE=stand-still:N lets it never end.
- CLICKWISE_TEST_DROP=seeking lets Faust drop the first records that it fetches, as it does with
  what arrives while it rebalances; with CLICKWISE_TEST_DROP=lost it cannot go back to them either.
- CLICKWISE_TEST_DEAF=FILE lets Faust's consumer get nothing any more once there is such a file,
  which is removed then: a fresh process hears again.
- CLICKWISE_TEST_HOLD=FILE holds the start of Faust, once the services have answered, for as long
  as there is such a file.
- CLICKWISE_TEST_CRASH=crashes lets Faust crash once it runs; with CLICKWISE_TEST_CRASH=cancels its
  start is cancelled from within.
- CLICKWISE_TEST_CLOSE=never lets closing its stores never end. CLICKWISE_TEST_AFTER=CODE has it do
  something after an end in order that lasts longer than any deadline, and ends with that code.
- CLICKWISE_TEST_COMMAND=1 runs `clickwise stream` itself, with the parts that it has.
- CLICKWISE_TEST_SCHEMA=VERSION makes it a newer program, whose database has that schema already.
- CLICKWISE_TEST_LISTS=1 publishes an empty list for each user whose profile changed. With
  CLICKWISE_TEST_HOLD_LISTS=FILE none is made for as long as there is such a file.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, cast

from faust import App
from faust.transport.consumer import Consumer

from clickwise import logs
from clickwise.activity import Increment
from clickwise.cli import run
from clickwise.clock import SystemClock
from clickwise.items import Item
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.settings import Settings, load
from clickwise.state import schema
from clickwise.state.port import State, Write
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.hashed_index import HashedIndex
from clickwise.testing.releases import fixed_releases
from clickwise.types import ItemId, UserId
from streams import worker
from streams.handlers import ActivityHandler, Applied, Arrival, EventHandler


class NoItems:
    def apply(self, changes: Sequence[tuple[ItemId, Item | None]]) -> None:
        pass


class DyingState:
    """The state of the event handler; its Nth transaction does not live to be committed."""

    def __init__(self, state: SqlState, countdown: int) -> None:
        self._state = state
        self._countdown = countdown

    @contextmanager
    def write(self) -> Iterator[Write]:
        with self._state.write() as write:
            yield write
            self._countdown -= 1
            if not self._countdown:
                die()

    def __getattr__(self, name: str) -> object:
        return getattr(self._state, name)


class FailingHandler(EventHandler):
    """Its Nth batch does not come back as it should."""

    countdown = 0
    how = ""

    def apply(self, batch: Sequence[Arrival]) -> Applied:
        self.countdown -= 1
        if not self.countdown:
            if self.how == "raise":
                raise RuntimeError("the third wheel came off")
            logs.get(__name__).info("standing still")
            Event().wait()
        return super().apply(batch)


class DyingHandler(EventHandler):
    """Dies when its Nth batch is committed, and before anything else comes of it."""

    countdown = 0

    def apply(self, batch: Sequence[Arrival]) -> Applied:
        applied = super().apply(batch)
        self.countdown -= 1
        if not self.countdown:
            die()
        return applied


class DyingActivityHandler(ActivityHandler):
    """Dies when its Nth batch is committed."""

    countdown = 0

    def apply(
        self, increments: Sequence[Increment], *, consumer: str, topic: str, partition: int
    ) -> int:
        new = super().apply(increments, consumer=consumer, topic=topic, partition=partition)
        self.countdown -= 1
        if not self.countdown:
            die()
        return new


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def drop_first_records(how: str) -> None:
    fetch = Consumer._wait_next_records
    seek = Consumer.perform_seek
    dropped = False

    async def dropping(self: Consumer, *arguments: Any) -> Any:
        nonlocal dropped
        records, active = await fetch(self, *arguments)
        if records and not dropped:
            dropped = True
            self.stop_flow()
            asyncio.get_running_loop().call_later(0.5, self.resume_flow)
        return records, active

    async def seeking(self: Consumer) -> None:
        if dropped and how == "lost":
            raise ConnectionError("no broker")
        await seek(self)

    Consumer._wait_next_records = dropping
    Consumer.perform_seek = seeking


def go_deaf(file: Path) -> None:
    fetch = Consumer._wait_next_records

    def told() -> bool:
        try:
            file.unlink()  # one step: what is made between a look and this would be lost
        except FileNotFoundError:
            return False
        return True

    async def deaf(self: Consumer, *arguments: Any) -> Any:
        if told():
            logs.get(__name__).info("deaf")
            await asyncio.Event().wait()
        return await fetch(self, *arguments)

    Consumer._wait_next_records = deaf


def hold_start(file: Path) -> None:
    start = App.start

    def wait() -> None:
        if file.exists():
            logs.get(__name__).info("holding")
        while file.exists():
            time.sleep(0.05)

    async def held(self: App) -> None:
        await asyncio.to_thread(wait)
        await start(self)

    App.start = held


def fail_within(how: str) -> None:
    start = App.start

    async def failing(self: App) -> None:
        await start(self)
        if how == "cancels":
            raise asyncio.CancelledError
        await self.crash(RuntimeError("the fourth wheel came off"))

    App.start = failing


def be_newer(version: str) -> None:
    schema.SCHEMA_VERSION = version
    schema.migrate = lambda *_, **__: None


def stand_still() -> None:
    Event().wait()


def outlive_deadlines() -> None:
    for thread in threading.enumerate():
        if thread.name == "clickwise-deadline":
            thread.join()
    logs.get(__name__).info("done afterwards")


HANDLERS: dict[str, type[EventHandler]] = {
    "after-commit": DyingHandler,
    "raise": FailingHandler,
    "stand-still": FailingHandler,
}


def make_parts(settings: Settings) -> worker.Parts:
    state = open_state(
        settings.database_url.reveal(),
        timeout_seconds=settings.database_timeout_seconds,
        pool_size=settings.database_pool_size,
    )
    try:
        state.migrate()
    except BaseException:
        state.close()
        raise
    moment, _, number = os.environ.get("CLICKWISE_TEST_DIE", ":0").partition(":")
    event_state = DyingState(state, int(number)) if moment == "before-commit" else state
    handler = HANDLERS.get(moment, EventHandler)(
        state=cast("State", event_state),
        releases=fixed_releases(state, HashedIndex()),
        clock=SystemClock(),
        keep_bodies=False,
    )
    activity = (DyingActivityHandler if moment == "after-activity-commit" else ActivityHandler)(
        state=state, half_life_seconds=72 * 3600.0
    )
    for one in (handler, activity):
        if isinstance(one, DyingHandler | DyingActivityHandler | FailingHandler):
            one.countdown = int(number)
        if isinstance(one, FailingHandler):
            one.how = moment
    return worker.Parts(
        state=state,
        events=handler,
        activity=activity,
        items=NoItems(),
        recommend=recommender(state) if "CLICKWISE_TEST_LISTS" in os.environ else None,
        close=stand_still if "CLICKWISE_TEST_CLOSE" in os.environ else state.close,
    )


def recommender(state: State) -> worker.Recommend:
    held = Path(os.environ.get("CLICKWISE_TEST_HOLD_LISTS", os.devnull))

    def recommend(request: RecommendRequest) -> Answer:
        while held.is_file():
            time.sleep(0.05)
        user = UserId(request.user or "")
        profile, _ = state.profile(user)
        return Answer(
            request_id="r",
            user=user,
            items=(),
            model="hashed-1",
            policy="none",
            profile_version=profile.version if profile else 0,
            events_applied=0,
            personalized=False,
            generated=datetime.now(UTC),
        )

    return recommend


if __name__ == "__main__":
    if "CLICKWISE_TEST_DROP" in os.environ:
        drop_first_records(os.environ["CLICKWISE_TEST_DROP"])
    if "CLICKWISE_TEST_DEAF" in os.environ:
        go_deaf(Path(os.environ["CLICKWISE_TEST_DEAF"]))
    if "CLICKWISE_TEST_HOLD" in os.environ:
        hold_start(Path(os.environ["CLICKWISE_TEST_HOLD"]))
    if "CLICKWISE_TEST_CRASH" in os.environ:
        fail_within(os.environ["CLICKWISE_TEST_CRASH"])
    if "CLICKWISE_TEST_SCHEMA" in os.environ:
        be_newer(os.environ["CLICKWISE_TEST_SCHEMA"])
    if "CLICKWISE_TEST_COMMAND" in os.environ:
        sys.exit(run(["stream"]))
    chosen = load(os.environ)
    logs.configure(level=chosen.log_level, output=chosen.log_format)
    ended = worker.run(chosen, make_parts)
    if "CLICKWISE_TEST_AFTER" in os.environ and not ended:
        outlive_deadlines()
        sys.exit(int(os.environ["CLICKWISE_TEST_AFTER"]))
    sys.exit(ended)
