"""`clickwise texts list|show|rejections`: what was written, decided and refused."""

from contextlib import ExitStack

import msgspec
from rich.text import Text

from clickwise.cli.exits import Exit
from clickwise.cli.homes import need_home
from clickwise.cli.output import console, plain, print_json, print_table
from clickwise.cli.text_readers import is_of_nobody, topic_of
from clickwise.cli.wiring import state_of
from clickwise.errors import NotFoundError
from clickwise.items import Item
from clickwise.recommend.names import TopicNames
from clickwise.settings import Settings
from clickwise.state.sql import SqlState
from clickwise.state.text_port import Decision, Rejection, StoredText
from clickwise.types import ItemId, item_key


def list_texts(settings: Settings, *, limit: int, json: bool) -> int:
    """What is written and what is decided, the newest first."""
    with ExitStack() as stack:
        state = state_in(settings, stack)
        found: list[StoredText | Decision] = [
            *state.texts.newest_decisions(limit=limit),
            *state.texts.newest_texts(limit=limit),
        ]
        found = sorted(found, key=lambda one: -one.number)[:limit]
        names = TopicNames(state)
        rows = [] if json else [_row(state, one, names) for one in found]
    if json:
        print_json(found)
        return Exit.DONE
    if rows:
        columns = ("item", "words", "field", "segment", "topic", "text", "when (UTC)", "version")
        print_table(columns, rows)
    else:
        console().print(Text("nothing is written, and nothing decided"))
    if settings.texts == "off":
        console().print(
            Text(
                "CLICKWISE_TEXTS is off in this command's environment; a server goes by its own."
                " Where it is off, no model writes, and what one wrote is not shown; edits, pins"
                " and blocks are (docs/text.md)"
            ),
            soft_wrap=True,
        )
    return Exit.DONE


def _row(state: SqlState, one: StoredText | Decision, names: TopicNames) -> tuple[str, ...]:
    if isinstance(one, StoredText):
        words, topic, at = "written", one.topic, one.made
    else:
        stale = one.action == "edit" and _title(state, one.item) != one.title
        unheld = " (of no reader)" if is_of_nobody(one.segment) else ""
        words = f"{one.action} (not shown)" if stale else f"{one.action}{unheld}"
        topic, at = topic_of(one.segment, one.item, names), one.at
    place = one.field or "all", one.segment or "all", topic
    when = at.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    return one.item, words, *place, _short(one.text or ""), when, str(one.number)


def _title(state: SqlState, item: ItemId) -> str | None:
    try:
        return item_of(state, item).title
    except NotFoundError:
        return None


def show_item(settings: Settings, item: str, *, json: bool) -> int:
    """All about one item: its own words, what was written, decided and refused.

    Raises:
        NotFoundError: there is no such item.
    """
    with ExitStack() as stack:
        state = state_in(settings, stack)
        own = item_of(state, item)
        key = item_key(item)
        texts = state.texts.texts_of(key)
        decisions = state.texts.decisions_of(key)
        refused = state.texts.rejections(limit=20, key=key)
    if json:
        print_json({"own": own, "texts": texts, "decisions": decisions, "rejections": refused})
        return Exit.DONE
    console().print(Text.assemble(("own title  ", "bold"), plain(own.title)))
    for text in texts:
        name = f"{text.field} for {text.segment} {text.topic}".rstrip()
        console().print(Text.assemble((f"{name}  ", "bold"), plain(text.text or "")))
    for decision in decisions:
        name = f"{decision.action} {decision.field or 'all'} {decision.segment}".rstrip()
        stale = decision.action == "edit" and decision.title != own.title
        at = decision.at.isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
        why_not = ", not shown: the item has another title now" if stale else ""
        more = f"  ({at} UTC{why_not})"
        console().print(Text.assemble((f"{name}  ", "bold"), plain(decision.text), more))
    for one in refused:
        console().print(
            Text.assemble(
                (f"refused {one.field}: {one.reason} ", "bold"),
                plain(f"({one.detail}) {_short(one.text)}"),
            )
        )
    return Exit.DONE


def rejections(settings: Settings, *, item: str, limit: int, json: bool) -> int:
    """What the gate refused, the newest first."""
    key = item_key(item) if item else None
    with ExitStack() as stack:
        found = state_in(settings, stack).texts.rejections(limit=limit, key=key)
    if json:
        print_json(found)
    elif not found:
        console().print(Text("no rejections"))
    else:
        print_table(
            ("at", "item", "field", "segment", "reason", "detail", "text"),
            [_refused_row(one) for one in found],
        )
    return Exit.DONE


def _refused_row(one: Rejection) -> tuple[str, ...]:
    at = one.at.isoformat(timespec="seconds")
    return at, one.item, one.field, one.segment, one.reason, _short(one.detail), _short(one.text)


def item_of(state: SqlState, item: str) -> Item:
    """The item as it was last put.

    Raises:
        NotFoundError: there is none of that id.
    """
    row = state.item(ItemId(item))
    if row is None or row.body is None:
        raise NotFoundError(f"there is no item {item!r}")
    return msgspec.json.decode(row.body, type=Item)


def state_in(settings: Settings, stack: ExitStack) -> SqlState:
    """The site's database, open as long as the stack is.

    Raises:
        ConfigurationError: there is no site here.
    """
    need_home(settings)
    state = state_of(settings, stack)
    state.migrate()
    return state


def _short(text: str) -> str:
    line = " / ".join(text.splitlines())
    return line if len(line) <= 80 else f"{line[:77]}..."
