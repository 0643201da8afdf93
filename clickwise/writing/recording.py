"""Stores what came of writing for a pair: its texts, what was refused, and that it was tried; and
keeps at hand what the next texts are compared with: the newest ones, and other items' own titles.
"""

from collections import deque
from collections.abc import Sequence

from clickwise.clock import Clock
from clickwise.state.text_port import Attempt, Rejection, StoredText, Texts
from clickwise.types import ItemKey
from clickwise.writing.choosing import Pair
from clickwise.writing.drafting import Refused, Written
from clickwise.writing.gate import Field, Source
from clickwise.writing.source import Recipe, digest_of
from clickwise.writing.titles import Titles

REMEMBERED = 200  # other items' texts of a field that a new one is compared with
PRUNE_EVERY = 500


class Recorder:
    """See the module. Owned by one thread."""

    def __init__(
        self, *, texts: Texts, clock: Clock, recipe: Recipe, model: str, rejections: int
    ) -> None:
        """`rejections`: how many are kept."""
        self._texts = texts
        self._clock = clock
        self._recipe = recipe
        self._model = model
        self._rejections = rejections
        self._recent: dict[str, deque[tuple[ItemKey, str]]] | None = None
        self._titles = Titles()
        self._recorded = 0

    def record(
        self, pair: Pair, source: Source, written: Sequence[Written], *, guessed: bool
    ) -> None:
        """Store it as long as the item is as it was; `guessed`: by a language that was.

        Raises:
            UnavailableError: the database does not answer.
        """
        refused = [one for text in written for one in text.refused]
        accepted = [text for text in written if text.text]
        attempt = Attempt(
            key=pair.candidate.key,
            segment=pair.chosen.segment.key,
            change=pair.candidate.change,
            digest=digest_of(pair.item, source),
            recipe=self._recipe.guessed if guessed else self._recipe.name,
            accepted=len(accepted),
            rejected=len(refused),
            at=self._clock.now(),
        )
        texts = [self._stored(pair, text) for text in accepted]
        self._texts.record(attempt, texts, [self._rejection(pair, one) for one in refused])
        for text in accepted:
            self._remembered(text.field).append((pair.candidate.key, text.text))
        self._prune(len(refused))

    def refuse(self, pair: Pair, refused: Refused) -> None:
        """Store what was refused alone: the pair is tried again.

        Raises:
            UnavailableError: the database does not answer.
        """
        self._texts.refuse([self._rejection(pair, refused)])
        self._prune(1)

    def see(self, pairs: Sequence[Pair]) -> None:
        """Keep the own titles of items that are to be written about.

        Raises:
            UnavailableError: the database does not answer.
        """
        self._newest()
        for pair in reversed(pairs):  # the first stays the longest
            self._titles.see(pair.candidate.key, pair.item.title)

    def others(self, key: ItemKey, field: Field) -> list[str]:
        """What a text of a field about this item may not copy: the own titles of other items, and
        the newest texts of that field about them.

        Raises:
            UnavailableError: the database does not answer.
        """
        written = [text for of, text in self._remembered(field) if of != key]
        return [*self._titles.others(key), *written]

    def _prune(self, more: int) -> None:
        self._recorded += more
        if self._recorded >= PRUNE_EVERY or (self._recorded and self._rejections == 0):
            self._recorded = 0
            self._texts.prune_rejections(keep=self._rejections)

    def _stored(self, pair: Pair, text: Written) -> StoredText:
        return StoredText(
            key=pair.candidate.key,
            segment=pair.chosen.segment.key,
            field=text.field.value,
            item=pair.candidate.item,
            topic=pair.chosen.topic,
            text=text.text,
            title=pair.item.title,
            change=pair.candidate.change,
            prompt=text.prompt,
            model=self._model,
            number=0,
            made=self._clock.now(),
        )

    def _rejection(self, pair: Pair, refused: Refused) -> Rejection:
        return Rejection(
            key=pair.candidate.key,
            item=pair.candidate.item,
            segment=pair.chosen.segment.key,
            field=refused.field.value,
            reason=refused.reason,
            detail=_storable(refused.detail),
            text=_storable(refused.text),
            prompt=refused.prompt,
            model=self._model,
            at=self._clock.now(),
        )

    def _remembered(self, field: Field) -> deque[tuple[ItemKey, str]]:
        """The newest texts of a field, with their items."""
        return self._newest().setdefault(field.value, deque(maxlen=REMEMBERED))

    def _newest(self) -> dict[str, deque[tuple[ItemKey, str]]]:
        """The newest texts by field; read from the database once, with their items' titles."""
        if self._recent is None:
            newest = self._texts.newest_texts(limit=3 * REMEMBERED)
            self._recent = {}
            for one in reversed(newest):
                self._titles.see(one.key, one.title)
                if one.text is not None:
                    kept = self._recent.setdefault(one.field, deque(maxlen=REMEMBERED))
                    kept.append((one.key, one.text))
        return self._recent


def _storable(text: str) -> str:
    """What a model wrote, as every database takes it."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
