"""A search over rates and what holds a tuning back, by the dev part alone."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

from training.tune.classify import Epoch, tune
from training.tune.course import Course
from training.tune.task import Task

Values = dict[str, float]
_DIGITS = 4  # what is tried is what a person can write down and give to another command


@dataclass(frozen=True, slots=True)
class Trial:
    """Values that were tried, and the dev macro F1 that they reached; `pruned`: given up early."""

    values: Values
    quality: float
    seconds: float
    pruned: bool


def searched(
    task: Task, course: Course, *, trials: int, watch: Callable[[Trial], None] = lambda _: None
) -> list[Trial]:
    """All trials, in order; the first has the course's own values. Equal seeds try the same."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental parts
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=course.seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
        )
    first = {
        "rate": course.encoder_rate, "head_rate": course.head_rate, "dropout": course.dropout,
        "weight_decay": course.weight_decay, "smoothing": course.smoothing,
        "warmup": course.warmup,
    }  # fmt: skip
    study.enqueue_trial(first)
    found: list[Trial] = []

    def tried(trial: optuna.Trial) -> float:
        middle = course.encoder_rate
        values = {
            "rate": trial.suggest_float("rate", middle / 10, middle * 10, log=True),
            "head_rate": trial.suggest_float("head_rate", 1e-4, 1e-2, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.4),
            "weight_decay": trial.suggest_float("weight_decay", 1e-4, 0.3, log=True),
            "smoothing": trial.suggest_float("smoothing", 0.0, 0.2),
            "warmup": trial.suggest_float("warmup", 0.0, 0.3),
        }
        values = {name: float(f"{value:.{_DIGITS}g}") for name, value in values.items()}
        seen: list[Epoch] = []

        def follow(epoch: Epoch) -> None:
            seen.append(epoch)
            trial.report(epoch.quality, epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned

        pruned = False
        try:
            own = replace(course, **values)  # type: ignore[arg-type]
            tune(task.base, task.lessons(), own, watch=follow)
        except optuna.TrialPruned:
            pruned = True
            raise
        finally:
            if seen:
                seconds = sum(one.seconds for one in seen)
                found.append(Trial(values, seen[-1].best, seconds, pruned))
                watch(found[-1])
        return seen[-1].best

    study.optimize(tried, n_trials=trials)
    return found


def best_of(trials: list[Trial]) -> Trial:
    """The one with the highest quality; of equals the first."""
    return max(trials, key=lambda one: one.quality)
