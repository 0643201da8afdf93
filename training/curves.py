"""A training's curves as a picture, and to TensorBoard while it runs."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clickwise import installing
from clickwise.errors import ConfigurationError
from training.fit import Epoch

_INK, _LOSS, _QUALITY = "#1c2024", "#8b95a3", "#2f6fdb"


def curves_png(epochs: Sequence[Epoch]) -> bytes:
    """Loss and quality over epochs, as PNG."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies
        from matplotlib.figure import Figure
    figure = Figure(figsize=(7.0, 3.5), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    places = range(1, len(epochs) + 1)
    left.plot(places, [epoch.loss for epoch in epochs], color=_LOSS)
    left.set_xlabel("epoch", color=_INK)
    left.set_ylabel("loss", color=_LOSS)
    looked = [(place, one.quality) for place, one in zip(places, epochs, strict=True)]
    known = [(place, quality) for place, quality in looked if quality is not None]
    right.plot([place for place, _ in known], [quality for _, quality in known], color=_QUALITY)
    right.set_ylabel("NDCG@10, validation", color=_QUALITY)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[Epoch], None]]:
    """Writes each epoch below `folder`, for TensorBoard; None: nothing.

    Raises:
        ConfigurationError: TensorBoard is not installed.
    """
    if folder is None:
        yield lambda _: None
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(
            f"TensorBoard is missing; {installing.with_extra('train')}"
        ) from error
    writer = SummaryWriter(str(folder))
    steps = iter(range(1, 1_000_000_000))

    def write(epoch: Epoch) -> None:
        step = next(steps)
        writer.add_scalar("loss", epoch.loss, step)
        if epoch.quality is not None:
            writer.add_scalar("quality", epoch.quality, step)
        writer.add_scalar("epoch_seconds", epoch.seconds, step)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()
