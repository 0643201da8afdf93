"""Opens what the pointer names, out of this home: the bundle, and the index of its item vectors."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clickwise.bundle import Bundle, Manifest, load_bundle
from clickwise.bundle.folder import read_manifest
from clickwise.catalog import Catalog
from clickwise.cli import homes
from clickwise.cli.encoders import UsedEncoders
from clickwise.errors import BundleError
from clickwise.releases.folders import fetch_bundle
from clickwise.releases.release import Release
from clickwise.releases.switching import Opened
from clickwise.releases.warming import warm
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease, State
from clickwise.types import ModelVersion
from clickwise.vectors.port import ItemIndex

if TYPE_CHECKING:
    from clickwise.vectors.server import ServerIndex


def bundle_folder(settings: Settings, named: NamedRelease) -> Path:
    """The folder of a named bundle in this home; fetched when it is not there.

    Raises:
        ClickwiseError: see `fetch_bundle`.
    """
    return fetch_bundle(named.url, homes.bundles_folder(settings) / named.version, named.checksum)


def open_bundle(settings: Settings, named: NamedRelease) -> Bundle:
    """The named bundle, its checksums verified.

    Raises:
        BundleError: it is damaged, or another version stands in its folder.
    """
    folder = bundle_folder(settings, named)
    bundle = load_bundle(folder)
    if bundle.version != named.version:
        raise BundleError(f"{folder} holds {bundle.version}, not {named.version}")
    return bundle


def open_index(settings: Settings, manifest: Manifest) -> ItemIndex:
    """The index of a bundle's space: Qdrant Edge in the home, or the Qdrant server that is set."""
    if settings.qdrant_url:
        return open_server_index(settings, manifest)
    from clickwise.vectors.edge import EdgeIndex

    return EdgeIndex.open(homes.vectors_folder(settings), manifest.vectors, manifest.dimension)


def open_server_index(settings: Settings, manifest: Manifest) -> "ServerIndex":
    """The collection of a bundle's space, made where it is missing."""
    from clickwise.vectors.server import ServerIndex, connect

    client = connect(
        settings.qdrant_url,
        api_key=settings.qdrant_api_key,
        timeout_seconds=settings.qdrant_timeout_seconds,
        ca_file=settings.qdrant_ca_file,
    )
    return ServerIndex(
        client, manifest.vectors, manifest.dimension, prefix=settings.kafka_topic_prefix
    )


def release_of(state: State, bundle: Bundle, index: ItemIndex) -> Release:
    """A bundle with its view of the items."""
    catalog = Catalog(
        state=state,
        index=index,
        model=bundle.version,
        tower=bundle.tower,
        text=ModelVersion(bundle.manifest.encoder),
    )
    return Release(bundle, catalog)


def make_live(settings: Settings, manifest: Manifest) -> None:
    """Point the alias of the live vectors at this bundle's, where it does not yet."""
    if settings.qdrant_url:
        index = open_server_index(settings, manifest)
        try:
            index.make_live()
        finally:
            index.close()
        return
    from clickwise.vectors import generations

    root = homes.vectors_folder(settings)
    if generations.live_model(root) != manifest.vectors:
        generations.make_live(root, manifest.vectors)


@dataclass(slots=True)
class _Shared:
    """An index and how many releases see it."""

    index: ItemIndex
    users: int = 0


class HomeOpener:
    """Implements `Opener`. Releases that share a space share its index."""

    def __init__(
        self, settings: Settings, state: State, encoders: UsedEncoders | None = None
    ) -> None:
        """`encoders`: where items are written; None where they are only read."""
        self._settings = settings
        self._state = state
        self._encoders = encoders
        self._indexes: dict[ModelVersion, _Shared] = {}
        self._lock = threading.Lock()

    def is_ready(self, named: NamedRelease) -> bool:
        """See Opener: its encoder is open, every item has a text vector of it, and a generation is
        built (or there is nothing to build from).
        """
        manifest = read_manifest(bundle_folder(self._settings, named))
        if self._encoders is not None:
            self._encoders.have(named, manifest)
        if self._settings.qdrant_url:
            return not self._state.items_without(ModelVersion(manifest.encoder), limit=1)
        from clickwise.vectors.generations import Generations

        generations = Generations(homes.vectors_folder(self._settings), manifest.vectors)
        return generations.current() is not None or not self._state.newest_change()

    def keep(self, named: Sequence[NamedRelease]) -> None:
        """See Opener: encoders of models that are not named any more are let go of."""
        if self._encoders is None:
            return
        manifests = [homes.bundles_folder(self._settings) / one.version for one in named]
        self._encoders.keep(
            {read_manifest(folder).encoder for folder in manifests if folder.is_dir()}
        )

    def open(self, named: NamedRelease) -> Opened:
        """See Opener."""
        bundle = open_bundle(self._settings, named)
        if self._encoders is not None:
            self._encoders.have(named, bundle.manifest)
        release = release_of(self._state, bundle, self._index(bundle.manifest))

        def settle() -> None:
            if self._settings.qdrant_url:
                release.catalog.refill(since=named.since)
            else:
                release.catalog.catch_up()
            warm(release)

        return Opened(release, settle, lambda: self._let_go(bundle.vectors))

    def _index(self, manifest: Manifest) -> ItemIndex:
        with self._lock:
            shared = self._indexes.get(manifest.vectors)
            if shared is None:
                index = open_index(self._settings, manifest)
                shared = self._indexes[manifest.vectors] = _Shared(index)
            shared.users += 1
            return shared.index

    def _let_go(self, space: ModelVersion) -> None:
        with self._lock:
            shared = self._indexes[space]
            shared.users -= 1
            if not shared.users:
                del self._indexes[space]
                shared.index.close()
