"""A report as one HTML page that needs nothing else: no scripts, no fonts, no network.

All text is escaped: names of systems, items and languages come from data.
"""

from collections.abc import Iterable, Sequence
from html import escape

from training.evaluation.page_style import STYLE
from training.evaluation.plots import charts, inline_svg
from training.evaluation.report import Comparison, Report, Table
from training.evaluation.statistics import Interval

Cell = str | int | float | None | Interval


def render(report: Report) -> str:
    """The page."""
    drawn = {name: inline_svg(figure, name) for name, figure in charts(report).items()}
    curves = [drawn[name] for name in drawn if name.startswith("curve-")]
    title = f"{report.data.name}: {report.protocol}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(report.description)}</p>',
        _verdict(report),
        _figure(drawn.get("systems", ""), f"{report.headline} of each system"),
        _section("Systems", _systems(report)),
        _section("Paired differences", _comparisons(report.comparisons)),
        _section("Against what they are made of", _comparisons(report.hybrids)),
        _section("Slices", _figure(drawn.get("slices", ""), "by slice"), _slices(report)),
        _section("Beyond accuracy", _beyond(report)),
        _section("Over time", *(_figure(curve, "over time") for curve in curves)),
        *(_section(table.title, _table_of(table)) for table in tables(report)),
        _section("Trust", _trust(report)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} - Clickwise evaluation</title>\n<style>{STYLE}</style>\n"
        f"</head>\n<body>\n<main>\n{''.join(body)}</main>\n</body>\n</html>\n"
    )


def verdict(report: Report) -> str:
    """One sentence: is ours better than the best baseline, and by how much? "" without systems."""
    if not report.systems:
        return ""
    against = [
        one
        for one in report.comparisons
        if one.metric == report.headline
        and (one.system, one.other) == (report.ours, report.best_baseline)
    ]
    if not report.ours or not against:
        best = report.systems[0]
        return f"{best.name} leads with {report.headline} {_text(best.metrics[report.headline])}."
    (one,) = against
    found = "is better" if one.better else "is not better beyond the interval"
    return (
        f"{report.ours} {found} than the best baseline, {one.other}: {report.headline} differs by"
        f" {_text(one.difference)}, p = {one.p_value:.2g}."
    )


def _verdict(report: Report) -> str:
    if not report.systems:
        return ""
    data = report.data
    return (
        f'<p class="verdict">{escape(verdict(report))}</p>\n<p>{data.num_cases:,} cases of'
        f" {data.num_case_users:,} users; learned from {data.num_train_events:,} events,"
        f" {data.num_items:,} items. Means over cases, 95&nbsp;% intervals over users.</p>\n"
    )


def _systems(report: Report) -> str:
    if not report.systems:
        return ""
    metrics = tuple(report.systems[0].metrics)
    timed = any(system.fit_seconds is not None for system in report.systems)
    columns = ["system", *metrics, *(("fit s", "ask s") if timed else ())]
    rows: list[list[Cell]] = [
        [
            _named(system.name, system.note),
            *(system.metrics[metric] for metric in metrics),
            *((system.fit_seconds, system.answer_seconds) if timed else ()),
        ]
        for system in report.systems
    ]
    ours = [system.name == report.ours for system in report.systems]
    return _table(columns, rows, marked=ours)


def _named(name: str, note: str) -> str:
    return f"{name} ({note})" if note else name


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    rows = [
        [
            one.metric,
            one.system,
            one.other,
            one.difference,
            f"{one.p_value:.2g}",
            "yes" if one.better else "no",
        ]
        for one in comparisons
    ]
    columns = ["metric", "system", "minus", "difference", "p", "better beyond the interval"]
    return _table(columns, rows, text_columns=3)


def _slices(report: Report) -> str:
    if not report.slices:
        return ""
    names = [system.name for system in report.systems]
    rows: list[list[Cell]] = [
        [f"{one.group}: {one.name}", one.num_cases, *(one.systems[name] for name in names)]
        for one in report.slices
    ]
    return _folded(f"{report.headline} of every system", _table(["slice", "cases", *names], rows))


def _beyond(report: Report) -> str:
    rows = [
        [s.name, b.coverage, b.diversity, b.novelty, b.head_share, b.gini]
        for s in report.systems
        if (b := s.beyond) is not None
    ]
    if not rows:
        return ""
    columns = [
        "system", "coverage", "diversity in a list", "novelty, bits",
        "shown from the popular tenth", "Gini of shown",
    ]  # fmt: skip
    return _table(columns, rows)


def tables(report: Report) -> Iterable[Table]:
    """All that is not a figure of systems."""
    return (*((report.attacks,) if report.attacks else ()), *report.tables)


def _table_of(table: Table) -> str:
    note = f"<p>{escape(table.note)}</p>\n" if table.note else ""
    return note + _table(table.columns, table.rows)


def _trust(report: Report) -> str:
    leaks = [f"Leak: {leak.kind}: {leak.number:,}." for leak in report.leaks]
    sound = ["No leak from the test into the training part."] if report.systems else []
    notes = [*(leaks or sound), *report.notes]
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    listed = "".join(f"<li>{escape(note)}</li>\n" for note in notes)
    command = f"<pre>{escape(report.command)}</pre>\n" if report.command else ""
    return (
        f"<ul>\n{listed}</ul>\n{command}<p>Seed {report.seed}; {report.seconds:,.1f} s."
        f"{' ' if versions else ''}{escape(versions)}</p>\n"
    )


def _section(title: str, *parts: str) -> str:
    content = "".join(parts)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}</section>\n" if content else ""


def _figure(svg: str, label: str) -> str:
    if not svg:
        return ""
    return f'<figure role="img" aria-label="{escape(label)}">{svg}</figure>\n'


def _folded(title: str, content: str) -> str:
    return f"<details>\n<summary>{escape(title)}</summary>\n{content}</details>\n"


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    marked: Sequence[bool] = (),
    text_columns: int = 1,
) -> str:
    """Rows whose first `text_columns` are text; `marked` ones stand out."""
    classes = ["text" if place < text_columns else "figure" for place in range(len(columns))]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(column)}</th>'
        for kind, column in zip(classes, columns, strict=True)
    )
    lines = []
    for place, row in enumerate(rows):
        cells = "".join(
            f'<td class="{kind}">{_cell(cell)}</td>'
            for kind, cell in zip(classes, row, strict=True)
        )
        stands_out = ' class="ours"' if place < len(marked) and marked[place] else ""
        lines.append(f"<tr{stands_out}>{cells}</tr>\n")
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{''.join(lines)}</tbody>\n</table></div>\n"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, Interval):
        return f"{cell.mean:.4f} <small>{cell.low:.4f} to {cell.high:.4f}</small>"
    if isinstance(cell, float):
        return f"{cell:,.3f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return escape(cell) if cell is not None else "-"


def _text(interval: Interval) -> str:
    return f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})"
