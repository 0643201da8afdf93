"""Makes the next generation of an Edge index, beside the readers and in a process of its own.

`build_generation` copies the newest sound generation, applies what changed since, indexes,
and publishes the result; readers swap when they next look (`edge`). Without a sound
generation it starts from nothing, so a damaged folder heals. `build_loop` does so whenever
enough has changed.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clickwise import logs, metrics
from clickwise.errors import BundleError, ClickwiseError, ConfigurationError
from clickwise.state.port import State
from clickwise.types import ModelVersion
from clickwise.vectors.columns import Columns, write_columns
from clickwise.vectors.delta import Delta
from clickwise.vectors.edge_shard import Shard, copy_shard
from clickwise.vectors.generations import Generations, Manifest
from clickwise.vectors.port import IndexedItem, Removed
from clickwise.vectors.rows import indexed

_log = logs.get(__name__)
_ROWS_AT_ONCE = 1_000
_POLL_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_NICENESS = 10

Batch = Sequence[tuple[int, IndexedItem | Removed]]
# What changed after a change number, in order: batches of (change, item or removal).
ChangesAfter = Callable[[int], Iterable[Batch]]


@dataclass(frozen=True, slots=True)
class Built:
    """What one build made."""

    number: int
    count: int
    covered: int
    changed: int
    seconds: float


def build_generation(
    root: Path, model: ModelVersion, dimension: int, changes_after: ChangesAfter
) -> Built | None:
    """Make the next generation live; None when nothing changed since the present one.

    `changes_after(n)` gives what changed after change `n`; 0 asks for everything there is.

    Raises:
        ConflictError: another process is building this index.
        ConfigurationError: the index or an item has another dimension.
        UnavailableError: the engine or the source failed; the live generation is untouched.
    """
    started = time.perf_counter()
    generations = Generations(root, model)
    with generations.building():
        current = generations.current()
        generations.clean(keep=set(generations.numbers()))
        base = _newest_sound(generations, dimension)
        delta, covered = _collect(changes_after, base.covered if base else 0, dimension)
        settled = base is not None and base.number == current
        if not len(delta) and (settled or current is None):
            return None
        number = max([0, *generations.numbers()]) + 1
        count = _build(generations, base, delta, number=number, covered=covered)
        generations.clean(keep={number, current if current is not None else number})
    seconds = time.perf_counter() - started
    metrics.index_build_seconds.observe(seconds)
    built = Built(number, count, covered, len(delta), seconds)
    _log.info(
        "generation built",
        model=model,
        generation=number,
        items=count,
        changed=built.changed,
        seconds=round(seconds, 3),
    )
    return built


def _newest_sound(generations: Generations, dimension: int) -> Manifest | None:
    for number in generations.in_order_of_trust():
        try:
            manifest = generations.manifest(number)
            generations.verify(manifest)
        except BundleError:
            metrics.errors.labels(BundleError.kind, "vectors").inc()
            _log.exception("generation not usable", model=generations.model, generation=number)
            continue
        if manifest.dimension != dimension:
            raise ConfigurationError(
                f"the index of {manifest.model} holds vectors of {manifest.dimension} numbers,"
                f" not {dimension}"
            )
        return manifest
    return None


def _collect(changes_after: ChangesAfter, after: int, dimension: int) -> tuple[Delta, int]:
    delta, covered = Delta(dimension), after
    for batch in changes_after(after):
        for change, each in batch:
            if isinstance(each, Removed):
                delta.remove(each.key, change=change)
            else:
                try:
                    delta.check(each)
                except ValueError as error:
                    raise ConfigurationError(str(error)) from error
                delta.put(each, change=change)
            covered = max(covered, change)
    return delta, covered


def _build(
    generations: Generations, base: Manifest | None, delta: Delta, *, number: int, covered: int
) -> int:
    """Write and publish one generation; the number of its items."""
    scratch = generations.scratch("build")
    source = generations.path(base.number) if base else None
    columns = Columns.open(source / "columns") if source else None
    (scratch / "columns").mkdir()
    count = write_columns(scratch / "columns", columns, delta)
    if source is not None:
        # Half of the machine, at low priority: the other half answers requests.
        copy_shard(source / "shard", scratch / "shard")
        shard = Shard.change(
            scratch / "shard", delta.dimension, threads=max(1, (os.cpu_count() or 1) // 2)
        )
    else:
        shard = Shard.create(scratch / "shard", delta.dimension, threads=os.cpu_count() or 1)
    shard.delete(list(delta.removed))
    slots = delta.sorted_slots()
    for start in range(0, len(slots), _ROWS_AT_ONCE):
        shard.upsert(delta.table(slots[start : start + _ROWS_AT_ONCE]))
    shard.finish()
    manifest = Manifest(
        number=number,
        model=generations.model,
        dimension=delta.dimension,
        count=count,
        covered=covered,
        created=time.time(),
        files={},
    )
    generations.publish(scratch, manifest)
    return count


def stored_changes(state: State, model: ModelVersion) -> ChangesAfter:
    """The changes of `model`'s index as the database holds them, a page at a time."""

    def changes_after(after: int) -> Iterable[Batch]:
        while rows := state.items_changed(after=after, limit=_ROWS_AT_ONCE):
            yield [(row.change, indexed(row, model)) for row in rows]
            after = rows[-1].change

    return changes_after


def build_loop(
    state: State,
    root: Path,
    model: ModelVersion,
    dimension: int,
    *,
    build_after: int,
    build_interval_seconds: float,
    stop: threading.Event,
) -> None:
    """Build until `stop` is set: after `build_after` changes, or an interval with any change.

    Lowers the priority of its thread. Run it in a process of its own: the engine holds the
    interpreter's lock for seconds. A database that does not answer, or another builder,
    is waited for; every other fault ends the loop.

    Raises:
        ConfigurationError: the index has another dimension.
    """
    # Of this thread, and of those that the engine starts from it.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    generations = Generations(root, model)
    last_build = time.monotonic()
    pause_seconds = min(_POLL_SECONDS, build_interval_seconds)
    while not stop.wait(pause_seconds):
        try:
            waiting = state.newest_change() - _covered(generations)
            overdue = time.monotonic() - last_build >= build_interval_seconds
            if waiting >= build_after or (waiting > 0 and overdue):
                build_generation(root, model, dimension, stored_changes(state, model))
                last_build = time.monotonic()
        except ClickwiseError as error:
            if not error.retryable:
                raise
            metrics.errors.labels(error.kind, "vectors").inc()
            _log.warning("build put off", model=model, kind=error.kind, reason=str(error))
            pause_seconds = _RETRY_SECONDS
        else:
            pause_seconds = min(_POLL_SECONDS, build_interval_seconds)


def _covered(generations: Generations) -> int:
    number = generations.current()
    if number is None:
        return 0
    try:
        return generations.manifest(number).covered
    except BundleError:
        return 0  # damaged: everything waits, and a build heals it
