"""The data sheet as files: JSON for the next training, Markdown for people."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from clickwise.errors import ConfigurationError
from training.prepare.sheet import DataSheet

JSON_NAME = "data-sheet.json"
MARKDOWN_NAME = "data-sheet.md"

_decoder = msgspec.json.Decoder(DataSheet)


def write_sheet(folder: Path, sheet: DataSheet) -> None:
    """Write both forms into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(sheet), indent=2)
    (folder / JSON_NAME).write_bytes(encoded + b"\n")
    (folder / MARKDOWN_NAME).write_text(markdown(sheet), encoding="utf-8")


def read_sheet(folder: Path) -> DataSheet | None:
    """The sheet in a folder; None when there is none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = folder / JSON_NAME
    if not path.is_file():
        return None
    try:
        return _decoder.decode(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} is no data sheet: {error}") from error


def markdown(sheet: DataSheet) -> str:
    """The sheet for people."""
    parts = [
        f"# Data sheet: {sheet.name}",
        f"Made {_time(sheet.made)}; events from {_time(sheet.first)} to {_time(sheet.last)}.",
        "\n".join(f"- {sentence}" for sentence in sheet.warnings) or "Nothing stands out.",
        "## Counts",
        _table(("what", "number"), _counts(sheet)),
        "## Events by type",
        _shares({kind.value: count for kind, count in sheet.event_types.items()}),
        "## Users by number of events",
        _table(
            ("events", "users", "their events"),
            [
                (f"{one.least:,} or more", f"{one.users:,}", f"{one.events:,}")
                for one in sheet.history_lengths
            ],
        ),
        "## Items",
        _shares({f"kind: {kind}": count for kind, count in sheet.kinds.items()}),
        _shares({f"language: {language}": count for language, count in sheet.languages.items()}),
        *_drift(sheet),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _counts(sheet: DataSheet) -> list[tuple[str, str]]:
    numbers = {
        "events": sheet.events,
        "positive": sheet.positive,
        "negative": sheet.negative,
        "duplicates left out": sheet.duplicates,
        "refused": sheet.refused,
        "lost, at most": sheet.lost,
        "users": sheet.users,
        "items": sheet.items,
        "items with events": sheet.items_with_events,
        "items that only events know": sheet.items_unknown,
        "items without text": sheet.items_without_text,
        "items with a vector": sheet.items_with_vector,
    }
    shares = {
        "events on items that only events know": sheet.events_on_unknown_share,
        "positive events on the most popular hundredth": sheet.events_on_popular_share,
        "events of the busiest user": sheet.largest_user_share,
    }
    rows = [(name, f"{number:,}") for name, number in numbers.items()]
    return rows + [(name, f"{share:.1%}") for name, share in shares.items()]


def _drift(sheet: DataSheet) -> list[str]:
    drift = sheet.drift
    if drift is None:
        return []
    rows = [
        ("events since", f"{drift.events:,}"),
        ("event types, PSI", f"{drift.event_types_psi:.3f}"),
        ("items by popularity, PSI", f"{drift.items_psi:.3f}"),
        ("items, KL divergence in nats", f"{drift.items_kl:.3f}"),
        ("positive events on new items", f"{drift.new_items_share:.1%}"),
        ("new users among the users since", f"{drift.new_users_share:.1%}"),
    ]
    return ["## Since the last training", _table(("what", "figure"), rows)]


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    rows = [(str(name), f"{n:,}", f"{n / total:.1%}") for name, n in counts.items()]
    return _table(("what", "number", "share"), rows) if rows else ""


def _time(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
