"""Every baseline is tuned with the same budget: so many trials of one seeded search.

The first trial is the default configuration, so tuning never ends worse than that on the
validation part; the others are drawn by Optuna's TPE sampler.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.baselines.spaces import Baseline, Choice, Real, Scale, Space, Value, Whole
from training.data import Dataset, Ranker

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that was tried, and what it reached."""

    values: Mapping[str, Value]
    quality: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best values with their quality, and all trials in order."""

    values: Mapping[str, Value]
    quality: float
    trials: tuple[Trial, ...]


def tune(
    baseline: Baseline,
    train: Dataset,
    validate: Callable[[Ranker], float],
    *,
    trials: int,
    seed: int,
    fixed: Mapping[str, Value] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> Tuned:
    """The values for which a ranker fitted on `train` does best by `validate` (NDCG@10).

    `fixed` values (`{"device": "cuda"}`, or a smaller number of epochs) are set in every trial
    and not searched. `seed` draws the configurations and is the rankers' own.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fixed = fixed or {}
    space = {name: span for name, span in baseline.space.items() if name not in fixed}
    tried: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        values = {**_drawn(trial, space), **fixed}
        ranker = baseline.build(values)
        ranker.fit(train, seed=seed)
        tried.append(Trial(values, validate(ranker)))
        if progress is not None:
            progress(tried[-1])
        return tried[-1].quality

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(
        {name: _drawn_as(baseline.defaults[name], span) for name, span in space.items()}
    )
    # With nothing to choose every trial would be the same.
    study.optimize(objective, n_trials=trials if space else 1)
    best = max(tried, key=lambda one: one.quality)
    return Tuned(best.values, best.quality, tuple(tried))


def _drawn(trial: "optuna.Trial", space: Space) -> dict[str, Value]:
    return {name: _value(trial, name, span) for name, span in space.items()}


def _value(trial: "optuna.Trial", name: str, span: Whole | Real | Scale | Choice) -> Value:
    match span:
        case Whole(low, high):
            return trial.suggest_int(name, low, high, log=True)
        case Real(low, high):
            return trial.suggest_float(name, low, high)
        case Scale(low, high):
            return trial.suggest_float(name, low, high, log=True)
        case Choice(options):
            return options[trial.suggest_categorical(name, range(len(options)))]


def _drawn_as(value: Value, span: Whole | Real | Scale | Choice) -> Value:
    """What Optuna has to draw for `value` to come out of `_value`."""
    return span.options.index(value) if isinstance(span, Choice) else value
