"""Recording rules and alerts as values, and the YAML that Prometheus reads.

Expressions are made for a pace: at the deployment's own, windows are as they are written; a
test lets the same rules run many times as fast.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# In this repository. Where people on call read it is known where Prometheus runs: the external
# label `runbook` of its configuration, or a value of the chart in the place of these words.
RUNBOOK = "docs/runbook.md"
ADDRESS = "{{ $externalLabels.runbook }}"

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def in_seconds(duration: str) -> int:
    """How long a duration such as `5m` is."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast time is taken to pass, and the bounds that a small site would never reach."""

    speed: int = 1
    lag_messages: int = 5_000

    def __call__(self, duration: str) -> str:
        """A duration such as `5m` at this pace: whole seconds, two at least."""
        if self.speed == 1:
            return duration
        return f"{max(2, in_seconds(duration) // self.speed)}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A series that is computed ahead."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`value` compared as `condition` says, for as long as `lasts`: somebody is told.

    `value` alone has data on every site that runs; of two operands, it is in brackets.
    Severity `page` wakes somebody, `ticket` waits for the day, `none` tells nobody.
    """

    name: str
    value: str
    condition: str
    lasts: str
    severity: str
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def expr(self) -> str:
        """The whole condition."""
        return f"{self.value} {self.condition}"

    @property
    def runbook(self) -> str:
        """The page of the runbook, by the anchor that its heading gets."""
        return f"{ADDRESS}#{self.name.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that are evaluated one after the other; `every`: empty for Prometheus's own pace."""

    name: str
    rules: Sequence[Recording | Alert]
    every: str = ""


def rules_yaml(groups: Sequence[Group]) -> str:
    """A rule file."""
    lines = ["groups:"]
    for group in groups:
        lines.append(f"  - name: {group.name}")
        if group.every:
            lines.append(f"    interval: {group.every}")
        lines.append("    rules:")
        for rule in group.rules:
            lines += _recording(rule) if isinstance(rule, Recording) else _alert(rule)
    return "\n".join(lines) + "\n"


def block(text: str, indent: int) -> list[str]:
    """The lines of a literal block of YAML, after its `|`."""
    return [" " * indent + line for line in text.splitlines()]


def quoted(text: str) -> str:
    """A scalar of YAML: JSON's are among them."""
    return json.dumps(text, ensure_ascii=False)


def _recording(rule: Recording) -> list[str]:
    lines = [f"      - record: {rule.name}", "        expr: |", *block(rule.expr, 10)]
    return lines + _mapping("labels", rule.labels)


def _alert(rule: Alert) -> list[str]:
    labels = {"severity": rule.severity, **rule.labels}
    return [
        f"      - alert: {rule.name}",
        "        expr: |",
        *block(rule.expr, 10),
        f"        for: {rule.lasts}",
        *_mapping("labels", labels),
        *_mapping("annotations", {"summary": rule.summary, "runbook_url": rule.runbook}),
    ]


def _mapping(name: str, values: Mapping[str, str]) -> list[str]:
    if not values:
        return []
    return [f"        {name}:", *(f"          {key}: {quoted(v)}" for key, v in values.items())]
