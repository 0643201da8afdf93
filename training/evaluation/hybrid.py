"""Is a hybrid better than each of its sources? Paired, on the same cases."""

from collections.abc import Mapping, Sequence

from clickwise.vectors.port import Float64Array, Int32Array
from training.evaluation.report import Comparison
from training.evaluation.statistics import TRIALS, better_beyond_interval, paired


def compare(
    system: str,
    others: Sequence[str],
    values: Mapping[str, Float64Array],
    users_C: Int32Array,
    *,
    metric: str,
    seed: int,
    trials: int = TRIALS,
) -> tuple[Comparison, ...]:
    """A system against others, say a hybrid against its sources; `values` by system and case.

    Raises:
        ValueError: a system is not among the values, or has other cases.
    """
    for name in (system, *others):
        if name not in values:
            raise ValueError(f"no figures of {name!r} to compare")
    found = []
    for other in others:
        difference = paired(values[system], values[other], users_C, seed=seed, trials=trials)
        found.append(
            Comparison(
                metric=metric,
                system=system,
                other=other,
                difference=difference.interval,
                p_value=difference.p_value,
                better=better_beyond_interval(difference),
            )
        )
    return tuple(found)
