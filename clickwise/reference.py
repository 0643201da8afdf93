"""Pages of the documentation that are made from the code: settings, metrics, topics,
and the topics as AsyncAPI.

`clickwise docs write` writes them; a test compares what is there with what would be written.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from prometheus_client import Counter, Gauge, Histogram

from clickwise import metrics
from clickwise.asyncapi import asyncapi
from clickwise.secret import Secret
from clickwise.settings import PREFIX, Settings
from clickwise.topics import TOPICS, Topic

COMMAND = "clickwise docs write"
_NOTE = f"<!-- Made from the code by `{COMMAND}`: change the code, then run it again. -->"
_Metric = Counter | Gauge | Histogram
# A pattern that is no more than a choice of words.
_words = re.compile(r"\^\(([\w-]+(?:\|[\w-]+)*)\)\$")


def settings_page() -> str:
    """All settings: variable, type with bounds, default, when to change it."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Settings):
        kind, meta = _annotated(hints[field.name])
        rows.append(
            (
                f"`{PREFIX}{field.name.upper()}`",
                _type_text(kind, meta),
                _default_text(field.default),
                meta.description or "",
            )
        )
    return _page(
        "Settings",
        "Read from the environment when a process starts; options of a command win. An unknown"
        f" `{PREFIX}...` variable stops the process, with a suggestion. White space around a value,"
        " such as the line break at the end of a secret's file, is no part of it. Secrets are never"
        " shown.",
        [_table(("variable", "type", "default", "when to change it"), rows)],
    )


def metrics_page() -> str:
    """All figures: name, kind, labels, meaning, buckets."""
    rows = []
    for metric in declared_metrics():
        description = next(iter(metric.describe()))
        total = "_total" if description.type == "counter" else ""
        rows.append(
            (
                f"`{description.name}{total}`",
                description.type,
                ", ".join(f"`{label}`" for label in metric._labelnames) or "",  # noqa: SLF001  # no public way to them
                description.documentation,
                _buckets_text(metric),
            )
        )
    return _page(
        "Metrics",
        "At `/metrics` of the HTTP interface, for all workers of a machine together, and at"
        f" `{PREFIX}STREAM_METRICS_PORT` of a stream worker. Base units; labels come from small"
        " closed sets.",
        [_table(("name", "kind", "labels", "meaning", "buckets"), rows)],
    )


def topics_page() -> str:
    """All topics: name, key, retention, content."""
    prefix = Settings().kafka_topic_prefix
    rows = [
        (f"`{topic.full_name(prefix)}`", topic.key, _kept(topic), topic.holds) for topic in TOPICS
    ]
    return _page(
        "Topics",
        "Made by `clickwise topics create`; each has as many partitions as"
        f" `{PREFIX}KAFKA_PARTITIONS` says. Messages are JSON in UTF-8.",
        [_table(("topic", "key", "kept", "holds"), rows)],
    )


def asyncapi_document() -> str:
    """The topics as an AsyncAPI document."""
    return document(asyncapi(Settings().kafka_topic_prefix))


def document(value: object) -> str:
    """JSON that is read, and compared, line by line."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


Pages = Mapping[str, Callable[[], str]]
PAGES: Pages = {
    "asyncapi.json": asyncapi_document,
    "configuration.md": settings_page,
    "metrics.md": metrics_page,
    "topics.md": topics_page,
}


def write_pages(folder: Path, pages: Pages = PAGES) -> list[Path]:
    """Write every page; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in pages.items():
        path = folder / name
        path.write_text(make(), encoding="utf-8")
        written.append(path)
    return written


def stale_pages(folder: Path, pages: Pages = PAGES) -> list[str]:
    """Names of pages that are missing or differ from what the code says."""
    return [
        name
        for name, make in pages.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def declared_metrics() -> list[_Metric]:
    """Every figure that `clickwise.metrics` declares, in its order."""
    found = (value for value in vars(metrics).values())
    return [value for value in found if isinstance(value, Counter | Gauge | Histogram)]


def _annotated(hint: object) -> tuple[object, Meta]:
    if get_origin(hint) is None:
        return hint, Meta()
    kind, *rest = get_args(hint)
    return kind, next((one for one in rest if isinstance(one, Meta)), Meta())


def _type_text(kind: object, meta: Meta) -> str:
    name = {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        kind if isinstance(kind, type) else object, "text"
    )
    if kind is Secret:
        return "secret"
    words = _words.fullmatch(meta.pattern or "")
    if words is not None:
        return " or ".join(f"`{word}`" for word in words[1].split("|"))
    low = meta.ge if meta.ge is not None else meta.gt
    high = meta.le if meta.le is not None else meta.lt
    if low is None and high is None:
        return name
    above = "more than" if meta.gt is not None else "from"
    return f"{name}, {above} {low:g} to {high:g}" if low is not None and high is not None else name


def _default_text(value: object) -> str:
    if isinstance(value, Secret) or value == "":
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _buckets_text(metric: _Metric) -> str:
    if not isinstance(metric, Histogram):
        return ""
    bounds = [bound for bound in metric._upper_bounds if bound != float("inf")]  # noqa: SLF001  # no public way to them
    return f"{len(bounds)} from {bounds[0]:g} to {bounds[-1]:g}"


def _kept(topic: Topic) -> str:
    if topic.retention is None:
        return "the newest per key"
    days = topic.retention.total_seconds() / 86_400.0
    return f"{days:g} day{'' if days == 1 else 's'}"


def _page(title: str, lead: str, parts: Sequence[str]) -> str:
    return "\n\n".join([f"# {title}", _NOTE, lead, *parts]) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(columns), _line(["---"] * len(columns))]
    lines += [_line([cell.replace("|", "\\|") for cell in row]) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
