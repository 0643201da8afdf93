"""The Dockerfile: small targets, no root, pinned, and true to the program."""

import re
import subprocess
import sys
import tomllib

import pytest

from deploy.dependencies import requirements
from tests.deploy.files import DEPLOY, ROOT, dockerfile, refusal, settings_of

TARGETS = ("stream", "serve", "train")
FILE = dockerfile()


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_runs_a_command_of_the_program(target):
    assert FILE.words(target, "ENTRYPOINT") == ["clickwise"]

    assert not refusal(FILE.words(target, "CMD"))


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_asks_its_health_where_it_listens(target):
    settings = settings_of(FILE.environment(target))
    port = {
        "stream": settings.stream_metrics_port,
        "serve": settings.port,
        "train": settings.train_metrics_port,
    }[target]

    name, address = FILE.words(target, "HEALTHCHECK")

    assert name == "healthy"
    assert f":{port}/" in address
    assert FILE.last(target, "EXPOSE") == str(port)


@pytest.mark.parametrize("target", TARGETS)
def test_nobody_is_root(target):
    assert FILE.last(target, "USER") == "${UID}:${UID}"

    (uid,) = [rest for stage in FILE.line(target) for rest in stage.all("ARG") if "UID" in rest]
    assert int(uid.partition("=")[2]) >= 1_000


def test_every_base_is_pinned_or_a_stage():
    image = FILE.arguments["PYTHON_IMAGE"]
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image)

    for stage in FILE.stages.values():
        base = stage.base.replace("${VARIANT}", FILE.arguments["VARIANT"])
        assert base == "${PYTHON_IMAGE}" or base in FILE.stages


@pytest.mark.parametrize("variant", ["cpu", "cuda"])
def test_every_variant_has_its_stage(variant):
    for stage in FILE.stages.values():
        if "${VARIANT}" in stage.base:
            assert stage.base.replace("${VARIANT}", variant) in FILE.stages


def test_training_is_in_one_target_alone():
    copied = {target: FILE.stages[target].all("COPY") for target in TARGETS}

    assert "--from=training-installed" in copied["train"][0]
    for target in ("stream", "serve"):
        assert "--from=serving-installed" in copied[target][0]


def test_the_python_of_the_paths_is_that_of_the_base():
    version = re.match(r"python:(3\.\d+)", FILE.arguments["PYTHON_IMAGE"])[1]

    paths = FILE.environment("serve")["LD_LIBRARY_PATH"].split(":")

    assert all(f"/python{version}/" in path for path in paths)


def test_the_context_holds_what_is_built_and_nothing_else():
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    code = {one.rstrip("*") for one in packages["packages"]["find"]["include"]}

    assert "*" in lines
    assert all((ROOT / path).exists() for path in let_in)
    for stage in FILE.stages.values():
        for rest in stage.all("COPY"):
            words = [word for word in rest.split() if not word.startswith("--")]
            if "--from=" not in rest and words[0] != ".":
                assert set(words[:-1]) <= let_in
    assert let_in - code == {
        "deploy/dependencies.py", "deploy/healthy.py", "pyproject.toml", "constraints.txt",
        "README.md", "LICENSE",
    }  # fmt: skip


def test_what_settings_alone_switch_on_is_installed():
    (extras,) = [
        rest.partition("=")[2]
        for rest in FILE.stages["serving-cpu"].all("ARG")
        if rest.startswith("EXTRAS=")
    ]

    wanted = requirements(ROOT / "pyproject.toml", extras.split(","))

    assert {"aiokafka", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= {*wanted}


def test_dependencies_are_those_of_the_project_and_of_the_extras_asked_for():
    done = subprocess.run(
        [sys.executable, DEPLOY / "dependencies.py", ROOT / "pyproject.toml", "kafka"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    wanted = done.stdout.splitlines()
    assert {"granian", "faust-streaming", "psycopg[binary]"} <= set(wanted)
    assert not {"torch", "pytest"} & set(wanted)
