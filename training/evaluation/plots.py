"""A report's charts, as PNG files and as SVG for its page (matplotlib, without a display).

Text and lines are drawn in two colours that the SVG turns into variables of the page, so that
one drawing is legible in light and in dark.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clickwise.errors import ConfigurationError
from training.evaluation.report import Curve, Report, SliceFigures
from training.evaluation.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#1c2024", "#d4d8dd"
OURS, OTHER = "#2f6fdb", "#8b95a3"
PALETTE = (OURS, "#d9822b", "#2e9e6b", "#a259c4", "#c2465a", OTHER)
MOST_LINES = len(PALETTE)
SMALLEST_SLICE = 20  # cases; below that an interval fills the chart and says nothing
_WIDTH = 9.0  # inches


def charts(report: Report) -> dict[str, "Figure"]:
    """Figures by name: systems, slices, curve-1, curve-2 ..."""
    found = {"systems": systems_chart(report)} if report.systems else {}
    if _shown_slices(report):
        found["slices"] = slices_chart(report)
    for number, curve in enumerate(report.curves, 1):
        found[f"curve-{number}"] = curve_chart(curve, first=report.ours)
    return found


def write_pngs(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every chart to `folder`, which is made if need be.

    Raises:
        ConfigurationError: it cannot be written.
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in charts(report).items():
            path = folder / f"{name}.png"
            with _drawing():
                figure.savefig(path, dpi=150, facecolor="white", metadata={"Software": None})
            paths.append(path)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
    return tuple(paths)


def inline_svg(figure: "Figure", name: str) -> str:
    """An `<svg>` element for a page that has `--ink` and `--grid`; ids start with `name`."""
    buffer = io.StringIO()
    with _drawing():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    drawn = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    return re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)


def systems_chart(report: Report) -> "Figure":
    """The first two metrics of every system, best first, with intervals."""
    metrics = tuple(report.systems[0].metrics)[:2]
    names = [system.name for system in report.systems]
    figure, panels = _figure(1.0 + 0.34 * len(names), columns=len(metrics))
    for panel, metric in zip(panels, metrics, strict=True):
        for place, system in enumerate(report.systems):
            interval = system.metrics[metric]
            color = OURS if system.name == report.ours else OTHER
            panel.barh(place, interval.mean, height=0.64, color=color)
            _whisker(panel, interval, place)
            panel.annotate(
                f"{interval.mean:.3f}", (interval.high, place), xytext=(5, 0),
                textcoords="offset points", va="center", color=INK, fontsize=9,
            )  # fmt: skip
        panel.set_yticks(range(len(names)), [_plain(name) for name in names])
        panel.invert_yaxis()
        panel.margins(x=0.2)
        panel.set_xlim(left=0.0)
        _finish(panel, title=metric, grid="x")
    for panel in panels[1:]:
        panel.set_yticklabels([])
    return figure


def slices_chart(report: Report) -> "Figure":
    """The headline metric in each slice: ours (or the best), and the best others."""
    names = shown_systems(report, 3)
    rows = _rows(_shown_slices(report))
    figure, (panel,) = _figure(1.2 + 0.36 * len(rows), columns=1)
    labels = []
    for place, one in rows:
        labels.append(f"{one.group}: {one.name} ({one.num_cases:,})")
        for number, name in enumerate(names):
            interval = one.systems[name]
            at = place + 0.2 * (number - (len(names) - 1) / 2)
            panel.plot(
                [interval.low, interval.high], [at, at], color=PALETTE[number], linewidth=1.4
            )
            panel.plot(
                interval.mean, at, "o", color=PALETTE[number], markersize=5,
                label=_plain(name) if place == rows[0][0] else None,
            )  # fmt: skip
    panel.set_yticks([place for place, _ in rows], [_plain(label) for label in labels])
    panel.invert_yaxis()
    panel.set_xlim(left=0.0)
    _finish(panel, title=f"{report.headline} by slice (cases)", grid="x")
    _legend(figure, panel)
    return figure


def curve_chart(curve: Curve, *, first: str = "") -> "Figure":
    """Lines over events or steps; beyond six, the lowest at the end are left out."""
    names = sorted(curve.values, key=lambda name: (name != first, -curve.values[name][-1]))
    figure, (panel,) = _figure(3.6, columns=1)
    for color, name in zip(PALETTE, names, strict=False):
        panel.plot(curve.places, curve.values[name], color=color, label=_plain(name), linewidth=1.8)
    panel.set_xlabel(_plain(curve.place_name), color=INK)
    panel.set_ylabel(_plain(curve.value_name), color=INK)
    panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))
    _finish(panel, title=curve.title, grid="y")
    _legend(figure, panel)
    return figure


def shown_systems(report: Report, number: int) -> tuple[str, ...]:
    """Ours first, then the best of the others."""
    others = [system.name for system in report.systems if system.name != report.ours]
    return ((report.ours,) if report.ours else ()) + tuple(others[: number - bool(report.ours)])


def _shown_slices(report: Report) -> list[SliceFigures]:
    return [one for one in report.slices if one.num_cases >= SMALLEST_SLICE]


def _rows(slices: Sequence[SliceFigures]) -> list[tuple[float, SliceFigures]]:
    """Places from above, with a gap between groups."""
    rows: list[tuple[float, SliceFigures]] = []
    place, group = -1.0, ""
    for one in slices:
        place += 1.0 if one.group == group else 1.4
        group = one.group
        rows.append((place, one))
    return rows


def _figure(height: float, *, columns: int) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _whisker(panel: "Axes", interval: Interval, place: float) -> None:
    panel.plot([interval.low, interval.high], [place, place], color=INK, linewidth=1.3)


def _finish(panel: "Axes", *, title: str, grid: str) -> None:
    panel.set_title(_plain(title), loc="left", color=INK, fontsize=11)
    panel.tick_params(colors=INK, length=0, labelsize=9)
    panel.set_facecolor("none")
    for side, spine in panel.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(GRID)
    panel.set_axisbelow(True)
    if grid == "x":
        panel.locator_params(axis="x", nbins=6)
    (panel.xaxis if grid == "x" else panel.yaxis).grid(visible=True, color=GRID, linewidth=0.7)


def _legend(figure: "Figure", panel: "Axes") -> None:
    figure.legend(
        *panel.get_legend_handles_labels(),
        loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9, ncols=3,
    )  # fmt: skip


def _plain(text: str) -> str:
    """Text that is no formula to matplotlib."""
    return text.replace("$", r"\$")


@contextmanager
def _drawing() -> Iterator[None]:
    import matplotlib as mpl

    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "clickwise"}),
        warnings.catch_warnings(),
    ):
        # Names in scripts that matplotlib's font lacks show as boxes in a PNG, and well in SVG.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        yield
