"""Which models are in use, and how far what follows from it has come."""

import msgspec

from clickwise import metrics
from clickwise.bundle.folder import read_manifest
from clickwise.cli import homes
from clickwise.cli.release_preparing import is_indexed
from clickwise.cli.release_site import Site, opened_site
from clickwise.errors import BundleError
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease
from clickwise.vectors.generations import Generations


class RoleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One role. `age_seconds` since it names this version; `indexed`: items in the generation of
    its space on this machine (None: a Qdrant server has them, or nothing is built); `processes`
    of this machine that hold it open.
    """

    role: str
    version: str
    url: str
    share: float
    created: str
    age_seconds: float
    dimension: int | None
    indexed: int | None
    processes: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The models in use. `rebuilt`: profiles folded anew for the live one in the background, of
    `seen` that were looked at.
    """

    sequence: int
    roles: list[RoleStatus]
    seen: int
    rebuilt: int
    rebuild_done: bool


def status(settings: Settings) -> Status:
    """What is in use, and how far what follows from it has come."""
    with opened_site(settings) as site:
        pointer = site.state.pointer()
        found = metrics.open_processes(homes.metrics_folder(settings))
        live, progress = pointer.role("live"), site.state.rebuild()
        if live is None or progress is None or progress.changed != live.changed:
            progress = None
        return Status(
            sequence=pointer.sequence,
            roles=[_role_status(site, one, found) for one in pointer.named],
            seen=progress.seen if progress else 0,
            rebuilt=progress.rebuilt if progress else 0,
            rebuild_done=bool(progress and progress.done),
        )


def _role_status(site: Site, named: NamedRelease, found: dict[tuple[str, str], int]) -> RoleStatus:
    created, dimension, indexed = "", None, None
    try:
        manifest = read_manifest(homes.bundles_folder(site.settings) / named.version)
    except BundleError:
        manifest = None  # another machine's: it was not fetched here
    if manifest is not None:
        created, dimension = manifest.created.isoformat(), manifest.dimension
        generations = Generations(homes.vectors_folder(site.settings), manifest.vectors)
        number = generations.current()
        if number is not None and is_indexed(generations):
            indexed = generations.manifest(number).count
    return RoleStatus(
        role=named.role,
        version=named.version,
        url=named.url,
        share=named.share,
        created=created,
        age_seconds=round((site.clock.now() - named.changed).total_seconds(), 1),
        dimension=dimension,
        indexed=indexed,
        processes=found.get((named.role, named.version), 0),
    )
