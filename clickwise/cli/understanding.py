"""`clickwise understand PATH`: what is understood of the items in a file, and how long it takes."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import msgspec

from clickwise.cli.exits import Exit
from clickwise.cli.following import encoder_progress
from clickwise.cli.item_files import items_of
from clickwise.cli.output import print_json_line, print_table
from clickwise.cli.topic_models import topics_of
from clickwise.cli.wiring import encoder_of
from clickwise.clock import SystemClock
from clickwise.errors import ClickwiseError
from clickwise.items import Item
from clickwise.masking import masking_of
from clickwise.settings import Settings
from clickwise.understanding import Understanding


@dataclass(frozen=True, slots=True)
class UnderstandOptions:
    """The command's options, as they were typed."""

    path: Path
    layout: str
    texts: bool
    limit: int
    json: bool


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One item; `reason` says why nothing was understood of it."""

    item: str
    title: str
    seconds: float
    cpu_seconds: float
    reason: str | None = None
    understanding: Understanding | None = None


def understand(settings: Settings, options: UnderstandOptions) -> int:
    """Print a line or a table row for each item; 1 if one could not be read or understood.

    Raises:
        ConfigurationError: the file, the taxonomy or the encoder cannot be had.
    """
    lines: list[Line] = []
    items = items_of(options.path, options.layout, texts=options.texts, limit=options.limit)
    with _with_a_home(settings) as there:
        for line in _lines(there, items):
            lines.append(line)
            if options.json:
                print_json_line(line)
    if not options.json:
        _show(lines)
    failed = items.refused or any(line.reason for line in lines)
    return Exit.FAILED if failed else Exit.DONE


@contextmanager
def _with_a_home(settings: Settings) -> Iterator[Settings]:
    """The settings; where their home is not there, with one that goes with what is made in it: the
    files of the text encoder.
    """
    if settings.folder.exists():
        yield settings
        return
    with TemporaryDirectory(prefix="clickwise-") as folder:
        yield msgspec.structs.replace(settings, home=folder)


def _lines(settings: Settings, items: Iterable[Item]) -> Iterator[Line]:
    from clickwise.understanding.understander import Understander

    with encoder_progress() as follow:
        encoder = encoder_of(settings, progress=follow)
    understander = Understander(
        encoder=encoder, topics=topics_of(settings, encoder), clock=SystemClock()
    )
    masking = masking_of(settings.mask)  # as where items come in
    for given in items:
        item = masking.item(given)
        started, used = time.perf_counter(), time.process_time()
        understanding, reason = None, None
        try:
            understanding = understander.understand(item).understanding
        except ClickwiseError as error:
            reason = error.kind
        yield Line(
            item=item.id,
            title=item.title,
            seconds=round(time.perf_counter() - started, 4),
            cpu_seconds=round(time.process_time() - used, 4),
            reason=reason,
            understanding=understanding,
        )


def _show(lines: Sequence[Line]) -> None:
    """A table of what was understood, and one of how much and how long."""
    print_table(
        ("item", "language", "topics", "keywords", "summary"),
        [
            (line.item, *_cells(line.understanding))
            if line.understanding is not None
            else (line.item, "", line.reason or "", "", "")
            for line in lines
        ],
    )
    made = [line.understanding for line in lines if line.understanding is not None]
    seconds = sorted(line.seconds for line in lines) or [0.0]
    languages = Counter(one.language or "unknown" for one in made)
    figures = {
        "items": len(lines),
        "understood": len(made),
        "with keywords": sum(bool(one.keywords) for one in made),
        "with topics": sum(bool(one.topics) for one in made),
        "with a summary of their body": sum(
            one.summary != (line.title,)
            for line in lines
            if (one := line.understanding) is not None
        ),
        "languages": ", ".join(f"{name} {count}" for name, count in languages.most_common(8)),
        "seconds an item (mean)": round(fmean(seconds), 3),
        "seconds an item (p50)": round(median(seconds), 3),
        "seconds an item (most)": round(seconds[-1], 3),
        "CPU seconds an item (mean)": round(fmean(one.cpu_seconds for one in lines), 3)
        if lines
        else 0.0,
    }
    print_table(("figure", "value"), [(name, str(value)) for name, value in figures.items()])


def _cells(one: Understanding) -> tuple[str, str, str, str]:
    return (
        one.language,
        ", ".join(f"{topic.topic} {topic.weight:.2f}" for topic in one.topics),
        ", ".join(keyword.word for keyword in one.keywords[:6]),
        " ".join(one.summary),
    )
