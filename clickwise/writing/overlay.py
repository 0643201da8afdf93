"""Which words stand for an item: what a person decided goes before what was written. Pure.

A text stands as long as the item has the title that it was written from; so does an edit. A pin
stands whatever becomes of the item. What is decided for a segment goes before what is decided for
all, and a field before all fields.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clickwise.state.text_port import ALL, Decision, StoredText
from clickwise.writing.gate import Field
from clickwise.writing.shown import ItemText, Shown

Place = tuple[str, str]  # segment, field
MOST_SAID = 32  # kinds of readers that an item's words are remembered for


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one item's words. `said`: what was shown, while it is the same (bounded)."""

    texts: Mapping[Place, StoredText] = field(default_factory=dict)
    decisions: Mapping[Place, Decision] = field(default_factory=dict)
    said: dict[tuple[str, tuple[str, ...], bool], ItemText] = field(
        default_factory=dict, compare=False
    )

    def __bool__(self) -> bool:
        return bool(self.texts or self.decisions)

    def changed(self, texts: Iterable[StoredText], decisions: Iterable[Decision]) -> "Entry":
        """With these rows in place of those before; withdrawn and taken back ones are left out."""
        of_texts, of_decisions = dict(self.texts), dict(self.decisions)
        for text in texts:
            of_texts[text.segment, text.field] = text
        for decision in decisions:
            of_decisions[decision.segment, decision.field] = decision
        return Entry(
            {place: one for place, one in of_texts.items() if one.text is not None},
            {place: one for place, one in of_decisions.items() if one.action != "none"},
        )


@dataclass(frozen=True, slots=True)
class _Found:
    text: str
    shown: Shown
    segment: str
    version: int


def remembered(entry: Entry, title: str, segments: tuple[str, ...], *, held: bool) -> ItemText:
    """`words_of`, composed once for readers who are alike: a page asks for ten."""
    key = title, segments, held
    said = entry.said.get(key)
    if said is None:
        if len(entry.said) >= MOST_SAID:
            entry.said.clear()
        said = entry.said[key] = words_of(entry, title, segments, held=held)
    return said


def words_of(entry: Entry, title: str, segments: Sequence[str], *, held: bool) -> ItemText:
    """What to show a reader of an item that has `title`.

    `segments`: the keys that suit the reader, the best first. `held`: the reader sees the item's
    own words in place of written ones; what a person decided is shown to everybody.
    """
    found = {
        of: one
        for of in (Field.TITLE, Field.SUMMARY, Field.KEY_POINTS)
        if (one := _found(entry, title, segments, of.value)) is not None
    }
    if held and any(one.shown == "written" for one in found.values()):
        found = {of: one for of, one in found.items() if one.shown == "edited"}
        if not found:
            return ItemText(shown="held", title=title)
    if not found:
        return ItemText(shown="own", title=title)
    first = next(iter(found.values()))
    points = found.get(Field.KEY_POINTS)
    return ItemText(
        shown="edited" if any(one.shown == "edited" for one in found.values()) else "written",
        title=found[Field.TITLE].text if Field.TITLE in found else title,
        summary=found[Field.SUMMARY].text if Field.SUMMARY in found else "",
        key_points=tuple(points.text.splitlines()) if points is not None else (),
        segment=first.segment,
        version=max(one.version for one in found.values()),
    )


def _found(entry: Entry, title: str, segments: Sequence[str], of: str) -> _Found | None:
    decided = _decided(entry, title, segments, of)
    if decided is not None and decided.action == "block":
        return None
    if decided is not None:
        return _Found(decided.text, "edited", decided.segment, decided.number)
    for segment in segments:
        text = entry.texts.get((segment, of))
        if text is not None and text.text is not None and text.title == title:
            return _Found(text.text, "written", segment, text.number)
    return None


def _decided(entry: Entry, title: str, segments: Sequence[str], of: str) -> Decision | None:
    """What holds of it: an edit of another title hides nothing, least of all a block."""
    if not entry.decisions:
        return None
    places = [(segment, name) for segment in (*segments, ALL) for name in (of, ALL)]
    found = (entry.decisions[place] for place in places if place in entry.decisions)
    return next((one for one in found if one.action != "edit" or one.title == title), None)
