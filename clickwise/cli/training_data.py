"""What a training reads: the archive up to a moment, or a data set by name; and what is live."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from clickwise.archive import open_archive
from clickwise.cli import homes
from clickwise.cli.archiving import archiver_of
from clickwise.cli.encoders import open_for
from clickwise.cli.opener import bundle_folder, open_bundle
from clickwise.cli.training import Follow, TrainCommand
from clickwise.cli.wiring import bundle_of, encoder_of, name_first, state_of
from clickwise.clock import SystemClock
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ConfigurationError, ConflictError
from clickwise.settings import Settings
from training.data import Dataset
from training.datasets import load_dataset
from training.datasets.text_vectors import with_text_vectors
from training.distributed import World, meet
from training.once import Live
from training.prepare import markdown, prepare, read_sheet, write_sheet


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The training at work: events before `until` are read, also after a restart, as long as the
    same model is live.
    """

    kind: str
    live: str
    seed: int
    source: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """`sheet` is the data sheet for people; `done` is called when the training has ended, `drop`
    when there is nothing to learn in what was read.
    """

    data: Dataset
    live: Live
    sheet: str
    done: Callable[[], None]
    drop: Callable[[], None]


def source_of(
    settings: Settings, command: TrainCommand, folder: Path, world: World, follow: Follow
) -> Source:
    """Read everything. The first process archives what is new, and says until when is read.

    Raises:
        ConfigurationError: no such data set, or its times only give the order.
        ClickwiseError: database, archive or encoder cannot be had.
    """
    own = encoder_of(settings, progress=lambda stage, done: follow(f"encoder: {stage}", done))
    live = live_model(settings, own)
    encoder = read_with(settings, live, own)
    if command.dataset:
        follow(f"reading {command.dataset}", 0.0)
        data = load_dataset(command.dataset, folder=command.data)
        if not data.timed:
            raise ConfigurationError(
                f"{data.name} has no times, only an order: a training is judged by later events"
            )
        return Source(_with_text(data, encoder, settings, follow), live, "", _nothing, _nothing)
    path = folder / "job.json"
    if world.writes:
        if settings.embedded and not command.archive:
            follow("archiving", 0.0)
            with ExitStack() as stack:
                archiver = archiver_of(settings, stack)
                archiver.run()
                archiver.clean()
        _begin(path, command, live)
    meet(world)
    job = msgspec.json.decode(path.read_bytes(), type=Job)
    follow("reading the archive", 0.0)
    prepared = prepare(
        open_archive(command.archive or settings.archive_url, home=settings.folder),
        name="archive",
        cache=folder / "archive-cache",
        now=job.until,
        until=job.until,
        last=read_sheet(folder),
    )
    if not len(prepared.dataset.log):
        path.unlink(missing_ok=True)
        raise ConflictError("the archive holds no events yet")
    sheet = prepared.sheet

    def drop() -> None:
        if world.writes:
            path.unlink(missing_ok=True)

    def done() -> None:
        if world.writes:
            write_sheet(folder, sheet)  # what the next training's drift is measured against
        drop()

    data = _with_text(prepared.dataset, encoder, settings, follow)
    return Source(data, live, markdown(sheet), done, drop)


def live_model(settings: Settings, encoder: TextEncoder) -> Live:
    """What serves; on a home that nothing has served from yet, day 0."""
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        name_first(state, bundle_of(settings, encoder), clock=SystemClock())
        named = state.pointer().role("live")
    assert named is not None  # noqa: S101  # just named
    return Live(open_bundle(settings, named), bundle_folder(settings, named), named.encoder)


def read_with(settings: Settings, live: Live, own: TextEncoder) -> TextEncoder:
    """The encoder of the live model's text vectors: `own`, the setting's, or the one that the model
    was promoted with.

    Raises:
        BundleError: what it was promoted with gives other vectors by now.
        ClickwiseError: it cannot be had.
    """
    manifest = live.bundle.manifest
    if manifest.encoder == own.version:
        return own
    return open_for(settings, live.encoder, manifest)


def _begin(path: Path, command: TrainCommand, live: Live) -> None:
    """Note what is read; a killed training of the same kind goes on with what it had read."""
    job = Job(
        kind=command.kind,
        live=live.bundle.version,
        seed=command.seed,
        source=command.archive,
        until=datetime.now(UTC),
    )
    try:
        before = msgspec.json.decode(path.read_bytes(), type=Job)
    except (OSError, msgspec.DecodeError):
        before = None
    if before is not None and before == msgspec.structs.replace(job, until=before.until):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(job))
    part.replace(path)


def _with_text(data: Dataset, encoder: TextEncoder, settings: Settings, follow: Follow) -> Dataset:
    """Text vectors of the live model's encoder: the archive's where they are of it, the others
    kept in the home from one run to the next.
    """
    return with_text_vectors(
        data,
        encoder,
        homes.encoder_folder(settings) / "text-vectors",
        progress=lambda done, total: follow("encoding texts", done / total),
    )


def _nothing() -> None:
    """A data set by name is the same next time."""
