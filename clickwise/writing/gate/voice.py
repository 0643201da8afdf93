"""Who does an act and to whom it is done, in one clause: active, passive, and "said she".

"The tree damaged two buses" and "two buses were damaged by the tree" have the same sides; "two
buses were damaged" has one. What a preposition begins before the act ("buses in the village
were") is no side of it. Nothing here knows verbs from nouns: callers compare what two clauses
have around one word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Word

_TO_BY = 2  # words from an act to the "by" of its doer
_TO_COPULA = 2  # words back to the "was" of a passive: "was badly damaged"
_DOER = 5  # words after "by" in which the doer is named
_ACTIVE = ("ing", "ndo")  # endings after a copula that make no passive


@dataclass(frozen=True, slots=True)
class Sides:
    """The words on both sides of an act; either may be empty."""

    agents: tuple[Word, ...]
    patients: tuple[Word, ...]


def sides(
    clause: Sequence[Word], at: int, known: Lexicon, before: tuple[Word, ...] | None = None
) -> Sides:
    """Who does clause[at], and to whom it is done; `before`: what stands there for a subject."""
    before = subjects(clause[:at], known.prepositions, known) if before is None else before
    by = done_by(clause, at, known)
    if by:
        return Sides(_doer(clause[by + 1 :], known), before)
    if is_passive(clause, at, known):
        return Sides((), before)
    after = tuple(word for word in clause[at + 1 :] if word.folded not in known.stop)
    if not before and clause[at].folded in known.speech:  # said the mayor
        return Sides(after, ())
    return Sides(before, after)


def done_by(clause: Sequence[Word], at: int, known: Lexicon) -> int:
    """Where the "by" of a doer stands behind clause[at]; 0: nowhere."""
    for by in range(at + 1, min(len(clause) - 1, at + 1 + _TO_BY)):
        if clause[by].folded in known.passive:
            measured = (known.units, known.currencies, known.words("percent"))
            near = clause[by + 1 : by + 3]  # "raised by six percent"
            return 0 if any(w.folded in table for w in near for table in measured) else by
        if clause[by].folded not in known.prepositions:  # "paid for by"; not "called her by phone"
            break
    return 0


def is_passive(clause: Sequence[Word], at: int, known: Lexicon) -> bool:
    """Whether clause[at] stands right behind a form of "to be", and is no form in "-ing"."""
    if clause[at].folded.endswith(_ACTIVE):
        return False
    forms = known.copulas | known.words("been")
    return any(
        word.folded in forms and word.text != "e" for word in clause[max(0, at - _TO_COPULA) : at]
    )


def subjects(
    words: Sequence[Word], prepositions: frozenset[str], known: Lexicon
) -> tuple[Word, ...]:
    """The words before an act without function words and what one of `prepositions` begins."""
    kept: list[Word] = []
    beside = named = False
    for word in words:
        if word.folded in prepositions:
            beside, named = True, False
        elif word.folded in known.stop or word.folded in known.numbers:
            continue
        elif beside:
            # One word, or a name of several, belongs to the preposition.
            beside, named = False, word.capital
        elif not (named and word.capital):
            named = False
            kept.append(word)
    return tuple(kept)


def _doer(words: Sequence[Word], known: Lexicon) -> tuple[Word, ...]:
    kept: list[Word] = []
    for word in words[:_DOER]:
        if word.folded in known.prepositions or word.folded in known.auxiliaries:
            break
        if word.folded not in known.stop:
            kept.append(word)
    return tuple(kept)
