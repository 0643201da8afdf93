"""Promoting, trying and taking back a model: with a running server or without.

A promotion in order, each step safe to be killed after:

1. the bundle is checked and lies in this home (and at its URL);
2. the pointer names it as the candidate: builders index its items, processes open and warm it;
3. one transaction makes it live and what was live the previous one;
4. processes put it in place, between requests; the topic and the alias follow.

Before step 3 the old model is live, entirely; after it the new one is. A promotion that was killed
is finished by promoting again, or taken back with `withdraw`.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from clickwise import metrics
from clickwise.bundle import Bundle, Manifest, load_bundle
from clickwise.bundle.folder import KEYS, TOWER, read_manifest
from clickwise.cli import announcing, encoding, homes
from clickwise.cli.encoders import open_for
from clickwise.cli.opener import make_live, open_bundle, open_server_index, release_of
from clickwise.cli.wiring import state_of
from clickwise.clock import Clock, SystemClock
from clickwise.encoder.port import TextEncoder
from clickwise.errors import BundleError, ConfigurationError, ConflictError, NotFoundError
from clickwise.releases import roles
from clickwise.releases.folders import BUILT_IN, MANIFEST, checksum_of, publish_bundle
from clickwise.releases.roles import Published
from clickwise.releases.warming import rehearse
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease, Pointer, Role, State
from clickwise.types import ModelVersion
from clickwise.vectors.builder import build_generation, stored_changes
from clickwise.vectors.generations import Generations

LOOK_SECONDS = 0.05
PROCESSES_LOOK_SECONDS = 0.2  # their figures are read from all of their files
BUILDER_PATIENCE_SECONDS = 60.0  # then this command builds the index itself
WARM_PATIENCE_SECONDS = 30.0  # then it goes live all the same: a process swaps when it can
SWAP_PATIENCE_SECONDS = 30.0

# Told what was done: `checked`, `named`, `indexed`, `warmed`, `live`, `announced`, `swapped`.
Told = Callable[[str], None]


def _silent(step: str) -> None:
    del step


@dataclass(frozen=True, slots=True)
class Released:
    """What a command did. `seconds`: from its start to its last step; `swapped`: processes of this
    machine that answer with the model by then, of `processes`.
    """

    version: ModelVersion
    before: ModelVersion | None
    seconds: float
    swapped: int
    processes: int


def promote(
    settings: Settings,
    bundle: str | Path,
    *,
    url: str = "",
    encoder: str = "",
    told: Told = _silent,
) -> Released:
    """Make a bundle the live model; returns when this machine's processes answer with it.

    Args:
        settings: of the site.
        bundle: a folder, or the version of a bundle in this home.
        url: where other machines find it: a folder or an fsspec URL; it is copied there. Empty:
            its folder in this home.
        encoder: the text encoder that it was made for, as CLICKWISE_ENCODER_MODEL names it.
            Empty: that of the live model, or what the setting names.
        told: called after each step. What it raises stops the promotion there.

    Raises:
        NotFoundError: no such bundle.
        BundleError: it is damaged, or does not go with this site's text vectors.
        ConflictError: somebody else promotes at the same time, or it is live already.
        UnavailableError: a service does not answer.
    """
    started = time.monotonic()
    with _site(settings) as site:
        with homes.naming_turn(settings):
            published = _publish(site, bundle, url, encoder)
            live = site.state.pointer().role("live")
            if live is not None and live.version == published.version:
                raise ConflictError(f"{published.version} is live already")
            told("checked")
            _name(site, "candidate", published, share=0.0)
        told("named")
        _prepare(site, published, told)
        pointer = _change(
            site, lambda now: roles.promoted(now, published.version, now=site.clock.now())
        )
        told("live")
        return _follow_up(site, pointer, live, started=started, told=told)


def rollback(settings: Settings, *, told: Told = _silent) -> Released:
    """Make the previous model live again.

    Raises:
        NotFoundError: there is none.
        BundleError: its files are damaged, or it is the built-in one of other settings; nothing is
            changed.
    """
    started = time.monotonic()
    with _site(settings) as site:
        pointer = site.state.pointer()
        previous = pointer.role("previous")
        if previous is not None:
            open_bundle(settings, previous)
        live = pointer.role("live")
        pointer = _change(site, lambda now: roles.rolled_back(now, now=site.clock.now()))
        told("live")
        return _follow_up(site, pointer, live, started=started, told=told)


def try_on(
    settings: Settings,
    role: Role,
    bundle: str | Path,
    *,
    share: float,
    url: str = "",
    encoder: str = "",
    told: Told = _silent,
) -> Released:
    """Give a bundle to a share of users (`canary`), or ask it beside the live one (`shadow`).

    Raises:
        ConfigurationError: the share is not above 0 and at most 1.
        ClickwiseError: see `promote`.
    """
    if not 0.0 < share <= 1.0:
        raise ConfigurationError(f"--share {share:g}: expected above 0 and at most 1")
    started = time.monotonic()
    with _site(settings) as site:
        with homes.naming_turn(settings):
            published = _publish(site, bundle, url, encoder)
            pointer = site.state.pointer()
            live = pointer.role("live")
            if live is not None and live.version == published.version:
                raise ConflictError(f"{published.version} is live already: there is nothing to try")
            told("checked")
            is_new = not any(
                one.version == published.version and one.role != "candidate"
                for one in pointer.named
            )
            _name(site, "candidate" if is_new else role, published, share=0.0 if is_new else share)
        if is_new:
            told("named")
            _prepare(site, published, told)
            _name(site, role, published, share=share)
        told(role)
        swapped = _await_open(settings, role, published.version, seconds=SWAP_PATIENCE_SECONDS)
        before = live.version if live is not None else None
        return Released(published.version, before, time.monotonic() - started, *swapped)


def withdraw(settings: Settings) -> list[ModelVersion]:
    """End every trial and forget the candidate; the versions that lost a role.

    Raises:
        NotFoundError: there is none.
    """
    with _site(settings) as site:
        before = site.state.pointer()
        after = _change(site, roles.withdrawn)
        if before.role("canary") is not None:
            _rebuild_again(site)
        return sorted(
            {one.version for one in before.named if one not in after.named}
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Site:
    """What the steps stand on."""

    settings: Settings
    state: State
    clock: Clock


@contextmanager
def _site(settings: Settings) -> Iterator[_Site]:
    homes.make_home(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        yield _Site(settings, state, SystemClock())


def _rebuild_again(site: _Site) -> None:
    """Have all profiles looked at once more: those of the canary's users are of its model."""
    while (known := site.state.rebuild()) is not None:
        anew = replace(known, after="", seen=0, rebuilt=0, done=False)
        try:
            with site.state.write() as write:
                write.put_rebuild(anew, expected=known)
        except ConflictError:
            continue  # it is under way
        return


def _prepare(site: _Site, published: Published, told: Told) -> None:
    """The candidate's items encoded where that is needed and indexed, and it opened."""
    bundle = load_bundle(homes.bundles_folder(site.settings) / published.version)
    encoder = _missing_encoder(site, bundle.manifest, published)
    if encoder is not None:
        encoding.encode_missing(site.state, encoder, told)
    _index(site, bundle)
    told("indexed")
    holding, processes = _await_open(
        site.settings, "candidate", published.version, seconds=WARM_PATIENCE_SECONDS
    )
    _catch_stragglers(site, bundle, published, encoder)
    told("warmed" if holding >= processes else f"open in {holding} of {processes} processes so far")


def _catch_stragglers(
    site: _Site, bundle: Bundle, published: Published, encoder: TextEncoder | None
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


def _missing_encoder(site: _Site, manifest: Manifest, published: Published) -> TextEncoder | None:
    """The text encoder of a model, where items lack vectors of it."""
    if not site.state.items_without(ModelVersion(manifest.encoder), limit=1):
        return None
    return open_for(site.settings, published.encoder, manifest)


def _publish(site: _Site, bundle: str | Path, url: str, encoder: str) -> Published:
    """The bundle in this home's folder of bundles and at its URL, checked."""
    folder = homes.bundles_folder(site.settings)
    source = Path(bundle)
    if not (source / MANIFEST).is_file():
        source = folder / bundle
    if not (source / MANIFEST).is_file() or source.resolve() == folder.resolve():
        known = site.state.pointer()
        named = next((one for one in known.named if one.version == str(bundle)), None)
        if named is None:
            raise NotFoundError(
                f"{bundle} is no folder with a {MANIFEST}, and no version in {folder}"
            )
        open_bundle(site.settings, named)
        return Published(named.version, named.url, named.checksum, named.encoder)
    loaded = load_bundle(source)  # its checksums too
    manifest = loaded.manifest
    if Path(manifest.version).name != manifest.version:
        raise BundleError(f"{source}: its version {manifest.version!a} is no name of a folder")
    rehearse(loaded)
    _check_space(site, manifest)
    used = _encoder_source(site, manifest, encoder)
    own = folder / manifest.version
    if manifest.version.startswith("day0-") and source.resolve() == own.resolve():
        return Published(manifest.version, BUILT_IN, "", used)
    checksum = checksum_of(source)
    if source.resolve() != own.resolve():
        _copy(source, own, checksum)
    if url:
        publish_bundle(own, url)
    return Published(manifest.version, url or str(own.absolute()), checksum, used)


def _check_space(site: _Site, manifest: Manifest) -> None:
    """Models that name the same space have one index: theirs must be the same vectors.

    Raises:
        ConflictError: those of a model in use are others.
    """

    def made_of(one: Manifest) -> tuple[object, ...]:
        return one.encoder, one.dimension, one.files.get(TOWER), one.files.get(KEYS)

    for named in site.state.pointer().named:
        known = homes.bundles_folder(site.settings) / named.version
        if not known.is_dir():
            continue
        other = read_manifest(known)
        if other.version == manifest.version or other.vectors != manifest.vectors:
            continue
        if made_of(other) != made_of(manifest):
            raise ConflictError(
                f"{manifest.version} has other item vectors than {other.version}, under the same"
                f" name {manifest.vectors}: give them another one"
            )


def _copy(source: Path, own: Path, checksum: str) -> None:
    if (own / MANIFEST).is_file():
        if checksum_of(own) == checksum:
            return
        raise ConflictError(f"{own} holds other content: give the new bundle another version")
    temporary = own.with_name(f".{own.name}-{time.monotonic_ns()}")
    own.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(source, temporary)
        temporary.replace(own)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _name(site: _Site, role: Role, published: Published, *, share: float) -> None:
    """Let `role` name the bundle."""
    since = site.state.newest_change()
    _change(
        site,
        lambda now: roles.with_role(
            now, role, published, now=site.clock.now(), since=since, share=share
        ),
    )


def _encoder_source(site: _Site, manifest: Manifest, given: str) -> str:
    """What names the text encoder of a bundle: as given, else as a model in use has it.

    Raises:
        BundleError: it gives other vectors than the bundle was made for.
    """
    if not given:
        for named in site.state.pointer().named:
            known = homes.bundles_folder(site.settings) / named.version
            if not known.is_dir():
                continue
            other = read_manifest(known)
            same = (other.encoder, other.text_dimension)
            if same == (manifest.encoder, manifest.text_dimension):
                return named.encoder
    open_for(site.settings, given, manifest)
    return given


def _change(site: _Site, rule: Callable[[Pointer], list[NamedRelease]]) -> Pointer:
    """Apply a rule to the pointer, again where somebody else was first; what came of it."""
    for _ in range(4):
        pointer = site.state.pointer()
        named = rule(pointer)
        try:
            with site.state.write() as write:
                write.put_pointer(named, expected=pointer.sequence)
        except ConflictError:
            continue
        return site.state.pointer()
    raise ConflictError("other commands keep changing the models in use; try again")


def _index(site: _Site, bundle: Bundle) -> None:
    """Have the items of this moment in the index of the bundle's space."""
    newest = site.state.newest_change()
    if site.settings.qdrant_url:
        _fill(site, bundle, after=0)
        return
    generations = Generations(homes.vectors_folder(site.settings), bundle.vectors)
    builder_until = 0.0
    if _server_runs(site.settings):
        builder_until = time.monotonic() + BUILDER_PATIENCE_SECONDS
    while newest and not _is_indexed(generations):
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


def _fill(site: _Site, bundle: Bundle, *, after: int) -> None:
    """Put what changed after `after` into the Qdrant server's collection of the bundle."""
    index = open_server_index(site.settings, bundle.manifest)
    try:
        release_of(site.state, bundle, index).catalog.fill(after=after)
    finally:
        index.close()


def _server_runs(settings: Settings) -> bool:
    """Whether a server has this home, with its builder; an import that holds it has neither."""
    return homes.ServerLock(settings).address().startswith("http")


def _is_indexed(generations: Generations) -> bool:
    number = generations.current()
    if number is None:
        return False
    try:
        generations.manifest(number)
    except BundleError:
        return False  # damaged: built again
    return True


def _await_open(
    settings: Settings, role: Role, version: ModelVersion, *, seconds: float
) -> tuple[int, int]:
    """Wait until every process of this machine's server holds the model in that role; how many do,
    of how many. Where none runs there is nothing to wait for.
    """
    deadline = time.monotonic() + seconds
    while _server_runs(settings):
        found = metrics.open_processes(homes.metrics_folder(settings))
        processes = sum(number for (name, _), number in found.items() if name == "live")
        holding = found.get((role, version), 0)
        if processes and holding >= processes:
            return holding, processes
        if time.monotonic() >= deadline:
            return holding, processes
        time.sleep(PROCESSES_LOOK_SECONDS)
    return 0, 0


def _follow_up(
    site: _Site, pointer: Pointer, before: NamedRelease | None, *, started: float, told: Told
) -> Released:
    """What has to follow a change of the live model; processes and builders do it too."""
    live = pointer.role("live")
    if live is None:
        raise NotFoundError("no model is live")
    announcing.announce(site.settings, pointer)
    manifest = read_manifest(homes.bundles_folder(site.settings) / live.version)
    make_live(site.settings, manifest)
    told("announced")
    swapped = _await_open(
        site.settings, "live", live.version, seconds=SWAP_PATIENCE_SECONDS
    )  # fmt: skip
    holding, processes = swapped
    told("swapped" if holding >= processes else f"{holding} of {processes} processes answer so far")
    return Released(
        live.version,
        before.version if before is not None else None,
        time.monotonic() - started,
        *swapped,
    )


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
    with _site(settings) as site:
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


def _role_status(site: _Site, named: NamedRelease, found: dict[tuple[str, str], int]) -> RoleStatus:
    created, dimension, indexed = "", None, None
    try:
        manifest = read_manifest(homes.bundles_folder(site.settings) / named.version)
    except BundleError:
        manifest = None  # another machine's: it was not fetched here
    if manifest is not None:
        created, dimension = manifest.created.isoformat(), manifest.dimension
        generations = Generations(homes.vectors_folder(site.settings), manifest.vectors)
        number = generations.current()
        if number is not None and _is_indexed(generations):
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
