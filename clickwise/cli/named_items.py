"""Which items the events of an import name, and which of those there are none of.

Such events are kept, and count as soon as the item comes; until then they move no list. Many of
them mean as a rule that the items were not imported, or have other ids.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from clickwise.cli.sinks import Result, Sink
from clickwise.errors import ClickwiseError
from clickwise.imports.feed import Row

EXAMPLES = 3


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """`events` that name one of `items` of which there is none; `examples` are named most often.

    `complete`: all items that are not of this import were looked for. Else those named most often
    were, and there may be more.
    """

    events: int
    items: int
    examples: list[str]
    complete: bool


class NamedItems:
    """Counted row by row, looked for at the end."""

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._named: Counter[str] = Counter()

    def count(self, rows: Sequence[Row], results: Sequence[Result], *, items: bool) -> None:
        """Add a batch; what was refused is none of an import."""
        field = "id" if items else "item"
        taken = [
            name
            for row, result in zip(rows, results, strict=True)
            if result.verdict != "refused" and isinstance(name := row.data.get(field), str)
        ]
        if items:
            self._sent.update(taken)
        else:
            self._named.update(taken)

    def unknown(self, sink: Sink) -> Unknown | None:
        """What there is none of; None where it cannot be told: a key without `read`, say."""
        elsewhere = [name for name, _ in self._named.most_common() if name not in self._sent]
        try:
            missing = sink.unknown(elsewhere[: sink.asked_at_most])
        except ClickwiseError:
            return None
        return Unknown(
            events=sum(self._named[name] for name in missing),
            items=len(missing),
            examples=missing[:EXAMPLES],
            complete=len(elsewhere) <= sink.asked_at_most,
        )


def in_words(unknown: Unknown | None) -> str:
    """A line for people; empty where all is well."""
    if unknown is None:
        return (
            "note: whether there are items of all events could not be told; over HTTP it takes a"
            " key with the scope read"
        )
    if not unknown.events:
        return ""
    least = "" if unknown.complete else "at least "
    events = f"{unknown.events:,} event{'' if unknown.events == 1 else 's'}"
    items = "1 unknown item" if unknown.items == 1 else f"{unknown.items:,} unknown items"
    named = ", ".join(name if name.isprintable() else ascii(name) for name in unknown.examples)
    return (
        f"{least}{events} named {items}, such as {named}: kept, they count when such an item comes;"
        " were the items imported, under the same ids?"
    )
