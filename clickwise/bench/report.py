"""Figures for people and for machines: percentiles, a table, bars, a JSON file."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from rich.bar import Bar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Float64Array

_BAR_CELLS = 40


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, by nearest rank: each is a latency that really occurred."""

    p50: float
    p90: float
    p99: float
    max: float
    num_samples: int


def percentiles(seconds_N: Float64Array | Sequence[float]) -> Percentiles:
    """Of at least one sample.

    Raises:
        ValueError: no sample.
    """
    seconds = np.asarray(seconds_N, np.float64)
    if not len(seconds):
        raise ValueError("no sample to take percentiles of")
    p50, p90, p99 = np.quantile(seconds, (0.5, 0.9, 0.99), method="inverted_cdf").tolist()
    return Percentiles(
        p50=_rounded(p50), p90=_rounded(p90), p99=_rounded(p99),
        max=_rounded(float(seconds.max())), num_samples=len(seconds),
    )  # fmt: skip


def _rounded(seconds: float) -> float:
    return round(seconds, 7)


def shown(seconds: float) -> str:
    """A duration with a unit that suits it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1.0:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds:.2f} s"


def shown_bytes(number: float) -> str:
    """A number of bytes with a unit that suits it."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.2f} GiB"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table whose first column is a name and whose others are figures."""
    drawn = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        drawn.add_column(column, justify="right" if place else "left")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def bars(title: str, values: Sequence[tuple[str, float, str]]) -> Table:
    """One bar for each (name, value, value as text), scaled to the largest."""
    largest = max((value for _, value, _ in values), default=0.0) or 1.0
    drawn = Table(
        title=title, title_justify="left", title_style="bold", box=None, show_header=False
    )
    for _ in range(3):
        drawn.add_column()
    for name, value, text in values:
        drawn.add_row(name, Bar(largest, 0.0, value, width=_BAR_CELLS), text)
    return drawn


def progress(console: Console) -> Progress:
    """Bars for long work; on a console that is no terminal they do not show."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def check_writable(path: Path) -> None:
    """Return if `write_json` could write there: asked before the work whose report it is.

    Raises:
        ConfigurationError: it could not.
    """
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{path} cannot be written: it is no file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def write_json(path: Path, report: msgspec.Struct) -> None:
    """Write the report so that the file is there whole or as it was before.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        _replace(path, report)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def _replace(path: Path, report: msgspec.Struct) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
