"""Checks of what reads and writes words and pictures, and of who is told of it."""

from collections.abc import Callable, Iterable

from clickwise.cli import homes, refusals
from clickwise.cli.checks import Seen
from clickwise.cli.encoders import encoder_of
from clickwise.settings import Settings


def encoder(settings: Settings) -> Iterable[Seen]:
    """Whether the encoder can be had, and what it runs on."""
    from clickwise.encoder.sources import check_source
    from clickwise.onnx_runtime import choose_device

    if settings.encoder_model.startswith("hashing:"):
        encoder_of(settings)
        yield Seen("warn", "hashing: knows no meaning", "unset CLICKWISE_ENCODER_MODEL")
        return
    device = choose_device(settings.encoder_device)
    folder = homes.encoder_folder(settings) / "encoders"
    found = folder.iterdir() if folder.is_dir() else iter(())
    made = any(path.is_dir() and not path.name.startswith(".") for path in found)
    state = "made already" if made else "made at the first start, in some ten seconds"
    here = "" if check_source(settings.encoder_model) else ", of the Hugging Face hub"
    yield Seen("ok", f"{settings.encoder_model}{here} on {device}, {state}")


def _of(look: Callable[[Settings], str]) -> Callable[[Settings], Iterable[Seen]]:
    """What `up` would refuse, as a check."""

    def check(settings: Settings) -> Iterable[Seen]:
        yield Seen("ok", look(settings))

    return check


ALL: dict[str, Callable[[Settings], Iterable[Seen]]] = {
    "encoder": encoder,
    "pictures": _of(refusals.pictures),
    "topics": _of(refusals.topics),
    "texts": _of(refusals.texts),
    "traces": _of(refusals.traces),
}
ADVICE = {
    "encoder": "correct CLICKWISE_ENCODER_MODEL and CLICKWISE_ENCODER_DEVICE",
    "pictures": "correct CLICKWISE_IMAGE_ENCODER, or unset it",
    "topics": "correct CLICKWISE_TAXONOMY, or the folder of CLICKWISE_ENCODER_MODEL",
    "texts": "install it, or unset CLICKWISE_TEXTS",
    "traces": "install it, or unset CLICKWISE_TRACE_ENDPOINT",
}
