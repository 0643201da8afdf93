"""A small live deployment with everything that Prometheus scrapes, under a light load."""

import os
import subprocess
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import yaml

from clickwise.testing.bundles import random_bundle
from clickwise.testing.kafka import free_ports
from clickwise.testing.language_model import LanguageModel
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.prometheus import (
    AlertmanagerServer,
    PrometheusMissingError,
    PrometheusServer,
    find,
)
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from clickwise.testing.services import missing
from deploy.prometheus.alerts import cause_groups
from deploy.prometheus.objectives import objective_groups
from deploy.prometheus.rule import Pace, rules_yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
FAST = Pace(speed=30, lag_messages=20)
# How long an alert may take to come and go on a busy machine; ModelOld needs 120 at this pace.
SECONDS = 300.0
RUNBOOK_URL = "https://wiki.test/clickwise/runbook"
BODY = "The city opened a new tram line on Monday. It has eighteen stops."


@pytest.fixture(scope="session")
def promtool():
    try:
        return find("promtool")
    except PrometheusMissingError as error:
        missing(str(error))


class Deployment:
    """Server, worker, archiver and trainer on real services, watched as `deploy/` says."""

    def __init__(self, folder, kafka, postgres, stack):
        self.folder, self.kafka, self.postgres = folder, kafka, postgres
        self.model = stack.enter_context(LanguageModel())
        self.stream_port, self.archive_port, self.train_port = free_ports(3)
        prefix = f"t{uuid4().hex[:12]}"
        self.environment = {
            **HASHING,
            "CLICKWISE_HOME": str(folder / "home"),
            "CLICKWISE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "CLICKWISE_KAFKA_TOPIC_PREFIX": prefix,
            "CLICKWISE_KAFKA_GROUP": prefix,
            "CLICKWISE_KAFKA_PARTITIONS": "2",
            "CLICKWISE_KAFKA_SESSION_TIMEOUT_SECONDS": "2",
            "CLICKWISE_DATABASE_URL": postgres.create_database(f"observe_{prefix}"),
            "CLICKWISE_DATABASE_TIMEOUT_SECONDS": "1",
            "CLICKWISE_STREAM_METRICS_PORT": str(self.stream_port),
            "CLICKWISE_ARCHIVE_METRICS_PORT": str(self.archive_port),
            "CLICKWISE_ARCHIVE_INTERVAL_SECONDS": "1",
            "CLICKWISE_TRAIN_METRICS_PORT": str(self.train_port),
            "CLICKWISE_EDGE_BUILD_INTERVAL_SECONDS": "1",
            "CLICKWISE_TEXTS": "url",
            "CLICKWISE_TEXTS_URL": self.model.url,
            "CLICKWISE_TEXTS_MODEL": "scripted-1",
            "CLICKWISE_TEXTS_DEADLINE_SECONDS": "0.5",
            "CLICKWISE_LOG_FORMAT": "json",
        }
        self.run("topics", "create")
        self.worker = self.program("stream")
        self.archiver = self.program("archive")
        self.trainer = self.program("train", "loop", "--every", "1s", "--epochs", "1")
        self.site = RunningSite(folder / "home", command="serve", environment=self.environment)

    def program(self, *arguments):
        return Program(
            [*COMMAND, *arguments], environment=self.environment,
            log=self.folder / f"{arguments[0]}.log",
        )  # fmt: skip

    def run(self, *arguments):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env={**inherited, **self.environment, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def bundle(self, version, *, days_old=0):
        return random_bundle(
            self.folder / "made", version, encoder="hashing-64", text_dimension=64, dimension=32,
            created=datetime.now(UTC) - timedelta(days=days_old),
        )  # fmt: skip

    def start(self, stack):
        stack.enter_context(self.worker)
        self.worker.wait_for("partitions assigned")
        stack.enter_context(self.site)
        stack.enter_context(self.archiver)
        load = Load(self)
        stack.enter_context(load)
        watched = {
            "clickwise-serve": self.site.address,
            "clickwise-stream": f"http://127.0.0.1:{self.stream_port}",
            "clickwise-archive": f"http://127.0.0.1:{self.archive_port}",
            "clickwise-train": f"http://127.0.0.1:{self.train_port}",
        }
        self.alertmanager = stack.enter_context(
            AlertmanagerServer(
                self.folder / "alertmanager",
                config=(DEPLOY / "alertmanager/alertmanager.yml").read_text(),
            )
        )
        self.prometheus = stack.enter_context(
            PrometheusServer(
                self.folder / "prometheus",
                config=scraping(watched, self.alertmanager.address),
                files={
                    "rules/objectives.yml": rules_yaml(objective_groups(FAST)),
                    "rules/alerts.yml": rules_yaml(cause_groups(FAST)),
                },
            )
        )


def scraping(watched, alertmanager):
    """The deployment's configuration with this machine's addresses, every other second.

    An answer may take as long: on a busy machine `up` must not come and go.
    """
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] |= {
        "scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s",
        "external_labels": {"runbook": RUNBOOK_URL},
    }  # fmt: skip
    for job in config["scrape_configs"]:
        name = job["job_name"]
        address = watched.get(name, f"http://{alertmanager}").removeprefix("http://")
        job.pop("dns_sd_configs", None)
        job.pop("authorization", None)
        job["static_configs"] = [{"targets": [address]}]
    config["alerting"] |= {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return yaml.safe_dump(config)


class Load:
    """Readers who ask and click, in a thread, whatever the answer."""

    def __init__(self, deployment):
        self._site = deployment.site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._number = 0

    def _run(self):
        with httpx.Client(base_url=self._site.address, timeout=5.0, trust_env=False) as client:
            while not self._stop.wait(0.1):
                with suppress(httpx.HTTPError, KeyError, ValueError):
                    self._turn(client)

    def _turn(self, client):
        """A reader looks, follows a link of the list, dislikes now and then."""
        self._number += 1
        number, user = self._number, f"reader-{self._number % 24}"
        if number % 7 == 0:
            client.get(f"/v1/users/{user}/recommendations", params={"offset": 900})
            client.post("/v1/events", content=b"{")
        shown = client.get(f"/v1/users/{user}/recommendations").json()
        item = shown["items"][0]["item"] if shown.get("items") else f"item-{number % 60}"
        event = {
            "id": f"{number}", "user": user, "item": item, "new_field": 1,
            "type": "dislike" if number % 5 == 0 else "click",
        }  # fmt: skip
        if "request_id" in shown:
            event["request"] = shown["request_id"]
        client.post("/v1/events", json={"events": [event]})
        if number % 20 == 1:  # somebody who was a guest logs in
            client.post(f"/v1/users/{user}/merge", json={"guest": f"guest-{number}"})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10.0)


@pytest.fixture(scope="module")
def live(_kafka_or_reason, _postgres_or_reason, tmp_path_factory):
    """The deployment, with items, a written text, a dead letter, a trial and a training."""
    for service in (_kafka_or_reason, _postgres_or_reason):
        if isinstance(service, str):
            missing(service)
    with ExitStack() as stack:
        try:
            deployment = Deployment(
                tmp_path_factory.mktemp("live"), _kafka_or_reason, _postgres_or_reason, stack
            )
            deployment.start(stack)
        except PrometheusMissingError as error:
            missing(str(error))
        deployment.site.put(
            {
                "id": f"item-{n}", "kind": "news", "title": f"story number {n}",
                "body": BODY if n else f"{BODY} Write to press@example.com.",
                "language": "en", "topics": [("robots", "football", "trams")[n % 3]],
            }
            for n in range(60)
        )  # fmt: skip
        wait_until(lambda: deployment.site.shown_to("zoe"), seconds=SECONDS, what="items in lists")
        stack.enter_context(deployment.trainer)
        yield deployment
