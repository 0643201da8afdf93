"""`python -m deploy.generate`: write rules, their tests and dashboards from the code beside them.

Rules and dashboards are written twice: for Prometheus and Grafana to read, and into the chart.

`make dashboards` runs it; a test compares what is there with what would be written.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.grafana import dashboards
from deploy.prometheus.alerts import WATCHDOG, cause_groups
from deploy.prometheus.cases import OF_CAUSES, OF_OBJECTIVES, stories_yaml
from deploy.prometheus.objectives import objective_groups
from deploy.prometheus.rule import Pace, rules_yaml

FOLDER = Path(__file__).parent
CHART = "helm/clickwise/files"
_NOTE = "# Made by `make dashboards` from {}: change that, then run it again.\n"


def files() -> Mapping[str, Callable[[], str]]:
    """Every written file below this folder, by its path."""
    pace = Pace()
    rules = {
        "prometheus/rules/objectives.yml": lambda: (
            _NOTE.format("deploy/prometheus/objectives.py") + rules_yaml(objective_groups(pace))
        ),
        "prometheus/rules/alerts.yml": lambda: (
            _NOTE.format("deploy/prometheus/alerts.py") + rules_yaml(cause_groups(pace))
        ),
        "prometheus/tests/alerts.yml": lambda: (
            _NOTE.format("deploy/prometheus/cases.py")
            + stories_yaml("../rules/alerts.yml", OF_CAUSES, always={WATCHDOG: 1})
        ),
        "prometheus/tests/objectives.yml": lambda: (
            _NOTE.format("deploy/prometheus/cases.py")
            + stories_yaml("../rules/objectives.yml", OF_OBJECTIVES)
        ),
    }
    boards = {
        f"grafana/dashboards/{name}.json": make for name, make in dashboards.DASHBOARDS.items()
    }
    # Helm reads files of the chart's own folder alone.
    of_the_chart = {
        f"{CHART}/{kind}/{Path(name).name}": make
        for kind, found in (("rules", rules), ("dashboards", boards))
        for name, make in found.items()
        if Path(name).parent.name == kind
    }
    return rules | boards | of_the_chart


def stale(folder: Path = FOLDER) -> list[str]:
    """Files that are missing or differ from what the code says."""
    return [
        name
        for name, make in files().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every file; the paths."""
    written = []
    for name, make in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for one in write():
        print(one.relative_to(FOLDER.parent))
