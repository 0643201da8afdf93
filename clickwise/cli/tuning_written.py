"""What a tuning leaves: encoder, classifier and report in its folder, and figures on the screen."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from clickwise.bench.report import write_json
from clickwise.cli import homes
from clickwise.cli.exits import Exit
from clickwise.cli.options import with_home
from clickwise.cli.output import console, print_table
from clickwise.cli.training import Follow
from clickwise.cli.tuning_course import TuneCommand
from clickwise.cli.tuning_folder import REPORT, made_whole
from clickwise.cli.tuning_runs import figures_of
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.tune.classify import Tuned
    from training.tune.export import Agreement, Served
    from training.tune.report import Scores
    from training.tune.task import Task


class TuneReport(msgspec.Struct, frozen=True, kw_only=True):
    """A tuning: `dev` and `test` of the network as it was tuned, `served` of what answers. Without
    an encoder that can be written (adapter, prefix) the last two are None. `seconds` are the
    processor's, `leaked` the texts taken out because dev or test hold them too.
    """

    method: str
    texts: int
    leaked: int
    epochs: int
    seconds: float
    trained: int
    layer_share: float
    peak_bytes: int
    dev: "Scores"
    test: "Scores | None"
    agreement: "Agreement | None"
    served: "Served | None"


def written(
    settings: Settings, command: TuneCommand, task: "Task", tuned: "Tuned", follow: Follow
) -> TuneReport:
    """Encoder, classifier and report, in the command's folder all at once.

    Raises:
        BundleError: the written encoder is not the one that was tuned, or cannot serve.
        ConfigurationError: the folder cannot be written.
    """
    with made_whole(command.out) as folder:
        return _written(settings, folder, task, tuned, follow)


def _written(
    settings: Settings, folder: Path, task: "Task", tuned: "Tuned", follow: Follow
) -> TuneReport:
    from clickwise.encoder import open_encoder
    from training.tune.classify import casting
    from training.tune.export import checked, plain_weights, write_encoder, write_served_classifier
    from training.tune.memory import peak_bytes
    from training.tune.network import logits
    from training.tune.report import scores_of

    peak = peak_bytes()
    parts, classes = task.parts, task.parts.train.classes
    with casting(tuned.course, tuned.network):
        dev_N = logits(tuned.network, task.dev_rows).argmax(axis=1)
        test_N = logits(tuned.network, task.test_rows).argmax(axis=1) if len(parts.test) else dev_N
    follow("writing the encoder", 0.0)
    weights = plain_weights(task.base, tuned, name=folder.name)
    write_encoder(weights, folder)
    follow("checking it against torch", 0.0)
    agreement = checked(task.base, tuned, folder, parts.dev.texts)
    follow("fitting the classifier that serves", 0.0)
    encoder = open_encoder(
        model=str(folder),
        device="cpu",
        threads=settings.train_threads,
        cache=homes.encoder_folder(settings),
    )
    served = write_served_classifier(folder, encoder, parts, test_N)
    layers = task.base.parameters - task.base.weights.tensors["words"].size
    report = TuneReport(
        method=tuned.course.method.value,
        texts=len(parts.train),
        leaked=parts.leaked,
        epochs=len(tuned.epochs),
        seconds=tuned.seconds,
        trained=tuned.num_trained,
        layer_share=tuned.num_trained / layers,
        peak_bytes=peak,
        dev=scores_of(parts.dev.labels_N, dev_N, classes),
        test=scores_of(parts.test.labels_N, test_N, classes) if len(parts.test) else None,
        agreement=agreement,
        served=served,
    )
    write_json(folder / REPORT, report)
    return report


def figures(report: TuneReport) -> dict[str, float]:
    """What runs are compared by: of dev, test, and each as it serves."""
    served = report.served
    return {
        **figures_of("kept_dev", report.dev),  # dev_macro_f1 is the curve
        **figures_of("test", report.test),
        **({} if served is None else figures_of("served_dev", served.dev)),
        **({} if served is None else figures_of("served_test", served.test)),
        "trained": report.trained,
        "seconds": report.seconds,
        "peak_bytes": report.peak_bytes,
    }


def finish(settings: Settings, command: TuneCommand, report: TuneReport) -> int:
    """Print how well classes are told apart, and write the report where it is asked for."""
    if command.json is not None:
        write_json(command.json, report)
    shown = report.test or report.dev
    print_table(
        ("class", "precision", "recall", "F1", "texts"),
        [
            (one.name, f"{one.precision:.4f}", f"{one.recall:.4f}", f"{one.f1:.4f}",
             str(one.support))
            for one in shown.classes
        ],
        title="on test" if report.test else "on dev",
    )  # fmt: skip
    out = console()
    if report.leaked:
        out.print(Text(f"{report.leaked} texts left out: dev or test hold them too"))
    out.print(
        Text(
            f"{report.method}: accuracy {shown.accuracy:.4f}, macro F1 {shown.macro_f1:.4f};"
            f" {report.trained:,} parameters learned ({100 * report.layer_share:.2f} % of those"
            f" outside the vocabulary), {report.epochs} epochs in {report.seconds:.0f} s"
        )
    )
    if report.served is not None:
        served = report.served.test or report.served.dev
        out.print(
            Text(
                f"as it serves (int8, {report.served.encoder}): accuracy {served.accuracy:.4f},"
                f" macro F1 {served.macro_f1:.4f}"
            )
        )
    print_way_to_serve(settings, command.out)
    if report.served is not None:
        out.print(
            Text(
                "its classifier gives topics where CLICKWISE_ENCODER_MODEL names that folder: set"
                " it once a model of this encoder is live"
            )
        )
    return Exit.DONE


def print_way_to_serve(settings: Settings, folder: Path) -> None:
    """Say how the encoder in `folder` comes to serve: with a model, through the gate.

    The path is whole: it is kept with the model, and read where other processes run.
    """
    given = shlex.quote(str(folder.resolve()))
    command = with_home(f"clickwise train once --encoder {given}", settings)
    told = f"through the gate, with a model: {command}"
    console().print(Text(told), soft_wrap=True)  # a line that is copied has no breaks
