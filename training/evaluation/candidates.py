"""Which systems stand for election, and how each gets its hyper-parameters.

Every one has the same budget: so many trials on the validation part, the first of them with
the default values. One trial is no search, and costs none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from clickwise.errors import ConfigurationError
from training.baselines import BASELINES, baseline
from training.baselines.spaces import Baseline, Value
from training.data import Dataset, Ranker
from training.evaluation.cases import Cases, Plan, Progress, answer

if TYPE_CHECKING:
    from training.hybrid import Question

OURS = "clickwise"
HYBRID = "clickwise-hybrid"  # of OURS and baselines: `training.evaluation.combined`
INCREMENTAL = "clickwise-incremental"  # OURS, trained on while it serves: only where it is named
SYSTEMS = (OURS, *BASELINES, HYBRID)
# Networks, whose training is cut short when figures are wanted quickly.
NETWORKS = frozenset({OURS, "gru4rec", "sasrec"})
QUICK_EPOCHS = 2


@dataclass(frozen=True, slots=True)
class Validation:
    """What values are chosen by: fit on `train`, and `quality` is to be high. `questions` are
    those that `quality` asks.
    """

    train: Dataset
    quality: Callable[[Ranker], float]
    questions: "Callable[[], Sequence[Question]]"


def chosen(names: str) -> tuple[str, ...]:
    """The systems of a list with commas, each once; `SYSTEMS` where it names none.

    Raises:
        ConfigurationError: no such system.
    """
    given = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    known = (*SYSTEMS, INCREMENTAL)
    for name in given:
        if name not in known:
            raise ConfigurationError(f"no system {name!r}: expected {', '.join(known)}")
    return tuple(given) or SYSTEMS


def candidate(name: str) -> Baseline:
    """A system by name: its space, defaults, and how it is built. The hybrid has none of these.

    Raises:
        ConfigurationError: no such system, or one that can only be lived.
    """
    if name == INCREMENTAL:
        raise ConfigurationError(f"{name} learns while it serves: it needs --protocol lived")
    if name != OURS:
        return baseline(name)
    found: Baseline = import_module("training.evaluation.ours").BASELINE
    return found


def usual_values(name: str, data: Dataset) -> Mapping[str, Value]:
    """Values that a system takes on a data set where none are searched for."""
    if name != OURS:
        return {}
    found: Mapping[str, Mapping[str, Value]] = import_module("training.evaluation.ours").USUAL
    return found.get(data.name, {})


def quick_values(name: str) -> Mapping[str, Value]:
    """Values that make a system quick to fit: fewer epochs of networks, nothing else."""
    return {"epochs": QUICK_EPOCHS} if name in NETWORKS else {}


def validation_of(plan: Plan) -> Validation:
    """A plan's cases as validation: the headline metric of its own validation plan."""
    validation = plan.validation()

    def quality(ranker: Ranker) -> float:
        answers = answer(ranker, validation.cases, progress=lambda _: None)
        return float(validation.headline.of(answers.ranks_C).mean())

    return Validation(validation.train, quality, partial(_questions, validation.cases))


def _questions(cases: Cases) -> "Sequence[Question]":
    """Each case as a question, with the items that its history or its time bars."""
    from training.hybrid import Question

    return [
        Question(
            user=int(cases.users_Q[question]),
            history=cases.history(question),
            answer=item,
            barred_N=cases.impossible(question),
        )
        for question, item in zip(cases.questions_C.tolist(), cases.items_C.tolist(), strict=True)
    ]


def tuned(
    name: str,
    validation: Validation,
    *,
    trials: int,
    seed: int,
    fixed: Mapping[str, Value],
    progress: Progress,
) -> tuple[Mapping[str, Value], str]:
    """The values of a system that did best on the validation, and a note that says them."""
    from training.baselines.tuning import Trial, tune

    tried: list[Trial] = []

    def follow(trial: Trial) -> None:
        tried.append(trial)
        progress(f"{name}: tuning", len(tried) / trials)

    progress(f"{name}: tuning", 0.0)
    found = tune(
        candidate(name),
        validation.train,
        validation.quality,
        trials=trials,
        seed=seed,
        fixed=fixed,
        progress=follow,
    )
    return found.values, f"best of {len(found.trials)} trials: {said(found.values)}"


def said(values: Mapping[str, Value]) -> str:
    """Values in words."""
    return ", ".join(f"{field} {_shown(value)}" for field, value in values.items())


def _shown(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
