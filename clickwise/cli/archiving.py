"""`clickwise archive`: the log into Parquet, once or again and again."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from threading import Event

from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from clickwise import logs, metrics, usage
from clickwise.archive import Names, Stream, open_archive
from clickwise.archive.commits import drop_copies
from clickwise.cli import homes
from clickwise.cli.aging import check_clocks
from clickwise.cli.exits import Exit
from clickwise.cli.extras import kafka_extra
from clickwise.cli.output import console, print_json, print_json_line, progress_console
from clickwise.cli.wiring import state_of
from clickwise.clock import SystemClock
from clickwise.errors import ClickwiseError, UnavailableError
from clickwise.settings import Settings
from clickwise.state.port import State
from streams.archive import Archiver, Summary
from streams.archive_items import DatabaseItems
from streams.archive_log import DatabaseLog
from streams.archive_source import Source

CLEAN_SECONDS = 3_600.0

log = logs.get(__name__)


def archive_once(settings: Settings, *, json: bool) -> int:
    """Archive what is new, and say what was done."""
    logs.configure(level=settings.log_level, output=settings.log_format)
    with _told_to_stop() as stop, _bar() as follow, ExitStack() as stack:
        archiver = archiver_of(settings, stack, progress=follow, stopped=stop.is_set)
        summary = archiver.run()
        if not stop.is_set():
            _clean(settings, archiver)
    if json:
        print_json(summary)
    else:
        console().print(Text(_line(summary)))
    return Exit.INTERRUPTED if stop.is_set() else Exit.DONE


def archive_loop(settings: Settings, *, every_seconds: float, json: bool) -> int:
    """Archive again and again until SIGINT or SIGTERM; what is away is waited for."""
    logs.configure(level=settings.log_level, output=settings.log_format)
    metrics.listen(
        settings.archive_metrics_port, settings.host, setting="CLICKWISE_ARCHIVE_METRICS_PORT"
    )
    usage.report("archive", settings.folder)
    cleaned: float | None = None
    with _told_to_stop() as stop:
        while not stop.is_set():
            try:
                # Opened anew each time: an idle connection would have to be kept alive.
                with ExitStack() as stack:
                    archiver = archiver_of(settings, stack, stopped=stop.is_set)
                    summary = archiver.run()
                    if cleaned is None or time.monotonic() - cleaned > CLEAN_SECONDS:
                        _clean(settings, archiver)
                        cleaned = time.monotonic()
            except ClickwiseError as error:
                if not error.retryable:
                    raise
                log.warning("archive_put_off", kind=error.kind, reason=str(error))
            else:
                if json:
                    print_json_line(summary)
                elif summary.added or summary.merged or summary.expired:
                    log.info(
                        "archived", **summary.added, merged=summary.merged, expired=summary.expired
                    )
            stop.wait(every_seconds)
    return Exit.DONE


def archiver_of(
    settings: Settings,
    stack: ExitStack,
    *,
    progress: Callable[[Summary], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Archiver:
    """The archiver of these settings, its database and its Kafka open until `stack` closes."""
    homes.make_home(settings)
    state = state_of(settings, stack)
    state.migrate()
    trusted = cache(lambda: clocks_agree(state))  # once, so that one line says it
    sources: list[Source] = []
    if settings.embedded:
        sources += [DatabaseLog(state, "events"), DatabaseLog(state, "exposures")]
    else:
        with kafka_extra():
            from streams.kafka_archive import KafkaLog
        for stream in (Stream.EVENTS, Stream.EXPOSURES):
            sources.append(stack.enter_context(KafkaLog(settings, stream)))
    sources.append(DatabaseItems(state))
    return Archiver(
        open_archive(settings.archive_url, home=settings.folder),
        sources,
        names=Names.by(state.people.name_of),
        file_rows=settings.archive_file_rows,
        clock=SystemClock(),
        progress=progress,
        stopped=stopped,
        forgotten=state.people.forgotten,
        kept=kept_days(settings, trusted),
        trusted=trusted,
    )


def clocks_agree(state: State) -> bool:
    """Whether anything may go by age this time; a line says so where not."""
    try:
        check_clocks(state)
    except UnavailableError as error:
        log.warning("expiry_put_off", kind=error.kind, reason=str(error))
        return False
    return True


def kept_days(settings: Settings, trusted: Callable[[], bool]) -> timedelta | None:
    """How long days are kept; None: for ever, or for this time, since a clock is wrong."""
    if not settings.archive_days or not trusted():
        return None
    return timedelta(days=settings.archive_days)


def _clean(settings: Settings, archiver: Archiver) -> None:
    """Delete what nobody can need any more, here too where a training of this home has copies."""
    archiver.clean()
    copies = homes.archive_copies(settings)
    if copies.is_dir() and archiver.trusted():
        archive = open_archive(settings.archive_url, home=settings.folder)
        drop_copies(copies, archive.newest(), SystemClock().now())


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    """Set by SIGINT and SIGTERM: what is begun is committed, nothing else is begun."""
    stop = Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _bar() -> Iterator[Callable[[Summary], None]]:
    """Rows so far, in a terminal."""
    out = progress_console()
    with Progress(
        TextColumn("archive: {task.description}"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    ) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda summary: bar.update(task, description=_counts(summary.added))


def _line(summary: Summary) -> str:
    parts = [f"added {_counts(summary.added)}; the archive holds {_counts(summary.rows)}"]
    parts.append(f"in {sum(summary.files.values()):,} files")
    line = " ".join(parts)
    if summary.refused:
        line += f"; {summary.refused:,} messages broke their schema (dead letters hold them)"
    if summary.lost:
        line += f"; up to {summary.lost:,} had been forgotten before they were archived"
    if summary.expired:
        line += f"; {summary.expired:,} rows were older than CLICKWISE_ARCHIVE_DAYS and went"
    return f"{line}; {summary.seconds:.1f} s"


def _counts(rows: dict[str, int]) -> str:
    return ", ".join(f"{rows.get(stream.value, 0):,} {stream.value}" for stream in Stream)
