"""Runs and models in MLflow: a file in the home, or the server that is set.

Each training is a run of the experiment `clickwise`: its parameters, a curve for each figure of
an epoch, and as artefacts the bundle, the data sheet and plots. A bundle that passed or failed the
gate is a version of the registered model `clickwise`; aliases name the roles (candidate, live,
previous). The database says which model serves; the registry follows it.

MLflow takes seconds to import and tells its maker who uses it; here it is imported at first use
and told to be quiet.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from clickwise.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as Entry

BUNDLE = "bundle"  # folder of the bundle among a run's artefacts
CARD = "card.md"  # the model card in it
_VERSION, _VECTORS, _OUTCOME, _QUALITY, _PRECISION = (
    "bundle", "vectors", "gate", "quality", "precision",
)  # fmt: skip
_PARENT = "mlflow.parentRunId"  # MLflow's own tag
_MOST = 500


class RegisteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the registered model, newest first in lists.

    `number` counts up in the registry; `version` is the bundle's. `gate` is `passed` or the
    condition that failed.
    """

    number: int
    version: str
    vectors: str
    created: datetime
    gate: str
    quality: float | None
    precision: str
    aliases: tuple[str, ...]
    run: str
    source: str


class Registry:
    """The registry at an MLflow URL; `artifacts` is where a local one keeps files, `name` that of
    the experiment and of the registered model.
    """

    def __init__(self, url: str, *, artifacts: Path | None, name: str = "clickwise") -> None:
        self._url = url
        self._name = name
        self._artifacts = artifacts

    @contextmanager
    def run(
        self, name: str, *, tags: Mapping[str, str], within: "Run | None" = None
    ) -> "Iterator[Run]":
        """A run that ends with the block: FINISHED, or FAILED where it raises. MLflow shows it
        below the one that it is `within`.
        """
        parent = {} if within is None else {_PARENT: within.id}
        with translated():
            found = self._client.create_run(
                self._experiment, run_name=name, tags={**tags, **parent}
            )
        run = Run(self._client, found.info.run_id, found.info.artifact_uri)
        try:
            yield run
        except BaseException:
            with translated():
                self._client.set_terminated(run.id, "FAILED")
            raise
        with translated():
            self._client.set_terminated(run.id, "FINISHED")

    def register(
        self,
        run: "Run",
        *,
        version: str,
        vectors: str,
        gate: str,
        quality: float | None,
        precision: str = "fp32",
    ) -> RegisteredModel:
        """The bundle among the run's artefacts as a new version, named `candidate` if it passed."""
        tags = {
            _VERSION: version,
            _VECTORS: vectors,
            _OUTCOME: gate,
            _PRECISION: precision,
            **({} if quality is None else {_QUALITY: repr(quality)}),
        }
        with translated():
            if not self._client.search_registered_models(f"name='{self._name}'"):
                self._client.create_registered_model(self._name)
            made = self._client.create_model_version(
                self._name, source=f"{run.artifacts}/{BUNDLE}", run_id=run.id, tags=tags
            )
        if gate == "passed":
            self.name("candidate", made.version)
        return self._record(made, self._aliases())

    def name(self, alias: str, number: int | str | None) -> None:
        """Let an alias name this version, or nothing."""
        with translated():
            if number is None:
                self._client.delete_registered_model_alias(self._name, alias)
            else:
                self._client.set_registered_model_alias(self._name, alias, str(number))

    def follow(self, roles: Mapping[str, str]) -> None:
        """Let aliases name what the site's roles name (bundle versions); what is not registered,
        such as day 0, has no alias.
        """
        numbers = {one.version: one.number for one in reversed(self.models())}
        if not numbers:
            return
        for alias, version in roles.items():
            self.name(alias, numbers.get(version))

    def aliased(self) -> dict[str, tuple[str, ...]]:
        """Bundle versions that an alias names, with their aliases."""
        if self._artifacts is not None and not self._artifacts.exists():
            return {}
        with translated():
            if not self._client.search_registered_models(f"name='{self._name}'"):
                return {}
            return {
                self._client.get_model_version(self._name, number).tags.get(_VERSION, ""): tuple(
                    aliases
                )
                for number, aliases in self._aliases().items()
            }

    def models(self) -> Sequence[RegisteredModel]:
        """All versions, newest first."""
        if self._artifacts is not None and not self._artifacts.exists():
            return []  # nothing was trained here yet: no need to wake MLflow
        with translated():
            found = self._client.search_model_versions(
                f"name='{self._name}'", max_results=_MOST, order_by=["version_number DESC"]
            )
            aliases = self._aliases() if found else {}
        return [self._record(one, aliases) for one in found]

    def model(self, wanted: str) -> RegisteredModel:
        """By number, alias, or bundle version (its newest registration).

        Raises:
            NotFoundError: there is none.
        """
        models = self.models()
        for one in models:
            if wanted in {str(one.number), one.version, *one.aliases}:
                return one
        if not models:
            raise NotFoundError(f"no model {wanted!r}: none was trained yet")
        known = ", ".join(one.version for one in models[:3])
        raise NotFoundError(f"no model {wanted!r} in the registry (newest: {known})")

    def params(self, model: RegisteredModel) -> dict[str, str]:
        """Parameters of its run."""
        with translated():
            return dict(self._client.get_run(model.run).data.params)

    def metrics(self, model: RegisteredModel) -> dict[str, float]:
        """The last value of each figure of its run."""
        with translated():
            return dict(self._client.get_run(model.run).data.metrics)

    def text(self, model: RegisteredModel, name: str) -> str | None:
        """A text among its run's artefacts; None where there is none of that name."""
        with translated(), tempfile.TemporaryDirectory() as folder:
            parent = str(Path(name).parent)
            there = self._client.list_artifacts(model.run, None if parent == "." else parent)
            if name not in {one.path for one in there}:
                return None
            path = Path(self._client.download_artifacts(model.run, name, folder))
            return path.read_text(encoding="utf-8")

    @cached_property
    def _client(self) -> "MlflowClient":
        if self._artifacts is not None:
            self._artifacts.mkdir(parents=True, exist_ok=True)
        return _quiet_client(self._url)

    @cached_property
    def _experiment(self) -> str:
        with translated():
            found = self._client.get_experiment_by_name(self._name)
            if found is not None:
                return str(found.experiment_id)
            location = None if self._artifacts is None else str(self._artifacts.absolute())
            return str(self._client.create_experiment(self._name, artifact_location=location))

    def _aliases(self) -> dict[str, list[str]]:
        """Aliases by version number."""
        found: dict[str, list[str]] = {}
        aliases = self._client.get_registered_model(self._name).aliases
        for alias, number in sorted(aliases.items()):
            found.setdefault(str(number), []).append(alias)
        return found

    def _record(self, entry: "Entry", aliases: Mapping[str, Sequence[str]]) -> RegisteredModel:
        tags = entry.tags
        quality = tags.get(_QUALITY)
        return RegisteredModel(
            number=int(entry.version),
            version=tags.get(_VERSION, ""),
            vectors=tags.get(_VECTORS, ""),
            created=datetime.fromtimestamp(entry.creation_timestamp / 1e3, UTC),
            gate=tags.get(_OUTCOME, ""),
            quality=None if quality is None else float(quality),
            precision=tags.get(_PRECISION, "fp32"),
            aliases=tuple(aliases.get(str(entry.version), ())),
            run=entry.run_id or "",
            source=entry.source or "",
        )


class Run:
    """A training as MLflow sees it."""

    def __init__(self, client: "MlflowClient", run: str, artifacts: str) -> None:
        self._client = client
        self.id = run
        self.artifacts = artifacts

    def params(self, values: Mapping[str, object]) -> None:
        """Note parameters, once each."""
        with translated():
            for name, value in values.items():
                self._client.log_param(self.id, name, value)

    def figures(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Note figures; those of one name make a curve over steps."""
        with translated():
            for name, value in values.items():
                self._client.log_metric(self.id, name, value, step=step)

    def text(self, name: str, content: str) -> None:
        """Keep a text as an artefact."""
        with translated():
            self._client.log_text(self.id, content, name)

    def file(self, path: Path, folder: str = "") -> None:
        """Keep a file, or all files of a folder, as artefacts."""
        with translated():
            if path.is_dir():
                self._client.log_artifacts(self.id, str(path), folder or None)
            else:
                self._client.log_artifact(self.id, str(path), folder or None)


@contextmanager
def translated() -> "Iterator[None]":
    """MLflow's faults as ours.

    Raises:
        UnavailableError: the registry does not answer, or refuses.
    """
    from mlflow.exceptions import MlflowException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its own dependencies
            yield
    except MlflowException as error:
        reason = str(error).splitlines()[0][:200]
        raise UnavailableError(f"MLflow: {reason}; see CLICKWISE_MLFLOW_URL") from error
    except OSError as error:
        raise UnavailableError(f"MLflow: {error}; see CLICKWISE_MLFLOW_URL") from error


def _quiet_client(url: str) -> "MlflowClient":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        # Imported, it sets its own level.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=url, registry_uri=url)
