"""Attacks on what everybody sees: how far does an item rise that somebody pushes?

Each attack is played on a site of its own, under each set of bounds, and the pushed items' place
is read before and after: among what is trending, in the list of somebody unknown, and in the
lists of honest users.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import numpy as np

from clickwise.events import Event
from clickwise.items import Item
from clickwise.types import EventId, EventType, ItemId, UserId
from training.evaluation.cases import Progress
from training.evaluation.report import Table

PAGE = 10
FAKE_SHARE = 0.01  # fake users for each honest one
PUSHES = 20  # events of each fake user on the pushed item
DISGUISE = 5  # popular items that a disguised fake user opens first
FLOOD = 10_000  # clicks of the one user
COPIES = 20
_BATCH = 1_000


class AttackedSite(Protocol):
    """A site with honest users' history, as far as attackers and readers see it.

    What is read rests on everything put and posted before.
    """

    def put(self, items: Sequence[Item]) -> None:
        """Add items."""
        ...

    def post(self, events: Sequence[Event]) -> None:
        """Apply events."""
        ...

    def page(self, user: str) -> Sequence[str]:
        """The user's first ten items."""
        ...

    def trending(self) -> Sequence[str]:
        """All items that have activity, most popular first."""
        ...


OpenSite = Callable[[], AbstractContextManager[AttackedSite]]


@dataclass(frozen=True, slots=True)
class Attack:
    """What is put and posted to lift the items `pushed`.

    `readers` are honest users whom it aims at; their lists are read as well.
    """

    name: str
    pushed: frozenset[str]
    events: tuple[Event, ...] = ()
    items: tuple[Item, ...] = ()
    readers: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pushed items are.

    `trending`: the best place among what is trending, from 1; `unknown`: in the list of a user
    without history (None: in neither). `share`: of honest users' lists, those that hold one or
    more; `mean` and `most`: how many of the ten places they take, over lists.
    """

    trending: int | None
    unknown: int | None
    share: float
    mean: float
    most: int


class AttackOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One attack under one set of bounds."""

    attack: str
    bounds: str
    before: Standing
    after: Standing


class AttackReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of them; `num_honest` users' lists were read."""

    num_honest: int
    outcomes: tuple[AttackOutcome, ...]

    def table(self) -> Table:
        """For the evaluation's page."""
        return Table(
            title="Attacks",
            columns=(
                "attack", "bounds", "trending before", "after", "unknown user's list before",
                "after", "share of lists before", "after", "places of ten, mean", "most",
            ),
            rows=tuple(
                (
                    one.attack, one.bounds, one.before.trending, one.after.trending,
                    one.before.unknown, one.after.unknown, one.before.share, one.after.share,
                    one.after.mean, one.after.most,
                )
                for one in self.outcomes
            ),
            note=(
                f"Places of the pushed items, and the share of {self.num_honest} honest users'"
                " lists of ten that hold one."
            ),
        )  # fmt: skip


def attacks(
    *,
    users: int,
    trending: Sequence[str],
    items: Mapping[str, Item],
    now: datetime,
    clicks: int = FLOOD,
) -> list[Attack]:
    """The usual attacks on a site of so many `users`, all within the last hour before `now`.

    They push the item in the middle of `trending`; copied are the texts of the first and of the
    last. `clicks` is how often the one user clicks.
    """
    pushed = trending[len(trending) // 2]
    fakes = max(1, round(users * FAKE_SHARE))
    return [
        crowd(pushed, fakes=fakes, now=now),
        crowd(pushed, fakes=fakes, now=now, disguise=trending[:PAGE]),
        flood(pushed, clicks=clicks, now=now),
        copies(items[trending[0]], number=COPIES, now=now),
        copies(items[trending[-1]], number=COPIES, now=now),
    ]


def crowd(pushed: str, *, fakes: int, now: datetime, disguise: Sequence[str] = ()) -> Attack:
    """Fake users who all push one item, as strongly as an event can, after a look at others."""
    events: list[Event] = []
    name = "disguised" if disguise else "fake"
    for fake in range(fakes):
        seen = [disguise[(fake + n) % len(disguise)] for n in range(DISGUISE)] if disguise else []
        steps = [(item, EventType.CLICK) for item in seen]
        steps += [(pushed, EventType.PURCHASE)] * PUSHES
        start = now - timedelta(hours=1) + timedelta(minutes=30) * fake / fakes
        events += _events(f"{name}-{fake}", steps, start=start, seconds=1.0)
    return Attack(f"{fakes} {name} users", frozenset({pushed}), tuple(events))


def flood(pushed: str, *, clicks: int, now: datetime) -> Attack:
    """One user who clicks one item, again and again."""
    steps = [(pushed, EventType.CLICK)] * clicks
    start = now - timedelta(hours=1)
    events = _events("flooder", steps, start=start, seconds=3_600.0 / clicks)
    return Attack(f"one user, {clicks} clicks", frozenset({pushed}), tuple(events))


def copies(item: Item, *, number: int, now: datetime) -> Attack:
    """New items with the text of a known one, aimed at somebody who has just liked that."""
    reader = _events("reader", [(item.id, EventType.LIKE)], start=now, seconds=0.0)
    made = tuple(
        msgspec.structs.replace(item, id=ItemId(f"copy-{n}-of-{item.id}"[:256]), published=now)
        for n in range(number)
    )
    return Attack(
        f"{number} copies of {item.title}",
        frozenset(one.id for one in made),
        events=tuple(reader),
        items=made,
        readers=("reader",),
    )


def silent(what: str, share: float) -> None:
    """Hears how far it is, and does nothing."""
    del what, share


def simulate(
    played: Sequence[Attack],
    sites: Mapping[str, OpenSite],
    honest: Sequence[str],
    *,
    progress: Progress = silent,
) -> AttackReport:
    """Play each attack on a site opened anew under each of the bounds that `sites` names."""
    outcomes: list[AttackOutcome] = []
    for attack in played:
        for bounds, opened in sites.items():
            progress(f"{attack.name}, {bounds}", len(outcomes) / (len(played) * len(sites)))
            with opened() as site:
                read = (*honest, *attack.readers)
                before = standing(site, attack.pushed, read)
                site.put(attack.items)
                for begin in range(0, len(attack.events), _BATCH):
                    site.post(attack.events[begin : begin + _BATCH])
                after = standing(site, attack.pushed, read)
            outcomes.append(
                AttackOutcome(attack=attack.name, bounds=bounds, before=before, after=after)
            )
    return AttackReport(num_honest=len(honest), outcomes=tuple(outcomes))


def standing(site: AttackedSite, pushed: frozenset[str], honest: Sequence[str]) -> Standing:
    """Where the items `pushed` are now."""
    held = [sum(item in pushed for item in site.page(user)[:PAGE]) for user in honest]
    return Standing(
        trending=_first(site.trending(), pushed),
        unknown=_first(site.page("somebody-unknown")[:PAGE], pushed),
        share=round(float(np.mean([number > 0 for number in held])), 4),
        mean=round(float(np.mean(held)), 4),
        most=max(held),
    )


def _first(items: Sequence[str], pushed: frozenset[str]) -> int | None:
    return next((place for place, item in enumerate(items, 1) if item in pushed), None)


def _events(
    user: str, steps: Sequence[tuple[str, EventType]], *, start: datetime, seconds: float
) -> list[Event]:
    """`steps` of one user, so many seconds apart."""
    return [
        Event(
            id=EventId(f"{user}-{number}"),
            user=UserId(user),
            item=ItemId(item),
            type=kind,
            time=start + timedelta(seconds=seconds * number),
        )
        for number, (item, kind) in enumerate(steps)
    ]
