"""What is said of what in Chinese, as in `links`: parts of a clause that the item has together.

A clause is cut into the longest runs of characters that stand in some stretch of the item.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import rjieba

from clickwise.writing.gate.evidence import Evidence, Stretch
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import HAN, Sentence, stretches
from clickwise.writing.gate.together import Part, together

_NO_SUBJECT = frozenset({"v", "d", "p"})  # jieba's marks: verb, adverb, preposition
_HE = frozenset({"\u4ed6", "\u5979", "\u5b83", "\u4ed6\u4eec", "\u5979\u4eec", "\u5b83\u4eec"})
_FIRST = 8  # characters in which the first word of a stretch is looked for
_HAN = re.compile(f"[{HAN}]")
_OF = re.compile(f"(?:[{HAN}])?\u7684[{HAN}]{{2,}}")  # what an owner has


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of characters of the clause that stands in the item."""

    text: str
    start: int  # in the clause
    places: frozenset[int]  # stretches of the item


_Linked = dict[tuple[str, ...], list[list[str]]]  # runs of a clause in order to their groups


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Parts of a clause of `sentence` that the item does not say of each other."""
    held: dict[str, frozenset[int]] = {}
    linked: _Linked = {}
    adjoined: set[tuple[str, str]] = set()
    for clause in dict.fromkeys(clause for _, clause in stretches(sentence)):
        runs = _runs(clause, held, evidence)
        finding = _apart(clause, runs, linked, evidence) or _no_subject(runs, adjoined, evidence)
        if finding:
            return finding
    return None


def _apart(clause: str, runs: list[_Run], linked: _Linked, evidence: Evidence) -> Finding | None:
    last = {run.text: run for run in runs}
    first = {run.text: run for run in reversed(runs)}
    told = [
        Part(text, run.start, last[text].start, run.places)
        for text, run in first.items()
        if _says_something(text, evidence)
    ]
    if any(_is_topic(part.text, evidence) for part in told):
        return None
    # How the runs follow each other decides, not where they stand.
    order = tuple(run.text for run in runs)
    if order not in linked:
        found = together(told, evidence, lambda one, parts: _opening(one, parts, evidence))
        linked[order] = [[part.text for part in group] for group in found]
    part_of = {part.text: part for part in told}
    groups = [
        sorted((part_of[text] for text in group), key=lambda part: part.first)
        for group in linked[order]
    ]
    beside = evidence.lexicon.prepositions
    parts = sorted(
        (group for group in groups if clause[group[0].first - 1 : group[0].first] not in beside),
        key=lambda group: group[0].first,
    )
    if len(parts) < 2:
        return None
    end = max(parts[0], key=lambda part: part.last)
    shown = f"{end.text}, {parts[1][0].text}: apart in the item"
    return Finding(Reason.SUPPORT, shown[:120])


def _runs(clause: str, held: dict[str, frozenset[int]], evidence: Evidence) -> list[_Run]:
    """The runs of `clause` in order; `held` remembers which stretches have a text."""
    told = evidence.stretches
    found: list[_Run] = []
    at = 0
    while at < len(clause):
        places = evidence.stretch_places.get(clause[at : at + 2], frozenset())
        if not places or not _HAN.match(clause[at]):
            at += 1
            continue
        size = 2
        while at + size < len(clause):
            longer = clause[at : at + size + 1]
            if longer not in held:
                held[longer] = frozenset(one for one in places if longer in told[one].folded)
            if not held[longer]:
                break
            places, size = held[longer], size + 1
        found.append(_Run(clause[at : at + size], at, places))
        at += size
    return found


def _says_something(text: str, evidence: Evidence) -> bool:
    """Whether two characters stay without the words that carry no claim, one of them a claim."""
    known = evidence.lexicon
    light = known.stop | known.generic | known.negators
    for word in light:
        if len(word) > 1:
            text = text.replace(word, "")
    bare = [character for character in text if _HAN.match(character)]
    return len(bare) > 1 and any(character not in light for character in bare)


def _is_topic(text: str, evidence: Evidence) -> bool:
    topic = evidence.sentences[0].folded
    return any(text[at : at + 2] in topic for at in range(len(text) - 1))


def _opening(stretch: Stretch, parts: Iterable[Part], evidence: Evidence) -> list[Part]:
    """Those of `parts` that begin the stretch, which has no subject of its own then.

    All of them where somebody says it: "the mayor said" is of all that follows in the sentence.
    """
    if stretch.sentence in evidence.quoting:
        return list(parts)
    told = stretch.folded.lstrip()
    joint = _joint(evidence.lexicon).match(told)
    begin = joint.end() if joint else 0
    if _has_no_subject(told[begin:]):
        return list(parts)
    return [part for part in parts if told.startswith(part.text, begin)]


@lru_cache(maxsize=4096)
def _has_no_subject(told: str) -> bool:
    """Whether its first word is a pronoun or, to jieba, a verb or what stands before one."""
    first = next(iter(rjieba.tag(told[:_FIRST])), ("", ""))
    return first[1] in _NO_SUBJECT or first[0] in _HE


@cache
def _joint(known: Lexicon) -> re.Pattern[str]:
    """What may stand before all else in a stretch."""
    words = "|".join(sorted(known.conjunctions, key=len, reverse=True))
    return re.compile(words)


def _no_subject(
    runs: list[_Run], adjoined: set[tuple[str, str]], evidence: Evidence
) -> Finding | None:
    """A subject that in the item owns the one that it says the same of: "X of the plan will".

    `adjoined` remembers the runs that were looked at.
    """
    for one, two in pairwise(runs):
        if one.start + len(one.text) != two.start or (one.text, two.text) in adjoined:
            continue
        adjoined.add((one.text, two.text))
        if not any(two.text.startswith(word) for word in evidence.lexicon.auxiliaries):
            continue
        both = [evidence.stretches[at].folded for at in one.places & two.places]
        gaps = [_between(folded, one.text, two.text) for folded in both]
        if gaps and all(gap is not None and _OF.fullmatch(gap) for gap in gaps):
            return Finding(Reason.SUPPORT, f"{one.text}, {two.text}: of another in the item"[:120])
    return None


def _between(text: str, one: str, two: str) -> str | None:
    end = text.find(two)
    start = text.rfind(one, 0, end) if end >= 0 else -1
    return text[start + len(one) : end] if start >= 0 else None
