"""One run: the system, a load, faults one after the other, quiet, and the check of everything."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import httpx

from clickwise.testing.processes import wait_until
from clickwise.topics import EXPOSURES, RECOMMENDATIONS
from streams import kafka
from tests.chaos.checker import Expected
from tests.chaos.deployment import Deployment
from tests.chaos.ends import ends_of
from tests.chaos.faults import LeftOutError, strike
from tests.chaos.load import NUM_ITEMS, Answered, Load, item_of
from tests.chaos.reading import behind, check_all
from tests.chaos.report import Report, Struck
from tests.chaos.schedule import Fault, Step
from tests.chaos.supervisor import Supervised
from tests.chaos.troubles import Trouble, may_be_lost
from tests.chaos.usage import Watcher

START_SECONDS = 120.0
RECOVERY_SECONDS = 120.0
SETTLE_SECONDS = 300.0
# Longer than a worker waits at most before it tries a list again that came out degraded.
STILL_SECONDS = 35.0
PROBES = 8  # users, so that every partition has one in all likelihood
ENDING = ("kill", "kill-group", "terminate")

Say = Callable[[str], None]


class Run:
    """State of one run."""

    def __init__(self, deployment: Deployment, *, seed: int, per_second: float, say: Say) -> None:
        self.deployment = deployment
        self.seed = seed
        self.say = say
        self.began = time.monotonic()
        self.load = Load(deployment.settings, deployment.servers, seed=seed, per_second=per_second)
        self.steps: list[Struck] = []
        self.troubles: list[Trouble] = []
        self._probes = itertools.count()
        self._client = httpx.Client(timeout=5.0, trust_env=False)

    def go(self, steps: Iterable[Step], *, seconds: float) -> Report:
        """Make the faults of `steps` until they or the `seconds` are over; then check."""
        self._first_items()
        watcher = Watcher(self._pids)
        watcher.start()
        self.load.start()
        time.sleep(2.0)
        started = time.monotonic()
        for step in steps:
            if time.monotonic() - started > seconds:
                break
            self._strike(step)
            time.sleep(step.calm_seconds)
        struck_seconds = time.monotonic() - started
        self.load.stop()
        self.say("the load has ended; waiting until everything is applied")
        settling = time.monotonic()
        self._settle()
        settled = time.monotonic() - settling
        self._wait_whole(RECOVERY_SECONDS)
        usage = watcher.stop()
        self.deployment.end()
        self.say("reading the topics from their beginnings")
        findings, expected, exposures = check_all(
            self.deployment.settings, self.load.told, self._may_be_lost
        )
        told = self.load.told
        return Report(
            seed=self.seed,
            seconds=round(struck_seconds, 1),
            settled_seconds=round(settled, 1),
            steps=tuple(self.steps),
            events=_event_numbers(expected, told.events),
            event_requests=dict(told.event_requests),
            requests=dict(told.requests),
            exposures=exposures,
            findings=findings.result(),
            ends=ends_of(self.deployment.processes.values(), self.troubles, began=self.began),
            starts={name: len(one.lives) for name, one in self.deployment.processes.items()},
            usage=usage,
        )

    def close(self) -> None:
        self._client.close()

    def _first_items(self) -> None:
        """Items that events are about are known before the first event."""
        self._wait_whole(START_SECONDS)
        address = next(iter(self.deployment.servers.values()))
        items = [item_of(number) for number in range(NUM_ITEMS)]
        self._client.post(f"{address}/v1/items", json={"items": items}).raise_for_status()
        wait_until(self._items_found, seconds=START_SECONDS, what="the items are indexed")

    def _items_found(self) -> bool:
        found = []
        for address in self.deployment.servers.values():
            answer = self._client.get(f"{address}/v1/users/nobody/recommendations?limit=100")
            found.append(answer.is_success and len(answer.json()["items"]) >= 50)
        return all(found) and not asyncio.run(behind(self.deployment.settings))

    def _strike(self, step: Step) -> None:
        at = time.monotonic()
        words = tuple(fault.words for fault in step.faults)
        self.say(f"{at - self.began:6.0f} s  {' and '.join(words)}")
        processes = self.deployment.processes
        ended = [f.target for f in step.faults if f.kind in ENDING and f.target in processes]
        lives = {name: len(processes[name].lives) for name in ended}
        left_out, told = self._held(step, at)
        undone = time.monotonic()
        recovered = self._recovered(undone, lives)
        made = tuple(fault for fault in step.faults if fault not in left_out)
        self.troubles.append(Trouble(made, at, recovered or time.monotonic()))
        struck = Struck(
            faults=words,
            at=round(at - self.began, 1),
            undone=round(undone - self.began, 1),
            recovered=None if recovered is None else round(recovered - self.began, 1),
            left_out=tuple(f"{fault.words}: {why}" for fault, why in left_out.items()),
            told=told,
        )
        self.steps.append(struck)
        after = struck.recovery_seconds
        self.say(f"          {'NOT whole in time' if after is None else f'whole in {after:g} s'}")

    def _held(self, step: Step, at: float) -> tuple[dict[Fault, str], tuple[str, ...]]:
        """Make the faults, hold each as long as it says, undo them; why some could not be made, and
        what those that were made tell.
        """
        undo, told = [], []
        left_out: dict[Fault, str] = {}
        for fault in step.faults:
            try:
                undo.append((fault.seconds, strike(self.deployment, fault)))
            except LeftOutError as error:
                left_out[fault] = str(error)
        for seconds, call in sorted(undo, key=lambda one: one[0]):
            time.sleep(max(0.0, at + seconds - time.monotonic()))
            told.append(call())
        return left_out, tuple(word for word in told if word)

    def _recovered(self, undone: float, lives: dict[str, int]) -> float | None:
        """When the system was whole again, those that were ended in their next lives."""
        processes = self.deployment.processes
        try:
            wait_until(
                lambda: all(_again(processes[name], before) for name, before in lives.items()),
                seconds=RECOVERY_SECONDS,
                what=f"started again and at work: {', '.join(lives)}",
            )
            self._wait_whole(RECOVERY_SECONDS)
            self._wait_applied(RECOVERY_SECONDS)
        except TimeoutError as error:
            self.say(f"          {error}")
            return None
        return max(undone, time.monotonic())

    def _wait_whole(self, seconds: float) -> None:
        wait_until(self._whole, seconds=seconds, what="all processes run and servers are ready")

    def _whole(self) -> bool:
        if not all(one.running for one in self.deployment.processes.values()):
            return False
        for address in self.deployment.servers.values():
            try:
                if not self._client.get(f"{address}/readyz").is_success:
                    return False
            except httpx.HTTPError:
                return False
        return True

    def _wait_applied(self, seconds: float) -> None:
        """Fresh events of several users, through either server, are in their lists."""
        turn = next(self._probes)
        users = [f"probe-{turn}-{number}" for number in range(PROBES)]
        events = [
            {"id": f"{self.seed}-{user}", "user": user, "item": "i1", "type": "click"}
            for user in users
        ]
        waiting = dict(zip(users, itertools.cycle(self.deployment.servers.values())))
        sent = False

        def applied() -> bool:
            nonlocal sent
            with suppress(httpx.HTTPError):
                if not sent:
                    address = next(iter(self.deployment.servers.values()))
                    answer = self._client.post(f"{address}/v1/events", json={"events": events})
                    sent = answer.is_success
                for user, address in list(waiting.items()):
                    answer = self._client.get(f"{address}/v1/users/{user}/recommendations")
                    if answer.is_success and answer.json()["events_applied"] == 1:
                        del waiting[user]
                if sent and waiting:
                    time.sleep(0.2)
            return not waiting

        wait_until(applied, seconds=seconds, what=f"applied: the click of {sorted(waiting)}")

    def _settle(self) -> None:
        """Everything is applied, and nothing more comes of it."""
        settings = self.deployment.settings
        try:
            wait_until(
                lambda: not asyncio.run(behind(settings)),
                seconds=SETTLE_SECONDS,
                what="everything is applied",
            )
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {asyncio.run(behind(settings))}") from error
        ends = self._ends()
        still_since = time.monotonic()
        while time.monotonic() - still_since < STILL_SECONDS:
            time.sleep(0.5)
            now = self._ends()
            if now != ends:
                ends, still_since = now, time.monotonic()

    def _ends(self) -> list[dict[int, int]]:
        settings = self.deployment.settings
        names = [one.full_name(settings.kafka_topic_prefix) for one in (RECOMMENDATIONS, EXPOSURES)]
        return [
            asyncio.run(kafka.end_offsets(settings, name, settings.kafka_partitions))
            for name in names
        ]

    def _may_be_lost(self, answer: Answered) -> bool:
        lives = self.deployment.processes[answer.server].lives
        return may_be_lost(answer.server, answer.at, lives, self.troubles)

    def _pids(self) -> dict[str, int]:
        return {
            name: one.program.pid
            for name, one in self.deployment.processes.items()
            if one.running and _alive(one)
        }


def _again(one: Supervised, before: int) -> bool:
    """Whether it is in a later life than the one before; a worker has to have its partitions."""
    at_work = one.name.startswith("serve") or "partitions assigned" in one.output
    return len(one.lives) > before and at_work


def _alive(one: Supervised) -> bool:
    return bool(one.lives) and one.lives[-1].ended is None


def _event_numbers(expected: Expected, told: set[str]) -> dict[str, int]:
    distinct = sum(len(events) for events in expected.users.values())
    return {
        "told that they are taken": len(told),
        "messages in the log": expected.num_records,
        "distinct events": distinct,
        "repeated ids": expected.num_repeated,
        "no events (dead letters)": len(expected.refused),
        "taken, then refused by the worker": len(told & expected.refused_ids),
    }


def run_in(
    folder: Path, steps: Iterable[Step], *, seed: int, seconds: float, per_second: float, say: Say
) -> Report:
    """A whole run in an empty folder."""
    with Deployment(folder) as deployment:
        run = Run(deployment, seed=seed, per_second=per_second, say=say)
        try:
            return run.go(steps, seconds=seconds)
        finally:
            run.close()
