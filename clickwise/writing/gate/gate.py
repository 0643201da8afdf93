"""All checks in order: the first that finds something against a draft refuses it."""

from collections.abc import Sequence
from functools import lru_cache

from clickwise.writing.gate import (
    acts,
    acts_han,
    adjectives_han,
    beside,
    boasts,
    copies,
    dates,
    form,
    headlines,
    kinds,
    language,
    links,
    links_han,
    modifiers,
    names,
    numbers,
    phrases,
    polarity,
    polarity_han,
    pronouns,
    quotations,
    roles,
)
from clickwise.writing.gate.evidence import Evidence, evidence
from clickwise.writing.gate.judgement import Draft, Finding, Judgement, Reason, Source
from clickwise.writing.gate.lexicon import fold
from clickwise.writing.gate.reading import Sentence, read
from clickwise.writing.gate.support import Support, measure

METHOD = "gate-6"  # changes with what is accepted, so that texts are judged again
# Chosen on the tuning part of tests/data/gate; see docs/lab.md, "Words: the gate".
LEAST_SUPPORT = 0.65
LEAST_OF_A_CLAUSE = 0.5  # share of its content
LONGEST_RUN = 1  # words of content in a row that the item does not have
LONGEST_RUN_HAN = 2  # characters


class TextGate:
    """Judges drafts against their items. Thread-safe: it keeps only items it has prepared."""

    def __init__(self) -> None:
        self._prepared = lru_cache(maxsize=8)(evidence)

    def judge(self, draft: Draft, source: Source, *, others: Sequence[str] = ()) -> Judgement:
        """Whether `draft` says nothing that `source` does not; `others`: of other items."""
        if finding := form.check(draft):
            return _refused(finding)
        asked, given = (tag.partition("-")[0].lower() for tag in (draft.language, source.language))
        said = self._prepared(source, given or asked)
        reading = read(draft.text, asked or given)
        folded = " ".join(fold(draft.text).split())
        if finding := (
            phrases.check(fold(draft.text), said.folded)
            or language.check(reading.sentences, asked)
            or copies.check(folded, said.folded, others)
            or copies.repeated(sentence.folded for sentence in reading.sentences)
        ):
            return _refused(finding)
        lowest = 1.0
        for sentence in reading.sentences:
            if said.says_whole(sentence):
                continue
            support = measure(sentence, said)
            lowest = min(lowest, support.score)
            if finding := _against(sentence, support, said) or _unsupported(support, said):
                return Judgement(False, finding.reason, finding.detail, support.score)
        return Judgement(True, "", "", lowest)


def _against(sentence: Sentence, support: Support, said: Evidence) -> Finding | None:
    """What the checks of facts have against one sentence."""
    return (
        _ordered(support, said)
        or quotations.check(sentence.text, said.folded)
        or numbers.check(sentence, said)
        or beside.check(sentence, said)
        or dates.check(sentence.text, said.dates, said.lexicon)
        or names.check(sentence, said)
        or kinds.check(sentence, said)
        or pronouns.check(sentence, said)
        or roles.check(sentence, said)
        or _reversed(sentence, said)
        or boasts.check(sentence, said)
        or headlines.check(sentence, said)
        or adjectives_han.check(sentence, said)
        or _turned(sentence, support, said)
        or modifiers.check(sentence, said)
        or _mixed(sentence, said)
    )


def _reversed(sentence: Sentence, said: Evidence) -> Finding | None:
    if said.lexicon.language == "zh":
        return acts_han.check(sentence, said)
    return acts.check(sentence, said)


def _mixed(sentence: Sentence, said: Evidence) -> Finding | None:
    if said.lexicon.language == "zh":
        return links_han.check(sentence, said)
    return links.check(sentence, said)


def _turned(sentence: Sentence, support: Support, said: Evidence) -> Finding | None:
    if said.lexicon.language == "zh":
        return polarity_han.check(sentence, support, said)
    return polarity.check(sentence, said)


def _ordered(support: Support, said: Evidence) -> Finding | None:
    """Words that the item has only in what it says to a model."""
    for missing in support.missing:
        new = len(missing) > 1 or missing not in said.characters
        if new and fold(missing) in said.orders:
            return Finding(Reason.INJECTION, missing[:60])
    return None


def _refused(finding: Finding) -> Judgement:
    return Judgement(False, finding.reason, finding.detail, 0.0)


def _unsupported(support: Support, said: Evidence) -> Finding | None:
    longest = LONGEST_RUN_HAN if said.lexicon.language == "zh" else LONGEST_RUN
    if (
        support.score >= LEAST_SUPPORT
        and support.run <= longest
        and support.weakest >= LEAST_OF_A_CLAUSE
    ):
        return None
    return Finding(Reason.SUPPORT, ", ".join(support.missing)[:120] or "from all over the item")
