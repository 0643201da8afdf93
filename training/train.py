"""A training from data to weights: epochs, with checkpoints that a killed run goes on from.

Shape suffixes: N = items that the network knows.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import msgspec
import numpy as np
import torch

from clickwise.errors import ConfigurationError
from clickwise.types import item_key
from clickwise.vectors.port import Int64Array
from training.checkpoint import load_checkpoint, save_checkpoint
from training.data import Dataset
from training.distributed import ALONE, World, average_gradients
from training.fit import Epoch, FitConfig, FitState, fit
from training.lessons import Lessons, lessons_of
from training.model import ModelConfig
from training.network import Network
from training.weights import warm_start

_CHECKPOINT, _EPOCHS = "checkpoint.pt", "epochs.json"


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What to train, and how. A training that takes longer than `budget_seconds` ends with the
    epoch that it is at, and with the best weights so far.
    """

    model: ModelConfig
    course: FitConfig
    device: str = "cpu"
    checkpoint_every: int = 5  # epochs
    budget_seconds: float = float("inf")


@dataclass(frozen=True, slots=True)
class Fitted:
    """Trained weights, on the device. `epochs` are all of them, also those before a restart;
    `quality` is the best NDCG@10 on the validation part, None without one.
    """

    network: Network
    lessons: Lessons
    epochs: tuple[Epoch, ...]
    quality: float | None

    @property
    def seconds(self) -> float:
        """Of all epochs."""
        return sum(epoch.seconds for epoch in self.epochs)

    def ids(self, data: Dataset) -> list[str]:
        """Ids of the network's items, in its order."""
        return [data.items.ids[place] for place in self.lessons.known_N.tolist()]


def use_threads(number: int) -> None:
    """CPU threads of all that torch does in this process."""
    torch.set_num_threads(number)


def with_values(values: Mapping[str, str | int | float]) -> tuple[ModelConfig, FitConfig]:
    """The defaults with these fields of either changed; no name is in both.

    Raises:
        ConfigurationError: a value of another type.
    """
    sizes = {field.name for field in fields(ModelConfig)}
    model = {name: value for name, value in values.items() if name in sizes}
    course = {name: value for name, value in values.items() if name not in sizes}
    try:
        return (
            msgspec.convert({**asdict(ModelConfig()), **model}, ModelConfig),
            msgspec.convert({**asdict(FitConfig()), **course}, FitConfig),
        )
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"these sizes and rates cannot be used: {error}") from error


def fitted(
    data: Dataset,
    options: TrainOptions,
    *,
    work: Path,
    watch: Callable[[Epoch], None],
    base: Path | None = None,
    learn_from: float | None = None,
    world: World = ALONE,
) -> Fitted:
    """Train on `data`; goes on from the checkpoint in the folder `work` where there is one.

    The caller sees to it that a folder belongs to one training. `base` is the folder of a bundle
    to start from; `learn_from` the time of the first event to learn (see `fit`).

    Raises:
        ValueError: nothing to learn from.
        BundleError: the weights at `base` cannot be used.
    """
    course = options.course
    lessons = lessons_of(
        data, seed=course.seed, device=options.device, world=world, learn_from=learn_from
    )
    torch.manual_seed(course.seed)
    network = Network(
        options.model,
        items=len(lessons.known_N),
        text_ID=lessons.text_ND,
        pictures_IP=lessons.pictures_NP,
    )
    if base is not None:
        warm_start(network, _keys(data, lessons.known_N), base)
    network = network.to(options.device)
    average_gradients(network, world)
    state = FitState(network, course)
    epochs = _resumed(work, network, state)
    spent = sum(epoch.seconds for epoch in epochs)
    for epoch in fit(
        network, lessons.histories, lessons.validation, course, state=state, learn_from=learn_from
    ):
        epochs.append(epoch)
        spent += epoch.seconds
        if world.writes:
            watch(epoch)
            last = epoch.stop or epoch.number == course.epochs
            if last or epoch.number % options.checkpoint_every == 0:
                _save(work, network, state, epochs)
        if spent > options.budget_seconds and world.size == 1:
            state.restore(network)
            break
    quality = state.best if state.best_weights is not None else None
    return Fitted(network.eval(), lessons, tuple(epochs), quality)


def _keys(data: Dataset, known_N: Int64Array) -> Int64Array:
    return np.array([item_key(data.items.ids[place]) for place in known_N.tolist()], np.int64)


def _resumed(work: Path, network: Network, state: FitState) -> list[Epoch]:
    """The epochs that were done already; network and state are as after the last of them."""
    if not load_checkpoint(work / _CHECKPOINT, network, state):
        return []
    noted = msgspec.json.decode((work / _EPOCHS).read_bytes(), type=list[Epoch])
    return [epoch for epoch in noted if epoch.number <= state.epoch]


def _save(work: Path, network: Network, state: FitState, epochs: list[Epoch]) -> None:
    """The epochs first: those that a checkpoint does not know yet are dropped when it is read."""
    work.mkdir(parents=True, exist_ok=True)
    part = work / f"{_EPOCHS}.part"
    part.write_bytes(msgspec.json.encode(epochs))
    part.replace(work / _EPOCHS)
    save_checkpoint(work / _CHECKPOINT, network, state)
