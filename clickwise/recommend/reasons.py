"""Why an item is in the list: the user's own events it rests on, in terms they can check.

The strongest part of the item's score names the reason; the events are those of the user's
newest ones that brought it (co-clicks) or that are nearest to it (interests).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from clickwise.profile import event_type
from clickwise.recommend.answers import Because, Reason
from clickwise.recommend.taste import Recent
from clickwise.recommend.why_words import words_in
from clickwise.types import ItemId, ItemKey, ItemKind

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
    language: str,
) -> Reason:
    """The reason with a sentence; one that claims less when its events are gone.

    `events` come with the kind of their item (None: not known); `followed` is the kind of what the
    user read, watched or took of `topics`, None for several. `language` is the sentence's (a
    BCP 47 tag).
    """
    if code == "co_clicked" and not events:
        code = "interest"
    return Reason(
        code=code,
        text=_text(code, events, topics, followed, language),
        because=tuple(event for event, _ in events),
        topics=topics,
    )


def _text(
    code: str,
    events: Sequence[tuple[Because, ItemKind | None]],
    topics: tuple[str, ...],
    followed: ItemKind | None,
    language: str,
) -> str:
    words = words_in(language)
    if code == "co_clicked":
        one, kind = events[0]
        return words.others_went_on(one.type, kind, one.title)
    if code == "interest" and events:
        did = [words.done(e.type, kind, words.quoted.format(e.title)) for e, kind in events]
        return words.near.format(words.joined.join(did))
    if code == "topic":
        return words.topics[followed].format(words.comma.join(topics))
    return words.codes[code]
