"""The port to written texts, what people decided about them, and what was refused.

`number` counts the commits of texts and decisions together: whoever has seen up to a number asks
for what is above. Numbers become visible in order.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from clickwise.types import ItemId, ItemKey

Action = Literal["block", "edit", "pin", "none"]
ALL = ""  # as a segment or field of a decision: every one


@dataclass(frozen=True, slots=True)
class StoredText:
    """One field for one segment. `text` None: withdrawn. `title`: the item's, that it rests on.

    `number` is 0 until it is stored; `change` is the item's.
    """

    key: ItemKey
    segment: str
    field: str
    item: ItemId
    topic: str
    text: str | None
    title: str
    change: int
    prompt: str
    model: str
    number: int
    made: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided: `block` (own words), `edit` (these words, as long as the item has this
    title), `pin` (these words, whatever becomes of the item), `none` (taken back).
    """

    key: ItemKey
    segment: str
    field: str
    item: ItemId
    action: Action
    text: str
    title: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """That a segment's texts were tried: for what the item said (`digest`), by which `recipe`
    (empty: a decision was taken back since, and they are to be tried again).
    """

    key: ItemKey
    segment: str
    change: int
    digest: str
    recipe: str
    accepted: int
    rejected: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Rejection:
    """A draft that the gate refused. `id` 0 until it is stored."""

    key: ItemKey
    item: ItemId
    segment: str
    field: str
    reason: str
    detail: str
    text: str
    prompt: str
    model: str
    at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that may want texts. `log_score`: None without activity, see StoredActivity."""

    key: ItemKey
    item: ItemId
    body: bytes | None
    change: int
    log_score: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of one day."""

    prompt: int = 0
    completion: int = 0

    @property
    def tokens(self) -> int:
        """Both kinds together."""
        return self.prompt + self.completion


class Texts(Protocol):
    """Port to the database, beside `clickwise.state.port.State`."""

    def due(self, segment: str, recipe: str, *, guessed: str, limit: int) -> list[Candidate]:
        """Items whose texts for `segment` are absent, or of another change or recipe: the most
        popular first, then the newest. `guessed` is as good as the recipe for items that are not
        understood.
        """
        ...

    def count_due(self, segment: str, recipe: str, *, guessed: str) -> int:
        """How many there are in all; looks at every item."""
        ...

    def popular(self, limit: int) -> list[Candidate]:
        """The items with the greatest `log_score`, greatest first."""
        ...

    def attempts(self, keys: Collection[ItemKey]) -> list[Attempt]:
        """What was tried for these items."""
        ...

    def outdated(self, *, after: int, limit: int) -> list[tuple[Candidate, Attempt]]:
        """Attempts for another change than the item's own, which is above `after`; in its order."""
        ...

    def record(
        self,
        attempt: Attempt,
        texts: Sequence[StoredText],
        rejections: Sequence[Rejection],
    ) -> bool:
        """Store one attempt and what came of it, in place of what the segment had.

        False, and nothing stored, when the item has changed since, or is gone.
        """
        ...

    def refuse(self, rejections: Sequence[Rejection]) -> None:
        """Store rejections of an attempt that does not count."""
        ...

    def keep(self, attempt: Attempt) -> None:
        """The item changed and says the same: its segment's texts are those of this change."""
        ...

    def withdraw(self, attempt: Attempt) -> None:
        """Withdraw a segment's texts, and forget that they were tried; nothing if they were tried
        for another change since.
        """
        ...

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Put decisions in place of earlier ones. Where one is taken back, texts are due again;
        what is written stays until then.
        """
        ...

    def newest_number(self) -> int:
        """The greatest `number`; 0 before the first."""
        ...

    def texts_changed(self, *, after: int, limit: int) -> list[StoredText]:
        """Texts (withdrawn ones too) with a number above `after`, in order."""
        ...

    def decisions_changed(self, *, after: int, limit: int) -> list[Decision]:
        """Decisions (taken back ones too) with a number above `after`, in order."""
        ...

    def texts_of(self, key: ItemKey) -> list[StoredText]:
        """An item's texts that are not withdrawn."""
        ...

    def decisions_of(self, key: ItemKey) -> list[Decision]:
        """What stands decided for an item."""
        ...

    def newest_texts(self, *, limit: int, before: int | None = None) -> list[StoredText]:
        """Texts that are not withdrawn, newest first; `before` is a number to page on from."""
        ...

    def newest_decisions(self, *, limit: int) -> list[Decision]:
        """What stands decided, newest first."""
        ...

    def rejections(
        self, *, limit: int, before: int | None = None, key: ItemKey | None = None
    ) -> list[Rejection]:
        """Newest first; `before` is an id to page on from; of one item where `key` is given."""
        ...

    def prune_rejections(self, *, keep: int) -> int:
        """Forget all but about the newest `keep`; how many."""
        ...

    def spend(self, day: str, spent: Spent) -> None:
        """Add to a day's tokens."""
        ...

    def spent(self, day: str) -> Spent:
        """A day's tokens."""
        ...

    def published(self) -> int:
        """Up to which number the topic holds the texts."""
        ...

    def note_published(self, number: int) -> None:
        """It holds them up to this number."""
        ...

    def publishing(self) -> AbstractContextManager[Callable[[int], None]]:
        """Held by one machine at a time, so that an older message never follows a newer one. What
        it gives is `note_published`, at the end.

        Raises:
            UnavailableError: another one holds it for longer than the database's timeout.
        """
        ...
