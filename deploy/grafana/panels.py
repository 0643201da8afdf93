"""The few kinds of panels that all dashboards are made of, and how a dashboard is put together.

Queries keep `$__rate_interval` for their windows; Grafana fills it in.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${source}")
TAG = "clickwise"
WIDTHS = {"stat": 6, "lines": 12}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; `legend` names its series (`{{label}}` is filled in)."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`tells`: what a reader should see in it. `limit`: a line drawn where it becomes bad."""

    title: str
    tells: str
    unit: str
    queries: Sequence[Query]
    kind: str = "lines"
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


def number(title: str, tells: str, unit: str, expr: str) -> Panel:
    """One figure as it is now."""
    return Panel(title=title, tells=tells, unit=unit, queries=(Query(expr, ""),), kind="stat")


def lines(
    title: str, tells: str, unit: str, *queries: tuple[str, str], limit: float | None = None
) -> Panel:
    """Series over time, given as (expression, legend)."""
    asked = tuple(Query(expr, legend) for expr, legend in queries)
    return Panel(title=title, tells=tells, unit=unit, queries=asked, limit=limit)


def quantiles(title: str, tells: str, metric: str, by: str = "", only: str = "") -> Panel:
    """The median and the 99th percentile of a histogram of seconds."""
    labels = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    rate = f"sum by ({labels}) (rate({metric}_bucket{only}[$__rate_interval]))"
    return lines(
        title, tells, "s",
        (f"histogram_quantile(0.5, {rate})", f"p50{legend}"),
        (f"histogram_quantile(0.99, {rate})", f"p99{legend}"),
    )  # fmt: skip


def dashboard_json(name: str, title: str, tells: str, rows: Sequence[Row]) -> str:
    """One dashboard as Grafana's provisioning reads it."""
    made = (
        build.Dashboard(f"Clickwise: {title}")
        .uid(f"clickwise-{name}")
        .description(tells)
        .tags([TAG])
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .link(
            build.DashboardLink("Clickwise")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    ids = itertools.count(1)
    for row in rows:
        made = made.with_row(build.Row(row.title).id(next(ids)))
        for panel in row.panels:
            drawn = _stat(panel) if panel.kind == "stat" else _lines(panel)
            made = made.with_panel(drawn.id(next(ids)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _stat(panel: Panel) -> stat.Panel:
    (query,) = panel.queries
    return (
        stat.Panel()
        .title(panel.title)
        .description(panel.tells)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(WIDTHS["stat"])
        .height(4)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_target(query, "A"))
    )


def _lines(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.tells)
        .datasource(SOURCE)
        .unit(panel.unit)
        .min(0)
        .span(WIDTHS["lines"])
        .height(8)
        .fill_opacity(10)
        .legend(
            parts.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for place, query in enumerate(panel.queries):
        made = made.with_target(_target(query, chr(ord("A") + place)))
    if panel.limit is not None:
        made = made.thresholds(_limit(panel.limit)).thresholds_style(
            parts.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    return made


def _limit(value: float) -> build.ThresholdsConfig:
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(None, "green"), model.Threshold(value, "red")])
    )


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE).range()
    return made.legend_format(query.legend) if query.legend else made
