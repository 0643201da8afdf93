"""What the deployment files say, read as data, and what commands and settings of them must keep."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import typer
import yaml

from clickwise.cli.app import app
from clickwise.settings import PREFIX, Settings, load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "docker-compose.yml"
DOCKERFILE = DEPLOY / "Dockerfile"
KEY = "a-key-of-20-letters!"
# What the secrets hold is written at installation: any of these will do to read the rest.
SECRETS = {
    "CLICKWISE_API_KEYS": KEY,
    "CLICKWISE_DATABASE_URL": "postgresql+psycopg://clickwise@postgres/clickwise",
}


def refusal(arguments):
    """Why the command line is none of ours; empty where it is one. Runs nothing."""
    command = typer.main.get_command(app)
    rest = list(arguments)
    try:
        context = command.make_context("clickwise", rest)
        while hasattr(command, "resolve_command"):
            left = [*context._protected_args, *context.args]
            name, command, left = command.resolve_command(context, left)
            context = command.make_context(name, left, parent=context)
    except Exception as error:  # noqa: BLE001  # click's own, which typer does not name
        return f"{' '.join(arguments)}: {type(error).__name__}: {error}"
    return ""


def settings_of(environment) -> Settings:
    """The settings that a process with this environment has; raises where one is not known."""
    given = {name: str(value) for name, value in environment.items() if name.startswith(PREFIX)}
    return load({**SECRETS, **given})


def compose():
    """The compose file, merges done."""
    return yaml.safe_load(COMPOSE.read_text())


@dataclass
class Stage:
    """One stage of the Dockerfile."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word):
        return [rest for name, rest in self.instructions if name == word]

    @property
    def environment(self):
        pairs = (one.partition("=") for rest in self.all("ENV") for one in shlex.split(rest))
        return {name: value for name, _, value in pairs}


class Dockerfile:
    """The stages of the Dockerfile, and what an image of a target has in the end."""

    def __init__(self, text: str) -> None:
        joined = re.sub(r"\\\n", " ", text)
        self.stages: dict[str, Stage] = {}
        self.arguments: dict[str, str] = {}
        stage = None
        for line in joined.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            word, _, rest = line.strip().partition(" ")
            rest = " ".join(rest.split())
            if word == "FROM":
                base, _, name = rest.partition(" AS ")
                stage = self.stages[name] = Stage(name, base)
            elif stage is None:
                name, _, value = rest.partition("=")
                self.arguments[name] = value
            else:
                stage.instructions.append((word, rest))

    def line(self, target):
        """The stages that a target stands on, the first one first."""
        chain = []
        while target in self.stages:
            chain.insert(0, self.stages[target])
            target = self.stages[target].base
        return chain

    def environment(self, target):
        return {k: v for stage in self.line(target) for k, v in stage.environment.items()}

    def last(self, target, word):
        """The last instruction of this name, as its image has it."""
        return [rest for stage in self.line(target) for rest in stage.all(word)][-1]

    def words(self, target, word):
        """The last CMD, ENTRYPOINT or HEALTHCHECK CMD in its list form."""
        return yaml.safe_load(re.search(r"\[.*\]", self.last(target, word)).group())


def dockerfile():
    return Dockerfile(DOCKERFILE.read_text())


def target_of(service):
    """The target that a service of the compose file runs; None where the image is not ours."""
    found = re.fullmatch(r"clickwise-(\w+):[\w.]+", service["image"])
    return found and found[1]


def ours():
    """The services that run `clickwise`, by name."""
    services = compose()["services"]
    return {
        name: one
        for name, one in services.items()
        if target_of(one) and "entrypoint" not in one
    }  # fmt: skip


def environment_of(service):
    """What a service's process finds, before its secrets."""
    return {**dockerfile().environment(target_of(service)), **service.get("environment", {})}
