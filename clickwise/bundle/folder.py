"""A bundle is a folder: `manifest.json` and the files that it names with their SHA-256.

Written beside its place and renamed, so that it is there whole or not at all; checked at load.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from clickwise.bundle.recurrence import OnnxRecurrence
from clickwise.bundle.scorer import FACTS, Scorer
from clickwise.bundle.tower import LearnedTower, TextTower, Tower
from clickwise.errors import BundleError
from clickwise.profile import Profile, Recurrence, Rules, empty_profile
from clickwise.types import ModelVersion

FORMAT = 3
TOWER, KEYS, STEP, READ, SCORER = (
    "items.onnx", "items.npy", "step.onnx", "read.onnx", "scorer.onnx",
)  # fmt: skip


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds and what it was made for.

    `vectors` names the space that item vectors live in: it is in the name of their collection.
    Bundles that differ in rules or scorer alone share it, so that items stay as they are.
    `encoder` names the text vectors that the space is made from, `text_dimension` their length,
    `pictures` and `picture_dimension` the picture vectors beside them (empty and 0: none are read),
    `dimension` that of the space itself. `memory` and `interests` are M and K of the learned user
    model, 0 under day 0.
    """

    version: ModelVersion
    vectors: ModelVersion
    created: datetime
    encoder: str
    text_dimension: int
    dimension: int
    rules: Rules
    pictures: str = ""
    picture_dimension: int = 0
    memory: int = 0
    interests: int = 0
    facts: tuple[str, ...] = FACTS
    files: dict[str, str] = {}
    format: int = FORMAT


class _Version(msgspec.Struct):
    format: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model version, ready to score. Item vectors, profiles and scorer of one version go
    together; nothing of another may be mixed in.
    """

    manifest: Manifest
    scorer: Scorer
    tower: Tower
    recurrence: Recurrence | None

    @property
    def version(self) -> ModelVersion:
        """Names the model in answers, exposures and profiles."""
        return self.manifest.version

    @property
    def vectors(self) -> ModelVersion:
        """Names the space of its item vectors: collections and stored vectors."""
        return self.manifest.vectors

    def empty_profile(self) -> Profile:
        """The profile of a user with no events."""
        return empty_profile(
            self.version,
            dimension=self.manifest.dimension,
            rules=self.manifest.rules,
            memory=self.manifest.memory,
        )

    def without_state(self, profile: Profile) -> Profile:
        """The history of a profile of another model, with nothing folded yet."""
        return profile.for_model(
            self.version,
            dimension=self.manifest.dimension,
            rules=self.manifest.rules,
            memory=self.manifest.memory,
        )


def write_bundle(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a bundle to `path`, replacing what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    checksums = {name: sha256(content).hexdigest() for name, content in files.items()}
    complete = msgspec.structs.replace(manifest, files=checksums)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        (temporary / "manifest.json").write_bytes(msgspec.json.encode(complete))
        try:
            temporary.replace(path)
        except OSError:  # a folder is there already: another process was first, or it is damaged
            if _is_whole(path):
                return
            shutil.rmtree(path)
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_bundle(path: Path) -> Bundle:
    """Read and check the bundle at `path`.

    Raises:
        BundleError: a file is missing or differs, or the format is not known.
    """
    manifest = read_manifest(path)
    if manifest.format != FORMAT:
        raise BundleError(f"{path}: format {manifest.format}, expected {FORMAT}")
    if manifest.facts != FACTS:
        raise BundleError(f"{path}: made for facts {manifest.facts}, this program gives {FACTS}")
    for name, checksum in manifest.files.items():
        try:
            content = (path / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{path}: {name} cannot be read") from error
        if sha256(content).hexdigest() != checksum:
            raise BundleError(f"{path}: {name} differs from its checksum")
    learned = (TOWER, KEYS, STEP, READ) if manifest.memory else ()
    for name in (SCORER, *learned):
        if name not in manifest.files:
            raise BundleError(f"{path}: no {name}")
    return Bundle(
        manifest,
        Scorer(path / SCORER, dimension=manifest.dimension),
        _tower(path, manifest),
        OnnxRecurrence(path / STEP, path / READ, memory=manifest.memory)
        if manifest.memory
        else None,
    )


def _tower(path: Path, manifest: Manifest) -> Tower:
    if not manifest.memory:
        return TextTower(manifest.dimension)
    try:
        keys_I = np.load(path / KEYS, allow_pickle=False)
    except ValueError as error:
        raise BundleError(f"{path}: {KEYS} is no array") from error
    return LearnedTower(
        path / TOWER,
        keys_I,
        dimension=manifest.dimension,
        pictures=ModelVersion(manifest.pictures) if manifest.pictures else None,
        picture_dimension=manifest.picture_dimension,
    )


def read_manifest(path: Path) -> Manifest:
    """The manifest of the bundle at `path`.

    Raises:
        BundleError: it is missing or damaged.
    """
    try:
        data = (path / "manifest.json").read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: manifest.json cannot be read") from error
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        with suppress(msgspec.DecodeError):
            found = msgspec.json.decode(data, type=_Version).format
            if found != FORMAT:
                raise BundleError(f"{path}: format {found}, expected {FORMAT}") from error
        raise BundleError(f"{path}: manifest.json is damaged: {error}") from error


def _is_whole(path: Path) -> bool:
    try:
        load_bundle(path)
    except BundleError:
        return False
    return True
