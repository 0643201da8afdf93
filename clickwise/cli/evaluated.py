"""Ours as `clickwise evaluate` lives it: trained in full on the training part, then served."""

from functools import partial
from pathlib import Path

from clickwise.cli.replay import ServedSystem
from clickwise.cli.teaching import requests_after, taught_system
from clickwise.cli.wiring import rules_of
from clickwise.settings import Settings
from training.candidate import Trainer
from training.evaluation.candidates import OURS, quick_values, usual_values
from training.evaluation.protocols import Request
from training.export import Site
from training.fit import Epoch
from training.lessons import auto_device
from training.train import TrainOptions, with_values


def served(settings: Settings, request: Request) -> ServedSystem:
    """The system; its text vectors are the data set's own, whatever encoder they are of."""
    text_ID = request.data.items.text_ID
    text_dimension = 0 if text_ID is None else int(text_ID.shape[1])
    quick = quick_values(OURS) if request.quick else {}
    values = {**usual_values(OURS, request.data), **quick, "seed": request.seed}
    model, course = with_values(values)

    def watch(epoch: Epoch) -> None:
        request.progress(f"{OURS}: epoch {epoch.number}", epoch.number / course.epochs)

    def trainer(folder: Path) -> Trainer:
        return Trainer(
            Site(
                encoder="text-of-the-set", text_dimension=text_dimension, rules=rules_of(settings)
            ),
            TrainOptions(model, course, device=auto_device("auto")),
            folder,
            watch,
            requests=partial(requests_after, settings=settings),
        )

    return taught_system(trainer, settings=settings)
