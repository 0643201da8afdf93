"""Built encoders on disk: made once, verified at every start, rebuilt when damaged.

A folder `<name>-<precision>-<12 hex>` under the root holds `model.onnx`, `tokenizer.json` and
`manifest.json`; the hex names the source weights and the version of the graph. It is written
beside its place and renamed, under a file lock, so neither a crash nor a second process leaves
half a model. At each start every file is hashed (0.1 s for 120 MB): a changed byte would give
wrong vectors without any error.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clickwise import logs
from clickwise.encoder.alignment import neutral_sample
from clickwise.encoder.graph import GRAPH_VERSION, Precision
from clickwise.encoder.sources import WeightSource
from clickwise.errors import BundleError, ConfigurationError

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
_MANIFEST = "manifest.json"
FORMAT = 1  # of the folder and its manifest

_log = logs.get(__name__)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a built encoder is, and how it was checked."""

    format: int
    name: str
    precision: Precision
    identity: str
    source_checksum: str
    dimension: int
    pooling: str
    prefix: str
    max_tokens: int
    pad_id: int
    removed_directions: int
    checked_texts: int
    max_difference: float
    min_cosine: float
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """A verified encoder on disk."""

    folder: Path
    manifest: Manifest


def identity(source: WeightSource, precision: Precision) -> str:
    """64 hex digits that change whenever the built vectors could."""
    total = hashlib.sha256()
    for part in (source.checksum, precision.value, str(GRAPH_VERSION), str(FORMAT)):
        total.update(f"{part}\n".encode())
    for text in neutral_sample().texts:
        total.update(f"{text}\n".encode())
    return total.hexdigest()


def open_or_build(
    source: WeightSource,
    precision: Precision,
    *,
    root: Path,
    build: Callable[[Path, str], Manifest],
) -> Built:
    """The built encoder of `source`, from `root` or made by `build(folder, identity)` now.

    Raises:
        BundleError: what was built does not agree with its weights; nothing is kept.
        ConfigurationError: nothing can be written below `root`.
    """
    wanted = identity(source, precision)
    folder = root / f"{source.name}-{precision}-{wanted[:12]}"
    found = _whole(folder, wanted)
    if found is not None:
        return found
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f".{folder.name}.lock"):
            # Another process may have built it while this one waited.
            return _whole(folder, wanted) or _build(folder, wanted, build)
    except OSError as error:
        raise ConfigurationError(f"the encoder cannot be built in {folder}: {error}") from error


def file_checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put `manifest` into `folder`, readable for people too."""
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / _MANIFEST).write_bytes(encoded + b"\n")


def _whole(folder: Path, wanted: str) -> Built | None:
    """The encoder in `folder` if there is one without damage."""
    if not folder.exists():
        return None
    try:
        return Built(folder, _verified(folder, wanted))
    except BundleError as error:
        _log.warning("damaged encoder is rebuilt", folder=folder.name, fault=str(error))
        return None


def _build(folder: Path, wanted: str, build: Callable[[Path, str], Manifest]) -> Built:
    for left_over in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(left_over)  # of a process that died: we hold the lock
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        write_manifest(part, build(part, wanted))
        manifest = _verified(part, wanted)
        part.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Built(folder, manifest)


def _verified(folder: Path, wanted: str) -> Manifest:
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
        if (manifest.format, manifest.identity) != (FORMAT, wanted):
            raise BundleError(f"{folder.name} holds another encoder than its name says")
        for name in {MODEL, TOKENIZER, *manifest.files}:
            if file_checksum(folder / name) != manifest.files.get(name):
                raise BundleError(f"{folder.name}/{name} does not have the recorded checksum")
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{folder.name} is not complete: {error}") from error
    return manifest


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; a second process waits here while the first one builds."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file releases it
