"""Item text to vectors, any language.

Importing this package is cheap: onnxruntime, onnx and tokenizers load in `open_encoder`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickwise.encoder.session import OnnxEncoder


def open_encoder(
    *,
    model: str = "default",
    device: str = "auto",
    threads: int = 1,
    batch: int = 32,
    cache: Path,
    max_tokens: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> "OnnxEncoder":
    """The encoder of `model` (`default`, a folder, a Hugging Face id).

    At first use its files are built below `cache` (the default model takes some ten seconds),
    which `progress(stage, done)` can follow, `done` being the share that is behind us.
    `max_tokens` cuts longer texts; the model's own limit applies too.

    Raises:
        ConfigurationError: the model or the device cannot be had.
        UnavailableError: the model is to come from the hub, which does not answer.
        BundleError: the built encoder does not agree with its weights.
    """
    from clickwise.encoder.session import MAX_TOKENS, open_onnx_encoder

    return open_onnx_encoder(
        model=model,
        device=device,
        threads=threads,
        batch=batch,
        cache=cache,
        max_tokens=max_tokens or MAX_TOKENS,
        progress=progress,
    )
