"""`clickwise tune classify|compare|distill|search`: tuning on labelled texts, and what came of it.

A tuning of this command is a run in MLflow beside the trainings: its parameters, a curve of loss
and dev macro F1, and the report. `<OUT>/.work` holds checkpoints until it is done; a command that
was killed goes on from there.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from clickwise import logs
from clickwise.bench.report import check_writable, write_json
from clickwise.cli import homes
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.output import console, print_table
from clickwise.cli.stopping import signals_unwind
from clickwise.cli.training import Follow, bar, be_quiet
from clickwise.cli.tuning_course import Note, TuneCommand, course_of, tracked, weights_of
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.tune.classify import Epoch, Tuned
    from training.tune.compare import ComparedRow
    from training.tune.course import Course
    from training.tune.export import Agreement, Served
    from training.tune.report import Scores
    from training.tune.search import Trial
    from training.tune.task import Task

REPORT, _WORK = "report.json", ".work"


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


def classify(settings: Settings, command: TuneCommand) -> int:
    """Tune, write encoder and classifier, and print how well classes are told apart.

    Raises:
        ConfigurationError: texts, encoder or options cannot work, or the extra `train` is missing.
    """
    _begin(settings, command)
    with train_extra(), signals_unwind(), bar() as follow:
        from training.tune.classify import tune

        be_quiet(settings)
        course = course_of(command)
        _refuse_what_does_not_fold(course)
        task = _task(settings, command, course, follow)
        work = command.out / _WORK
        with tracked(settings, f"tune-{command.method}", course) as note:
            tuned = tune(
                task.base, task.lessons(), course, watch=_watcher(course, follow, note), work=work
            )
            report = _written(settings, command, task, tuned, follow)
        shutil.rmtree(work, ignore_errors=True)
    return _finish(command, report)


def distill(settings: Settings, command: TuneCommand, *, teachers: str) -> int:
    """Tune the teachers one after the other, then the student, which is written."""
    _begin(settings, command)
    names = [name.strip() for name in teachers.split(",") if name.strip()]
    with train_extra(), signals_unwind(), bar() as follow:
        from training.tune.classify import casting, tune
        from training.tune.compare import way
        from training.tune.ensemble import averaged, lessons_from
        from training.tune.network import logits

        be_quiet(settings)
        course = course_of(command)
        ways = [_way(way, name, course) for name in names]
        if len(ways) < 2:
            raise ConfigurationError("--teachers names fewer than two: there is nothing to average")
        task = _task(settings, command, course, follow)
        work = command.out / _WORK
        heard = []
        with tracked(settings, "tune-distill", course) as note:
            for name, own in zip(names, ways, strict=True):
                teacher = tune(
                    task.base, task.lessons(), own, watch=_watcher(own, follow, _unnoted),
                    work=work / name,
                )  # fmt: skip
                with casting(own):
                    heard.append(logits(teacher.network, task.train_rows))
            lessons = task.lessons(lessons_from(averaged(heard), task.lessons().targets_NC))
            tuned = tune(
                task.base, lessons, course, watch=_watcher(course, follow, note),
                work=work / "student",
            )  # fmt: skip
            report = _written(settings, command, task, tuned, follow)
        shutil.rmtree(work, ignore_errors=True)
    return _finish(command, report)


def compare(settings: Settings, command: TuneCommand, *, rows: str) -> int:
    """Make the rows that the file does not have yet, and print them all."""
    _begin(settings, command)
    with train_extra(), signals_unwind(), bar() as follow:
        from training.tune.compare import ROWS
        from training.tune.compare import compare as run

        be_quiet(settings)
        names = [name.strip() for name in rows.split(",") if name.strip()] or list(ROWS)
        strange = next((name for name in names if name not in ROWS), None)
        if strange is not None:
            raise ConfigurationError(f"--rows: no row {strange!r}, only {', '.join(ROWS)}")
        check_writable(command.out)
        course = course_of(command)
        cache = command.out.with_suffix(".vectors.npz")
        task = _task(settings, command, course, follow, cache=cache)

        def watch(name: str, epoch: "Epoch | None") -> None:
            told = "" if epoch is None else f", epoch {epoch.number}: {epoch.quality:.4f}"
            follow(f"{name}{told}", names.index(name) / len(names))

        made = run(task, course, rows=names, file=command.out, watch=watch)
    if command.png is not None:
        from training.tune.pictures import comparison_png

        check_writable(command.png)
        command.png.write_bytes(comparison_png(made))
    _print_comparison(made, leaked=task.parts.leaked)
    return Exit.DONE


class SearchReport(msgspec.Struct, frozen=True, kw_only=True):
    """All trials, in order; the first has the values that are taken without a search."""

    seed: int
    best: "Trial"
    trials: "tuple[Trial, ...]"


def search(settings: Settings, command: TuneCommand, *, trials: int) -> int:
    """Try rates and regularization, and print what the dev part says."""
    _begin(settings, command)
    with train_extra(), signals_unwind(), bar() as follow:
        from training.tune.search import best_of, searched

        be_quiet(settings)
        course = course_of(command)
        task = _task(settings, command, course, follow)
        tried: list[Trial] = []

        def watch(trial: "Trial") -> None:
            tried.append(trial)
            follow(f"trial {len(tried)}: {trial.quality:.4f}", len(tried) / trials)

        found = searched(task, course, trials=trials, watch=watch)
        report = SearchReport(seed=command.seed, best=best_of(found), trials=tuple(found))
    if command.json is not None:
        write_json(command.json, report)
    names = sorted(report.best.values)
    print_table(
        ("dev macro F1", *names, "seconds", ""),
        [
            (
                f"{one.quality:.4f}",
                *(f"{one.values[name]:.3g}" for name in names),
                f"{one.seconds:.0f}",
                "given up" if one.pruned else "",
            )
            for one in sorted(found, key=lambda one: -one.quality)
        ],
    )
    return Exit.DONE


def _unnoted(step: int, figures: dict[str, float]) -> None:
    del step, figures


def _begin(settings: Settings, command: TuneCommand) -> None:
    logs.configure(level=settings.log_level, output=settings.log_format)
    for path in (command.json, command.png):
        if path is not None:
            check_writable(path)


def _refuse_what_does_not_fold(course: "Course") -> None:
    if not course.method.folds:
        raise ConfigurationError(
            f"--method {course.method} adds parts that the encoder's format does not have: it can"
            " be compared (`clickwise tune compare`), not written; take lora, adalora or full"
        )


def _way(way: "Callable[[str, Course], Course]", name: str, course: "Course") -> "Course":
    try:
        return way(name, course)
    except ValueError as error:
        raise ConfigurationError(
            f"--teachers: no way {name!r}; expected a method such as lora, or lora+fgm, lora+span"
        ) from error


def _task(
    settings: Settings,
    command: TuneCommand,
    course: "Course",
    follow: Follow,
    *,
    cache: Path | None = None,
) -> "Task":
    from training.tune.labelled import read_labelled
    from training.tune.task import parts_of, task_of

    follow("reading texts", 0.0)
    train = read_labelled(command.texts)
    test, dev = (
        None if path is None else read_labelled(path, classes=train.classes)
        for path in (command.test, command.dev)
    )
    parts = parts_of(train, test, dev, held=command.held, seed=command.seed)
    follow("encoding texts as they are", 0.0)
    return task_of(weights_of(settings), parts, course, cache=cache)


def _watcher(course: "Course", follow: Follow, note: Note) -> "Callable[[Epoch], None]":
    def watch(epoch: "Epoch") -> None:
        follow(
            f"epoch {epoch.number}: loss {epoch.loss:.4f}, dev macro F1 {epoch.quality:.4f}",
            epoch.number / course.epochs,
        )
        note(
            epoch.number,
            {"loss": epoch.loss, "dev_macro_f1": epoch.quality, "epoch_seconds": epoch.seconds},
        )

    follow("first epoch", 0.0)
    return watch


def _written(
    settings: Settings, command: TuneCommand, task: "Task", tuned: "Tuned", follow: Follow
) -> TuneReport:
    """Encoder, classifier and report below the folder of the command."""
    from clickwise.encoder import open_encoder
    from training.tune.classify import casting
    from training.tune.export import checked, plain_weights, write_encoder, write_served_classifier
    from training.tune.memory import peak_bytes
    from training.tune.network import logits
    from training.tune.report import scores_of

    peak = peak_bytes()
    parts, classes = task.parts, task.parts.train.classes
    with casting(tuned.course):
        dev_N = logits(tuned.network, task.dev_rows).argmax(axis=1)
        test_N = logits(tuned.network, task.test_rows).argmax(axis=1) if len(parts.test) else dev_N
    follow("writing the encoder", 0.0)
    weights = plain_weights(task.base, tuned, name=command.out.resolve().name)
    write_encoder(weights, command.out)
    follow("checking it against torch", 0.2)
    agreement = checked(task.base, tuned, command.out, parts.dev.texts)
    follow("fitting the classifier that serves", 0.4)
    encoder = open_encoder(
        model=str(command.out),
        device="cpu",
        threads=settings.train_threads,
        cache=homes.encoder_folder(settings),
    )
    served = write_served_classifier(command.out, encoder, parts, test_N)
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
    write_json(command.out / REPORT, report)
    return report


def _finish(command: TuneCommand, report: TuneReport) -> int:
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
                f" macro F1 {served.macro_f1:.4f}; set CLICKWISE_ENCODER_MODEL={command.out}"
            )
        )
    return Exit.DONE


def _print_comparison(rows: "Sequence[ComparedRow]", *, leaked: int) -> None:
    print_table(
        ("way", "accuracy", "macro F1", "dev F1", "parameters", "share", "seconds", "MB", ""),
        [
            (
                row.name,
                f"{row.test.accuracy:.4f}",
                f"{row.test.macro_f1:.4f}",
                f"{row.dev_macro_f1:.4f}",
                f"{row.trained:,}",
                f"{100 * row.layer_share:.2f} %",
                f"{row.seconds:.0f}",
                f"{row.peak_bytes / 1e6:.0f}",
                row.note,
            )
            for row in rows
        ],
    )
    if leaked:
        console().print(Text(f"{leaked} texts left out: dev or test hold them too"))
