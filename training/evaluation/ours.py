"""Our model as a candidate: which of its values a search tries, and which it takes without one.

Values are fields of `ModelConfig` or of `FitConfig`, by name; no name is in both.
"""

from collections.abc import Mapping
from dataclasses import fields, replace

from training.baselines.spaces import Baseline, Choice, Real, Scale, Space, Value
from training.data import Ranker
from training.fit import FitConfig
from training.learned import LearnedRanker
from training.model import ModelConfig

SPACE: Space = {
    "dimension": Choice((32, 64, 128)),
    "dropout": Real(0.0, 0.6),
    "input_dropout": Real(0.0, 0.5),
    "id_dropout": Real(0.0, 0.5),
    "learning_rate": Scale(5e-4, 5e-3),
    "weight_decay": Scale(1e-3, 0.3),
    "batch": Choice((32, 64, 128, 256)),
}

# By name of the data set: what `clickwise evaluate` takes where it does not search. A report says
# so, since baselines then have their defaults.
USUAL: Mapping[str, Mapping[str, Value]] = {
    "ml-1m": {
        "dimension": 128, "width": 256, "dropout": 0.3, "input_dropout": 0.3,
        "batch": 64, "epochs": 36, "decay_after": 36, "every": 4, "patience": 60,
    },
    "ml-100k": {
        "length": 100, "width": 128, "dropout": 0.3, "input_dropout": 0.3,
        "epochs": 25, "every": 2, "patience": 6,
    },
    "deskdrop": {
        "length": 100, "width": 128, "dropout": 0.4, "input_dropout": 0.4,
        "epochs": 25, "every": 2, "patience": 5,
    },
    "serenade": {
        "length": 20, "dimension": 64, "width": 64, "dropout": 0.3, "input_dropout": 0.3,
        "id_dropout": 0.0, "batch": 64, "epochs": 8, "patience": 2, "learning_rate": 3e-3,
        "average": 0.99, "negative": 0.0,
    },
}  # fmt: skip


def build(values: Mapping[str, Value]) -> Ranker:
    """A ranker with these values, the others being default."""
    ours = {field.name for field in fields(ModelConfig)}
    model = {name: value for name, value in values.items() if name in ours}
    course = {name: value for name, value in values.items() if name not in ours}
    return LearnedRanker(_model(model), _course(course))


def _model(values: Mapping[str, Value]) -> ModelConfig:
    return replace(ModelConfig(), **values)  # type: ignore[arg-type]  # the space has their types


def _course(values: Mapping[str, Value]) -> FitConfig:
    return replace(FitConfig(), **values)  # type: ignore[arg-type]  # the space has their types


_DEFAULTS = {
    field.name: getattr(config, field.name)
    for config in (ModelConfig(), FitConfig())
    for field in fields(config)
}
BASELINE = Baseline(SPACE, {name: _DEFAULTS[name] for name in SPACE}, build)
