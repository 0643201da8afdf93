"""A comparison as a picture: quality over what learned, and seconds."""

import io
import warnings
from collections.abc import Sequence

from training.tune.compare import ComparedRow

_INK, _BAR, _TIME = "#1c2024", "#2f6fdb", "#8b95a3"


def comparison_png(rows: Sequence[ComparedRow]) -> bytes:
    """Accuracy on test and processor seconds of each row, as PNG."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies
        from matplotlib.figure import Figure
    figure = Figure(figsize=(8.0, 0.45 * len(rows) + 1.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [f"{row.name} ({100 * row.layer_share:.2g} %)" for row in rows]
    places = range(len(rows))
    values = [100 * row.test.accuracy for row in rows]
    left.barh(places, values, color=_BAR)
    left.set_yticks(places, names)
    left.invert_yaxis()
    left.set_xlim(max(0.0, min(values) - 2.0), min(100.0, max(values) + 1.0))
    left.set_xlabel("accuracy on test, %", color=_INK)
    right.barh(places, [row.seconds for row in rows], color=_TIME)
    right.set_xlabel("processor seconds of training", color=_INK)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()
