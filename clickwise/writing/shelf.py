"""The words that are ready, in a serving process's memory: one look-up per item, never a wait.

A thread reads what changed about once a second, by number; requests only look. Bounded: over `MOST`
items those that nobody was shown lately go, and come back a moment after they are asked for.
"""

import threading
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

from clickwise import logs, metrics
from clickwise.errors import ClickwiseError
from clickwise.state.text_port import Decision, StoredText
from clickwise.types import ItemKey
from clickwise.writing.overlay import Entry, remembered
from clickwise.writing.shown import ItemText, Shown

MOST = 20_000
REFRESH_SECONDS = 1.0
AT_ONCE = 500
WANTED_AT_ONCE = 50
_NOTHING = Entry()

_log = logs.get(__name__)
T = TypeVar("T", StoredText, Decision)


class Words(Protocol):
    """Where the words of an item come from."""

    def of(self, key: ItemKey, title: str, segments: tuple[str, ...], *, held: bool) -> ItemText:
        """See `overlay.words_of`."""
        ...

    def is_held(self, reader: str) -> bool:
        """Whether a reader is one of those who see original titles."""
        ...


class WordRows(Protocol):
    """What a shelf reads of `clickwise.state.text_port.Texts`."""

    def newest_number(self) -> int:
        """See Texts."""
        ...

    def texts_changed(self, *, after: int, limit: int) -> list[StoredText]:
        """See Texts."""
        ...

    def decisions_changed(self, *, after: int, limit: int) -> list[Decision]:
        """See Texts."""
        ...

    def texts_of(self, key: ItemKey) -> list[StoredText]:
        """See Texts."""
        ...

    def decisions_of(self, key: ItemKey) -> list[Decision]:
        """See Texts."""
        ...


class DecidedAlone:
    """See WordRows: what people decided, and nothing that a model wrote at other times."""

    def __init__(self, rows: WordRows) -> None:
        self.newest_number = rows.newest_number
        self.decisions_changed = rows.decisions_changed
        self.decisions_of = rows.decisions_of

    def texts_changed(self, *, after: int, limit: int) -> list[StoredText]:
        """None."""
        del after, limit
        return []

    def texts_of(self, key: ItemKey) -> list[StoredText]:
        """None."""
        del key
        return []


class OwnWords:
    """No words but their own: every item speaks for itself."""

    def of(self, key: ItemKey, title: str, segments: tuple[str, ...], *, held: bool) -> ItemText:
        """See Words."""
        del key, segments, held
        return ItemText(shown="own", title=title)

    def is_held(self, reader: str) -> bool:
        """See Words."""
        del reader
        return False


class Shelf:
    """See Words. `of` is called by the thread that answers, `refresh` by its own."""

    def __init__(self, texts: WordRows, *, holdout: float, most: int = MOST) -> None:
        self._texts = texts
        self._holdout = holdout
        self._most = most
        self._entries: dict[ItemKey, Entry] = {}
        self._used: set[ItemKey] = set()
        self._gone: dict[ItemKey, None] = {}
        self._wanted: set[ItemKey] = set()
        self._number = 0
        # Counted by the thread that answers, told to the metric by the other: less work per item.
        self._shown: dict[Shown, int] = {"written": 0, "edited": 0, "own": 0, "held": 0}
        self._told = dict(self._shown)
        self._failed = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clickwise-texts", daemon=True)

    def of(self, key: ItemKey, title: str, segments: tuple[str, ...], *, held: bool) -> ItemText:
        """See Words."""
        entry = self._entries.get(key)
        if entry is None:
            if key in self._gone and len(self._wanted) < WANTED_AT_ONCE:
                self._wanted.add(key)
            self._shown["own"] += 1
            return ItemText(shown="own", title=title)
        self._used.add(key)
        text = remembered(entry, title, segments, held=held)
        self._shown[text.shown] += 1
        return text

    def is_held(self, reader: str) -> bool:
        """See Words. The same for a reader for ever."""
        if not self._holdout:
            return False
        digest = blake2b(reader.encode(errors="replace"), digest_size=4, person=b"holdout").digest()
        return int.from_bytes(digest) < self._holdout * 2.0**32

    def start(self) -> None:
        """Read in a thread from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Read what changed since the last time, and what was asked for and not here.

        Raises:
            UnavailableError: the database does not answer; what is here stays.
        """
        newest = self._texts.newest_number()
        if newest > self._number:
            # First what people decided: nothing that is blocked may be shown, not for a moment.
            at = self._number
            while decisions := self._texts.decisions_changed(after=at, limit=AT_ONCE):
                self._put((), decisions)
                at = decisions[-1].number
            at = self._number
            while texts := self._texts.texts_changed(after=at, limit=AT_ONCE):
                self._put(texts, ())
                at = texts[-1].number
            self._number = newest
        self._fetch_wanted()
        self._tell()
        metrics.texts_held.set(len(self._entries))

    def _put(self, texts: Sequence[StoredText], decisions: Sequence[Decision]) -> None:
        by_item, decided = _by_item(texts), _by_item(decisions)
        for key in by_item.keys() | decided.keys():
            if key in self._gone:
                continue  # it is read whole when it is asked for
            before = self._entries.pop(key, _NOTHING)
            entry = before.changed(by_item.get(key, ()), decided.get(key, ()))
            if entry:
                self._entries[key] = entry
        self._make_room()

    def _make_room(self) -> None:
        """Let go of the longest unused; what was shown since the last look gets a second chance."""
        while len(self._entries) > self._most:
            key = next(iter(self._entries))
            entry = self._entries.pop(key)
            if key in self._used:
                self._used.discard(key)
                self._entries[key] = entry
                continue
            self._gone[key] = None
            metrics.dropped.labels("texts").inc()

    def _fetch_wanted(self) -> None:
        for key in tuple(self._wanted):  # what is asked for meanwhile waits for the next time
            self._wanted.discard(key)
            entry = _NOTHING.changed(self._texts.texts_of(key), self._texts.decisions_of(key))
            self._gone.pop(key, None)
            if entry:
                self._entries[key] = entry
                self._used.add(key)
        self._make_room()

    def _tell(self) -> None:
        for shown, count in self._shown.items():
            metrics.texts_shown.labels(shown).inc(count - self._told[shown])
            self._told[shown] = count

    def _run(self) -> None:
        while True:
            try:
                self.refresh()
                self._failed = False
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "texts").inc()
                if not self._failed:
                    _log.warning("texts_not_read", kind=error.kind, reason=str(error))
                self._failed = True
            if self._stopped.wait(REFRESH_SECONDS):
                return


def _by_item(rows: Iterable[T]) -> dict[ItemKey, list[T]]:
    found: dict[ItemKey, list[T]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found
