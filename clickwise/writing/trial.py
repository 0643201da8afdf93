"""Drafts made to be looked at: asked for and judged as for readers, and stored nowhere.

Each try is a row with what it cost and how it compares, so that a model, a prompt or the gate can
be measured on a site's own items before anybody reads a word of it.
"""

import enum
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec

from clickwise.clock import Clock
from clickwise.types import ItemId, ItemKind, item_key
from clickwise.writing.gate import METHOD, Draft, Field, Judgement, Source, TextGate
from clickwise.writing.port import Completion, Writer
from clickwise.writing.prompts import Prompt, messages_of, prompt_of
from clickwise.writing.quoting import new_fence
from clickwise.writing.replies import draft_of, is_nonsense
from clickwise.writing.rouge import rouge
from clickwise.writing.titles import Titles
from clickwise.writing.unfound import unfound

TRIES = 2  # as for readers, see `clickwise.writing.drafting`
NONSENSE = "nonsense"  # not a reason of the gate: it is no draft at all
REMEMBERED = 50  # accepted texts of a field that others must not copy


class Material(enum.StrEnum):
    """What the model is shown of an item. Titles are compared with the item's own fairly only where
    the model did not see it.
    """

    ITEM = "item"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Sample:
    """An item to write about, as readers' texts would be."""

    item: ItemId
    kind: ItemKind
    source: Source


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One draft. `reason`: empty, the gate's code, or `nonsense`. `recipe` tells what it was made
    of, `gate` by which rules it was judged, `readers` the topic of whom it was written for (empty:
    everybody). `rouge_1` and `rouge_l` of titles, against the item's own. `numbers`, `names` and
    `openings` are what the independent check did not find in the item. `said`: the model's answer
    as it came, and `unfinished` whether the bound on tokens ended it.
    """

    item: str
    kind: str
    language: str
    field: str
    attempt: int
    recipe: str
    prompt: str
    model: str
    gate: str
    material: str
    own_title: str
    readers: str = ""
    text: str
    accepted: bool
    reason: str
    detail: str
    support: float
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    rouge_1: float | None
    rouge_l: float | None
    numbers: tuple[str, ...]
    names: tuple[str, ...]
    openings: tuple[str, ...]
    said: str
    unfinished: bool


class Trial:
    """Writes with one model; owned by one thread."""

    def __init__(
        self, writer: Writer, *, material: Material, topic: str = "", clock: Clock,
        deadline_seconds: float,
    ) -> None:  # fmt: skip
        """`topic`: of the readers, as the site names it; empty: for everybody."""
        self._writer = writer
        self._material = material
        self._topic = topic
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._gate = TextGate()
        self._accepted: dict[str, deque[tuple[str, str]]] = {}
        self._titles = Titles()

    def recipe(self, sample: Sample, field: Field) -> str:
        """A digest of all that drafts are made of, for whoever kept those of an earlier run.

        The gate is not of it: what it thinks of a kept draft is asked again, see `judged_again`.
        """
        source = sample.source
        said = (
            self._writer.model, prompt_of(sample.kind, field).name, self._material.value,
            source.language, source.title, source.body, *([self._topic] if self._topic else []),
        )  # fmt: skip
        return blake2b("\0".join(said).encode(errors="replace"), digest_size=8).hexdigest()

    def remember(self, tried: Tried) -> None:
        """Take a draft into account that was made before."""
        if tried.accepted:
            kept = self._accepted.setdefault(tried.field, deque(maxlen=REMEMBERED))
            kept.append((tried.item, tried.text))

    def drafts(self, sample: Sample, field: Field, *, made: int = 0) -> Iterator[Tried]:
        """Tries until one is accepted, in all as many as for readers; `made` are there already.

        Raises:
            UnavailableError, ConfigurationError: see Writer.
        """
        prompt = prompt_of(sample.kind, field)
        temperatures = (prompt.temperature, prompt.again)[:TRIES]
        for attempt, temperature in enumerate(temperatures[made:], start=made + 1):
            tried = self._draft(sample, prompt, attempt=attempt, temperature=temperature)
            self.remember(tried)
            yield tried
            if tried.accepted:
                return

    def judged_again(self, tried: Tried, sample: Sample) -> Tried:
        """A draft of the same recipe, judged by the gate as it is now; nothing is written anew."""
        if tried.gate == METHOD:
            return tried
        answer = Completion(
            tried.said, tried.prompt_tokens, tried.completion_tokens, tried.model, tried.unfinished
        )
        if tried.reason == NONSENSE:  # told by the fence of its own prompt, too
            return msgspec.structs.replace(tried, gate=METHOD)
        return self._row(
            sample, prompt_of(sample.kind, Field(tried.field)), answer, attempt=tried.attempt,
            seconds=tried.seconds, fence=new_fence(),
        )  # fmt: skip

    def _draft(self, sample: Sample, prompt: Prompt, *, attempt: int, temperature: float) -> Tried:
        source, fence = sample.source, new_fence()
        shown = source if self._material is Material.ITEM else replace(source, title="")
        messages = messages_of(
            prompt, shown, language=source.language, topic=self._topic, fence=fence
        )
        started = self._clock.monotonic()
        answer = self._writer.complete(
            messages,
            max_tokens=prompt.max_tokens,
            temperature=temperature,
            deadline_seconds=self._deadline_seconds,
        )
        seconds = self._clock.monotonic() - started
        return self._row(sample, prompt, answer, attempt=attempt, seconds=seconds, fence=fence)

    def _row(
        self,
        sample: Sample,
        prompt: Prompt,
        answer: Completion,
        *,
        attempt: int,
        seconds: float,
        fence: str,
    ) -> Tried:
        source = sample.source
        text = draft_of(answer, prompt.field)
        judgement = self._judged(sample, prompt.field, answer, text, fence)
        compared = rouge(text, source.title) if prompt.field is Field.TITLE else None
        missing = unfound(text, f"{source.title}\n{source.body}")
        return Tried(
            item=sample.item,
            kind=sample.kind.value,
            language=source.language,
            field=prompt.field.value,
            attempt=attempt,
            recipe=self.recipe(sample, prompt.field),
            prompt=prompt.name,
            model=self._writer.model,
            gate=METHOD,
            material=self._material.value,
            own_title=source.title,
            readers=self._topic,
            text=text,
            accepted=judgement.accepted,
            reason=judgement.reason,
            detail=judgement.detail,
            support=round(judgement.support, 4),
            seconds=round(seconds, 3),
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            rouge_1=round(compared.one, 4) if compared is not None else None,
            rouge_l=round(compared.longest, 4) if compared is not None else None,
            numbers=missing.numbers,
            names=missing.names,
            openings=missing.openings,
            said=answer.text,
            unfinished=answer.unfinished,
        )

    def _judged(
        self, sample: Sample, field: Field, answer: Completion, text: str, fence: str
    ) -> Judgement:
        source = sample.source
        self._titles.see(item_key(sample.item), source.title)
        if is_nonsense(answer.text, source, language=source.language, fence=fence):
            return Judgement(False, NONSENSE, "", 0.0)
        titles = self._titles.others(item_key(sample.item))
        said = [text for item, text in self._accepted.get(field.value, ()) if item != sample.item]
        draft = Draft(field, source.language, text)
        return self._gate.judge(draft, source, others=[*titles, *said])
