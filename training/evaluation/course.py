"""How an evaluation is run, and what its report says beside the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.evaluation.statistics import TRIALS


@dataclass(frozen=True, slots=True)
class Course:
    """Seed, budget and words.

    `ours` is compared with every other system; `hybrids` names hybrids, and what
    goes on from ours, with their sources.
    `trials` are bootstrap draws and permutations. `command`, `versions` and what is to be said
    of systems (`system_notes`) and of the whole (`notes`) go into the report.
    """

    seed: int
    ours: str = ""
    hybrids: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trials: int = TRIALS
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    system_notes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
