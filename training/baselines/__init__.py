"""What a learned model has to beat.

Importing this package is cheap: each baseline loads what it needs when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from clickwise.errors import ConfigurationError

if TYPE_CHECKING:
    from training.baselines.spaces import Baseline

_MODULES = {
    "popularity": "popularity",
    "decayed-popularity": "decayed_popularity",
    "newest": "newest",
    "item-knn": "item_knn",
    "session-knn": "session_knn",
    "ease": "ease",
    "als": "als",
    "gru4rec": "gru4rec",
    "sasrec": "sasrec",
}
BASELINES = tuple(_MODULES)


def baseline(name: str) -> "Baseline":
    """A baseline by name: `baseline("ease").build({})` is a ranker with default values.

    Raises:
        ConfigurationError: no such baseline.
    """
    if name not in _MODULES:
        raise ConfigurationError(f"no baseline {name!r}: expected one of {', '.join(BASELINES)}")
    found: Baseline = import_module(f"training.baselines.{_MODULES[name]}").BASELINE
    return found
