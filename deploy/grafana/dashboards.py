"""All dashboards, by the name of their files."""

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType

from deploy.grafana import cost, freshness, models, quality, service, stream, texts
from deploy.grafana.panels import dashboard_json

PAGES: Mapping[str, ModuleType] = {
    "service": service,
    "freshness": freshness,
    "stream": stream,
    "quality": quality,
    "models": models,
    "texts": texts,
    "cost": cost,
}

DASHBOARDS: Mapping[str, Callable[[], str]] = {
    name: partial(dashboard_json, name, page.TITLE, page.TELLS, page.ROWS)
    for name, page in PAGES.items()
}
