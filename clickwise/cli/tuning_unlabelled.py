"""`clickwise tune mlm|contrast`: the encoder tuned on texts alone, or on what was clicked."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from clickwise import logs
from clickwise.bench.report import check_writable, write_json
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.output import console
from clickwise.cli.stopping import signals_unwind, stop_is_said
from clickwise.cli.training import Follow, bar, be_quiet
from clickwise.cli.tuning_course import TuneCommand, course_of, weights_of
from clickwise.cli.tuning_folder import REPORT, check_out, made_whole
from clickwise.cli.tuning_runs import tracked
from clickwise.cli.tuning_written import print_way_to_serve
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from clickwise.encoder.weights import EncoderWeights
    from training.tune.mlm import MlmEpoch

_HELD_SHARE = 20  # a text in so many is held back
_FEWEST = 20


class MlmReport(msgspec.Struct, frozen=True, kw_only=True):
    """Held-out loss in nats a hidden piece, before the encoder learned (its new layer had) and
    after.
    """

    texts: int
    held: int
    before: float
    after: float
    seconds: float


class ContrastReport(msgspec.Struct, frozen=True, kw_only=True):
    """Loss of each epoch; `trained` parameters learned."""

    pairs: int
    losses: tuple[float, ...]
    trained: int
    seconds: float


def mlm(settings: Settings, command: TuneCommand) -> int:
    """Pre-train further, and write the encoder.

    Raises:
        ConfigurationError: too few texts, or they cannot be read.
        BundleError: what came of it cannot serve as int8 or fp32; the message says where it is.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    if command.json is not None:
        check_writable(command.json)
    check_out(command.out)
    with train_extra(), signals_unwind(), stop_is_said(_stopped(command)), bar() as follow:
        texts, weights = _different(command.texts), weights_of(settings)

        from training.tune.base import base_for, token_ids
        from training.tune.mlm import MlmCourse, pretrained
        from training.tune.task import fixed_of

        be_quiet(settings)
        ids = token_ids(weights, texts, max_tokens=command.tokens)
        base = base_for(weights, ids)
        rows = base.rows(ids)
        held, learned = (
            rows[::_HELD_SHARE],
            [row for place, row in enumerate(rows) if place % _HELD_SHARE],
        )
        course = MlmCourse(
            epochs=command.epochs,
            rate=command.rate or MlmCourse().rate,
            anchor=command.anchor,
            seed=command.seed,
            bf16=course_of(command).bf16,
        )
        before = {
            "head": 0,
            "control": course.head_epochs,
            "encoder": course.head_epochs + course.epochs,
        }
        with tracked(settings, "tune-mlm", course) as run:

            def watch(epoch: "MlmEpoch") -> None:
                told = f"{epoch.stage}, epoch {epoch.number}: held-out loss {epoch.held_loss:.4f}"
                step = epoch.number + before[epoch.stage]
                follow(told, step / (before["encoder"] + course.epochs))
                run.note(step, {"loss": epoch.loss, "held_loss": epoch.held_loss})

            story = pretrained(base, learned, held, course, fixed=fixed_of(weights), watch=watch)
            report = MlmReport(
                texts=len(learned), held=len(held), before=story.before, after=story.after,
                seconds=story.seconds,
            )  # fmt: skip
            _write(command, story.weights, report, follow)
            run.report(report, {"held_loss_before": report.before, "held_loss_after": report.after})
    console().print(
        Text(
            f"held-out loss {report.before:.4f} before, {report.after:.4f} after"
            f" ({report.held} texts, {report.seconds:.0f} s)"
        )
    )
    print_way_to_serve(settings, command.out)
    return Exit.DONE


def contrast(settings: Settings, command: TuneCommand, *, dataset: str, data: Path | None) -> int:
    """Tune on what was clicked together, and write the encoder.

    Raises:
        ConfigurationError: no such data set, or nobody took two items with a text.
        BundleError: see `mlm`.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    if command.json is not None:
        check_writable(command.json)
    check_out(command.out)
    with train_extra(), signals_unwind(), stop_is_said(_stopped(command)), bar() as follow:
        from training.datasets import load_dataset

        follow(f"reading {dataset}", 0.0)
        found, weights = load_dataset(dataset, folder=data), weights_of(settings)

        from training.tune.contrast import ContrastCourse, contrasted, without_newest

        be_quiet(settings)
        read = without_newest(found)
        course = ContrastCourse(
            epochs=command.epochs,
            rate=command.rate or ContrastCourse().rate,
            max_tokens=command.tokens,
            seed=command.seed,
        )
        with tracked(settings, "tune-contrast", course) as run:

            def watch(epoch: int, loss: float) -> None:
                follow(f"epoch {epoch}: loss {loss:.4f}", epoch / course.epochs)
                run.note(epoch, {"loss": loss})

            try:
                story = contrasted(weights, read, course, watch=watch)
            except ValueError as error:
                raise ConfigurationError(str(error)) from error
            report = ContrastReport(
                pairs=story.num_pairs, losses=story.losses, trained=story.num_trained,
                seconds=story.seconds,
            )  # fmt: skip
            _write(command, story.weights, report, follow)
            run.report(report, {"pairs": report.pairs, "trained": report.trained})
    console().print(
        Text(f"{report.pairs} pairs, loss {report.losses[-1]:.4f} in {report.seconds:.0f} s")
    )
    print_way_to_serve(settings, command.out)
    return Exit.DONE


def _different(path: Path) -> list[str]:
    """The texts of a file, each once; it loads no torch.

    Raises:
        ConfigurationError: it cannot be read, or they are too few.
    """
    from training.tune.labelled import read_texts, text_key

    texts = list({text_key(text): text for text in read_texts(path)}.values())
    if len(texts) < _FEWEST:
        raise ConfigurationError(
            f"{path} has {len(texts)} different texts: at least {_FEWEST} are needed"
        )
    return texts


def _write(
    command: TuneCommand,
    weights: "EncoderWeights",
    report: MlmReport | ContrastReport,
    follow: Follow,
) -> None:
    """Encoder and report, in the command's folder all at once.

    Raises:
        BundleError: the encoder cannot serve; the folder is as it was.
    """
    from training.tune.export import servable, write_encoder

    with made_whole(command.out) as folder:
        follow("writing the encoder", 1.0)
        write_encoder(weights, folder)
        follow("checking what would serve", 1.0)
        servable(folder)
        write_json(folder / REPORT, report)
    if command.json is not None:
        write_json(command.json, report)


def _stopped(command: TuneCommand) -> str:
    return f"stopped: {command.out} is as it was; the same command begins anew"
