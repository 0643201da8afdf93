"""What is said of what in Chinese, as in `links`: parts of a clause that the item has together.

A clause is cut into the longest runs of characters that stand in some stretch of the item.
"""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import HAN, Sentence, stretches

_HAN = re.compile(f"[{HAN}]")
_OF = re.compile(f"(?:[{HAN}])?\u7684[{HAN}]{{2,}}")  # what an owner has


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of characters of the clause that stands in the item."""

    text: str
    start: int  # in the clause
    places: frozenset[int]  # stretches of the item


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Parts of a clause of `sentence` that the item does not say of each other."""
    for _, clause in stretches(sentence):
        runs = _runs(clause, evidence)
        told = [run for run in runs if _says_something(run.text, evidence)]
        if finding := _apart(clause, told, evidence) or _no_subject(runs, evidence):
            return finding
    return None


def _apart(clause: str, runs: list[_Run], evidence: Evidence) -> Finding | None:
    groups: list[list[_Run]] = []
    for run in runs:
        near = [group for group in groups if any(_link(one, run, evidence) for one in group)]
        merged = [*(one for group in near for one in group), run]
        groups = [group for group in groups if group not in near]
        groups.append(sorted(merged, key=lambda one: one.start))
    beside = evidence.lexicon.prepositions
    parts = sorted(
        (group for group in groups if clause[group[0].start - 1 : group[0].start] not in beside),
        key=lambda group: group[0].start,
    )
    if len(parts) < 2:
        return None
    shown = f"{parts[0][-1].text}, {parts[1][0].text}: apart in the item"
    return Finding(Reason.SUPPORT, shown[:120])


def _runs(clause: str, evidence: Evidence) -> list[_Run]:
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
            longer = frozenset(
                one for one in places if clause[at : at + size + 1] in told[one].folded
            )
            if not longer:
                break
            places, size = longer, size + 1
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


def _link(one: _Run, two: _Run, evidence: Evidence) -> bool:
    topic = evidence.sentences[0].folded
    if any(run.text[at : at + 2] in topic for run in (one, two) for at in range(len(run.text) - 1)):
        return True
    return bool(one.places & two.places) or _carried(one, two, evidence)


def _carried(one: _Run, two: _Run, evidence: Evidence) -> bool:
    """Whether `two` begins a stretch without a subject of its own, after one that has `one`."""
    told = evidence.stretches
    earliest = evidence.earliest(one.places)
    for later in two.places:
        begin = _opening(evidence.lexicon).sub("", told[later].folded.lstrip())
        if begin.startswith(two.text) and earliest.get(told[later].sentence, later) < later:
            return True
    return False


@cache
def _opening(known: Lexicon) -> re.Pattern[str]:
    """What may stand before all else in a stretch."""
    words = "|".join(sorted(known.conjunctions, key=len, reverse=True))
    return re.compile(f"^(?:{words})")


def _no_subject(runs: list[_Run], evidence: Evidence) -> Finding | None:
    """A subject that in the item owns the one that it says the same of: "X of the plan will"."""
    for one, two in pairwise(runs):
        if one.start + len(one.text) != two.start:
            continue
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
