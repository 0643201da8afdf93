"""Living events over HTTP: the list before, the event, the list after, as fast as it goes.

Several people at once, each person's events one after the other, and no event more than a few
places ahead of another: what people do next to each other in time stays so.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from zlib import crc32

import httpx
import msgspec

from clickwise.cli.tally import PAGE, Page, Tally
from clickwise.codec import encode
from clickwise.doors import Verdict
from clickwise.errors import ClickwiseError, UnavailableError
from clickwise.events import Event
from clickwise.profile import weight_of
from clickwise.recommend.answers import Answer

DEADLINE_SECONDS = 10.0
AHEAD = 2  # events that may be on their way, per lane
CLEAR_WEIGHT = 0.5  # what is shown of watched people: four stars and more
_answers = msgspec.json.Decoder(Answer)


class _Result(msgspec.Struct, frozen=True):
    verdict: Verdict


class _Results(msgspec.Struct, frozen=True):
    results: tuple[_Result, ...]


_results = msgspec.json.Decoder(_Results)


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of one person, with what it did to their list."""

    event: Event
    before: Answer
    after: Answer
    hit: bool
    seconds: float

    @property
    def new(self) -> frozenset[str]:
        """Items of the list after that were not in the one before."""
        return frozenset(o.item for o in self.after.items) - {o.item for o in self.before.items}


@dataclass(slots=True)
class Living:
    """One run. `moments` holds the latest one of each watched person."""

    address: str
    tally: Tally
    lanes: int
    watched: frozenset[str]
    moments: dict[str, Moment] = field(default_factory=dict)
    applied: int = 0
    duplicates: int = 0
    refused: int = 0

    async def run(self, events: Sequence[Event]) -> None:
        """Live all of them.

        Raises:
            UnavailableError: the server stopped answering.
        """
        try:
            await self._run(events)
        except* ClickwiseError as faults:
            raise _first(faults) from faults

    async def _run(self, events: Sequence[Event]) -> None:
        queues: list[asyncio.Queue[Event | None]] = [asyncio.Queue() for _ in range(self.lanes)]
        slots = asyncio.Semaphore(self.lanes * AHEAD)
        limits = httpx.Limits(max_connections=self.lanes)
        async with (
            httpx.AsyncClient(
                base_url=self.address,
                headers={"content-type": "application/json"},
                timeout=DEADLINE_SECONDS,
                limits=limits,
                trust_env=False,
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for queue in queues:
                group.create_task(self._lane(client, queue, slots))
            for event in events:
                await slots.acquire()
                queues[crc32(event.user.encode()) % self.lanes].put_nowait(event)
            for queue in queues:
                queue.put_nowait(None)

    async def _lane(
        self,
        client: httpx.AsyncClient,
        queue: "asyncio.Queue[Event | None]",
        slots: asyncio.Semaphore,
    ) -> None:
        while (event := await queue.get()) is not None:
            try:
                await self._one(client, event)
            except (httpx.HTTPError, TimeoutError) as error:
                raise UnavailableError(f"{self.address}: {error!r}") from error
            slots.release()

    async def _one(self, client: httpx.AsyncClient, event: Event) -> None:
        before = await self._list(client, event.user)
        page = Page.of(before)
        hit = self.tally.before(event, page)
        sent = time.perf_counter()
        verdict = await self._post(client, event)
        self.tally.remember(event)
        if verdict is not Verdict.APPLIED:
            return
        after = await self._fresh(client, event.user, page)
        seconds = time.perf_counter() - sent
        self.tally.after(event, page, Page.of(after), seconds=seconds)
        if event.user in self.watched and weight_of(event) >= CLEAR_WEIGHT:
            self.moments[event.user] = Moment(event, before, after, hit, seconds)

    async def _post(self, client: httpx.AsyncClient, event: Event) -> Verdict:
        answer = await client.post("/v1/events", content=encode(event))
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            verdict = Verdict.REFUSED
        else:
            answer.raise_for_status()
            verdict = _results.decode(answer.content).results[0].verdict
        self.applied += verdict is Verdict.APPLIED
        self.duplicates += verdict is Verdict.DUPLICATE
        self.refused += verdict is Verdict.REFUSED
        return verdict

    async def _fresh(self, client: httpx.AsyncClient, user: str, before: Page) -> Answer:
        """The first list that rests on more than `before`."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                answer = await self._list(client, user)
                if answer.profile_version > before.profile_version:
                    return answer

    async def _list(self, client: httpx.AsyncClient, user: str) -> Answer:
        path = f"/v1/users/{quote(user, safe='')}/recommendations?limit={PAGE}"
        answer = await client.get(path)
        answer.raise_for_status()
        return _answers.decode(answer.content)


def _first(faults: BaseExceptionGroup[ClickwiseError]) -> ClickwiseError:
    """The first of the lanes' faults: the others follow from it."""
    fault: BaseException = faults
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault if isinstance(fault, ClickwiseError) else UnavailableError(str(fault))


def watched_people(events: Sequence[Event], number: int) -> frozenset[str]:
    """People to watch: those with the most events, so that there is something to see."""
    counted = Counter(event.user for event in events)
    return frozenset(user for user, _ in counted.most_common(number))
