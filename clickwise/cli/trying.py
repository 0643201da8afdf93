"""`clickwise texts try PATH`: what a writer makes of items, and what of it is refused."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.text import Text

from clickwise.cli.exits import Exit
from clickwise.cli.following import bar
from clickwise.cli.item_files import items_of
from clickwise.cli.output import console
from clickwise.cli.trial_tables import print_drafts, print_figures
from clickwise.cli.writing import check_texts, writer_of
from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.items import Item
from clickwise.settings import Settings
from clickwise.understanding.languages import language_of
from clickwise.writing.gate import Field
from clickwise.writing.port import Writer
from clickwise.writing.prompts import WRITTEN_FIELDS
from clickwise.writing.source import fields_of, source_of
from clickwise.writing.trial import Material, Sample, Trial, Tried

FAILURES = 3  # items in a row without an answer: the model is away

Place = tuple[str, str, str]  # item, field, recipe
_rows = msgspec.json.Decoder(Tried)


@dataclass(frozen=True, slots=True)
class TryOptions:
    """The command's options, as they were typed."""

    path: Path
    layout: str
    texts: bool
    limit: int
    fields: str
    material: str
    readers: str
    rows: Path | None
    show: bool


def try_texts(settings: Settings, options: TryOptions, *, writer: Writer | None = None) -> int:
    """Write, judge, and print tables; 1 if some item could not be read, or had no answer.

    Args:
        settings: with the embedded model where texts are off.
        options: what to try.
        writer: instead of the settings' own.

    Raises:
        ConfigurationError: an option, the file or the model cannot be had.
        UnavailableError: the model did not answer for several items in a row. With `rows`, what
            was made is there, and the same call goes on behind it.
    """
    if settings.texts == "off":
        settings = msgspec.structs.replace(settings, texts="embedded")
    fields, material = _fields(options.fields), _material(options.material)
    items = items_of(options.path, options.layout, texts=options.texts, limit=options.limit)
    with ExitStack() as stack:
        kept = Kept(options.rows) if options.rows is not None else None
        if kept is not None:
            stack.callback(kept.close)
        if writer is None:
            check_texts(settings)
            writer = writer_of(settings)
            stack.callback(writer.close)
        trial = Trial(
            writer, material=material, topic=options.readers.strip(), clock=SystemClock(),
            deadline_seconds=settings.texts_deadline_seconds,
        )  # fmt: skip
        run = Run(trial, kept, fields, material)
        run.over(items, limit=options.limit)
    if options.show:
        print_drafts(run.drafts)
    print_figures(run.drafts)
    if run.unanswered:
        console().print(Text(f"{run.unanswered} items without an answer: run again to try them"))
    return Exit.FAILED if run.unanswered or items.refused else Exit.DONE


class Kept:
    """Rows of a file, each written as it is made. Of a draft that was judged again, by another
    gate, the last row counts.
    """

    def __init__(self, path: Path) -> None:
        """What an interruption left half written goes.

        Raises:
            ConfigurationError: it cannot be written, or holds something else.
        """
        self._path = path
        self._made: dict[Place, dict[int, Tried]] = {}
        with self._told():
            whole = path.read_bytes() if path.exists() else b""
            whole = whole[: whole.rfind(b"\n") + 1]
            for row in map(_rows.decode, whole.splitlines()):
                self._made.setdefault((row.item, row.field, row.recipe), {})[row.attempt] = row
            self._file = path.open("ab")
            self._file.truncate(len(whole))

    def made(self, place: Place) -> Sequence[Tried]:
        """Drafts of an earlier run, in the order of their attempts."""
        return sorted(self._made.get(place, {}).values(), key=lambda row: row.attempt)

    def add(self, row: Tried) -> None:
        """Write a row, at once.

        Raises:
            ConfigurationError: the disk is full, say.
        """
        with self._told():
            self._file.write(msgspec.json.encode(row) + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(f"{self._path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise ConfigurationError(
                f"{self._path} holds something else than drafts: {error}"
            ) from error


class Run:
    """One run over items. `drafts`: its rows, and those of an earlier run with the same recipe."""

    def __init__(
        self, trial: Trial, kept: Kept | None, fields: Sequence[Field], material: Material
    ) -> None:
        self.drafts: list[Tried] = []
        self.unanswered = 0
        self._trial = trial
        self._kept = kept
        self._fields = fields
        self._material = material

    def over(self, items: Iterable[Item], *, limit: int) -> None:
        """Write for each item that has text to write from.

        Raises:
            UnavailableError: see `try_texts`.
        """
        failures = 0
        with bar() as follow:
            for number, item in enumerate(items, start=1):
                sample = _sample(item)
                if self._material is Material.BODY and not item.body:
                    continue
                try:
                    self._one(sample)
                    failures = 0
                except UnavailableError:
                    failures += 1
                    self.unanswered += 1
                    if failures == FAILURES:
                        raise
                accepted = sum(draft.accepted for draft in self.drafts)
                told = f"items {number}, drafts {len(self.drafts)}, accepted {accepted}"
                follow(told, number / limit if limit else 0.0)

    def _one(self, sample: Sample) -> None:
        enough = fields_of(sample.source)
        for field in self._fields:
            if field not in enough:
                continue
            place = (sample.item, field.value, self._trial.recipe(sample, field))
            made = self._judged(sample, self._kept.made(place)) if self._kept is not None else []
            self.drafts.extend(made)
            if made and made[-1].accepted:
                continue
            for draft in self._trial.drafts(sample, field, made=len(made)):
                self.drafts.append(draft)
                if self._kept is not None:
                    self._kept.add(draft)

    def _judged(self, sample: Sample, kept: Sequence[Tried]) -> list[Tried]:
        """Kept drafts as the gate of today sees them, up to the first that it accepts."""
        judged: list[Tried] = []
        for draft in kept:
            again = self._trial.judged_again(draft, sample)
            if again is not draft and self._kept is not None:
                self._kept.add(again)
            self._trial.remember(again)
            judged.append(again)
            if again.accepted:
                break
        return judged


def _sample(item: Item) -> Sample:
    understood = language_of(f"{item.title}\n{item.body}", given=item.language)
    return Sample(item.id, item.kind, source_of(item, language=understood.tag))


def _fields(names: str) -> list[Field]:
    known = [field.value for field in WRITTEN_FIELDS]
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigurationError(f"--fields {unknown[0]}: expected some of {', '.join(known)}")
    return [field for field in WRITTEN_FIELDS if field.value in wanted]


def _material(name: str) -> Material:
    try:
        return Material(name)
    except ValueError as error:
        known = " or ".join(Material)
        raise ConfigurationError(f"--material {name}: expected {known}") from error
