"""One field of one item, written: asked for, looked at, judged, and tried once more if refused."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clickwise import metrics
from clickwise.errors import UnavailableError
from clickwise.types import ItemKind
from clickwise.writing.calls import Calls
from clickwise.writing.gate import Draft, Field, Judgement, Source
from clickwise.writing.prompts import messages_of, prompt_of
from clickwise.writing.quoting import new_fence
from clickwise.writing.replies import draft_of, is_nonsense

Judge = Callable[[Draft, Source, Sequence[str]], Judgement]
_KEPT_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Brief:
    """What is to be written, in the item's language. `topic` of its readers (empty: everybody)."""

    kind: ItemKind
    source: Source
    topic: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A draft that may not be shown, and why."""

    field: Field
    reason: str
    detail: str
    text: str
    prompt: str


@dataclass(slots=True)
class Written:
    """What came of one field. `text` empty: nothing that may be shown."""

    field: Field
    prompt: str
    text: str = ""
    refused: list[Refused] = dataclasses.field(default_factory=list)
    tokens: int = 0


class NonsenseError(UnavailableError):
    """The model answered something that cannot be about the item."""

    def __init__(self, message: str, refused: Refused) -> None:
        super().__init__(message)
        self.refused = refused


PROBE = Brief(
    kind=ItemKind.NEWS,
    source=Source(
        title="A new bridge opens",
        body="A new bridge over the river opens on Sunday. People can walk across it for free.",
        language="en",
    ),
    topic="",
)


def probe(calls: Calls) -> None:
    """Return if the model makes sense of a text that is known to be sound.

    Raises:
        UnavailableError: it does not, and the breaker knows; otherwise see Calls.
    """
    prompt = prompt_of(PROBE.kind, Field.TITLE)
    fence = new_fence()
    messages = messages_of(prompt, PROBE.source, language="en", topic="", fence=fence)
    answer = calls.ask(messages, max_tokens=prompt.max_tokens, temperature=prompt.temperature)
    if is_nonsense(answer.text, PROBE.source, language="en", fence=fence):
        calls.made_nonsense()
        raise UnavailableError("the language model answers nonsense")
    calls.made_sense()


def write_field(
    calls: Calls, judge: Judge, brief: Brief, of: Field, *, others: Sequence[str]
) -> Written:
    """A text for a field of an item, in at most two tries, the second with another temperature.

    `others`: other items' titles and texts of the field, which a text must not copy.

    Raises:
        NonsenseError: and the breaker knows.
        OverloadedError, UnavailableError, ConfigurationError: see Calls.
    """
    prompt = prompt_of(brief.kind, of)
    source, language = brief.source, brief.source.language
    written = Written(of, prompt.name)
    for temperature in (prompt.temperature, prompt.again):
        fence = new_fence()
        messages = messages_of(prompt, source, language=language, topic=brief.topic, fence=fence)
        answer = calls.ask(messages, max_tokens=prompt.max_tokens, temperature=temperature)
        written.tokens += answer.tokens
        if is_nonsense(answer.text, source, language=language, fence=fence):
            calls.made_nonsense()
            metrics.texts_made.labels(of.value, "nonsense").inc()
            raise NonsenseError(
                "the language model answered nonsense",
                Refused(of, "nonsense", "", answer.text[:_KEPT_CHARACTERS], prompt.name),
            )
        calls.made_sense()
        text = draft_of(answer, of)
        judgement = judge(Draft(of, language, text), source, others)
        metrics.texts_made.labels(of.value, judgement.reason or "written").inc()
        if judgement.accepted:
            return dataclasses.replace(written, text=text)
        written.refused.append(
            Refused(
                of,
                judgement.reason,
                judgement.detail,
                (text or answer.text)[:_KEPT_CHARACTERS],
                prompt.name,
            )
        )
    return written
