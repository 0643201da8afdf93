"""Whom a person's word on texts is for: what `--segment` may say, and how it is told."""

from collections.abc import Sequence

from clickwise.errors import ConfigurationError
from clickwise.recommend.names import TopicNames
from clickwise.state.text_port import ALL, Decision
from clickwise.types import ItemId
from clickwise.writing.segments import EVERYBODY, OWN, Segment


def check_segment(segment: str) -> None:
    """Nothing against `ALL`, nor against what a reader can be in.

    Raises:
        ConfigurationError: it is none, so what is decided for it would never hold.
    """
    try:
        if segment != ALL:
            Segment.parse(segment)
    except ValueError as error:
        raise ConfigurationError(f"--segment: {error}") from error


def is_of_nobody(segment: str) -> bool:
    """Whether no reader can be in it; earlier programs stored whatever was typed."""
    try:
        check_segment(segment)
    except ConfigurationError:
        return True
    return False


def topic_of(segment: str, item: ItemId, names: TopicNames) -> str:
    """The name of a segment's topic, if it is one of the item's or was seen; else empty."""
    if segment == ALL or is_of_nobody(segment):
        return ""
    code = Segment.parse(segment).topic
    names.of([code], item)
    return names.known(code) or ""


def place(segment: str, field: str, item: ItemId, names: TopicNames) -> str:
    """`title, for readers of sport in the item's language`."""
    return f"{field or 'every field'}, for {_readers(segment, item, names)}"


def narrower(
    decisions: Sequence[Decision], segment: str, field: str, *, title: str
) -> list[Decision]:
    """Those that hold in part of a place, whatever is decided for all of it.

    An edit holds as long as the item has its title; `title` is what it has.
    What is for a segment goes before what is for all, then what is for a field before all fields.
    """
    return [
        one
        for one in decisions
        if (segment == ALL != one.segment and not is_of_nobody(one.segment))
        or (segment == one.segment and field == ALL != one.field)
        if field == one.field or ALL in (field, one.field)
        if one.action != "edit" or one.title == title
    ]


def _readers(segment: str, item: ItemId, names: TopicNames) -> str:
    if segment == ALL:
        return "all readers"
    if is_of_nobody(segment):
        return "nobody"
    found = Segment.parse(segment)
    language = "the item's language" if found.language == OWN else found.language
    if found.topic == EVERYBODY:
        return f"readers in {language}"
    name = topic_of(segment, item, names) or f"a topic that the item lacks ({found.topic:08x})"
    return f"readers of {name} in {language}"
