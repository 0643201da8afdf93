"""The single checks: each looks at one thing and changes nothing that was there before.

A check yields what it saw, in one line where nothing is wrong, or raises a fault, which counts as
failed.
"""

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from clickwise.bundle.folder import read_manifest
from clickwise.cli import homes
from clickwise.cli.options import with_home
from clickwise.cli.server import address_of, claimable_port
from clickwise.cli.versions import versions
from clickwise.cli.waiting import kafka_answers, qdrant_answers
from clickwise.cli.wiring import state_of
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

LEAST_FREE_BYTES = 500_000_000
GOOD_FREE_BYTES = 2_000_000_000
RELEASED = 1_767_225_600.0  # 2026-01-01: a clock before it is not set
LATE_SECONDS = 60.0
MANY_WAITING = 10_000
MADE_LATER = "the database's tables are made at the first start"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw."""

    level: str
    text: str
    advice: str = ""


def python(settings: Settings) -> Iterable[Seen]:
    """Interpreter and packages."""
    del settings
    found = versions()
    runtimes = [name for name in ("onnxruntime", "onnxruntime-gpu") if name in found]
    text = f"Python {found['python']}, clickwise {found.get('clickwise', '?')}"
    if len(runtimes) == 2:
        yield Seen(
            "warn",
            f"{text}; onnxruntime and onnxruntime-gpu are both installed, and share one module",
            "uninstall both, then install the one that you mean",
        )
    else:
        yield Seen("ok", text)


def disk(settings: Settings) -> Iterable[Seen]:
    """Room where the data goes, and whether it can be written."""
    folder = _existing(settings.folder.absolute())
    probe = folder / f".clickwise-check-{time.monotonic_ns()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        yield Seen("fail", f"{folder} cannot be written: {error.strerror}", "set CLICKWISE_HOME")
        return
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LEAST_FREE_BYTES:
        yield Seen("fail", text, "free some space: the database stops when the disk is full")
    elif free < GOOD_FREE_BYTES:
        yield Seen("warn", text, "2 GB or more leave room for generations of the index")
    else:
        yield Seen("ok", text)


def clock(settings: Settings) -> Iterable[Seen]:
    """Event times are judged by this clock: it has to be set, and to run."""
    now = time.time()
    if now < RELEASED:
        yield Seen(
            "fail", "the clock is before 2026", "set it: events of today would be in the future"
        )
        return
    probe = _existing(settings.folder.absolute()) / f".clickwise-check-{time.monotonic_ns()}"
    try:
        probe.touch()
        skew = probe.stat().st_mtime - time.time()
        probe.unlink()
    except OSError:
        skew = 0.0  # the disk check tells
    if abs(skew) > LATE_SECONDS:
        yield Seen(
            "warn", f"the disk's clock differs by {skew:.0f} s", "run a time service on both"
        )
    else:
        yield Seen("ok", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def port(settings: Settings) -> Iterable[Seen]:
    """Whether the server could listen, or does."""
    running = homes.ServerLock(settings).address()
    if running:
        yield Seen("ok", f"a server runs on {settings.folder}, at {running}")
        return
    try:
        claimable_port(settings.host, settings.port)
    except ConfigurationError:
        address = address_of(settings)
        if not _clickwise_answers(address):
            raise
        if settings.embedded:
            advice = "set CLICKWISE_PORT to start a second one"
            yield Seen("warn", f"Clickwise answers at {address}, with another home", advice)
        else:
            yield Seen("ok", f"Clickwise answers at {address}")
        return
    yield Seen("ok", f"{settings.host}:{settings.port} is free")


def stored(settings: Settings) -> bool:
    """Whether there is a database: of SQLite, its file."""
    url = homes.database_url(settings)
    return not url.startswith("sqlite") or Path(url.removeprefix("sqlite:///")).exists()


def database(settings: Settings) -> Iterable[Seen]:
    """Whether it answers, and with which schema; nothing is migrated."""
    url = homes.database_url(settings)
    if not stored(settings):
        path = url.removeprefix("sqlite:///")
        folder = _existing(Path(path).absolute().parent)
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            yield Seen(
                "fail", f"{path} cannot be made: expected {folder} to be a folder to write to"
            )
            return
        yield Seen("ok", f"SQLite {sqlite3.sqlite_version}; {path} is made at the first start")
        return
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.ping()
        kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
        if not state.schema_version():
            yield Seen("ok", f"{kind} answers; its tables are made at the first start")
            return
        text = f"{kind} answers, {state.count_items():,} items"
        pending = len(state.dead_letters(limit=1_000, pending_only=True))
    if pending:
        number = "1,000 or more" if pending == 1_000 else f"{pending:,}"
        waiting = with_home("clickwise dead-letters list --pending", settings)
        advice = f"see `{waiting}`"
        yield Seen("warn", f"{text}, {number} dead letters wait", advice)
    else:
        yield Seen("ok", text)


def kafka(settings: Settings) -> Iterable[Seen]:
    """Broker, topics, partitions, and how far the workers are behind."""
    if settings.embedded:
        yield Seen("ok", "not set: the embedded engine")
        return
    asyncio.run(kafka_answers(settings))
    from streams import topics_admin

    problems = topics_admin.check_topics(settings)
    for problem in problems:
        yield Seen("fail", problem, "run `clickwise topics create`")
    if problems:
        return
    waiting = _waiting(settings)
    text = (
        f"{settings.kafka_bootstrap} answers, topics are as they should be, {waiting:,} events wait"
        " to be applied"
    )
    if waiting > MANY_WAITING:
        yield Seen("warn", text, "start more `clickwise stream` workers, up to the partitions")
    else:
        yield Seen("ok", text)


def qdrant(settings: Settings) -> Iterable[Seen]:
    """The vector store."""
    if settings.qdrant_url:
        asyncio.run(qdrant_answers(settings))
        yield Seen("ok", f"{settings.qdrant_url} answers")
        return
    from clickwise.vectors.generations import Generations, live_model, stored_models

    folder = homes.vectors_folder(settings)
    models = stored_models(folder)
    if not models:
        live = live_model(folder)
        told = "the index is made at the first start"
        if live is not None:  # a server was started, and keeps what is new in memory
            told = (
                f"model {live}, no index on disk yet: it is written after"
                f" {settings.edge_build_after:,} changed items, or"
                f" {settings.edge_build_interval_seconds:g} s with any"
            )
        yield Seen("ok", f"Qdrant Edge; {told}")
        return
    numbers = {model: Generations(folder, model).current() for model in models}
    each = [f"model {model}, generation {number or 'to come'}" for model, number in numbers.items()]
    yield Seen("ok", f"Qdrant Edge, {'; '.join(each)}")


def model(settings: Settings) -> Iterable[Seen]:
    """Whether items have vectors of an encoder that a bundle here is made for."""
    bundles = homes.bundles_folder(settings)
    manifests = [read_manifest(path) for path in bundles.glob("[!.]*")]
    if not manifests:
        yield Seen("ok", "the bundle is made at the first start")
        return
    with ExitStack() as stack:
        rows = state_of(settings, stack).items_changed(after=0, limit=1_000)
    stored = {row.model for row in rows if row.model and row.body is not None}
    known = {manifest.vectors for manifest in manifests}
    strange = sorted(stored - known)
    if strange:
        yield Seen(
            "fail",
            f"items have vectors of {', '.join(strange)}, bundles here are for"
            f" {', '.join(sorted(known))}",
            "import the items again: another encoder needs new vectors",
        )
    else:
        yield Seen("ok", ", ".join(sorted(manifest.version for manifest in manifests)))


ALL: dict[str, Callable[[Settings], Iterable[Seen]]] = {
    "python": python,
    "disk": disk,
    "clock": clock,
    "port": port,
    "database": database,
    "kafka": kafka,
    "vectors": qdrant,
    "model": model,
}
ADVICE = {
    "port": "or stop what listens there",
    "database": "start it, or correct CLICKWISE_DATABASE_URL",
    "kafka": "start it, or correct CLICKWISE_KAFKA_BOOTSTRAP",
    "vectors": "start Qdrant, or correct CLICKWISE_QDRANT_URL and CLICKWISE_QDRANT_API_KEY",
    "model": "see the database",
}


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _clickwise_answers(address: str) -> bool:
    """Whether what listens there answers `/healthz` as a server of ours does."""
    try:
        with httpx.Client(verify=False, timeout=2.0, trust_env=False) as client:  # noqa: S501  # nothing is told
            answer = client.get(f"{address}/healthz")
        return answer.is_success and msgspec.json.decode(answer.content) == {"status": "ok"}
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError):
        return False


def _waiting(settings: Settings) -> int:
    """Events between what the database has applied and the ends of their partitions."""
    from clickwise.topics import EVENTS
    from streams import kafka as client

    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    ends = asyncio.run(client.end_offsets(settings, topic, settings.kafka_partitions))
    with ExitStack() as stack:
        offsets = state_of(settings, stack).offsets(settings.kafka_group)
    applied = {p.partition: offset for p, offset in offsets.items() if p.topic == topic}
    return sum(max(0, end - applied.get(partition, 0)) for partition, end in ends.items())
