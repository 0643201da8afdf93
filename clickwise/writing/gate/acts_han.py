"""Who did what to what in Chinese, as in `acts`: by the order of words, and the words for passive.

A clause is cut into words by jieba's dictionary. An act may be any word that text and item share;
it is turned around where what stands on its two sides has changed places, or where one side does
what the item has done to it by "her".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import rjieba

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import HAN, Sentence

_COMMA = re.compile("[,;:\u3002\uff0c\uff1b\uff1a\n]")
_WORD = re.compile(f"[{HAN}]{{2,}}")
_BY = frozenset("\u88ab\u7531\u906d\u53d7")  # before who does it
_OF_IT = "\u628a"  # before what it is done to
_TO = frozenset("\u5411\u5bf9\u7ed9")  # before whom it is done to
_HIM = re.compile("[\u4ed6\u5979\u5b83]\u4eec?")
_MOST = 20  # clauses of the item with an act that are compared

_Clauses = dict[int, list[list[str]]]  # of a sentence of the item, by its place: words


@dataclass(frozen=True, slots=True)
class _Sides:
    """Words of content on both sides of an act, and whether a pronoun stands there."""

    agents: frozenset[str]
    patients: frozenset[str]
    by_one: bool
    to_one: bool


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """An act of `sentence` whose sides have changed places."""
    light = evidence.lexicon.stop | evidence.lexicon.generic
    read: _Clauses = {}
    told: dict[str, list[_Sides]] = {}
    for clause in _COMMA.split(sentence.folded):
        words = rjieba.cut(clause)
        for at, word in enumerate(words):
            if not _WORD.fullmatch(word) or word in light:
                continue
            if _sided(words, at):
                continue
            here = _sides(words, at, light)
            if word not in told:
                told[word] = list(islice(_told(word, read, light, evidence), _MOST))
            if _is_turned(here, told[word]):
                return Finding(Reason.NAME, f"{clause[:20]}: the other way round in the item")
    return None


def _told(act: str, read: _Clauses, light: frozenset[str], evidence: Evidence) -> Iterator[_Sides]:
    for place in sorted(evidence.places.get(act[:2], ())):
        if place not in read:
            clauses = _COMMA.split(evidence.sentences[place].folded)
            read[place] = [rjieba.cut(clause) for clause in clauses]
        for words in read[place]:
            if act in words and not _sided(words, words.index(act)):
                yield _sides(words, words.index(act), light)


def _sided(words: Sequence[str], at: int) -> bool:
    """Whether words[at] stands before the word that tells the sides, so that it is in one."""
    return any(later in _BY or later == _OF_IT for later in words[at + 1 :])


def _sides(words: Sequence[str], at: int, light: frozenset[str]) -> _Sides:
    by = next((n for n in range(at) if words[n] in _BY), -1)
    of = next((n for n in range(at) if words[n] == _OF_IT), -1)
    if by >= 0:
        agents, patients = words[by + 1 : at], words[:by]
    elif of >= 0:
        agents, patients = words[:of], [*words[of + 1 : at], *words[at + 1 :]]
    else:
        to = next((n for n in range(at) if words[n] in _TO), at)
        agents, patients = words[:to], [*words[to + 1 : at], *words[at + 1 :]]
    return _Sides(
        _said(agents, light),
        _said(patients, light),
        any(map(_HIM.fullmatch, agents)),
        any(map(_HIM.fullmatch, patients)),
    )


def _said(words: Sequence[str], light: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words if _WORD.fullmatch(word) and word not in light)


def _is_turned(here: _Sides, told: Sequence[_Sides]) -> bool:
    turned = False
    for there in told:
        if here.agents & there.agents:
            return False
        turned = turned or bool(
            here.agents & there.patients
            and (
                here.patients & (there.agents - there.patients)
                or (there.by_one and here.patients - there.patients)
            )
        )
        turned = turned or bool(
            there.to_one and here.patients & there.agents and here.agents - there.patients
        )
    return turned
