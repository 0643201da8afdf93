"""A bundle that is to get a role: checked, and put where processes find it."""

import shutil
import time
from pathlib import Path

from clickwise.bundle import Manifest, load_bundle
from clickwise.bundle.folder import KEYS, TOWER, read_manifest
from clickwise.cli import homes
from clickwise.cli.encoders import open_for
from clickwise.cli.opener import open_bundle
from clickwise.cli.release_site import Site
from clickwise.errors import BundleError, ConflictError, NotFoundError
from clickwise.releases.folders import BUILT_IN, MANIFEST, checksum_of, publish_bundle
from clickwise.releases.roles import Published
from clickwise.releases.warming import rehearse


def publish(site: Site, bundle: str | Path, url: str, encoder: str) -> Published:
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


def _check_space(site: Site, manifest: Manifest) -> None:
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


def _encoder_source(site: Site, manifest: Manifest, given: str) -> str:
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
