"""Click-through of written titles against original ones, from exposures and events. Pure.

Only places count at which a written text was ready: those of readers who saw it (`written`), and of
readers held out by a hash of their id, who saw the item's own words (`held`). Readers are drawn at
random and a reader clicks more than once, so the interval of the difference resamples readers,
not places (cluster bootstrap; Efron and Tibshirani, 1993).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from clickwise.vectors.port import Float64Array

ARMS = ("written", "held")  # whose words were shown, as exposures say it
RESAMPLES = 2_000
SEED = 20_261_125
LEVEL = 0.95
_NORMAL = 1.959963984540054  # quantile of the standard normal at 1 - (1 - LEVEL) / 2


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of words: places shown, clicks on them, and the rate with its Wilson interval."""

    readers: int
    shown: int
    clicked: int
    rate: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`difference`: written less held, with its interval; None where an arm has no reader."""

    written: Arm
    held: Arm
    difference: float | None
    low: float | None
    high: float | None


@dataclass(slots=True)
class Tally:
    """Shown and clicked places by reader, of one arm."""

    by_reader: dict[str, list[int]] = field(default_factory=dict)

    def add(self, reader: str, clicked: Iterable[bool]) -> None:
        """Count places of one page."""
        counts = self.by_reader.setdefault(reader, [0, 0])
        for one in clicked:
            counts[0] += 1
            counts[1] += one

    @property
    def arm(self) -> Arm:
        """The sums."""
        shown = sum(counts[0] for counts in self.by_reader.values())
        clicked = sum(counts[1] for counts in self.by_reader.values())
        low, high = wilson(clicked, shown)
        return Arm(
            readers=len(self.by_reader), shown=shown, clicked=clicked,
            rate=clicked / shown if shown else 0.0, low=low, high=high,
        )  # fmt: skip


def compare(tallies: Mapping[str, Tally]) -> Comparison:
    """The two arms, `written` and `held`."""
    written, held = tallies["written"], tallies["held"]
    difference = low = high = None
    if written.by_reader and held.by_reader:
        difference = written.arm.rate - held.arm.rate
        rates_B = _resampled(written) - _resampled(held)
        edge = (1.0 - LEVEL) / 2.0
        low, high = np.quantile(rates_B, (edge, 1.0 - edge)).tolist()
    return Comparison(written=written.arm, held=held.arm, difference=difference, low=low, high=high)


def wilson(clicked: int, shown: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson, 1927); (0, 1) of nothing."""
    if not shown:
        return 0.0, 1.0
    rate, square = clicked / shown, _NORMAL * _NORMAL
    center = (rate + square / (2 * shown)) / (1 + square / shown)
    spread = rate * (1 - rate) / shown + square / (4 * shown * shown)
    half = _NORMAL * float(np.sqrt(spread)) / (1 + square / shown)
    return max(0.0, center - half), min(1.0, center + half)


def _resampled(tally: Tally) -> Float64Array:
    """Rates of RESAMPLES samples of as many readers, drawn with replacement."""
    counts_R2 = np.array(list(tally.by_reader.values()), np.float64)
    generator = np.random.default_rng(SEED)
    rates = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        drawn = counts_R2[generator.integers(0, len(counts_R2), len(counts_R2))].sum(axis=0)
        rates[at] = drawn[1] / drawn[0]
    return rates
