"""The model card: what a bundle is, what it was made from, how good it is, what it is not for.

After Mitchell et al., "Model cards for model reporting" (2019); for people who decide whether to
serve it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from training.export_table import ExportTable
from training.gate import Verdict
from training.weights import Story

_USE = """\
Ranks the items of the site that it was trained on, for that site's users, from their own events.
It is retrained as the log grows; items that came later are ranked by their text."""
_LIMITS = """\
- It has learned what people did, with every bias of what they were shown.
- Of users without events it knows nothing: the facts of items (popularity, freshness) decide.
- It is no judge of what an item says: not of truth, nor of harm.
- Weights and item rows stem from people's behavior; treat the bundle as such data.
- The figures below are of one site's later events and do not carry over to another site."""


def model_card(
    version: str, story: Story, verdict: Verdict | None, table: ExportTable | None
) -> str:
    """Markdown."""
    parts = [
        f"# {version}",
        _opening(story),
        "## Intended use",
        _USE,
        "## Data",
        _table(
            ("what", "figure"),
            [
                ("learned until", _time(story.learned_until)),
                ("events", f"{story.events:,}"),
                ("users", f"{story.users:,}"),
                ("items with events", f"{story.items:,}"),
            ],
        ),
        "## Network",
        _table(("size", "value"), [(name, f"{value:g}") for name, value in story.model.items()]),
        "## Quality",
        _quality(story, verdict),
        *_gate(verdict),
        *_precisions(table),
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _opening(story: Story) -> str:
    base = f", started from {story.base}" if story.base else ""
    return (
        f"A learned model: item tower, gated linear recurrence over a user's events, ranker."
        f" Made {story.made.astimezone(UTC):%Y-%m-%d %H:%M} UTC by a training of kind"
        f" {story.kind}{base}: {story.epochs} epochs in {story.seconds:.1f} s, seed {story.seed}."
    )


def _quality(story: Story, verdict: Verdict | None) -> str:
    lines = []
    if story.quality is not None:
        lines.append(
            f"NDCG@10 on the part held back for early stopping: {story.quality:.4f} (among all"
            " items; chosen by it, so a little flattering)."
        )
    if verdict is not None:
        lines += [
            f"On later events, lived as they happened: {one.text}."
            for one in verdict.conditions
            if one.name == "gain"
        ]
    return "\n".join(lines) or "Not measured."


def _gate(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return ["## Gate", "Not judged."]
    rows = [(one.name, "holds" if one.passed else "FAILED", one.text) for one in verdict.conditions]
    return [
        "## Gate",
        "Passed." if verdict.passed else f"Refused: {verdict.outcome}.",
        _table(("condition", "outcome", "figures"), rows),
    ]


def _precisions(table: ExportTable | None) -> list[str]:
    if table is None:
        return []
    rows = [
        (
            one.precision,
            f"{one.size_bytes / 1e6:.2f}",
            f"{one.step_seconds * 1e6:.0f}",
            f"{one.score_seconds * 1e6:.0f}",
            f"{one.time_ratio:.2f}",
            f"{one.max_difference:.1e}",
            f"{one.quality:.4f}",
        )
        for one in table.forms
    ]
    columns = (
        "precision", "MB", "event, us", "200 candidates, us", "time to fp32", "difference to torch",
        "NDCG@10",
    )  # fmt: skip
    return [f"## Precisions, on {table.histories} histories", _table(columns, rows)]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
