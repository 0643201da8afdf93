"""From values of single cases to the figures of systems, and to who is better than whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clickwise.vectors.port import Float64Array, Int32Array
from training.evaluation.course import Course
from training.evaluation.hybrid import compare
from training.evaluation.report import Beyond, Comparison, System
from training.evaluation.statistics import bootstrap

TESTED_METRICS = 2  # the headline and the one after it


@dataclass(frozen=True, slots=True)
class Taken:
    """What a system took and what its lists are like."""

    fit_seconds: float | None = None
    answer_seconds: float | None = None
    beyond: Beyond | None = None


@dataclass(frozen=True, slots=True)
class Standings:
    """Values by metric and system on the same cases; the first metric decides.

    `groups_C` are the users (or sessions) that cases belong to.
    """

    values: Mapping[str, Mapping[str, Float64Array]]
    groups_C: Int32Array
    course: Course

    @property
    def headline(self) -> str:
        """The metric that decides."""
        return next(iter(self.values))

    @property
    def order(self) -> list[str]:
        """Systems, best first."""
        values = self.values[self.headline]
        return sorted(values, key=lambda name: -float(values[name].mean()))

    @property
    def ours(self) -> str:
        """The system that is compared with every other; "" if it took no part."""
        return self.course.ours if self.course.ours in self.values[self.headline] else ""

    @property
    def baselines(self) -> list[str]:
        """The others but hybrids, best first: what has ours in it is nothing to beat."""
        return [
            name for name in self.order if name != self.ours and name not in self.course.hybrids
        ]

    @property
    def best_baseline(self) -> str:
        """The best of the others; "" where there is none."""
        return next(iter(self.baselines), "")

    def systems(self, taken: Mapping[str, Taken]) -> tuple[System, ...]:
        """Every system with all metrics, best first."""
        return tuple(
            System(
                name=name,
                metrics={
                    metric: bootstrap(
                        by_system[name],
                        self.groups_C,
                        seed=self.course.seed,
                        trials=self.course.trials,
                    )
                    for metric, by_system in self.values.items()
                },
                beyond=taken[name].beyond,
                fit_seconds=taken[name].fit_seconds,
                answer_seconds=taken[name].answer_seconds,
                note=self.course.system_notes.get(name, ""),
            )
            for name in self.order
        )

    def comparisons(self) -> tuple[Comparison, ...]:
        """Ours and hybrids against every baseline; without them, the best against the rest."""
        metrics = list(self.values)[:TESTED_METRICS]
        hybrids = [name for name in self.course.hybrids if name != self.ours]
        leads = [*([self.ours] if self.ours else []), *hybrids]
        pairs = [(lead, self.baselines) for lead in leads]
        if not leads:
            best, *others = self.baselines
            pairs = [(best, others)]
        return tuple(
            one
            for metric in metrics
            for lead, others in pairs
            for one in self._against(lead, others, metric)
        )

    def hybrids(self) -> tuple[Comparison, ...]:
        """Each hybrid that took part against its sources, by the headline."""
        return tuple(
            one
            for hybrid, sources in self.course.hybrids.items()
            for one in self._against(hybrid, sources, self.headline)
        )

    def _against(self, system: str, others: Sequence[str], metric: str) -> tuple[Comparison, ...]:
        return compare(
            system,
            others,
            self.values[metric],
            self.groups_C,
            metric=metric,
            seed=self.course.seed,
            trials=self.course.trials,
        )
