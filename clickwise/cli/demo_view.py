"""What the demo shows: whole numbers that move, and a few people's lists as they change.

In a terminal it is one live picture; elsewhere a line every thousand events. Lists are shown
side by side: before the event and after it, what is new marked with a plus.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clickwise.cli.living import Moment
from clickwise.cli.output import console, plain
from clickwise.cli.tally import Tally
from clickwise.cli.up import JSON_HEADER

if TYPE_CHECKING:
    from clickwise.cli.demo import DemoFigures

SHOWN = 5  # places of a list
LINE_EVERY = 1_000
PICTURES_PER_SECOND = 4
SAMPLE_LIKE = '{"user": "you", "item": "50", "type": "like"}'  # 50: Star Wars


class DemoView:
    """The demo's output. Its numbers are read while they change, from a thread of its own.

    `titles` are those of the films, by id.
    """

    def __init__(self, titles: Mapping[str, str], *, out: Console | None = None) -> None:
        self._out = out if out is not None else console()
        self._titles = titles

    def say(self, line: str) -> None:
        """One line."""
        self._out.print(Text(line), soft_wrap=True)

    @contextmanager
    def following(self, tally: Tally, total: int, moments: Mapping[str, Moment]) -> Iterator[None]:
        """Show `tally` and `moments` while the block runs."""
        started = time.perf_counter()

        def picture() -> RenderableType:
            seconds = time.perf_counter() - started
            return Group(numbers(tally, total, seconds), *people(dict(moments), self._titles))

        if self._out.is_terminal:
            with Live(
                get_renderable=picture,
                console=self._out,
                refresh_per_second=PICTURES_PER_SECOND,
                transient=True,
            ):
                yield
            return
        self.say(f"living {total:,} ratings through HTTP ...")
        stop = threading.Event()
        thread = threading.Thread(target=self._lines, args=(tally, total, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def summary(self, figures: "DemoFigures", moments: Mapping[str, Moment]) -> None:
        """People and figures."""
        for picture in people(dict(moments), self._titles):
            self._out.print(picture)
        rates = figures.next_item_hit_rate_at_10
        fresh = figures.freshness_seconds
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", justify="right")
        table.add_column()
        for number, meaning in (
            (f"{figures.items:,}", "films"),
            (f"{figures.events_applied:,}", "ratings applied"),
            (f"{figures.duplicates:,}", "duplicates"),
            (f"{figures.dead_letters:,}", "refused or put aside"),
            (f"{figures.lived_events:,}", f"of them lived, in {figures.lived_seconds:.0f} s"),
            (f"{figures.changed_after_click:.1%}", "of positive ratings changed the next list"),
            (f"{rates.recommender:.1%}", "of next films were among the ten shown"),
            (f"{rates.popularity:.1%}", "would have been with the most popular ten"),
            (f"{fresh.p50 * 1000:.0f} ms", "from rating to new list (half of them)"),
            (f"{fresh.p99 * 1000:.0f} ms", "from rating to new list (99 of 100)"),
        ):
            table.add_row(number, meaning)
        self._out.print(table)
        self._out.file.flush()

    def lines_to_try(self, moments: Mapping[str, Moment], address: str) -> None:
        """What a reader can ask the server, which stays up."""
        self._out.print()
        user = next(iter(moments), "1")
        for line in (
            f"curl '{address}/v1/users/{user}/recommendations?limit=5'",
            f"curl {address}/v1/events {JSON_HEADER} -d '{SAMPLE_LIKE}'",
            f"curl '{address}/v1/users/you/recommendations?limit=5'",
            f"{address}/docs",
        ):
            self.say(line)
        self._out.file.flush()

    def _lines(self, tally: Tally, total: int, stop: threading.Event) -> None:
        told = 0
        while not stop.wait(0.1):
            if tally.lived - told >= LINE_EVERY:
                told = tally.lived - tally.lived % LINE_EVERY
                rates = tally.hit_rates
                self.say(
                    f"{told:,} of {total:,} lived: next film among the ten"
                    f" {rates.recommender:.1%}, popularity {rates.popularity:.1%}"
                )


def numbers(tally: Tally, total: int, seconds: float) -> Table:
    """The moving figures on one line each."""
    rates, fresh = tally.hit_rates, tally.freshness_seconds
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", justify="right", min_width=9)
    table.add_column()
    lift = rates.recommender / rates.popularity if rates.popularity else 0.0
    table.add_row(f"{tally.lived:,}", f"of {total:,} ratings lived, {seconds:.0f} s")
    table.add_row(f"{tally.hits:,}", f"next films among the ten shown ({rates.recommender:.1%})")
    table.add_row(
        f"{max(tally.baseline_hits):,}",
        f"among the ten most popular ({rates.popularity:.1%}; we are {lift:.1f} times that)",
    )
    table.add_row(f"{tally.changed:,}", f"lists changed ({tally.changed_after_click:.1%})")
    table.add_row(f"{fresh.p50 * 1000:.0f} ms", f"to the new list; 99 of 100 in {_ms(fresh.p99)}")
    return table


def people(moments: Mapping[str, Moment], titles: Mapping[str, str]) -> list[RenderableType]:
    """Each watched person's latest event and what it did."""
    return [_person(user, moments[user], titles) for user in sorted(moments)]


def _person(user: str, moment: Moment, titles: Mapping[str, str]) -> RenderableType:
    event = moment.event
    title = titles.get(event.item, event.item)
    stars = f"{event.value:g} stars" if event.value is not None else event.type.value
    head = Text.assemble(
        ("person ", "dim"), (user, "bold"), " gives ", (stars, "bold"), " to ", plain(title),
        (f"  {_ms(moment.seconds)} later:", "dim"),
    )  # fmt: skip
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("before", ratio=2, no_wrap=True)
    table.add_column("after", ratio=2, no_wrap=True)
    table.add_column("why", ratio=3, no_wrap=True)
    before, after = moment.before.items[:SHOWN], moment.after.items[:SHOWN]
    new = moment.new
    for place in range(max(len(before), len(after))):
        left = plain(before[place].title) if place < len(before) else Text("")
        if place >= len(after):
            table.add_row(left, "", "")
            continue
        item = after[place]
        fresh = item.item in new
        right = Text.assemble("+ " if fresh else "  ", plain(item.title))
        right.stylize("green" if fresh else "")
        table.add_row(left, right, plain(item.reason.text))
    return Padding(Group(head, table), (1, 0, 0, 0))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
