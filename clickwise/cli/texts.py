"""`clickwise texts list|show|block|edit|pin|unblock|rejections`: what was written, and a person's
word on it.
"""

from contextlib import ExitStack
from dataclasses import replace

import msgspec
from rich.text import Text

from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.homes import need_home
from clickwise.cli.output import console, plain, print_json, print_table
from clickwise.cli.text_readers import check_segment, is_of_nobody
from clickwise.cli.wiring import state_of
from clickwise.clock import SystemClock
from clickwise.errors import InvalidInputError, NotFoundError
from clickwise.items import Item
from clickwise.limits import check_text
from clickwise.settings import Settings
from clickwise.state.sql import SqlState
from clickwise.state.text_port import ALL, Action, Decision, Rejection, StoredText
from clickwise.types import ItemId, item_key
from clickwise.writing.gate import Draft, Field, TextGate
from clickwise.writing.prompts import WRITTEN_FIELDS
from clickwise.writing.source import source_of

LONGEST = {Field.TITLE: 300, Field.SUMMARY: 2_000, Field.KEY_POINTS: 2_000}


def list_texts(settings: Settings, *, limit: int, json: bool) -> int:
    """What is written and what is decided, the newest first."""
    with ExitStack() as stack:
        state = _state(settings, stack)
        found: list[StoredText | Decision] = [
            *state.texts.newest_decisions(limit=limit),
            *state.texts.newest_texts(limit=limit),
        ]
        found = sorted(found, key=lambda one: -one.number)[:limit]
        rows = [] if json else [_row(state, one) for one in found]
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
                "CLICKWISE_TEXTS is off: no model writes, and what one wrote is not shown; edits,"
                " pins and blocks are (docs/text.md)"
            )
        )
    return Exit.DONE


def _row(state: SqlState, one: StoredText | Decision) -> tuple[str, ...]:
    if isinstance(one, StoredText):
        words, topic, at = "written", one.topic, one.made
    else:
        stale = one.action == "edit" and _title(state, one.item) != one.title
        unheld = " (of no reader)" if is_of_nobody(one.segment) else ""
        words = f"{one.action} (not shown)" if stale else f"{one.action}{unheld}"
        topic, at = "", one.at
    place = one.field or "all", one.segment or "all", topic
    when = at.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    return one.item, words, *place, _short(one.text or ""), when, str(one.number)


def _title(state: SqlState, item: ItemId) -> str | None:
    try:
        return _item(state, item).title
    except NotFoundError:
        return None


def show_item(settings: Settings, item: str, *, json: bool) -> int:
    """All about one item: its own words, what was written, decided and refused.

    Raises:
        NotFoundError: there is no such item.
    """
    with ExitStack() as stack:
        state = _state(settings, stack)
        own = _item(state, item)
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


def block(settings: Settings, item: str, *, field: str, segment: str) -> int:
    """Show the item's own words, and write none.

    Raises:
        InvalidInputError: no field or segment of that name.
        NotFoundError: there is no such item.
    """
    return _decide(settings, item, "block", field=field, segment=segment)


def unblock(settings: Settings, item: str, *, field: str, segment: str) -> int:
    """Take back what was decided (block, edit or pin) for these.

    Raises:
        InvalidInputError: no field or segment of that name.
        NotFoundError: nothing was.
    """
    if field:
        _field(field)
    with ExitStack() as stack, audited(settings, "texts unblock"):
        state = _state(settings, stack)
        found = [
            one
            for one in state.texts.decisions_of(item_key(item))
            if field in (ALL, one.field) and segment in (ALL, one.segment)
        ]
        if not found:
            check_segment(segment)
            raise NotFoundError(f"nothing is decided for {item}")
        now = SystemClock().now()
        state.texts.decide([replace(one, action="none", at=now) for one in found])
    return Exit.DONE


def edit(settings: Settings, item: str, *, field: str, segment: str, text: str) -> int:
    """Show these words as long as the item has the title that it has now; says what the gate does.

    Raises:
        InvalidInputError: no field or segment of that name, or words that cannot be shown at all.
        NotFoundError: there is no such item.
    """
    name = _field(field)
    check_segment(segment)
    words = check_text(text.strip(), "text", limit=LONGEST[name])
    if not words:
        raise InvalidInputError("expected some words", field="text")
    if name is Field.TITLE and len(words.splitlines()) > 1:
        raise InvalidInputError("a title is one line", field="text")
    with ExitStack() as stack, audited(settings, "texts edit"):
        state = _state(settings, stack)
        own = _item(state, item)
        source = source_of(own)
        judged = TextGate().judge(Draft(name, source.language, words), source)
        _store(state, own, "edit", field=name.value, segment=segment, text=words)
    console().print(
        Text.assemble("shown from now on, as long as the item's title is: ", plain(own.title))
    )
    if not judged.accepted:  # a person may know more than the item says
        console().print(Text(f"the gate would have refused it: {judged.reason}"))
    return Exit.DONE


def pin(settings: Settings, item: str, *, field: str, segment: str) -> int:
    """Keep what is written now, whatever becomes of the item, the prompts or the model.

    Raises:
        InvalidInputError: no field or segment of that name.
        NotFoundError: there is no such item, or nothing is written for it.
    """
    if field:
        _field(field)
    check_segment(segment)
    with ExitStack() as stack, audited(settings, "texts pin"):
        state = _state(settings, stack)
        own = _item(state, item)
        texts = [
            one
            for one in state.texts.texts_of(item_key(item))
            if field in (ALL, one.field) and segment in (ALL, one.segment)
        ]
        if not texts:
            raise NotFoundError(f"nothing is written for {item} that could be pinned")
        state.texts.decide([_pinned(own, one) for one in texts])
    console().print(Text(f"pinned {len(texts)}"))
    return Exit.DONE


def rejections(settings: Settings, *, item: str, limit: int, json: bool) -> int:
    """What the gate refused, the newest first."""
    key = item_key(item) if item else None
    with ExitStack() as stack:
        found = _state(settings, stack).texts.rejections(limit=limit, key=key)
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


def _decide(settings: Settings, item: str, action: Action, *, field: str, segment: str) -> int:
    if field:
        _field(field)
    check_segment(segment)
    with ExitStack() as stack, audited(settings, f"texts {action}"):
        state = _state(settings, stack)
        _store(state, _item(state, item), action, field=field, segment=segment, text="")
    return Exit.DONE


def _store(
    state: SqlState, own: Item, action: Action, *, field: str, segment: str, text: str
) -> None:
    state.texts.decide(
        [
            Decision(
                key=item_key(own.id), segment=segment, field=field, item=own.id, action=action,
                text=text, title=own.title, number=0, at=SystemClock().now(),
            )
        ]
    )  # fmt: skip


def _pinned(own: Item, text: StoredText) -> Decision:
    return Decision(
        key=text.key, segment=text.segment, field=text.field, item=text.item, action="pin",
        text=text.text or "", title=own.title, number=0, at=SystemClock().now(),
    )  # fmt: skip


def _field(name: str) -> Field:
    names = [field.value for field in WRITTEN_FIELDS]
    if name not in names:
        raise InvalidInputError(f"expected one of {', '.join(names)}, got {name!r}", field="field")
    return Field(name)


def _item(state: SqlState, item: str) -> Item:
    row = state.item(ItemId(item))
    if row is None or row.body is None:
        raise NotFoundError(f"there is no item {item!r}")
    return msgspec.json.decode(row.body, type=Item)


def _state(settings: Settings, stack: ExitStack) -> SqlState:
    need_home(settings)
    state = state_of(settings, stack)
    state.migrate()
    return state


def _short(text: str) -> str:
    line = " / ".join(text.splitlines())
    return line if len(line) <= 80 else f"{line[:77]}..."
