"""A real Prometheus and a real Alertmanager for tests, on loopback, with the given files.

    with AlertmanagerServer(folder, config=text) as manager:
        with PrometheusServer(folder, config=text, rules={"rules/a.yml": text}) as server:
            server.query("up")        # [Sample(labels={...}, value=1.0)]
        manager.firing()              # alerts that it holds, by their labels

Debian and Ubuntu have them as `prometheus` and `prometheus-alertmanager`.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec

from clickwise.testing.kafka import free_ports
from clickwise.testing.processes import STOP_SECONDS, wait_until

START_SECONDS = 60.0
_ALERTMANAGER = ("prometheus-alertmanager", "alertmanager")  # Debian's name, and upstream's


class PrometheusMissingError(RuntimeError):
    """Prometheus, its tool or Alertmanager is not installed; the message says what to do."""


class Sample(msgspec.Struct, frozen=True):
    """One series of an answer."""

    labels: dict[str, str]
    value: float


class HeldAlert(msgspec.Struct, frozen=True):
    """An alert that Alertmanager holds; `inhibited`: another one keeps it back."""

    labels: dict[str, str]
    annotations: dict[str, str]
    inhibited: bool

    @property
    def name(self) -> str:
        """Which alert it is."""
        return self.labels["alertname"]


def find(*names: str) -> str:
    """The path of the first of these programs that is installed.

    Raises:
        PrometheusMissingError: none is.
    """
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    raise PrometheusMissingError(
        f"{names[0]} is not installed: install prometheus and prometheus-alertmanager"
        " (Debian, Ubuntu)"
    )


class _Server:
    """One process in a folder of its own; ready once a path of it answers 200."""

    def __init__(self, name: str, folder: Path, files: Mapping[str, str]) -> None:
        self._name = name
        self.folder = folder.resolve()
        self._files = dict(files)
        (self._port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(base_url=self.url, timeout=10.0, trust_env=False)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://{self.address}"

    def command(self) -> list[str]:
        """What is run."""
        raise NotImplementedError

    def start(self) -> None:
        """Write its files, start it and wait until it is ready.

        Raises:
            RuntimeError: it ended or was not ready in time; the message quotes its log.
        """
        for name, text in self._files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        log = self.folder / f"{self._name}.log"
        with log.open("ab") as out:
            self._process = process = subprocess.Popen(  # noqa: S603  # fixed command
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "GOMAXPROCS": "1"},
            )
        try:
            wait_until(
                lambda: self._ready() or process.poll() is not None,
                seconds=START_SECONDS,
                what=f"{self._name} is ready",
            )
        finally:
            if not self._ready():
                self.stop()
                said = log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{self._name} did not start:\n{said}")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _ready(self) -> bool:
        try:
            return self._client.get("/-/ready", timeout=2.0).is_success
        except httpx.HTTPError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._client.close()


class PrometheusServer(_Server):
    """Prometheus with one configuration and its rule files."""

    def __init__(
        self, folder: Path, *, config: str, files: Mapping[str, str] | None = None
    ) -> None:
        """`files`: rule files and the like, by their paths as `config` names them."""
        self._program = find("prometheus")
        super().__init__("prometheus", folder, {"prometheus.yml": config, **(files or {})})

    def command(self) -> list[str]:
        """See _Server."""
        return [
            self._program,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]

    def query(self, expr: str) -> list[Sample]:
        """What an expression gives now.

        Raises:
            ValueError: Prometheus does not accept it; says why.
        """
        answer = self._client.post("/api/v1/query", data={"query": expr}).json()
        if answer["status"] != "success":
            raise ValueError(f"{expr}: {answer['error']}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {one.labels["alertname"] for one in found}


class AlertmanagerServer(_Server):
    """Alertmanager with one configuration."""

    def __init__(self, folder: Path, *, config: str) -> None:
        self._program = find(*_ALERTMANAGER)
        super().__init__("alertmanager", folder, {"alertmanager.yml": config})

    def command(self) -> list[str]:
        """See _Server."""
        return [
            self._program,
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def tell(self, *alerts: Mapping[str, str]) -> None:
        """Alerts that fire from now on, by their labels, as Prometheus would tell them."""
        body = [{"labels": dict(labels)} for labels in alerts]
        self._client.post("/api/v2/alerts", json=body).raise_for_status()

    def held(self) -> list[HeldAlert]:
        """The alerts that it holds now."""
        answer = self._client.get("/api/v2/alerts").json()
        return [
            HeldAlert(one["labels"], one["annotations"], bool(one["status"]["inhibitedBy"]))
            for one in answer
        ]

    def names(self) -> set[str]:
        """Names of the alerts that it holds now."""
        return {one.name for one in self.held()}
