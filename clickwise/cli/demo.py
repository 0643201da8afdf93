"""`clickwise demo`: real people's ratings, lived through the HTTP interface of a real server.

MovieLens-100k in order of time, moved so that its last rating happens now. The first 90 % are
imported as history; for each of the rest: the person's list, the rating, the list again. The
server is `clickwise up`, as anybody starts it, in a folder of its own.
"""

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clickwise.bench.report import check_writable, write_json
from clickwise.cli import homes
from clickwise.cli.demo_server import DemoServer
from clickwise.cli.demo_view import DemoView
from clickwise.cli.exits import Exit
from clickwise.cli.http import HttpSite
from clickwise.cli.importing import RefusedFile, Summary, run_import
from clickwise.cli.living import Living, watched_people
from clickwise.cli.options import settings_from
from clickwise.cli.output import plain, progress_console
from clickwise.cli.server import claimable_port
from clickwise.cli.sinks import HttpSink
from clickwise.cli.stopping import run_unwinding, signals_unwind
from clickwise.cli.tally import Freshness, HitRates, Tally
from clickwise.cli.wiring import state_of
from clickwise.clock import SystemClock
from clickwise.codec import JsonObject
from clickwise.errors import ConfigurationError, ConflictError
from clickwise.events import Event, parse_event
from clickwise.imports.feed import Feed, Row
from clickwise.imports.movielens_wheel import read_movielens
from clickwise.settings import Settings

HISTORY_SHARE = 0.9
LETTERS_AT_ONCE = 1_000
MARK = ".clickwise-demo"  # only a folder with this file in it is ever emptied


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The command's options. `events` and `history` 0: all of them. `port` None: see `port_of`."""

    once: bool
    json: Path | None
    port: int | None
    home: Path | None
    people: int
    lanes: int
    events: int
    history: int


def port_of(options: DemoOptions, settings: Settings) -> int:
    """The command line's port, else that of the settings. Where neither names one it is the usual
    one if that is free, since the reader is going to type it, or else any (0).
    """
    if options.port is not None:
        return options.port
    usual = Settings().port
    if settings.port != usual:
        return settings.port
    try:
        return 0 if options.once else claimable_port("127.0.0.1", usual)
    except ConfigurationError:
        return 0


class DemoFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` writes. `dead_letters`: events that were `refused`, and what the server put
    aside later.
    """

    items: int
    events_applied: int
    lived_events: int
    positive_events: int
    duplicates: int
    refused: int
    dead_letters: int
    changed_after_click: float
    next_item_hit_rate_at_10: HitRates
    freshness_seconds: Freshness
    lived_seconds: float
    model: str


def demo(options: DemoOptions) -> int:
    """Run it; 1 if anything was refused.

    Raises:
        ConfigurationError: MovieLens is not installed, the folder is somebody else's, or the
            file for the figures cannot be written.
        ConflictError: a server runs on the folder.
        UnavailableError: the server did not start.
    """
    if options.json is not None:
        check_writable(options.json)
    data = read_movielens().shifted(SystemClock().now().timestamp())
    settings = settings_from()
    home = options.home if options.home is not None else settings.folder / "demo"
    empty_home(home)
    view = DemoView({str(item["id"]): str(item["title"]) for item in data.items})
    with signals_unwind(), ExitStack() as stack:
        server = stack.enter_context(DemoServer(home, port=port_of(options, settings)))
        view.say("starting `clickwise up` ...")
        server.wait_until_ready(_progress)
        site = stack.enter_context(HttpSite(server.address, server.settings))
        cut = int(len(data.events) * HISTORY_SHARE)
        history = data.events[max(0, cut - options.history) if options.history else 0 : cut]
        lived = data.events[cut : cut + options.events] if options.events else data.events[cut:]
        aside = RefusedFile(home / "refused.jsonl")
        stack.callback(aside.close)
        imported = run_import(_feed(data.items, history), HttpSink(site), aside)
        tally = Tally([str(item["id"]) for item in data.items])
        for event in _parsed(history):
            tally.remember(event)
        started = time.perf_counter()
        living = _live(server.address, _parsed(lived), tally, view, options)
        seconds = time.perf_counter() - started
        model = str(site.get("/v1/users/nobody/recommendations")["model"])
        figures = _figures(
            imported,
            living,
            tally,
            letters=count_letters(server.settings),
            seconds=seconds,
            model=model,
        )
        view.summary(figures, living.moments)
        if options.json is not None:
            write_json(options.json, figures)
        if not options.once:
            view.lines_to_try(living.moments, server.address)
            view.say("the server is still up; Ctrl-C ends it")
            server.wait_until_stopped()
    return Exit.FAILED if figures.dead_letters else Exit.DONE


def _progress(line: str) -> None:
    progress_console().print(plain(line), soft_wrap=True)


def empty_home(home: Path) -> None:
    """A fresh folder; the encoder made by an earlier demo is kept.

    Raises:
        ConfigurationError: the folder holds something that no demo put there.
        ConflictError: a server runs on it.
    """
    running = homes.ServerLock(Settings(home=str(home))).address()
    if running:
        raise ConflictError(
            f"a server runs on {home}, at {running}: stop it, or give --home another folder"
        )
    mark = home / MARK
    if home.exists() and any(home.iterdir()) and not mark.exists():
        raise ConfigurationError(
            f"{home} is not empty and not a demo's: give --home a folder that may be emptied"
        )
    try:
        homes.make_folder(home)
    except OSError as error:
        raise ConfigurationError(f"{home} cannot be made: {error.strerror}") from error
    for entry in home.iterdir():
        if entry.name in (MARK, "models"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    mark.touch()


def _live(
    address: str, events: Sequence[Event], tally: Tally, view: DemoView, options: DemoOptions
) -> Living:
    watched = watched_people(events, options.people)
    living = Living(address, tally, lanes=options.lanes, watched=watched)
    with view.following(tally, len(events), living.moments):
        run_unwinding(living.run(events))
    return living


def _feed(items: Sequence[JsonObject], events: Sequence[JsonObject]) -> Feed:
    def rows(objects: Sequence[JsonObject], name: str) -> "list[Row]":
        return [Row(f"{name}:{place}", data) for place, data in enumerate(objects, 1)]

    return Feed(
        items=lambda: iter(rows(items, "ml-100k.item")),
        events=lambda: iter(rows(events, "ml-100k.inter")),
        num_items=len(items),
        num_events=len(events),
    )


def _parsed(events: Sequence[JsonObject]) -> list[Event]:
    now = SystemClock().now()
    return [parse_event(event, received=now)[0] for event in events]


def _figures(
    imported: Summary, living: Living, tally: Tally, *, letters: int, seconds: float, model: str
) -> DemoFigures:
    refused = imported.refused + living.refused
    return DemoFigures(
        items=imported.items,
        events_applied=imported.events_applied + living.applied,
        lived_events=tally.lived,
        positive_events=tally.positive,
        duplicates=imported.duplicates + living.duplicates,
        refused=refused,
        dead_letters=refused + letters,
        changed_after_click=tally.changed_after_click,
        next_item_hit_rate_at_10=tally.hit_rates,
        freshness_seconds=tally.freshness_seconds,
        lived_seconds=round(seconds, 1),
        model=model,
    )


def count_letters(settings: Settings) -> int:
    """Dead letters in the database of the demo's server."""
    number, before = 0, None
    with ExitStack() as stack:
        state = state_of(settings, stack)
        while page := state.dead_letters(limit=LETTERS_AT_ONCE, before=before):
            number += len(page)
            before = page[-1].id
    return number
