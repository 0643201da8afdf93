"""`clickwise check --deep`: every stored thing is read, and compared with what it should be.

Nothing is changed, and no lock is held: it may run beside a site that serves. It reads all rows
and all files, so it takes minutes where the site is large. A finding says what, where, and what
was expected.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from clickwise.activity import Activity
from clickwise.archive import Manifest, Stream, open_archive
from clickwise.archive.columns import frame_of
from clickwise.archive.layout import DATABASE, manifest_name
from clickwise.bundle import Manifest as BundleManifest
from clickwise.bundle.folder import read_manifest
from clickwise.cli import homes
from clickwise.cli.checks import MADE_LATER, Seen, stored
from clickwise.cli.options import with_home
from clickwise.cli.wiring import state_of
from clickwise.errors import BundleError, ClickwiseError
from clickwise.profile import from_stored
from clickwise.releases.folders import checksum_of
from clickwise.settings import Settings
from clickwise.state.faults import SchemaError
from clickwise.state.port import ItemRow, State
from clickwise.state.tables import SCHEMA_VERSION
from clickwise.types import ItemKey
from clickwise.vectors.generations import Generations, stored_models

ROWS_AT_ONCE = 1_000
SHOWN = 5  # of faults of one kind; the others are counted
LATE_SECONDS = 1.0
VERY_LATE_SECONDS = 60.0
_RESTORE = "restore a backup (docs/care.md)"


def schema(settings: Settings) -> Iterable[Seen]:
    """The database's own files, its schema, and its clock."""
    with ExitStack() as stack:
        state = state_of(settings, stack) if stored(settings) else None
        found = state.schema_version() if state is not None else ""
        if state is None or not found:
            yield _without_tables(settings)
            return
        if found != SCHEMA_VERSION:
            yield Seen(
                "fail",
                f"the database has schema {found}, expected {SCHEMA_VERSION}",
                f"run `{with_home('clickwise migrate', settings)}`",
            )
            return
        for fault in state.damage():
            yield Seen("fail", f"the database's file is damaged: {fault}", _RESTORE)
        skew = abs(state.clock_skew_seconds())
        expected = f"expected {LATE_SECONDS:g} s at most"
        if skew > LATE_SECONDS:
            level = "fail" if skew > VERY_LATE_SECONDS else "warn"
            text = f"the database's clock differs from this machine's by {skew:.1f} s, {expected}"
            yield Seen(level, text, "run a time service on both")
        yield Seen("ok", f"schema {found}, clocks {skew:.1f} s apart")


def _without_tables(settings: Settings) -> Seen:
    """A site that is to be started yet, or one that lost its database."""
    for folder in (homes.bundles_folder(settings), homes.vectors_folder(settings)):
        if folder.is_dir() and any(folder.iterdir()):
            return Seen(
                "fail", f"the database has no tables, expected some: {folder} is there", _RESTORE
            )
    return Seen("ok", MADE_LATER)


def profiles(settings: Settings) -> Iterable[Seen]:
    """Every profile can be read and fits the model that it names."""
    models: dict[str, BundleManifest] = {one.version: one for one in _bundles(settings)}
    number = 0

    def faults(state: State) -> Iterator[str]:
        nonlocal number
        after = ""
        while users := state.users(after=after, limit=ROWS_AT_ONCE):
            after = users[-1]
            for user in users:
                stored, _ = state.profile(user)
                if stored is None:
                    continue
                number += 1
                fault = _profile_fault(stored.body, models)
                if fault:
                    yield f"profile of user {user!a}: {fault}"

    with ExitStack() as stack:
        yield from _first(faults(_opened(settings, stack)), "profiles", _RESTORE)
    yield Seen("ok", f"{number:,} profiles read")


def _profile_fault(body: bytes, models: Mapping[str, BundleManifest]) -> str:
    try:
        profile, _ = from_stored(body)
    except (ClickwiseError, ValueError) as error:
        return f"{error}, expected a profile of this version or an earlier one"
    model = models.get(profile.model)
    found = profile.interests_KD.shape[1]
    if model is not None and profile.interests_KD.size and found != model.dimension:
        return f"interests of {found} numbers, expected {model.dimension} for {model.version}"
    arrays = (profile.interests_KD, profile.masses_K, profile.aversion_D, profile.memory_M)
    if not all(bool(np.isfinite(one).all()) for one in arrays):
        return "numbers that are none, expected finite ones"
    return ""


def items(settings: Settings) -> Iterable[Seen]:
    """Every item's vector fits the encoder that it names; counts and counters agree."""
    lengths: dict[str, int] = {}
    for bundle in _bundles(settings):
        lengths[bundle.encoder] = bundle.text_dimension
    live = 0

    def faults(state: State) -> Iterator[str]:
        nonlocal live
        for rows in _item_rows(state):
            for row in rows:
                live += row.body is not None
                fault = _vector_fault(row, lengths)
                if fault:
                    yield f"item {row.id!a}: {fault}"
            known = [ItemKey(row.key) for row in rows]
            for key, counts in state.activity(known).items():
                try:
                    Activity.stored(counts)
                except ValueError as error:
                    yield f"activity of item {key}: {error}, expected counts"

    with ExitStack() as stack:
        state = _opened(settings, stack)
        before = state.newest_change()
        yield from _first(faults(state), "items", "put the items again")
        counted = state.count_items()
        if counted != live and state.newest_change() == before:
            yield Seen(
                "fail", f"the counter of items says {counted:,}, expected {live:,}, which there are"
            )
    yield Seen("ok", f"{live:,} items read")


def _vector_fault(row: ItemRow, lengths: Mapping[str, int]) -> str:
    if row.body is None or row.vector is None:
        return ""
    expected = lengths.get(row.model)
    if expected is not None and len(row.vector) != 4 * expected:
        return f"a vector of {len(row.vector)} bytes, expected {4 * expected} for {row.model}"
    norm = float(np.linalg.norm(np.frombuffer(row.vector, "<f4").astype(np.float64)))
    if not np.isfinite(norm) or (norm and abs(norm - 1.0) > 0.01):
        return f"a vector of length {norm:g}, expected 1"
    return ""


def archive(settings: Settings) -> Iterable[Seen]:
    """Every file that counts can be read, and every offset below a mark is in one of them or went
    by age.
    """
    opened = open_archive(settings.archive_url, home=settings.folder)
    manifest = opened.newest()
    if not manifest.number:
        yield Seen("ok", "nothing is archived yet")
        return
    rows: Counter[tuple[str, str, int]] = Counter()
    ends: dict[tuple[str, str, int], int] = {}

    def faults() -> Iterator[str]:
        for file in manifest.files:
            try:
                data = opened.store.read(file.name)
                frame = frame_of(data, file.stream)
            except (ClickwiseError, pl.exceptions.PolarsError) as error:
                yield f"{file.name} cannot be read: {error}, expected {file.rows:,} rows"
                continue
            if (frame.height, len(data)) != (file.rows, file.bytes):
                yield (
                    f"{file.name} has {frame.height:,} rows in {len(data):,} bytes, expected"
                    f" {file.rows:,} in {file.bytes:,}"
                )
            if file.stream is not Stream.ITEMS:
                _count(file.stream, frame, rows, ends)
        yield from _mark_faults(manifest, rows, ends)

    where = f"{manifest_name(manifest.number)}"
    yield from _first(
        faults(), "the archive", f"{_RESTORE}; what the log still has, `archive` adds"
    )
    if settings.embedded:
        yield from _ahead(settings, manifest)
    expired = sum(mark.expired for mark in manifest.marks)
    gone = f"; {expired:,} went by age" if expired else ""
    yield Seen(
        "ok", f"{len(manifest.files):,} files of {where} read, {sum(rows.values()):,} rows{gone}"
    )


def _count(
    stream: Stream,
    frame: pl.DataFrame,
    rows: Counter[tuple[str, str, int]],
    ends: dict[tuple[str, str, int], int],
) -> None:
    grouped = frame.group_by("source", "partition").agg(
        pl.col("offset").n_unique().alias("rows"), pl.col("offset").max().alias("end")
    )
    for source, partition, number, end in grouped.iter_rows():
        place = (stream.value, source, partition)
        rows[place] += number
        ends[place] = max(ends.get(place, -1), end)


def _mark_faults(
    manifest: Manifest,
    rows: Mapping[tuple[str, str, int], int],
    ends: Mapping[tuple[str, str, int], int],
) -> Iterator[str]:
    """Rows of each partition against its mark: nothing is missing, twice there, or beyond it."""
    for mark in manifest.marks:
        if mark.stream is Stream.ITEMS:
            continue
        place = (mark.stream.value, mark.source, mark.partition)
        where = f"{mark.stream.value} of {mark.source}, partition {mark.partition}"
        found = rows.get(place, 0)
        if found != mark.rows:
            yield f"{where}: {found:,} different offsets in the files, expected {mark.rows:,}"
        if ends.get(place, -1) >= mark.next:
            yield f"{where}: offset {ends[place]}, expected less than {mark.next}"


def _ahead(settings: Settings, manifest: Manifest) -> Iterable[Seen]:
    """The embedded log must not end before what is archived of it."""
    with ExitStack() as stack:
        state = _opened(settings, stack)
        for log in ("events", "exposures"):
            mark = manifest.mark(Stream(log), DATABASE, 0)
            if mark is None or mark.next < 2 or state.people.any_forgotten():
                continue
            rows = state.log_rows(log, after=mark.next - 2, limit=1)
            if not rows and state.forgotten(log) < mark.next - 1:
                yield Seen(
                    "fail",
                    f"{log} are archived up to number {mark.next - 1}, expected the log to reach"
                    " as far",
                    "the database is older than the archive: restore both from one backup",
                )


def bundles(settings: Settings) -> Iterable[Seen]:
    """Every file of every bundle has its checksum, and the models in use are those released."""
    folder = homes.bundles_folder(settings)
    paths = sorted(folder.glob("[!.]*"))

    def faults() -> Iterator[str]:
        for path in paths:
            try:
                manifest = read_manifest(path)
            except BundleError as error:
                yield f"{error}, expected a manifest"
                continue
            for name, checksum in manifest.files.items():
                fault = _file_fault(path / name, checksum)
                if fault:
                    yield fault

    yield from _first(faults(), "bundles", "copy the bundle again, or train one")
    with ExitStack() as stack:
        for one in _opened(settings, stack).pointer().named:
            path = folder / one.version
            if one.checksum and path.is_dir() and checksum_of(path) != one.checksum:
                yield Seen(
                    "fail",
                    f"{path} is not the {one.role} model that was released: expected a manifest"
                    f" with SHA-256 {one.checksum}",
                    "remove the folder: it is fetched again",
                )
    yield Seen("ok", f"{len(paths)} bundles read")


def _file_fault(path: Path, checksum: str) -> str:
    try:
        found = sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}, expected SHA-256 {checksum}"
    return "" if found == checksum else f"{path} has SHA-256 {found}, expected {checksum}"


def index(settings: Settings) -> Iterable[Seen]:
    """Files of Qdrant Edge's live generations, and whether they hold as many items as there are."""
    if settings.qdrant_url:
        return
    root = homes.vectors_folder(settings)
    advice = "remove the folder and restart: the index is built from the database"
    for model in stored_models(root):
        generations = Generations(root, model)
        number = generations.current()
        if number is None:
            continue
        try:
            manifest = generations.manifest(number)
            generations.verify(manifest)
        except (BundleError, OSError) as error:
            yield Seen("fail", f"{error}, expected the checksums of its manifest", advice)
            continue
        with ExitStack() as stack:
            state = _opened(settings, stack)
            live = sum(
                row.body is not None and row.change <= manifest.covered
                for rows in _item_rows(state)
                for row in rows
            )
        if manifest.count < live:
            yield Seen(
                "fail",
                f"generation {number} of {model} holds {manifest.count:,} items, expected"
                f" {live:,}, which the database has as of change {manifest.covered:,}",
                advice,
            )
        else:
            yield Seen("ok", f"generation {number} of {model}: {manifest.count:,} items")


ALL: dict[str, Callable[[Settings], Iterable[Seen]]] = {
    "schema": schema,
    "profiles": profiles,
    "items": items,
    "archive": archive,
    "bundles": bundles,
    "index": index,
}


def _opened(settings: Settings, stack: ExitStack) -> State:
    """The database, which is not made by looking."""
    if not stored(settings):
        raise SchemaError(MADE_LATER)
    return state_of(settings, stack)


def _first(faults: Iterator[str], what: str, advice: str) -> Iterable[Seen]:
    """The first few faults, a line each, and how many there are more."""
    number = 0
    for number, fault in enumerate(faults, start=1):
        if number <= SHOWN:
            yield Seen("fail", fault, advice)
    if number > SHOWN:
        yield Seen("fail", f"{what}: {number - SHOWN:,} more of this kind", advice)


def _item_rows(state: State) -> Iterator[list[ItemRow]]:
    after = 0
    while rows := state.items_changed(after=after, limit=ROWS_AT_ONCE):
        after = rows[-1].change
        yield rows


def _bundles(settings: Settings) -> list[BundleManifest]:
    found = []
    for path in sorted(homes.bundles_folder(settings).glob("[!.]*")):
        try:
            found.append(read_manifest(path))
        except BundleError:  # `bundles` tells
            continue
    return found
