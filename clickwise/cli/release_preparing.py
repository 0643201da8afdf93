"""What has to be there before a model goes live: its items encoded and indexed, and it opened."""

import time

from clickwise import metrics
from clickwise.bundle import Bundle, Manifest, load_bundle
from clickwise.cli import encoding, homes
from clickwise.cli.encoders import open_for
from clickwise.cli.opener import open_server_index, release_of
from clickwise.cli.release_site import Site, Told
from clickwise.encoder.port import TextEncoder
from clickwise.errors import BundleError, ConflictError
from clickwise.releases.roles import Published
from clickwise.settings import Settings
from clickwise.state.port import Role
from clickwise.types import ModelVersion
from clickwise.vectors.builder import build_generation, stored_changes
from clickwise.vectors.generations import Generations

LOOK_SECONDS = 0.05
PROCESSES_LOOK_SECONDS = 0.2  # their figures are read from all of their files
BUILDER_PATIENCE_SECONDS = 60.0  # then this command builds the index itself
WARM_PATIENCE_SECONDS = 30.0  # then it goes live all the same: a process swaps when it can


def prepare(site: Site, published: Published, told: Told) -> None:
    """The candidate's items encoded where that is needed and indexed, and it opened."""
    bundle = load_bundle(homes.bundles_folder(site.settings) / published.version)
    encoder = _missing_encoder(site, bundle.manifest, published)
    if encoder is not None:
        encoding.encode_missing(site.state, encoder, told)
    _index(site, bundle)
    told("indexed")
    holding, processes = await_open(
        site.settings, "candidate", published.version, seconds=WARM_PATIENCE_SECONDS
    )
    _catch_stragglers(site, bundle, published, encoder)
    told("warmed" if holding >= processes else f"open in {holding} of {processes} processes so far")


def _catch_stragglers(
    site: Site, bundle: Bundle, published: Published, encoder: TextEncoder | None
) -> None:
    """Items written meanwhile by processes that had not heard of the model's encoder yet."""
    if not site.state.items_without(ModelVersion(bundle.manifest.encoder), limit=1):
        return
    if encoder is None:
        encoder = open_for(site.settings, published.encoder, bundle.manifest)
    newest = site.state.newest_change()
    encoding.encode_stragglers(site.state, encoder)
    if site.settings.qdrant_url:  # where nothing is pulled, nobody else puts them
        _fill(site, bundle, after=newest)


def _missing_encoder(site: Site, manifest: Manifest, published: Published) -> TextEncoder | None:
    """The text encoder of a model, where items lack vectors of it."""
    if not site.state.items_without(ModelVersion(manifest.encoder), limit=1):
        return None
    return open_for(site.settings, published.encoder, manifest)


def _index(site: Site, bundle: Bundle) -> None:
    """Have the items of this moment in the index of the bundle's space."""
    newest = site.state.newest_change()
    if site.settings.qdrant_url:
        _fill(site, bundle, after=0)
        return
    generations = Generations(homes.vectors_folder(site.settings), bundle.vectors)
    builder_until = 0.0
    if server_runs(site.settings):
        builder_until = time.monotonic() + BUILDER_PATIENCE_SECONDS
    while newest and not is_indexed(generations):
        if time.monotonic() < builder_until:
            time.sleep(LOOK_SECONDS)
            continue
        changes = stored_changes(
            site.state, ModelVersion(bundle.manifest.encoder), bundle.tower
        )  # fmt: skip
        try:
            build_generation(
                homes.vectors_folder(site.settings),
                bundle.vectors,
                bundle.manifest.dimension,
                changes,
            )
        except ConflictError:
            time.sleep(LOOK_SECONDS)  # the server's builder is at it


def _fill(site: Site, bundle: Bundle, *, after: int) -> None:
    """Put what changed after `after` into the Qdrant server's collection of the bundle."""
    index = open_server_index(site.settings, bundle.manifest)
    try:
        release_of(site.state, bundle, index).catalog.fill(after=after)
    finally:
        index.close()


def server_runs(settings: Settings) -> bool:
    """Whether a server has this home, with its builder; an import that holds it has neither."""
    return homes.ServerLock(settings).address().startswith("http")


def is_indexed(generations: Generations) -> bool:
    """Whether there is a generation, undamaged by what its manifest says."""
    number = generations.current()
    if number is None:
        return False
    try:
        generations.manifest(number)
    except BundleError:
        return False  # damaged: built again
    return True


def await_open(
    settings: Settings, role: Role, version: ModelVersion, *, seconds: float
) -> tuple[int, int]:
    """Wait until every process of this machine's server holds the model in that role; how many do,
    of how many. Where none runs there is nothing to wait for.
    """
    deadline = time.monotonic() + seconds
    while server_runs(settings):
        found = metrics.open_processes(homes.metrics_folder(settings))
        processes = sum(number for (name, _), number in found.items() if name == "live")
        holding = found.get((role, version), 0)
        if processes and holding >= processes:
            return holding, processes
        if time.monotonic() >= deadline:
            return holding, processes
        time.sleep(PROCESSES_LOOK_SECONDS)
    return 0, 0
