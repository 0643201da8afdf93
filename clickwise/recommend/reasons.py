"""Why an item is in the list: the user's own events it rests on, in terms they can check.

The strongest part of the item's score names the reason; the events are those of the user's
newest ones that brought it (co-clicks) or that are nearest to it (interests).
"""

from datetime import UTC, datetime

from clickwise.profile import event_type
from clickwise.recommend.answers import Because, Reason
from clickwise.recommend.taste import Recent
from clickwise.types import EventType, ItemId, ItemKey

_DONE = {
    EventType.CLICK: "clicked",
    EventType.VIEW: "viewed",
    EventType.RATING: "rated",
    EventType.LIKE: "liked",
    EventType.BOOKMARK: "bookmarked",
    EventType.SHARE: "shared",
    EventType.PURCHASE: "bought",
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


def reason(*, code: str, events: list[Because], topics: tuple[str, ...]) -> Reason:
    """The reason with a sentence; falls back to a weaker code when its events are gone."""
    if code in ("interest", "co_clicked") and not events:
        code = "topic" if topics else "trending"
    return Reason(code=code, text=_text(code, events, topics), because=tuple(events), topics=topics)


def _text(code: str, events: list[Because], topics: tuple[str, ...]) -> str:
    if code == "co_clicked":
        one = events[0]
        return f'Readers of "{one.title}", which you {_DONE[one.type]}, went on to this.'
    if code == "interest":
        named = " and ".join(f'{_DONE[e.type]} "{e.title}"' for e in events)
        return f"Close to what you engaged with: you {named}."
    if code == "topic":
        return f"You often read about {', '.join(topics)}."
    return {
        "trending": "Many people open this now.",
        "fresh": "New on this site.",
        "exploration": "Something different, to learn what you like.",
    }[code]
