"""Which bundles a home keeps, and the removal of the others with the index of their vectors.

Kept is whatever somebody may need: what a role names, what the profiles are being rebuilt for,
what a process of this home's server has open, what the registry gives an alias, what the home made
for itself (day 0, a few kilobytes); and the newest of the rest. The registry's own copy of a bundle
stays, so that a removed one can be promoted from it. A Qdrant server has the index of models whose
bundles other homes hold, too: there an index goes only where the space of all that roles name is
known here. A bundle goes with its index or after it, since nothing else tells of the index.

Two locks make that hold while everything runs: nobody names a bundle of this home meanwhile
(`homes.naming_turn`), and no trainer of this home is at work.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from clickwise import metrics
from clickwise.bundle.folder import read_manifest
from clickwise.cli import homes, registry
from clickwise.cli.wiring import state_of
from clickwise.errors import BundleError, ConfigurationError, ConflictError, NotFoundError
from clickwise.settings import Settings
from clickwise.state.port import Pointer, State
from clickwise.types import ModelVersion
from clickwise.vectors.generations import Generations

DAY0 = "day0-"
_GOING = ".pruned-"  # before the name of a bundle that is being removed

# Versions, and why each is needed.
Needed = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A bundle of this home: its folder has the name of its version."""

    version: ModelVersion
    created: datetime
    vectors: ModelVersion


class RemovedBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was removed. `size_bytes`: of its files."""

    version: str
    created: datetime
    size_bytes: int


class RemovedIndex(msgspec.Struct, frozen=True, kw_only=True):
    """The vectors of a space that no bundle here has any more. `size_bytes` is None where a Qdrant
    server had them: it does not say.
    """

    space: str
    size_bytes: int | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle or an index that stays, and why."""

    name: str
    reason: str


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, and what was not. `size_bytes`: all that is free now, on this machine."""

    bundles: tuple[RemovedBundle, ...]
    indexes: tuple[RemovedIndex, ...]
    kept: tuple[Kept, ...]
    size_bytes: int


def prune(settings: Settings, *, keep: int) -> Pruned:
    """Remove bundles that nobody needs, but for the newest `keep`.

    Raises:
        NotFoundError: no model is live, so that nothing tells what is in use.
        ConflictError: a trainer is at work on this home, or models were named meanwhile.
        UnavailableError: the database, the registry or the Qdrant server does not answer; without
            them nothing is removed.
        ConfigurationError: a folder cannot be removed, or the registry needs the extra `train`.
    """
    from training.lease import lease

    homes.make_home(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        stack.enter_context(lease(settings.folder / "training", database_url=""))
        stack.enter_context(homes.naming_turn(settings))
        pointer = state.pointer()
        if pointer.role("live") is None:
            raise NotFoundError("no model is live yet: nothing says which bundles are in use")
        stored, strange = _stored(homes.bundles_folder(settings))
        needed = _needed(settings, state, pointer, stored)
        going = superseded(stored, needed, keep=keep)
        staying = [one for one in stored if one not in going]
        spaces = {one.vectors for one in going} - {one.vectors for one in staying}
        # First the vectors: a removal that was killed in between finds the bundle again.
        unseen = _unseen(pointer, stored) if settings.qdrant_url else ""
        left = [Kept(name=space, reason=unseen) for space in sorted(spaces) if unseen]
        gone = [] if unseen else sorted(spaces)
        indexes, busy = _remove_indexes(settings, state, pointer, gone)
        held = _held(going, (*left, *busy))
        bundles = _remove_bundles(
            homes.bundles_folder(settings), (one for one in going if one.version not in held)
        )
        newest = [Kept(name=one.version, reason=_reason(one, needed, keep)) for one in staying]
        return Pruned(
            bundles=tuple(bundles),
            indexes=tuple(indexes),
            kept=(*newest, *held.values(), *strange, *left, *busy),
            size_bytes=sum(one.size_bytes for one in bundles)
            + sum(one.size_bytes or 0 for one in indexes),
        )


def superseded(stored: Sequence[Stored], needed: Needed, *, keep: int) -> list[Stored]:
    """Those that nobody needs, newest first, without the first `keep`."""
    spare = [one for one in stored if one.version not in needed]
    spare.sort(key=lambda one: (one.created.timestamp(), one.version), reverse=True)
    return spare[keep:]


def _reason(one: Stored, needed: Needed, keep: int) -> str:
    return ", ".join(needed.get(one.version, (f"among the newest {keep}",)))


def _needed(settings: Settings, state: State, pointer: Pointer, stored: Sequence[Stored]) -> Needed:
    """Every version that somebody may need.

    Raises:
        UnavailableError: the database or the registry does not answer.
    """
    found: dict[str, list[str]] = {}
    for named in pointer.named:
        found.setdefault(named.version, []).append(named.role)
    rebuild = state.rebuild()
    if rebuild is not None and not rebuild.done:
        found.setdefault(rebuild.version, []).append("profiles are rebuilt for it")
    if homes.ServerLock(settings).address():  # the figures of one that ended say nothing
        opened = metrics.open_processes(homes.metrics_folder(settings))
        for version in sorted({version for _, version in opened}):
            found.setdefault(version, []).append("open in a process")
    for version, aliases in registry.aliased(settings).items():
        found.setdefault(version, []).extend(f"{alias} in the registry" for alias in aliases)
    for one in stored:
        if one.version.startswith(DAY0):
            found.setdefault(one.version, []).append("made by this home")
    return found


def _stored(folder: Path) -> tuple[list[Stored], list[Kept]]:
    """The bundles of a home, and what else lies there under a name that can be seen."""
    stored: list[Stored] = []
    strange: list[Kept] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):  # unfinished work
            continue
        try:
            manifest = read_manifest(path)
        except BundleError as error:
            strange.append(Kept(name=path.name, reason=f"no bundle that can be read: {error}"))
            continue
        stored.append(Stored(ModelVersion(path.name), manifest.created, manifest.vectors))
    return stored, strange


def _unseen(pointer: Pointer, stored: Sequence[Stored]) -> str:
    """Why no index may go; empty where the space of every model in use is known here."""
    here = {one.version for one in stored}
    unseen = [f"{one.version} ({one.role})" for one in pointer.named if one.version not in here]
    if not unseen:
        return ""
    return f"its index may be that of {', '.join(unseen)}, whose bundle is not in this home"


def _held(going: Iterable[Stored], left: Iterable[Kept]) -> dict[ModelVersion, Kept]:
    """By version, the bundles whose index is `left`: a later prune finds it by them alone."""
    spaces = {one.name for one in left}
    return {
        one.version: Kept(name=one.version, reason=f"its index {one.vectors} stays")
        for one in going
        if one.vectors in spaces
    }


def _remove_bundles(folder: Path, going: Iterable[Stored]) -> list[RemovedBundle]:
    """Each loses its name at once, then its files."""
    for left_over in folder.glob(f"{_GOING}*"):  # of a removal that was killed
        _remove(left_over)
    removed: list[RemovedBundle] = []
    for one in going:
        path, nameless = folder / one.version, folder / f"{_GOING}{one.version}"
        size_bytes = _size_bytes(path)
        try:
            path.rename(nameless)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be removed: {error.strerror}") from error
        _remove(nameless)
        removed.append(
            RemovedBundle(version=one.version, created=one.created, size_bytes=size_bytes)
        )
    return removed


def _remove_indexes(
    settings: Settings, state: State, pointer: Pointer, spaces: Sequence[ModelVersion]
) -> tuple[list[RemovedIndex], list[Kept]]:
    """The vectors of these spaces, where there are any; and what is being built at this moment."""
    if settings.qdrant_url:
        return _remove_collections(settings, state, pointer, spaces), []
    removed: list[RemovedIndex] = []
    busy: list[Kept] = []
    for space in spaces:
        generations = Generations(homes.vectors_folder(settings), space)
        if not generations.folder.is_dir():
            continue  # the builder has removed it: nobody used it
        size_bytes = _size_bytes(generations.folder)
        try:
            generations.remove()
        except ConflictError as error:
            busy.append(Kept(name=space, reason=str(error)))
        else:
            removed.append(RemovedIndex(space=space, size_bytes=size_bytes))
    return removed, busy


def _remove_collections(
    settings: Settings, state: State, pointer: Pointer, spaces: Sequence[ModelVersion]
) -> list[RemovedIndex]:
    """Other machines share them: while they go, the transaction lets nobody name a model.

    Raises:
        ConflictError: the models in use are others by now; nothing was removed.
        UnavailableError: the server does not answer.
    """
    from clickwise.vectors.server import connect, remove_collection

    if not spaces:
        return []
    client = connect(
        settings.qdrant_url,
        api_key=settings.qdrant_api_key,
        timeout_seconds=settings.qdrant_timeout_seconds,
        ca_file=settings.qdrant_ca_file,
    )
    try:
        with state.write() as write:
            write.put_pointer(pointer.named, expected=pointer.sequence)
            return [
                RemovedIndex(space=space, size_bytes=None)
                for space in spaces
                if remove_collection(client, space, prefix=settings.kafka_topic_prefix)
            ]
    finally:
        client.close()


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be removed: {error.strerror}") from error


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
