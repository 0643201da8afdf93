"""What `deploy/` says about watching holds together: files, alerts, stories, runbook, figures."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from clickwise.reference import declared_metrics
from clickwise.testing.prometheus import PrometheusMissingError, find
from clickwise.testing.services import missing
from deploy import generate
from deploy.grafana.dashboards import DASHBOARDS, PAGES
from deploy.prometheus.alerts import MUST_BE_THERE, WATCHDOG, cause_groups
from deploy.prometheus.cases import STORIES
from deploy.prometheus.coming import RESTLESS, SELDOM, START
from deploy.prometheus.objectives import objective_groups
from deploy.prometheus.rule import ADDRESS, RUNBOOK, Alert, Pace

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
GROUPS = (*objective_groups(Pace()), *cause_groups(Pace()))
RULES = [rule for group in GROUPS for rule in group.rules]
ALERTS = [rule for rule in RULES if isinstance(rule, Alert)]
NAMES = {alert.name for alert in ALERTS}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def figures_of(story):
    return {series.partition("{")[0] for series in story.series}


def loaded_rules():
    files = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def test_the_written_files_are_what_the_code_says():
    assert generate.stale() == [], "run `make dashboards`"


def test_a_changed_file_is_stale(tmp_path):
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []

    (tmp_path / "grafana/dashboards/cost.json").write_text("{}")

    assert generate.stale(tmp_path) == ["grafana/dashboards/cost.json"]


def test_no_written_file_is_left_over():
    there = {
        str(path.relative_to(DEPLOY))
        for folder in (
            "prometheus/rules", "prometheus/tests", "grafana/dashboards",
            f"{generate.CHART}/rules", f"{generate.CHART}/dashboards",
        )
        for path in (DEPLOY / folder).iterdir()
    }  # fmt: skip

    assert there == set(generate.files())


def test_the_chart_has_the_rules_and_dashboards_that_prometheus_and_grafana_read():
    chart = DEPLOY / generate.CHART

    for kind, folder in (("rules", "prometheus/rules"), ("dashboards", "grafana/dashboards")):
        there = {path.name: path.read_text() for path in (chart / kind).iterdir()}
        assert there == {path.name: path.read_text() for path in (DEPLOY / folder).iterdir()}


def test_promtool_accepts_the_rules(promtool):
    code, said = run(promtool, "check", "rules", *map(str, DEPLOY.glob("prometheus/rules/*.yml")))

    assert code == 0, said


def test_promtool_finds_every_story_told_right(promtool):
    tests = map(str, DEPLOY.glob("prometheus/tests/*.yml"))

    code, said = run(promtool, "test", "rules", *tests)

    assert code == 0, said


def test_without_an_alert_its_story_is_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    data = yaml.safe_load(rules.read_text())
    for group in data["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] != "ConsumerLag"]
    rules.write_text(yaml.safe_dump(data))

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    assert "ConsumerLag" in said


def test_with_increase_alone_first_losses_are_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    text, changed = re.subn(
        r"\(max_over_time\(\S+ unless (?:.*\n)+? +or (?=increase)", "", rules.read_text()
    )
    assert changed == 10
    rules.write_text(text)

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    for name in (
        "ArchiveLost", "EntriesDropped", "PublishFails", "GateRefuses", "MixedVectors",
        "StreamStopped", "TextsRefused",
    ):  # fmt: skip
        assert name in said


def test_without_a_look_at_who_was_there_gaps_of_prometheus_are_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    text, changed = re.subn(
        r"\n +and \(count_over_time\(.*\n +or count_over_time\(.*\)(?=\)\n)", "", rules.read_text()
    )
    assert changed == 10
    rules.write_text(text)

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    for name in (
        "ArchiveLost", "EntriesDropped", "PublishFails", "MixedVectors", "StreamStopped",
        "TextsRefused",
    ):  # fmt: skip
        assert name in said


def test_without_a_young_process_what_it_counted_at_once_is_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    text, changed = re.subn(rf"(?<=max_over_time\({START})(.*) > time\(\)", r"\1 > 1e9 + time()",
                            rules.read_text())  # fmt: skip
    assert changed == 10
    rules.write_text(text)

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    for name in ("ArchiveLost", "MixedVectors"):
        assert name in said


def test_with_open_alone_a_model_that_hangs_is_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    half_open = "max(clickwise_text_breaker_state) >= 1"
    assert half_open in rules.read_text()
    rules.write_text(rules.read_text().replace(half_open, half_open.replace(">= 1", "== 2")))

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    assert "TextsBreakerOpen" in said


def test_without_a_look_at_who_comes_and_goes_its_stories_are_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    text = rules.read_text()
    assert text.count(f">= {RESTLESS}") == 3
    rules.write_text(text.replace(f">= {RESTLESS}", ">= 1e9"))

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    for name in ("ServingDown", "StreamDown", "TargetDown"):
        assert name in said


def test_by_restlessness_alone_who_was_started_anew_is_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    text = rules.read_text()
    assert text.count(f"< {SELDOM}") == 2
    rules.write_text(text.replace(f"< {SELDOM}", "< 2"))

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    for name in ("ServingDown", "StreamDown"):
        assert name in said


def test_without_a_memory_of_who_is_away_its_stories_are_told_wrong(promtool, tmp_path):
    generate.write(tmp_path)
    rules = tmp_path / "prometheus/rules/alerts.yml"
    text, changed = re.subn(
        r"max_over_time\((clickwise_archive_complete_timestamp_seconds\S*)\[7d\](.*?)\)", r"\1\2",
        rules.read_text().replace(" or vector(0)", ""),
    )  # fmt: skip
    assert changed == 2
    rules.write_text(text)

    code, said = run(promtool, "test", "rules", str(tmp_path / "prometheus/tests/alerts.yml"))

    assert code == 1
    for name in ("ArchiveBehind", "JobMissing", "ServingDown", "StreamDown"):
        assert name in said


def test_jobs_that_must_be_there_are_scraped():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())

    assert set(MUST_BE_THERE) <= {job["job_name"] for job in config["scrape_configs"]}


def test_every_alert_fires_in_one_story_and_is_silent_in_another_about_its_figures():
    assert {name for story in STORIES for name in story.fires} == NAMES - {WATCHDOG}

    for name in NAMES - {WATCHDOG}:
        loud = [story for story in STORIES if name in story.fires]
        figures = {figure for story in loud for figure in figures_of(story)}
        silent = [story for story in STORIES if name not in story.fires]
        assert any(figures & figures_of(story) for story in silent), name


def test_one_alert_fires_in_every_story_about_causes():
    tests = yaml.safe_load((DEPLOY / "prometheus/tests/alerts.yml").read_text())["tests"]

    for story in tests:
        (asked,) = story["promql_expr_test"]
        assert {"labels": f'{{alertname="{WATCHDOG}"}}', "value": 1} in asked["exp_samples"]


def test_promtool_accepts_the_configuration(promtool, tmp_path):
    text = (DEPLOY / "prometheus/prometheus.yml").read_text()
    (tmp_path / "rules").symlink_to(DEPLOY / "prometheus/rules")
    (tmp_path / "key").write_text("0123456789abcdef")
    (tmp_path / "prometheus.yml").write_text(
        text.replace("/run/secrets/metrics-key", str(tmp_path / "key"))
    )

    code, said = run(promtool, "check", "config", str(tmp_path / "prometheus.yml"))

    assert code == 0, said
    assert "2 rule files found" in said


def test_amtool_accepts_the_receivers():
    try:
        amtool = find("amtool")
    except PrometheusMissingError as error:
        missing(str(error))

    code, said = run(amtool, "check-config", str(DEPLOY / "alertmanager/alertmanager.yml"))

    assert code == 0, said


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=page"], "pages"),
        (["severity=ticket"], "tickets"),
        (["severity=none", f"alertname={WATCHDOG}"], "watchdog"),
    ],
)
def test_each_severity_goes_to_its_receiver(labels, receiver):
    try:
        amtool = find("amtool")
    except PrometheusMissingError as error:
        missing(str(error))

    code, said = run(
        amtool, "config", "routes", "test",
        f"--config.file={DEPLOY / 'alertmanager/alertmanager.yml'}", *labels,
    )  # fmt: skip

    assert code == 0, said
    assert said.splitlines()[0] == receiver


def test_inhibitions_name_alerts_that_exist():
    config = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())

    text = json.dumps(config["inhibit_rules"])
    named = set(re.findall(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+", text))
    assert named
    assert named <= NAMES


def test_no_secret_is_in_the_files_and_receivers_read_theirs_from_files():
    config = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())

    for receiver in config["receivers"]:
        for kind, settings in receiver.items():
            for one in settings if kind != "name" else []:
                assert any(key.endswith("_file") for key in one)
                assert not {"api_url", "routing_key", "service_key", "url"} & one.keys()


def test_every_alert_has_its_section_of_the_runbook_and_every_section_its_alert():
    lines = (ROOT / RUNBOOK).read_text().splitlines()
    sections = [line.removeprefix("## ") for line in lines if line.startswith("## ")]

    assert len(sections) == len(set(sections))
    assert set(sections) == NAMES


def test_every_section_of_the_runbook_says_the_same_four_things():
    text = (ROOT / RUNBOOK).read_text()

    for section in text.split("\n## ")[1:]:
        said = re.findall(r"^- \*\*(.+?):\*\* \S", section, re.MULTILINE)
        assert said == ["Readers notice", "Look first", "Do", "It ends"], section


def section(name):
    return (ROOT / RUNBOOK).read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def in_the_code(pattern):
    files = [
        path for part in ("clickwise", "serving", "streams") for path in (ROOT / part).rglob("*.py")
    ]
    return {name for path in files for name in re.findall(pattern, path.read_text())}


def test_the_runbook_knows_every_queue_that_lets_entries_go():
    queues = in_the_code(r'dropped\.labels\("(\w+)"\)')

    assert {"spans", "shadow", "exposures"} <= queues
    assert queues <= set(re.findall(r"`(\w+)`", section("EntriesDropped")))


def test_the_runbook_knows_every_topic_that_a_message_may_not_reach():
    named = in_the_code(r'published\.labels\(([A-Z]+)\.name, "failed"\)')
    by_doors = in_the_code(r"_Buffer\(settings, queue=([A-Z]+)\.name")
    (readers,) = re.findall(r"Readers notice:\*\* (.*)", section("PublishFails"))

    assert {one.lower() for one in named | by_doors} == set(re.findall(r"`(\w+)`", readers))


def test_every_written_alert_links_to_its_section():
    alerts = [rule for rule in loaded_rules() if "alert" in rule]

    assert {rule["alert"] for rule in alerts} == NAMES
    for rule in alerts:
        anchor = rule["annotations"]["runbook_url"].removeprefix(f"{ADDRESS}#")
        assert anchor == rule["alert"].lower()
        assert rule["annotations"]["summary"]
        if rule["alert"] == WATCHDOG:
            assert rule["labels"]["severity"] == "none"
        else:
            assert rule["labels"]["severity"] in {"page", "ticket"}


def test_what_links_begin_with_is_no_label_of_an_alert_that_is_told():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())

    (label,) = config["global"]["external_labels"]
    assert f"{{{{ $externalLabels.{label} }}}}" == ADDRESS
    assert {"action": "labeldrop", "regex": label} in config["alerting"]["alert_relabel_configs"]


def declared_series():
    """Names as Prometheus has them."""
    names = set()
    for metric in declared_metrics():
        description = next(iter(metric.describe()))
        name = description.name
        if description.type == "counter":
            names.add(f"{name}_total")
        elif description.type == "histogram":
            names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
        else:
            names.add(name)
    return names


def asked():
    """Every expression, by where it stands."""
    for name, page in PAGES.items():
        for row in page.ROWS:
            for panel in row.panels:
                for query in panel.queries:
                    yield f"{name}: {panel.title}", query.expr
    for rule in RULES:
        yield rule.name, rule.expr


def test_every_figure_that_is_asked_for_is_declared():
    declared, recorded = declared_series(), {rule.name for rule in RULES}

    for where, expr in asked():
        text = re.sub(r'"[^"]*"', '""', expr)
        for name in re.findall(r"\bclickwise:[a-zA-Z0-9_:]+", text):
            assert name in recorded, where
        for name in re.findall(r"\bclickwise_[a-z0-9_]+", text):
            assert name in declared, where


def test_every_figure_is_seen_on_a_dashboard():
    text = "\n".join(expr for where, expr in asked() if ":" in where)

    unseen = {
        next(iter(metric.describe())).name
        for metric in declared_metrics()
        if not re.search(rf"\b{next(iter(metric.describe())).name}(_|\b)", text)
    }

    assert not unseen


def test_dashboards_have_panels_with_titles_units_and_places_of_their_own():
    uids = set()
    for make in DASHBOARDS.values():
        board = json.loads(make())
        uids.add(board["uid"])
        panels = [one for one in board["panels"] if one["type"] != "row"]
        assert len({one["id"] for one in board["panels"]}) == len(board["panels"])
        places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels]
        assert len(set(places)) == len(places)
        for panel in panels:
            assert panel["title"]
            assert panel["targets"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert all(target["expr"] for target in panel["targets"])
    assert len(uids) == len(DASHBOARDS)


def test_grafana_is_told_of_the_folder_and_of_prometheus():
    folder = DEPLOY / "grafana/provisioning"
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards/clickwise.yml").read_text())["providers"]

    assert {one["type"] for one in sources} == {"prometheus", "alertmanager"}
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


def test_at_a_pace_windows_are_shorter_and_names_the_same():
    fast = [rule for group in objective_groups(Pace(speed=60)) for rule in group.rules]
    slow = [rule for group in objective_groups(Pace()) for rule in group.rules]

    assert [rule.name for rule in fast] == [rule.name for rule in slow]
    assert Pace(speed=60)("1h") == "60s"
    assert Pace(speed=60)("1m") == "2s"
    assert Pace()("1h") == "1h"
