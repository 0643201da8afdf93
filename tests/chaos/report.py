"""What a run says: a JSON file for machines, tables for people."""

from collections import Counter

import msgspec

from tests.chaos.checker import FAULTS, Finding
from tests.chaos.ends import End
from tests.chaos.growth import growth_problems, verdict
from tests.chaos.usage import ProcessUsage, Trend


class Struck(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the schedule; moments in seconds of the run. `left_out`: what could not be done;
    `told`: what there is to say of what was.
    """

    faults: tuple[str, ...]
    at: float
    undone: float
    recovered: float | None
    left_out: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def recovery_seconds(self) -> float | None:
        return None if self.recovered is None else round(self.recovered - self.undone, 1)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Nothing may be found of `FAULTS`, each step recovers, nobody ends without a reason,
    and nobody grows.
    """

    seed: int
    seconds: float
    settled_seconds: float
    steps: tuple[Struck, ...]
    events: dict[str, int]
    event_requests: dict[str, int]
    requests: dict[str, int]
    exposures: int
    findings: dict[str, Finding]
    ends: tuple[End, ...]
    starts: dict[str, int]
    usage: dict[str, ProcessUsage]

    @property
    def problems(self) -> list[str]:
        """Why the run has failed; empty when it has not."""
        found = [
            f"{name}: {self.findings[name].count} ({', '.join(self.findings[name].examples[:3])})"
            for name in FAULTS
            if self.findings[name].count
        ]
        found += [
            f"not whole again after {', '.join(step.faults)} at {step.at:.0f} s"
            for step in self.steps
            if step.recovered is None
        ]
        found += [end.words for end in self.ends if end.why is None]
        found += growth_problems(self.usage, seconds=self.seconds)
        return found

    @property
    def left_out(self) -> list[str]:
        """Faults that this machine could not make, each once, with the reason."""
        return list(dict.fromkeys(what for step in self.steps for what in step.left_out))


def markdown(report: Report) -> str:
    """The report as a page."""
    verdict = "nothing lost, nothing twice, nothing wrong" if not report.problems else "FAILED"
    lines = [f"## Seed {report.seed}, {report.seconds:.0f} s: {verdict}", ""]
    lines += [f"- {problem}" for problem in report.problems]
    lines += ["", "| checked | found |", "|---|---|"]
    lines += [f"| {name} | {finding.count} |" for name, finding in report.findings.items()]
    lines += ["", "| events | number |", "|---|---|"]
    lines += [f"| {name} | {number:,} |" for name, number in report.events.items()]
    lines += ["", "| answers | lists | events |", "|---|---|---|"]
    for status in sorted(report.requests.keys() | report.event_requests.keys()):
        lists, events = report.requests.get(status, 0), report.event_requests.get(status, 0)
        lines.append(f"| {status} | {lists:,} | {events:,} |")
    lines += ["", "| at | fault | whole again after |", "|---|---|---|"]
    for step in report.steps:
        words = " and ".join(step.faults)
        notes = [*step.told, *(f"left out: {what}" for what in step.left_out)]
        noted = f" ({'; '.join(notes)})" if notes else ""
        after = step.recovery_seconds
        lines.append(
            f"| {step.at:.0f} s | {words}{noted} |"
            f" {'not in time' if after is None else f'{after:.1f} s'} |"
        )
    return "\n".join([*lines, *_end_lines(report), *_usage_lines(report), ""])


def _end_lines(report: Report) -> list[str]:
    lines = ["", "| process | ended with | because | times |", "|---|---|---|---|"]
    told = Counter((end.process, end.code, end.why or "UNKNOWN") for end in report.ends)
    rows = sorted(told.items(), key=lambda row: (row[0][0], -row[1]))
    lines += [f"| {name} | {code} | {why} | {times} |" for (name, code, why), times in rows]
    return lines


def _usage_lines(report: Report) -> list[str]:
    lines = ["", "| process | lives | longest | own MB | memory MB | handles | threads | judged |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for name, use in report.usage.items():
        figures = [
            _shown(use.own_bytes, unit=1e6),
            _shown(use.memory_bytes, unit=1e6),
            _shown(use.handles, unit=1.0),
            _shown(use.threads, unit=1.0),
        ]
        shown = figures if use.samples else ["too short"] * len(figures)
        cells = [name, str(use.lives), f"{use.seconds:.0f} s", *shown, verdict(use)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _shown(trend: Trend, *, unit: float) -> str:
    start, end, slope = trend.start / unit, trend.end / unit, trend.per_hour / unit
    return f"{start:.0f} to {end:.0f}, {slope:+.0f}/h"
