"""What the commands of `clickwise tune` share: the command line, its course, texts and weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clickwise import logs
from clickwise.bench.report import check_writable
from clickwise.cli import homes
from clickwise.cli.training import Follow
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from clickwise.encoder.weights import EncoderWeights
    from training.tune.course import Course
    from training.tune.parts import Parts
    from training.tune.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneCommand:
    """What the command line says. `held` 0: a tenth; `rate` 0: the method's own."""

    texts: Path
    out: Path = Path()
    test: Path | None = None
    dev: Path | None = None
    held: int = 0
    method: str = "lora"
    rank: int = 16
    matrices: str = "attention"
    augment: str = "none"
    attack: float = 0.0
    attack_steps: int = 1
    optimizer: str = "adamw"
    schedule: str = "cosine"
    rate: float = 0.0
    head_rate: float = 3e-4
    dropout: float = 0.2
    weight_decay: float = 0.01
    smoothing: float = 0.1
    warmup: float = 0.1
    average: float = 0.997
    anchor: float = 1.0
    batch: int = 32
    epochs: int = 4
    patience: int = 3
    tokens: int = 32
    seed: int = 1
    precision: str = "auto"
    json: Path | None = None
    png: Path | None = None


def course_of(command: TuneCommand) -> "Course":
    """The course that the command line says."""
    from training.tune.course import Course, Optimizer, Schedule, bf16_is_fast
    from training.tune.methods import Sizes
    from training.tune.ways import Augmentation, Matrices, Method

    return Course(
        method=Method(command.method),
        sizes=Sizes(rank=command.rank, matrices=Matrices(command.matrices)),
        rate=command.rate,
        head_rate=command.head_rate,
        dropout=command.dropout,
        weight_decay=command.weight_decay,
        warmup=command.warmup,
        optimizer=Optimizer(command.optimizer),
        schedule=Schedule(command.schedule),
        smoothing=command.smoothing,
        attack=command.attack,
        attack_steps=command.attack_steps,
        augmentation=Augmentation(command.augment),
        average=command.average,
        batch=command.batch,
        epochs=command.epochs,
        patience=command.patience,
        max_tokens=command.tokens,
        seed=command.seed,
        bf16=bf16_is_fast() if command.precision == "auto" else command.precision == "bf16",
    )


def weights_of(settings: Settings) -> "EncoderWeights":
    """The weights of the encoder of the settings.

    Raises:
        ConfigurationError: it is none that has weights.
    """
    from clickwise.encoder.sources import find_source

    model = settings.encoder_model
    if model.startswith("hashing:"):
        raise ConfigurationError(
            f"CLICKWISE_ENCODER_MODEL={model} has no weights to tune: expected `default`, a folder"
            " or a Hugging Face id"
        )
    return find_source(model, hub_cache=homes.encoder_folder(settings) / "hub").load()


def begin(settings: Settings, command: TuneCommand) -> None:
    """Logs, and what can be refused at once.

    Raises:
        ConfigurationError: a file of the command cannot be written, or steps of no attack.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    for path in (command.json, command.png):
        if path is not None:
            check_writable(path)
    if command.attack_steps > 1 and not command.attack:
        raise ConfigurationError("--attack-steps needs --attack: how far, such as 0.03")


def read_parts(command: TuneCommand, follow: Follow) -> "Parts":
    """The texts of the command. It loads no torch, which takes many seconds: what is wrong with a
    file is told before.

    Raises:
        ConfigurationError: they cannot be read, or nothing is left to learn from.
    """
    from training.tune.labelled import read_labelled
    from training.tune.parts import parts_of

    follow("reading texts", 0.0)
    train = read_labelled(command.texts)
    test, dev = (
        None if path is None else read_labelled(path, classes=train.classes)
        for path in (command.test, command.dev)
    )
    return parts_of(train, test, dev, held=command.held, seed=command.seed)


def ready(
    weights: "EncoderWeights",
    parts: "Parts",
    course: "Course",
    follow: Follow,
    *,
    cache: Path | None = None,
) -> "Task":
    """The parts as the encoder reads them; `cache` keeps their vectors."""
    from training.tune.task import task_of

    follow("encoding texts as they are", 0.0)
    return task_of(weights, parts, course, cache=cache)
