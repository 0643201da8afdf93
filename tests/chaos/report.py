"""What a run says: a JSON file for machines, tables for people."""

import signal

import msgspec

from tests.chaos.checker import FAULTS, Finding
from tests.chaos.usage import ProcessUsage


class Struck(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the schedule; moments in seconds of the run. `left_out`: what could not be done."""

    faults: tuple[str, ...]
    at: float
    undone: float
    recovered: float | None
    left_out: tuple[str, ...] = ()

    @property
    def recovery_seconds(self) -> float | None:
        return None if self.recovered is None else round(self.recovered - self.undone, 1)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Nothing may be found of `FAULTS`, and each step recovers."""

    seed: int
    seconds: float
    settled_seconds: float
    steps: tuple[Struck, ...]
    events: dict[str, int]
    event_requests: dict[str, int]
    requests: dict[str, int]
    exposures: int
    findings: dict[str, Finding]
    exit_codes: dict[str, int]
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
        found += [
            f"{name} ended with {code}"
            for name, code in self.exit_codes.items()
            if code not in (0, -signal.SIGTERM)  # of one that has just begun: it was not at work
        ]
        return found


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
        left = f" (left out: {'; '.join(step.left_out)})" if step.left_out else ""
        after = step.recovery_seconds
        lines.append(
            f"| {step.at:.0f} s | {words}{left} |"
            f" {'not in time' if after is None else f'{after:.1f} s'} |"
        )
    lines += ["", "| process | lives | longest | memory MB | handles | threads |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, use in report.usage.items():
        memory = use.memory_bytes
        scaled = (memory.start / 1e6, memory.end / 1e6, memory.per_hour / 1e6)
        figures = [
            "{:.0f} to {:.0f}, {:+.0f}/h".format(*scaled),
            *(
                f"{t.start:.0f} to {t.end:.0f}, {t.per_hour:+.0f}/h"
                for t in (use.handles, use.threads)
            ),
        ]
        shown = figures if use.samples else ["too short"] * 3
        lines.append(f"| {name} | {use.lives} | {use.seconds:.0f} s | {' | '.join(shown)} |")
    return "\n".join([*lines, ""])
