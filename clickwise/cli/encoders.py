"""The text encoders that the models in use need beside the one of the settings."""

import threading
from collections.abc import Callable, Sequence

import msgspec

from clickwise.bundle import Manifest
from clickwise.cli import homes
from clickwise.encoder.port import TextEncoder
from clickwise.errors import BundleError, ConfigurationError
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease

# Told the stage of the encoder's making and the share that is done.
Progress = Callable[[str, float], None]


def encoder_of(settings: Settings, *, progress: Progress | None = None) -> TextEncoder:
    """The text encoder; made from its weights when this home does not have it yet.

    `hashing:<dimension>` is one without a model, which starts at once: for benches and trials.
    """
    kind, _, dimension = settings.encoder_model.partition(":")
    if kind != "hashing":
        from clickwise.encoder import open_encoder

        return open_encoder(
            model=settings.encoder_model,
            device=settings.encoder_device,
            threads=settings.encoder_threads,
            batch=settings.encoder_batch,
            cache=homes.encoder_folder(settings),
            progress=progress,
        )
    from clickwise.testing.encoder import HashingEncoder

    if not dimension.isdecimal() or not 8 <= int(dimension) <= 4_096:
        raise ConfigurationError(
            f"CLICKWISE_ENCODER_MODEL={settings.encoder_model}: expected hashing:<dimension>,"
            " from 8 to 4096"
        )
    return HashingEncoder(dimension=int(dimension))


class UsedEncoders:
    """Open encoders by version. Asked by the thread of items, filled by that of releases."""

    def __init__(self, settings: Settings, own: TextEncoder) -> None:
        self._settings = settings
        self._own = own
        self._others: dict[str, TextEncoder] = {}
        self._lock = threading.Lock()

    def others(self) -> Sequence[TextEncoder]:
        """Those beside the settings' own."""
        with self._lock:
            return tuple(self._others.values())

    def have(self, named: NamedRelease, manifest: Manifest) -> None:
        """Open the encoder that a model needs, unless it is.

        Raises:
            BundleError: what the pointer names gives other vectors than the model was made for.
            ClickwiseError: it cannot be had.
        """
        if manifest.encoder == self._own.version or manifest.encoder in self._others:
            return
        opened = open_for(self._settings, named.encoder, manifest)
        with self._lock:
            self._others[manifest.encoder] = opened

    def keep(self, versions: set[str]) -> None:
        """Let go of those that no model in use needs any more."""
        with self._lock:
            self._others = {v: one for v, one in self._others.items() if v in versions}


def open_for(settings: Settings, source: str, manifest: Manifest) -> TextEncoder:
    """The encoder of a model: what `source` names (empty: what the setting does).

    Raises:
        BundleError: it gives other vectors than the model was made for.
        ClickwiseError: it cannot be had.
    """
    chosen = source or settings.encoder_model
    opened = encoder_of(msgspec.structs.replace(settings, encoder_model=chosen))
    if opened.version != manifest.encoder:
        back = "" if source else "set CLICKWISE_ENCODER_MODEL back, or "
        raise BundleError(
            f"{manifest.version} was made for the text encoder {manifest.encoder}, and"
            f" {chosen} is {opened.version}: {back}promote it with the right --encoder"
        )
    if opened.dimension != manifest.text_dimension:
        raise BundleError(
            f"{manifest.version} was made for text vectors of {manifest.text_dimension} numbers,"
            f" and {chosen} gives {opened.dimension}"
        )
    return opened
