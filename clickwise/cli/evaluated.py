"""Ours as `clickwise evaluate` lives it: trained on the training part, then served."""

from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from clickwise.cli.growing import GrowingSystem, Trainings, cost_table, taught_system
from clickwise.cli.teaching import requests_after
from clickwise.cli.wiring import rules_of
from clickwise.settings import Settings
from training.candidate import Trainer
from training.devices import auto_device
from training.evaluation.candidates import INCREMENTAL, OURS, quick_values, usual_values
from training.evaluation.protocols import Request, lived
from training.evaluation.report import Report
from training.export import Site
from training.fit import Epoch
from training.train import TrainOptions, with_values


def lived_as_served(settings: Settings, request: Request) -> Report:
    """The protocol `lived`, with ours lived through the rules that serve.

    Raises:
        ConfigurationError: the dataset has no times, or is too short.
    """
    with closing(Trainings(partial(_trainer, settings, request))) as trainings:
        report = lived(
            request,
            served={
                OURS: lambda: taught_system(trainings, settings=settings),
                INCREMENTAL: lambda: GrowingSystem(trainings, settings=settings),
            },
        )
        if INCREMENTAL not in request.systems:
            return report
        costs = cost_table(trainings.done)
        return msgspec.structs.replace(report, tables=(*report.tables, costs))


def _trainer(settings: Settings, request: Request, folder: Path) -> Trainer:
    """The text vectors are the data set's own, whatever encoder they are of."""
    text_ID, pictures = request.data.items.text_ID, request.data.items.pictures
    text_dimension = 0 if text_ID is None else int(text_ID.shape[1])
    quick = quick_values(OURS) if request.quick else {}
    values = {**usual_values(OURS, request.data), **quick, "seed": request.seed}
    model, course = with_values(values)

    def watch(epoch: Epoch) -> None:
        request.progress(f"{OURS}: epoch {epoch.number}", epoch.number / course.epochs)

    return Trainer(
        Site(
            encoder="text-of-the-set",
            text_dimension=text_dimension,
            rules=rules_of(settings),
            pictures=pictures.model if pictures is not None else "",
        ),
        TrainOptions(model, course, device=auto_device("auto")),
        folder,
        watch,
        requests=partial(requests_after, settings=settings),
    )
