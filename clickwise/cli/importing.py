"""`clickwise import`: files into a site, items first, then events in order of time."""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from clickwise.cli import homes
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.following import encoder_progress, lines_without_terminal
from clickwise.cli.http import HttpSite
from clickwise.cli.named_items import NamedItems, Unknown, in_words
from clickwise.cli.output import console, plain, print_json, progress_console
from clickwise.cli.sinks import EVENTS_AT_ONCE, ITEMS_AT_ONCE, DirectSink, HttpSink, Result, Sink
from clickwise.cli.wiring import open_core
from clickwise.clock import SystemClock
from clickwise.codec import JsonObject, encode
from clickwise.errors import ConfigurationError, ConflictError
from clickwise.imports.feed import Feed, Row
from clickwise.imports.layouts import Layout, is_named, open_feed
from clickwise.imports.tables import TableOptions
from clickwise.imports.times import moved
from clickwise.settings import Settings

REASONS_SHOWN = 5
_TOO_OLD = "is before 2000"  # as `clickwise.limits.parse_event_time` says it, here or on a server


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The command's options, as they were typed."""

    path: Path
    layout: str
    url: str
    holds: str
    kind: str
    event_type: str
    mapping: tuple[str, ...]
    time: str
    limit: int
    refused: Path
    json: bool


@dataclass(slots=True)
class Summary:
    """Counts of one import; `reasons` of refusals with how often."""

    items: int = 0
    events_applied: int = 0
    events_accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    named: NamedItems = field(default_factory=NamedItems)

    def count(self, results: Sequence[Result], *, items: bool) -> None:
        """Add what became of a batch."""
        for result in results:
            if result.verdict == "refused":
                self.refused += 1
                self.reasons[result.reason] += 1
            elif items:
                self.items += 1
            elif result.verdict == "duplicate":
                self.duplicates += 1
            elif result.verdict == "accepted":
                self.events_accepted += 1
            else:
                self.events_applied += 1


def import_path(settings: Settings, options: ImportOptions) -> int:
    """Import and say what came of it; 1 if anything was refused."""
    feed = _feed(options)
    with ExitStack() as stack:
        sink, place = _sink(settings, options, stack)
        aside = RefusedFile(options.refused)
        stack.callback(aside.close)
        with audited(settings, "import") as ending:
            summary = run_import(feed, sink, aside)
            ending.fault = "refused_rows" if summary.refused else ""
        unknown = summary.named.unknown(sink)
    _report(summary, feed, options, place=place, refused=aside.path, unknown=unknown)
    return Exit.FAILED if summary.refused else Exit.DONE


class RefusedFile:
    """Refused rows as JSON lines, with place and reason; made when there is a first one.

    A file that is there already is left alone: the name gets a number, which `path` then has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def add(self, row: Row, reason: str) -> None:
        """Append one.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        line = encode({"place": row.place, "reason": reason, "data": row.data}) + b"\n"
        with self._told():
            if self._file is None:
                self._file = self._made()
            self._file.write(line)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            with self._told():
                self._file.close()

    def _made(self) -> IO[bytes]:
        wanted = self.path
        for number in itertools.count(2):
            try:
                return open(self.path, "xb", opener=_own)
            except FileExistsError:
                self.path = wanted.with_stem(f"{wanted.stem}-{number}")
        raise AssertionError("there is always another number")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"refused rows cannot be written to {self.path}: {error.strerror}"
            ) from error


def _own(path: str, flags: int) -> int:
    """Open a file that its owner alone reads: refused rows tell of people too."""
    return os.open(path, flags, 0o600)


def run_import(feed: Feed, sink: Sink, aside: RefusedFile) -> Summary:
    """Send a feed to a sink with a progress bar."""
    summary = Summary()
    told = lines_without_terminal()
    bar = Progress(
        TextColumn("{task.description:<7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=progress_console(),
    )
    with bar:
        for name, rows, total, size, send in (
            ("items", feed.items, feed.num_items, ITEMS_AT_ONCE, sink.items),
            ("events", feed.events, feed.num_events, EVENTS_AT_ONCE, sink.events),
        ):
            if not total:
                continue
            task = bar.add_task(name, total=total, rate="")
            told(f"importing {total:,} {name}", 0.0)
            done = 0
            for batch in batched(rows(), size):
                results = sent(batch, send)
                for row, result in zip(batch, results, strict=True):
                    if result.verdict == "refused":
                        aside.add(row, result.reason)
                summary.count(results, items=name == "items")
                summary.named.count(batch, results, items=name == "items")
                done += len(batch)
                told(f"importing {total:,} {name}", done / total)
                speed = bar.tasks[task].speed
                bar.update(task, advance=len(batch), rate=f"{speed:,.0f}/s" if speed else "")
    return summary


def batched(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """Rows in lists of `size`."""
    while batch := list(itertools.islice(rows, size)):
        yield batch


def sent(
    batch: Sequence[Row], send: Callable[[Sequence[JsonObject]], list[Result]]
) -> list[Result]:
    """Results in the order of the batch; rows that could not be read are refused here."""
    readable = [row.data for row in batch if not row.fault]
    results = iter(send(readable) if readable else ())
    return [Result("refused", row.fault) if row.fault else next(results) for row in batch]


def _feed(options: ImportOptions) -> Feed:
    try:
        layout = Layout(options.layout)
    except ValueError:
        known = ", ".join(Layout)
        raise ConfigurationError(f"--format {options.layout}: expected one of {known}") from None
    if options.holds not in ("", "items", "events"):
        raise ConfigurationError(f"--as {options.holds}: expected items or events")
    if options.time not in ("keep", "shift-to-now"):
        raise ConfigurationError(f"--time {options.time}: expected keep or shift-to-now")
    mapping = dict(_pair(text) for text in options.mapping)
    feed = open_feed(
        options.path,
        layout,
        TableOptions(
            mapping=mapping,
            holds=options.holds,
            kind=options.kind,
            event_type=options.event_type,
        ),
    )
    if options.limit:
        feed = _limited(feed, options.limit)
    # A data set known by name is older than any event that the doors take.
    if (options.time == "shift-to-now" or is_named(options.path)) and feed.newest is not None:
        feed = _shifted(feed, SystemClock().now().timestamp() - feed.newest)
    return feed


def _pair(text: str) -> tuple[str, str]:
    ours, sign, theirs = text.partition("=")
    if not (sign and ours and theirs):
        raise ConfigurationError(f"--map {text}: expected OURS=THEIRS, such as user=user_id")
    return ours, theirs


def _limited(feed: Feed, limit: int) -> Feed:
    return Feed(
        items=lambda: itertools.islice(feed.items(), limit),
        events=lambda: itertools.islice(feed.events(), limit),
        num_items=min(feed.num_items, limit),
        num_events=min(feed.num_events, limit),
        newest=feed.newest,
        notes=feed.notes,
    )


def _shifted(feed: Feed, seconds: float) -> Feed:
    return Feed(
        items=lambda: moved(feed.items(), seconds),
        events=lambda: moved(feed.events(), seconds),
        num_items=feed.num_items,
        num_events=feed.num_events,
        newest=None,
        notes=(*feed.notes, "all times are moved: the last event happens now"),
    )


def _sink(settings: Settings, options: ImportOptions, stack: ExitStack) -> tuple[Sink, str]:
    """Where rows go, and its name for people: a server's address, or the home folder."""
    url = options.url or ("" if settings.embedded else _needs_url())
    running = homes.ServerLock(settings).address()
    if not url and running.startswith("http"):
        url = running  # a server has this home open: through its door
    if url:
        return HttpSink(stack.enter_context(HttpSite(url, settings))), url
    homes.make_home(settings)
    lock = homes.ServerLock(settings)
    try:
        lock.take("`clickwise import`")
    except ConflictError as error:
        raise ConflictError(f"{error}; try again in a moment") from error
    stack.callback(lock.release)
    with encoder_progress() as follow:
        core = open_core(settings, stack, progress=follow)
    core.releases.start()  # a model that is promoted meanwhile gets the rest too
    return DirectSink(core), str(settings.folder.absolute())


def _needs_url() -> str:
    raise ConfigurationError(
        "with Kafka, imports go through a server: give --url, the address of `clickwise serve`"
    )


def _report(
    summary: Summary,
    feed: Feed,
    options: ImportOptions,
    *,
    place: str,
    refused: Path,
    unknown: Unknown | None,
) -> None:
    if options.json:
        print_json(
            {
                "into": place,
                "items": summary.items,
                "events_applied": summary.events_applied,
                "events_accepted": summary.events_accepted,
                "duplicates": summary.duplicates,
                "refused": summary.refused,
                "reasons": dict(summary.reasons.most_common(REASONS_SHOWN)),
                "refused_file": str(refused) if summary.refused else None,
                "unknown_items": unknown,
            }
        )
        return
    out = console()
    parts = [f"{summary.items:,} items", f"{summary.events_applied:,} events applied"]
    if summary.events_accepted:
        parts.append(f"{summary.events_accepted:,} accepted")
    parts += [f"{summary.duplicates:,} duplicates", f"{summary.refused:,} refused"]
    out.print(Text(f"{', '.join(parts)}, into {place}"), soft_wrap=True)
    for note in feed.notes:
        out.print(Text(f"note: {note}"))
    for reason, number in summary.reasons.most_common(REASONS_SHOWN):
        out.print(Text.assemble(f"  {number:,} x ", plain(reason)))
    if any(_TOO_OLD in reason for reason in summary.reasons):
        out.print(
            Text("events before 2000 are taken with --time shift-to-now: the last happens now")
        )
    if summary.refused:
        out.print(Text(f"refused rows are in {refused}"))
    if line := in_words(unknown):
        out.print(Text(line), soft_wrap=True)
