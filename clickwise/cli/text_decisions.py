"""`clickwise texts block|edit|pin|unblock`: a person's word on texts, what holds from now on."""

from contextlib import ExitStack
from dataclasses import replace

from rich.text import Text

from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.output import console, plain
from clickwise.cli.text_readers import check_segment, narrower, place
from clickwise.cli.texts import item_of, state_in
from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError, InvalidInputError, NotFoundError
from clickwise.items import Item
from clickwise.limits import check_text, shown
from clickwise.recommend.names import TopicNames
from clickwise.settings import Settings
from clickwise.state.sql import SqlState
from clickwise.state.text_port import ALL, Action, Decision, StoredText
from clickwise.types import item_key
from clickwise.writing.gate import Draft, Field, TextGate
from clickwise.writing.prompts import WRITTEN_FIELDS
from clickwise.writing.source import source_of

LONGEST = {Field.TITLE: 300, Field.SUMMARY: 2_000, Field.KEY_POINTS: 2_000}
# Whether what is written is shown is a server's affair, not that of this command's environment.
INSTEAD = "what is written, where a server has CLICKWISE_TEXTS on, else its own words, from now on"


def block(settings: Settings, item: str, *, field: str, segment: str) -> int:
    """Show the item's own words, and write none; says for whom.

    Raises:
        ConfigurationError: no field or segment of that name.
        NotFoundError: there is no such item.
    """
    if field:
        _field(field)
    check_segment(segment)
    with ExitStack() as stack, audited(settings, "texts block"):
        state = state_in(settings, stack)
        told = _store(state, item_of(state, item), "block", field=field, segment=segment, text="")
    _say(f"its own words from now on, and none are written: {told}")
    return Exit.DONE


def unblock(settings: Settings, item: str, *, field: str, segment: str) -> int:
    """Take back what was decided (block, edit or pin) for these; says what it was.

    Raises:
        ConfigurationError: no field or segment of that name.
        NotFoundError: nothing was.
    """
    if field:
        _field(field)
    try:
        told, left = _taken_back(settings, item, field=field, segment=segment)
    except NotFoundError:
        check_segment(segment)  # not before: what earlier programs stored can be taken back
        raise
    more = f", but where another decision stands ({left})" if left else ""
    _say(f"taken back: {'; '.join(told)}: {INSTEAD}{more}")
    return Exit.DONE


def _taken_back(
    settings: Settings, item: str, *, field: str, segment: str
) -> tuple[list[str], int]:
    """What was decided, in words, and how many other decisions stand."""
    with ExitStack() as stack, audited(settings, "texts unblock"):
        state = state_in(settings, stack)
        found = [
            one
            for one in state.texts.decisions_of(item_key(item))
            if field in (ALL, one.field) and segment in (ALL, one.segment)
        ]
        if not found:
            raise NotFoundError(f"nothing is decided for {item}")
        now = SystemClock().now()
        state.texts.decide([replace(one, action="none", at=now) for one in found])
        names = TopicNames(state)
        told = [
            f"{one.action} of {place(one.segment, one.field, one.item, names)}" for one in found
        ]
        return told, len(state.texts.decisions_of(item_key(item)))


def edit(settings: Settings, item: str, *, field: str, segment: str, text: str) -> int:
    """Show these words as long as the item has the title that it has now; says what the gate does.

    Raises:
        ConfigurationError: no field or segment of that name.
        InvalidInputError: words that cannot be shown at all.
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
        state = state_in(settings, stack)
        own = item_of(state, item)
        source = source_of(own)
        judged = TextGate().judge(Draft(name, source.language, words), source)
        told = _store(state, own, "edit", field=name.value, segment=segment, text=words)
    _say(f"shown from now on, as long as the item's title is: {own.title} ({told})")
    if not judged.accepted:  # a person may know more than the item says
        console().print(Text(f"the gate would have refused it: {judged.reason}"))
    return Exit.DONE


def pin(settings: Settings, item: str, *, field: str, segment: str) -> int:
    """Keep what is written now, whatever becomes of the item, the prompts or the model.

    Raises:
        ConfigurationError: no field or segment of that name.
        NotFoundError: there is no such item, or nothing is written for it.
    """
    if field:
        _field(field)
    check_segment(segment)
    with ExitStack() as stack, audited(settings, "texts pin"):
        state = state_in(settings, stack)
        own = item_of(state, item)
        texts = [
            one
            for one in state.texts.texts_of(item_key(item))
            if field in (ALL, one.field) and segment in (ALL, one.segment)
        ]
        if not texts:
            raise NotFoundError(f"nothing is written for {item} that could be pinned")
        state.texts.decide([_pinned(own, one) for one in texts])
        names = TopicNames(state)
        told = [place(one.segment, one.field, one.item, names) for one in texts]
    _say(f"shown from now on, whatever becomes of the item: {'; '.join(told)}")
    return Exit.DONE


def _store(
    state: SqlState, own: Item, action: Action, *, field: str, segment: str, text: str
) -> str:
    """Decide it; where it holds, in words."""
    names = TopicNames(state)
    key = item_key(own.id)
    state.texts.decide(
        [
            Decision(
                key=key, segment=segment, field=field, item=own.id, action=action,
                text=text, title=own.title, number=0, at=SystemClock().now(),
            )
        ]
    )  # fmt: skip
    before = [
        f"{one.action} of {place(one.segment, one.field, one.item, names)}"
        for one in narrower(state.texts.decisions_of(key), segment, field, title=own.title)
    ]
    told = place(segment, field, own.id, names)
    return f"{told}, but where this stands: {'; '.join(before)}" if before else told


def _say(told: str) -> None:
    """On one line, however long."""
    console().print(plain(told), soft_wrap=True)


def _pinned(own: Item, text: StoredText) -> Decision:
    return Decision(
        key=text.key, segment=text.segment, field=text.field, item=text.item, action="pin",
        text=text.text or "", title=own.title, number=0, at=SystemClock().now(),
    )  # fmt: skip


def _field(name: str) -> Field:
    names = [field.value for field in WRITTEN_FIELDS]
    if name not in names:
        raise ConfigurationError(f"--field: expected one of {', '.join(names)}, got {shown(name)}")
    return Field(name)
