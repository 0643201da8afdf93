"""Why an item is in the list: the user's own events it rests on, in terms they can check.

The strongest part of the item's score names the reason; the events are those of the user's
newest ones that brought it (co-clicks) or that are nearest to it (interests).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from clickwise.profile import event_type
from clickwise.recommend.answers import Because, Reason
from clickwise.recommend.taste import Recent
from clickwise.recommend.why_words import ENGLISH
from clickwise.types import ItemId, ItemKey, ItemKind

_OPENED = {
    ItemKind.NEWS: "read",
    ItemKind.ARTICLE: "read",
    ItemKind.VIDEO: "watched",
    ItemKind.COURSE: "took",
    ItemKind.AD: "saw",
    None: "opened",
}

Labels = dict[ItemKey, tuple[ItemId, str]]


def because(recent: Recent, labels: Labels) -> Because | None:
    """The event in the answer's terms; None when its item is gone."""
    label = labels.get(ItemKey(recent.item))
    if label is None:
        return None
    item, title = label
    return Because(
        type=event_type(recent.type),
        item=item,
        title=title,
        time=datetime.fromtimestamp(recent.time / 1e6, UTC),
    )


def reason(
    *,
    code: str,
    events: Sequence[tuple[Because, ItemKind | None]],
    topics: tuple[str, ...],
    followed: ItemKind | None,
) -> Reason:
    """The reason with a sentence; one that claims less when its events are gone.

    `events` come with the kind of their item (None: not known); `followed` is the kind of what the
    user read, watched or took of `topics`, None for several.
    """
    if code == "co_clicked" and not events:
        code = "interest"
    return Reason(
        code=code,
        text=_text(code, events, topics, followed),
        because=tuple(event for event, _ in events),
        topics=topics,
    )


def _text(
    code: str,
    events: Sequence[tuple[Because, ItemKind | None]],
    topics: tuple[str, ...],
    followed: ItemKind | None,
) -> str:
    if code == "co_clicked":
        one, kind = events[0]
        did = ENGLISH.done(one.type, kind, "")
        return f'People who {_OPENED[kind]} "{one.title}", which you {did}, went on to this.'
    if code == "interest" and events:
        named = (ENGLISH.done(e.type, kind, f'"{e.title}"') for e, kind in events)
        return f"Close to what you engaged with: you {' and '.join(named)}."
    if code == "topic":
        return ENGLISH.topics[followed].format(", ".join(topics))
    return ENGLISH.codes[code]
