"""Helm, as `make services` builds it: what the chart's files become."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from clickwise.testing.services import missing
from tests.deploy.files import DEPLOY, ROOT

CHART = DEPLOY / "helm" / "clickwise"
GIVEN = {
    "settings.CLICKWISE_KAFKA_BOOTSTRAP": "kafka-0:9092,kafka-1:9092",
    "settings.CLICKWISE_QDRANT_URL": "http://qdrant:6333",
}


class Helm:
    """The command, on this chart."""

    def __init__(self, binary):
        self._binary = binary

    def run(self, *arguments, **values):
        sets = [
            part
            for name, value in {**GIVEN, **values}.items()
            if value is not None
            for part in ("--set-string" if name.startswith("settings.") else "--set",
                         f"{name}={value}".replace(",", "\\,"))
        ]  # fmt: skip
        return subprocess.run(
            [self._binary, *arguments, *sets],
            capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip

    def lint(self):
        return self.run("lint", "--strict", str(CHART))

    def template(self, version="1.37.0", **values):
        """The objects of a release called `site`, in a list; or the reason why there are none."""
        done = self.run(
            "template", "site", str(CHART), "--namespace", "shop", "--kube-version", version,
            **values,
        )  # fmt: skip
        if done.returncode:
            return done.stderr
        return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(scope="session")
def helm():
    version = re.search(r"^helm=(\S+)$", (ROOT / ".ci" / "helm").read_text(), re.MULTILINE)[1]
    built = ROOT / ".cache" / f"helm-{version}" / "helm"
    binary = str(built) if built.exists() else shutil.which("helm")
    if binary is None:
        missing(f"helm is not installed: .ci/helm builds {version}, and make services runs that")
    return Helm(binary)
