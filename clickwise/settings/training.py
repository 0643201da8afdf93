"""Training, and the gate between a trained model and people."""

from typing import Annotated

from msgspec import Meta

from clickwise.settings.archive import ArchiveSettings


class TrainingSettings(ArchiveSettings, frozen=True, kw_only=True):
    """Bundles, MLflow, trainings, the gate."""

    bundles_url: Annotated[
        str,
        Meta(
            description=(
                "Folder or fsspec URL that trained bundles are copied to, for other machines."
                " Empty: they stay in `home`."
            )
        ),
    ] = ""
    mlflow_url: Annotated[
        str,
        Meta(description="MLflow server of runs and models. Empty: SQLite in `home`."),
    ] = ""
    mlflow_name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{1,100}$",
            description="Experiment and registered model in MLflow.",
        ),
    ] = "clickwise"
    train_threads: Annotated[
        int, Meta(ge=1, le=256, description="CPU threads of a training; serving needs cores too.")
    ] = 1
    train_niceness: Annotated[
        int, Meta(ge=0, le=19, description="Priority of a training: 19 gives way to everything.")
    ] = 10
    train_metrics_port: Annotated[
        int,
        Meta(
            ge=0, le=65_535, description="Where `clickwise train loop` shows /metrics; 0: nowhere."
        ),
    ] = 0
    gate_min_gain: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description=(
                "NDCG@10 on later events that a new model must gain, with its whole interval."
                " 0: any gain that is sure."
            ),
        ),
    ] = 0.0
    gate_max_slice_drop: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of its NDCG@10 that a slice (new users, a language ...) may lose.",
        ),
    ] = 0.1
    gate_min_coverage_share: Annotated[
        float,
        Meta(ge=0, le=1, description="Least share of the live model's coverage of the catalogue."),
    ] = 0.5
    gate_max_latency_ratio: Annotated[
        float,
        Meta(gt=0, le=100, description="Most time to score a request, to the live model's."),
    ] = 2.0
