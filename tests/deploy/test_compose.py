"""The compose file: valid, whole, closed, and true to the program's commands and settings."""

import re

import pytest
import yaml
from compose_spec import PyCompose

from tests.deploy.files import (
    COMPOSE,
    DEPLOY,
    ROOT,
    compose,
    dockerfile,
    environment_of,
    ours,
    refusal,
    settings_of,
    target_of,
)

SERVICES = compose()["services"]
WATCHED = {"prometheus", "alertmanager", "grafana"}


def test_it_is_a_compose_file():
    # Merge keys are YAML's, and done before: the library knows compose alone.
    read = PyCompose.from_yaml(yaml.safe_dump(compose()))

    assert set(read.service_names()) == set(SERVICES)


def test_from_the_top_of_the_repository_it_is_the_same_site():
    top = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

    (included,) = top["include"]
    assert top.keys() == {"name", "include"}
    assert ROOT / included == COMPOSE
    # A project, and with it each volume, is called by its file's folder where no name is given.
    assert top["name"] == COMPOSE.parent.name
    assert "name" not in compose()
    read = PyCompose.from_yaml(yaml.safe_dump({**top, "services": {}}))  # it wants some
    assert read.service_names() == []


def test_everything_that_is_named_is_there():
    whole = compose()

    for service in SERVICES.values():
        assert set(service.get("networks", ())) <= set(whole["networks"])
        assert set(service.get("secrets", ())) <= set(whole["secrets"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            is_secret = source.startswith("./.secrets/")  # written by `make up`
            assert is_secret or source in whole["volumes"] or (DEPLOY / source).exists(), volume


def test_a_service_waits_for_none_that_its_profile_leaves_out():
    for name, service in SERVICES.items():
        for needed in service.get("depends_on", ()):
            profiles = set(SERVICES[needed].get("profiles", ()))
            assert not profiles or profiles <= set(service.get("profiles", ())), (name, needed)


@pytest.mark.parametrize("name", ours())
def test_each_command_is_one_of_the_program(name):
    assert not refusal(SERVICES[name]["command"])


@pytest.mark.parametrize("name", ours())
def test_each_setting_is_known_and_within_its_bounds(name):
    settings = settings_of(environment_of(SERVICES[name]))

    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.qdrant_url == "http://qdrant:6333"


def test_there_are_the_services_that_a_site_needs():
    commands = {name: service["command"] for name, service in ours().items()}

    assert commands["serve"] == ["serve"]
    assert commands["stream"] == ["stream"]
    assert commands["archive"] == ["archive"]
    assert commands["train"][:2] == ["train", "loop"]
    assert {"kafka", "postgres", "qdrant", "mlflow", *WATCHED} <= set(SERVICES)


def test_nothing_serves_before_tables_and_topics_are_made():
    for name in ("serve", "stream", "archive", "train"):
        needed = SERVICES[name]["depends_on"]
        assert needed["migrate"]["condition"] == "service_completed_successfully"
        assert needed["topics"]["condition"] == "service_completed_successfully"


def test_only_loopback_listens():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if target_of(s)])
def test_our_processes_write_to_their_volume_and_tmp_alone(name):
    service = SERVICES[name]

    assert service["read_only"]
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    written = [one for one in service["volumes"] if not one.endswith(":ro")]
    assert [one.partition(":")[2] for one in written] == ["/var/lib/clickwise"]


@pytest.mark.parametrize("name", ours())
def test_files_that_settings_name_are_found_by_each_process(name):
    assert "./files:/etc/clickwise/files:ro" in SERVICES[name]["volumes"]


def test_files_of_a_site_are_not_committed():
    ignored = (DEPLOY / "files" / ".gitignore").read_text().splitlines()

    assert {"*", "!.gitignore"} <= set(ignored)


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if "build" in s])
def test_what_an_image_holds_can_be_said(name):
    file = dockerfile()
    line = {rest for stage in file.stages.values() for rest in stage.all("ARG")}
    defaults = {key: value for key, _, value in (one.partition("=") for one in line)}
    defaults |= file.arguments
    given = {
        key: re.fullmatch(r"\$\{(\w+):-(.*)\}", value).groups()
        for key, value in SERVICES[name]["build"]["args"].items()
    }

    assert given == {key: (key, defaults[key]) for key in given}
    assert {"EXTRAS", "STORES", "VARIANT"} <= set(given)
    assert ("TORCH_INDEX" in given) == (target_of(SERVICES[name]) == "train")


def test_each_image_of_ours_is_built():
    built = {one["image"] for one in SERVICES.values() if "build" in one}

    assert {one["image"] for one in SERVICES.values() if target_of(one)} == built


def test_every_image_is_pinned():
    for service in SERVICES.values():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), service["image"]


def test_no_secret_stands_in_the_file():
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            assert not re.search(r"PASSWORD|KEY|TOKEN|DATABASE_URL", variable), (name, variable)
    assert "password" not in (DEPLOY / "docker-compose.yml").read_text().lower().replace(
        "passwords are in .secrets", ""
    )


def test_who_is_not_ours_gets_no_secret_of_ours():
    for name, service in SERVICES.items():
        if not target_of(service):
            assert ".secrets/clickwise.env" not in service.get("env_file", ()), name


def test_every_service_has_a_bound_of_memory():
    forever = {name for name, one in SERVICES.items() if one["restart"] == "unless-stopped"}

    assert all("mem_limit" in SERVICES[name] for name in forever)


def test_prometheus_asks_services_at_the_ports_where_they_listen():
    watched = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    found = {
        f"{name}:{by_name['port']}"
        for job in watched["scrape_configs"]
        for by_name in job.get("dns_sd_configs", ())
        for name in by_name["names"]
    }
    fixed = {
        target
        for job in watched["scrape_configs"]
        for config in job.get("static_configs", ())
        for target in config["targets"]
        if job["job_name"].startswith("clickwise-")
    }
    asked = {name: int(port) for name, _, port in (one.partition(":") for one in found | fixed)}

    for name, port in asked.items():
        settings = settings_of(environment_of(SERVICES[name]))
        assert port in {
            settings.port, settings.stream_metrics_port, settings.archive_metrics_port,
            settings.train_metrics_port,
        }  # fmt: skip
    assert asked.keys() == {"serve", "stream", "archive", "train"}


def test_who_runs_once_stays_a_target_while_it_is_away():
    watched = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())

    by_name = {job["job_name"] for job in watched["scrape_configs"] if "dns_sd_configs" in job}

    assert by_name == {"clickwise-stream"}  # the one that can be scaled


def test_links_in_alerts_lead_to_a_page_that_is_there_unless_another_is_named():
    prometheus = SERVICES["prometheus"]
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()

    (variable,) = prometheus["environment"]
    _, _, default = prometheus["environment"][variable].strip("${}").partition(":-")
    (port,) = prometheus["ports"]
    folder = next(one for one in prometheus["command"] if "user-assets" in one).partition("=")[2]
    address, _, name = default.partition("/user/")
    assert f"${{{variable}}}" in text
    assert address == f"http://{port.rpartition(':')[0]}"
    assert f"../docs/runbook.md:{folder}/{name}:ro" in prometheus["volumes"]


def test_prometheus_finds_its_key_where_it_looks_for_it():
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()

    (secret,) = SERVICES["prometheus"]["secrets"]
    assert f"credentials_file: /run/secrets/{secret}" in text
