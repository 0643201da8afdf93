"""`clickwise tune classify|distill`: tuned on labelled texts, and written.

A tuning of this command is a run in MLflow beside the trainings: its parameters, a curve of loss
and dev macro F1, and the report (`clickwise.cli.tuning_runs`). `<OUT>/.work` holds checkpoints
until it is done; a command that was killed goes on from there, also where it was killed while it
wrote its results.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from clickwise.cli.extras import train_extra
from clickwise.cli.following import Whole
from clickwise.cli.stopping import signals_unwind, stop_is_said
from clickwise.cli.training import Follow, bar, be_quiet
from clickwise.cli.tuning_course import (
    TuneCommand,
    begin,
    course_of,
    read_parts,
    ready,
    weights_of,
)
from clickwise.cli.tuning_folder import WORK, check_out
from clickwise.cli.tuning_runs import Note, parameters_of, tracked
from clickwise.cli.tuning_written import figures, finish, written
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.tune.classify import Epoch
    from training.tune.course import Course


def classify(settings: Settings, command: TuneCommand) -> int:
    """Tune, write encoder and classifier, and print how well classes are told apart.

    Raises:
        ConfigurationError: texts, encoder or options cannot work, or the extra `train` is missing.
    """
    begin(settings, command)
    check_out(command.out)
    with train_extra(), signals_unwind(), stop_is_said(_goes_on(command)), bar() as told:
        _refuse_what_does_not_fold(command)
        follow = Whole(told, _parts(["epoch"]))
        parts, weights = read_parts(command, follow), weights_of(settings)

        from training.tune.classify import tune

        be_quiet(settings)
        course = course_of(command)
        task = ready(weights, parts, course, follow)
        work = command.out / WORK
        with tracked(settings, f"tune-{command.method}", course) as run:
            tuned = tune(
                task.base,
                task.lessons(),
                course,
                watch=_watcher(course, follow, run.note),
                work=work,
            )
            report = written(settings, command, task, tuned, follow)
            run.report(report, figures(report))
    return finish(settings, command, report)


def distill(settings: Settings, command: TuneCommand, *, teachers: str) -> int:
    """Tune the teachers one after the other, then the student, which is written."""
    begin(settings, command)
    check_out(command.out)
    names = [name.strip() for name in teachers.split(",") if name.strip()]
    with train_extra(), signals_unwind(), stop_is_said(_goes_on(command)), bar() as told:
        _refuse_teachers(names)
        follow = Whole(told, _parts([*(f"{name}: epoch" for name in names), "student: epoch"]))
        parts, weights = read_parts(command, follow), weights_of(settings)

        from training.tune.classify import casting, tune
        from training.tune.compare import way
        from training.tune.ensemble import averaged, lessons_from
        from training.tune.network import logits

        be_quiet(settings)
        course = course_of(command)
        task = ready(weights, parts, course, follow)
        work = command.out / WORK
        heard = []
        with tracked(settings, "tune-distill", course) as run:
            for name in names:
                own = way(name, course)
                with run.within(name, parameters_of(own)) as part:
                    teacher = tune(
                        task.base,
                        task.lessons(),
                        own,
                        watch=_watcher(own, follow, part.note, of=f"{name}: "),
                        work=work / name,
                    )
                with casting(own, teacher.network):
                    heard.append(logits(teacher.network, task.train_rows))
            lessons = task.lessons(lessons_from(averaged(heard), task.lessons().targets_NC))
            tuned = tune(
                task.base,
                lessons,
                course,
                watch=_watcher(course, follow, run.note, of="student: "),
                work=work / "student",
            )
            report = written(settings, command, task, tuned, follow)
            run.report(report, figures(report))
    return finish(settings, command, report)


def _goes_on(command: TuneCommand) -> str:
    return (
        f"stopped: {command.out} holds the results that it held before; the same command goes on"
        " from its last checkpoint"
    )


def _refuse_what_does_not_fold(command: TuneCommand) -> None:
    from training.tune.ways import Method

    if not Method(command.method).folds:
        raise ConfigurationError(
            f"--method {command.method} adds parts that the encoder's format does not have: it can"
            " be compared (`clickwise tune compare`), not written; take lora, adalora or full"
        )


def _refuse_teachers(names: Sequence[str]) -> None:
    from training.tune.ways import way_named

    for name in names:
        try:
            way_named(name)
        except ValueError as error:
            raise ConfigurationError(
                f"--teachers: no way {name!r}; expected a method such as lora, or lora+fgm,"
                " lora+span"
            ) from error
    if len(names) < 2:
        raise ConfigurationError("--teachers names fewer than two: there is nothing to average")


def _parts(epochs: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Where each part begins and ends in the whole; `epochs`: what is told of those that learn."""
    learning = 0.7 / len(epochs)
    return {
        "reading texts": (0.0, 0.01),
        "encoding texts": (0.01, 0.1),
        **{
            name: (0.1 + learning * place, 0.1 + learning * (place + 1))
            for place, name in enumerate(epochs)
        },
        "writing the encoder": (0.8, 0.81),
        "checking it against torch": (0.81, 0.9),
        "fitting the classifier": (0.9, 1.0),
    }


def _watcher(
    course: "Course", follow: Follow, note: Note, *, of: str = ""
) -> "Callable[[Epoch], None]":
    def watch(epoch: "Epoch") -> None:
        follow(
            f"{of}epoch {epoch.number}: loss {epoch.loss:.4f}, dev macro F1 {epoch.quality:.4f}",
            epoch.number / course.epochs,
        )
        note(
            epoch.number,
            {"loss": epoch.loss, "dev_macro_f1": epoch.quality, "epoch_seconds": epoch.seconds},
        )

    follow(f"{of}epoch 1 begins", 0.0)
    return watch
