"""`clickwise bench scale`: what grows when items, users and their histories do.

Each size is served by a fresh process, the recommender called directly. Users beyond the first
few hundred are copies of their profiles under other ids: what is looked at is how the database
finds one among many.
"""

import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from clickwise.bench.children import probed
from clickwise.bench.machine import Machine, machine
from clickwise.bench.report import bars, progress, shown, shown_bytes, table
from clickwise.bench.scale_probe import WARM_ROUNDS, Figures, Plan
from clickwise.bench.site import MadeItems, Shape, folded_in_turns, make_site, settings_for
from clickwise.bench.synthetic import Made, make_events, make_items, user_id
from clickwise.cli import wiring
from clickwise.profile import interaction_of, stored_body
from clickwise.settings import Settings
from clickwise.state.port import ProfileWrite
from clickwise.types import UserId

DIMENSION = 64
LIMIT = 10
ROUNDS = 1_000
EVENTS = 200
READERS = 300  # with histories of their own
ITEMS_UNDER_USERS = 10_000
ROWS_AT_ONCE = 2_000
HISTORIES = (200, 1_000, 5_000, 20_000)
HISTORY_READERS = 5
# Histories of those who are counted by the million: (events, share of users).
ACTIVE = ((10, 0.6), (50, 0.3), (200, 0.1))


class ItemsSize(msgspec.Struct, frozen=True, kw_only=True):
    """A site of so many items."""

    items: int
    figures: Figures


class UsersSize(msgspec.Struct, frozen=True, kw_only=True):
    """A site of so many users; `database_bytes` is the whole SQLite file."""

    users: int
    figures: Figures
    database_bytes: int


class HistorySize(msgspec.Struct, frozen=True, kw_only=True):
    """A user of so many events."""

    events: int
    bytes_per_user: int


class ScaleReport(msgspec.Struct, frozen=True, kw_only=True):
    """Growths are figures of the largest size over those of the smallest."""

    machine: Machine
    dimension: int
    by_items: list[ItemsSize]
    by_users: list[UsersSize]
    by_history: list[HistorySize]
    p50_growth_by_items: float
    p50_growth_by_users: float
    bytes_growth_by_history: float


def bench_scale(
    *, items: Sequence[int], users: Sequence[int], histories: Sequence[int], console: Console
) -> ScaleReport:
    """Measure every size, smallest first."""
    facts = machine()
    with progress(console) as bar:
        by_items = [_items_size(count, bar) for count in sorted(items)]
        by_users = _users_sizes(sorted(users), bar)
        by_history = _history_sizes(sorted(histories), bar)
    return ScaleReport(
        machine=facts,
        dimension=DIMENSION,
        by_items=by_items,
        by_users=by_users,
        by_history=by_history,
        p50_growth_by_items=_growth([size.figures for size in by_items]),
        p50_growth_by_users=_growth([size.figures for size in by_users]),
        bytes_growth_by_history=round(
            by_history[-1].bytes_per_user / by_history[0].bytes_per_user, 3
        ),
    )


def _growth(figures: Sequence[Figures]) -> float:
    return round(figures[-1].recommend_seconds.p50 / figures[0].recommend_seconds.p50, 3)


def _items_size(count: int, bar: Progress) -> ItemsSize:
    shape = Shape(items=count, users=READERS, events_per_user=EVENTS, dimension=DIMENSION)
    with tempfile.TemporaryDirectory(prefix="clickwise-bench-") as home:
        task = bar.add_task(f"site of {count:,} items", total=None)
        settings = settings_for(Path(home), dimension=DIMENSION)
        make_site(settings, shape, progress=bar)
        figures = _probed(settings, shape.user_ids())
        bar.remove_task(task)
    return ItemsSize(items=count, figures=figures)


def _users_sizes(counts: Sequence[int], bar: Progress) -> list[UsersSize]:
    shape = Shape(items=ITEMS_UNDER_USERS, users=0, events_per_user=0, dimension=DIMENSION)
    sizes = []
    with tempfile.TemporaryDirectory(prefix="clickwise-bench-") as home:
        settings = settings_for(Path(home), dimension=DIMENSION)
        made = make_site(settings, shape, progress=bar)
        bodies = _bodies(settings, made)
        begin = 0
        for count in counts:
            _add_users(settings, bodies, begin, count, bar)
            begin = count
            figures = _probed(settings, [user_id(number) for number in range(count)])
            size = sum(path.stat().st_size for path in Path(home).glob("clickwise.sqlite*"))
            sizes.append(UsersSize(users=count, figures=figures, database_bytes=size))
    return sizes


def _bodies(settings: Settings, made: Made) -> list[bytes]:
    """Profiles of readers who did more or less, in the shares of ACTIVE, shuffled."""
    now = datetime.now(UTC)
    bundle = wiring.bundle_of(settings, wiring.encoder_of(settings))
    source = MadeItems(made)
    bodies = []
    for number in range(READERS):
        place = number / READERS
        events = next((n for n, share in _up_to(ACTIVE) if place < share), ACTIVE[-1][0])
        done = [interaction_of(event) for event in make_events(made, number, events, until=now)]
        profile = folded_in_turns(done, source, bundle=bundle)
        bodies.append(stored_body(profile, received=now.timestamp()))
    random.Random(1).shuffle(bodies)
    return bodies


def _up_to(shares: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each share plus those before it."""
    return [
        (count, sum(share for _, share in shares[: place + 1]))
        for place, (count, _) in enumerate(shares)
    ]


def _add_users(
    settings: Settings, bodies: Sequence[bytes], begin: int, end: int, bar: Progress
) -> None:
    task = bar.add_task(f"store {end:,} users", total=end, completed=begin)
    with ExitStack() as stack:
        state = wiring.state_of(settings, stack)
        for start in range(begin, end, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, end))
            rows = [
                ProfileWrite(user=user_id(n), expected=0, body=bodies[n % len(bodies)])
                for n in numbers
            ]
            with state.write() as write:
                write.put_profiles(rows)
            bar.advance(task, len(rows))
    bar.remove_task(task)


def _history_sizes(counts: Sequence[int], bar: Progress) -> list[HistorySize]:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="clickwise-bench-") as home:
        settings = settings_for(Path(home), dimension=DIMENSION)
        bundle = wiring.bundle_of(settings, wiring.encoder_of(settings))
    made = make_items(ITEMS_UNDER_USERS, dimension=DIMENSION, now=now)
    source = MadeItems(made)
    sizes = []
    task = bar.add_task("long histories", total=len(counts) * HISTORY_READERS)
    for count in counts:
        total = 0
        for number in range(HISTORY_READERS):
            events = make_events(made, number, count, until=now, days=200.0)
            done = [interaction_of(event) for event in events]
            profile = folded_in_turns(done, source, bundle=bundle)
            total += len(stored_body(profile, received=now.timestamp()))
            bar.advance(task)
        sizes.append(HistorySize(events=count, bytes_per_user=round(total / HISTORY_READERS)))
    bar.remove_task(task)
    return sizes


def _probed(settings: Settings, users: Sequence[UserId]) -> Figures:
    drawn = random.Random(len(users)).choices(users, k=WARM_ROUNDS + ROUNDS)
    plan = Plan(users=drawn, limit=LIMIT)
    return probed(settings, "clickwise.bench.scale_probe", plan, Figures)


def draw_scale(report: ScaleReport, console: Console) -> None:
    """The report for people."""
    rows = [(f"{size.items:,} items", size.figures) for size in report.by_items]
    rows += [(f"{size.users:,} users", size.figures) for size in report.by_users]
    console.print(
        table(
            f"recommendations in process, {report.dimension}-d",
            ("size", "p50", "p99", "resident", "own", "mapped files"),
            [
                (
                    name,
                    shown(f.recommend_seconds.p50),
                    shown(f.recommend_seconds.p99),
                    shown_bytes(f.memory.resident),
                    shown_bytes(f.memory.anonymous),
                    shown_bytes(f.memory.mapped_files),
                )
                for name, f in rows
            ],
        )
    )
    console.print(
        bars("p50", [(n, f.recommend_seconds.p50, shown(f.recommend_seconds.p50)) for n, f in rows])
    )
    console.print(
        table(
            "a user in the database",
            ("events", "bytes"),
            [(f"{size.events:,}", f"{size.bytes_per_user:,}") for size in report.by_history],
        )
    )
    console.print(
        f"p50 grows {report.p50_growth_by_items:.2f} times over items,"
        f" {report.p50_growth_by_users:.2f} over users; bytes"
        f" {report.bytes_growth_by_history:.2f} over events"
    )
