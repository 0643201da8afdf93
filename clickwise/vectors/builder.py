"""Makes the next generation of an Edge index, beside the readers and in a process of its own.

`build_generation` copies the newest sound generation, applies what changed since, indexes,
and publishes the result; readers swap when they next look (`edge`). Without a sound
generation it starts from nothing, so a damaged folder heals. `build_loop` does so whenever
enough has changed.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clickwise import logs, metrics
from clickwise.errors import (
    BundleError,
    ClickwiseError,
    ConfigurationError,
    ConflictError,
    UnavailableError,
)
from clickwise.state.port import State
from clickwise.types import ModelVersion
from clickwise.vectors.columns import Columns, write_columns
from clickwise.vectors.delta import Delta
from clickwise.vectors.edge_shard import Shard, copy_shard
from clickwise.vectors.generations import Generations, Manifest, stored_models
from clickwise.vectors.port import IndexedItem, Removed
from clickwise.vectors.rows import Tower, indexed, projected

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


def stored_changes(state: State, text: ModelVersion, tower: Tower | None = None) -> ChangesAfter:
    """The changes of an index as the database holds them, a page at a time.

    `text` names the stored text vectors; `tower` makes the index's vectors of them (None: they
    are its own).
    """

    def changes_after(after: int) -> Iterable[Batch]:
        while rows := state.items_changed(after=after, limit=_ROWS_AT_ONCE, model=text):
            entries: Sequence[IndexedItem | Removed] = [indexed(row, text) for row in rows]
            if tower is not None:
                entries = projected(entries, tower)
            yield [(row.change, entry) for row, entry in zip(rows, entries, strict=True)]
            after = rows[-1].change

    return changes_after


@dataclass(frozen=True, slots=True)
class Space:
    """An index that has to be built: that of a model in use.

    `at_once`: its first generation is waited for (else it comes when enough has changed).
    """

    name: ModelVersion
    dimension: int
    changes_after: ChangesAfter
    at_once: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """`spaces` are to be built, the most urgent first; `kept` names all that are in use, also those
    that cannot be built yet. None: they cannot all be told now, so nothing may be removed.
    """

    spaces: Sequence[Space]
    kept: frozenset[ModelVersion] | None


class _Builder:
    """Builds what is due of each space, one after the other."""

    def __init__(
        self, state: State, root: Path, *, build_after: int, build_interval_seconds: float
    ) -> None:
        self._state = state
        self._root = root
        self._build_after = build_after
        self._interval_seconds = build_interval_seconds
        self._due: dict[ModelVersion, float] = {}

    def look(self, wanted: Wanted) -> bool:
        """Build what has to be built; False when something has to be tried again later."""
        done = wanted.kept is not None
        for space in wanted.spaces:
            try:
                if self._has_work(space):
                    build_generation(self._root, space.name, space.dimension, space.changes_after)
                    self._due[space.name] = time.monotonic() + self._interval_seconds
            except ClickwiseError as error:
                # A model whose own files are at fault must not keep the others waiting.
                if not error.retryable and not isinstance(error, BundleError):
                    raise
                metrics.errors.labels(error.kind, "vectors").inc()
                _log.warning("build put off", model=space.name, kind=error.kind, reason=str(error))
                done = False
        if wanted.kept is not None:
            self._due = {name: at for name, at in self._due.items() if name in wanted.kept}
            remove_unused(self._root, wanted.kept)
        return done

    def _has_work(self, space: Space) -> bool:
        now = time.monotonic()
        due = self._due.setdefault(space.name, now + self._interval_seconds)
        generations = Generations(self._root, space.name)
        waiting = self._state.newest_change() - _covered(generations)
        if waiting <= 0:
            return False
        first = space.at_once and generations.current() is None
        return first or waiting >= self._build_after or now >= due


def build_loop(
    state: State,
    root: Path,
    wanted: Callable[[], Wanted],
    *,
    build_after: int,
    build_interval_seconds: float,
    stop: threading.Event,
) -> None:
    """Build until `stop` is set: after `build_after` changes, or an interval with any change.
    Folders of models that are not in use any more are removed.

    Lowers the priority of its thread. Run it in a process of its own: the engine holds the
    interpreter's lock for seconds. A database that does not answer, or another builder,
    is waited for, and so is a model that cannot be read; every other fault ends the loop.

    Raises:
        ConfigurationError: an index has another dimension.
    """
    # Of this thread, and of those that the engine starts from it.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    builder = _Builder(
        state, root, build_after=build_after, build_interval_seconds=build_interval_seconds
    )
    usual_seconds = min(_POLL_SECONDS, build_interval_seconds)
    pause_seconds = usual_seconds
    while not stop.wait(pause_seconds):
        pause_seconds = usual_seconds
        try:
            now = wanted()
        except UnavailableError as error:
            _log.warning("build put off", kind=error.kind, reason=str(error))
            continue
        if not builder.look(now):
            pause_seconds = _RETRY_SECONDS


def remove_unused(root: Path, used: Collection[ModelVersion]) -> None:
    """Remove the folders of models that are not in use; readers that have them open go on."""
    for model in stored_models(root):
        if model in used:
            continue
        try:
            Generations(root, model).remove()
        except ConflictError:
            continue
        _log.info("index removed", model=model)


def _covered(generations: Generations) -> int:
    number = generations.current()
    if number is None:
        return 0
    try:
        return generations.manifest(number).covered
    except BundleError:
        return 0  # damaged: everything waits, and a build heals it
