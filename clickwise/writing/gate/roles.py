"""Who did it to whom: two names keep the order that the item gives them around an act.

And an act that the item tells as done "by" somebody is not told of one who is nowhere near it. A
word at a name ("baker Jonas Velde") is taken for it. What the item tells is read once of each act
and each two names, however often a text has them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence, Word, clauses
from clickwise.writing.gate.support import content

_ACT_WITHIN = 4  # words between a name and what it does
_SHARED = 3  # pairs of characters
_LEFT = 2  # characters of a clause that its sentence may lack
_HAN_COMMA = "[,;:\u3001\uff0c\uff1b\uff1a]"

_Clauses = dict[str, list[tuple[Word, ...]]]  # of a sentence of the item, by the stems they have


@dataclass(frozen=True, slots=True)
class _Two:
    """Two names of a text in order: their stems, those of the words between, whether passive."""

    one: str
    two: str
    act: frozenset[str]
    passive: bool


@dataclass(frozen=True, slots=True)
class _Told:
    """What a clause of the item has around an act: stems of names, and whether of the passive."""

    before: frozenset[str]
    after: frozenset[str]
    turned: bool


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Two names of `sentence` that have changed places."""
    if evidence.lexicon.language == "zh":
        return _turned(sentence, evidence)
    names = _names(sentence, evidence)
    seen: set[_Two] = set()
    for one, two in pairwise(names):
        act = _between(sentence, one, two, evidence)
        asked = _Two(one.stem, two.stem, act, _passive(sentence, one, two, evidence))
        if one.stem == two.stem or asked in seen:
            continue
        seen.add(asked)
        if _have_changed_places(asked, evidence):
            shown = f"{one.text} and {two.text}: the other way round in the item"
            return Finding(Reason.NAME, shown)
    return _other_actor(sentence, names, evidence) or _other_agent(sentence, evidence)


def _have_changed_places(asked: _Two, evidence: Evidence) -> bool:
    """Whether the item has the names around the same act, and only in the other order."""
    straight = turned = False
    places = evidence.places
    both = places.get(asked.one, frozenset()) & places.get(asked.two, frozenset())
    for other in (evidence.sentences[at] for at in both if asked.act):
        first = next(word for word in other.words if word.stem == asked.one)
        second = next(word for word in other.words if word.stem == asked.two)
        if not asked.act & _between(other, first, second, evidence):
            continue
        passive = _passive(other, first, second, evidence)
        same = (first.start < second.start) == (passive == asked.passive)
        straight, turned = straight or same, turned or not same
    return turned and not straight


def _other_actor(sentence: Sentence, names: list[Word], evidence: Evidence) -> Finding | None:
    """A name before an act that the item tells of another name, or tells as done to it."""
    known = evidence.lexicon
    named = {name.stem for name in names}
    told: dict[str, frozenset[_Told]] = {}
    read: dict[int, _Clauses] = {}
    for clause in clauses(sentence, known):
        actor = next(_acting(clause, named, evidence), None)
        if actor is None:
            continue
        act = actor
        while act < len(clause) and (
            act == actor
            or _looks_named(clause[act], sentence, evidence)
            or clause[act].folded in known.stop
        ):
            act += 1
        if act == len(clause) or act - actor > _ACT_WITHIN:
            continue
        actors = _actors(clause[:act], evidence)
        stem = clause[act].stem
        if stem not in told:
            told[stem] = frozenset(_told(stem, read, evidence))
        if told[stem] and all(_is_of_others(one, actors) for one in told[stem]):
            shown = f"{clause[actor].text} {clause[act].text}: of another name in the item"
            return Finding(Reason.NAME, shown)
    return None


def _acting(clause: tuple[Word, ...], named: set[str], evidence: Evidence) -> Iterator[int]:
    """Where `clause` has a name, or a word that stands for one and follows no preposition."""
    known = evidence.lexicon
    beside = False
    for at, word in enumerate(clause):
        if word.stem in named or (not beside and evidence.stand_ins.get(word.stem)):
            yield at
        beside = word.folded in known.prepositions or (beside and word.folded in known.determiners)


def _actors(words: Iterable[Word], evidence: Evidence) -> frozenset[str]:
    """Stems of the names among `words`, and of those that one of them stands for."""
    stems = frozenset(word.stem for word in words)
    stood = (evidence.stand_ins.get(stem, frozenset()) for stem in stems)
    return (stems & evidence.names).union(*stood)


def _told(act: str, read: dict[int, _Clauses], evidence: Evidence) -> Iterator[_Told]:
    """What the item has around `act`; `read` remembers its sentences by their places."""
    passive = evidence.lexicon.passive
    for place in evidence.places.get(act, ()):
        if place not in read:
            read[place] = _by_stem(evidence.sentences[place], evidence)
        for clause in read[place].get(act, ()):
            at = next(at for at, word in enumerate(clause) if word.stem == act)
            yield _Told(
                evidence.names.intersection(word.stem for word in clause[:at]),
                evidence.names.intersection(word.stem for word in clause[at + 1 :]),
                any(word.folded in passive for word in clause),
            )


def _by_stem(sentence: Sentence, evidence: Evidence) -> _Clauses:
    found: _Clauses = {}
    for clause in _with_subjects(sentence, evidence):
        for stem in {word.stem for word in clause}:
            found.setdefault(stem, []).append(clause)
    return found


def _is_of_others(told: _Told, actors: frozenset[str]) -> bool:
    """Whether the item has other names before the act, or `actors` only after it."""
    if told.before:
        return not told.before & actors
    return bool(told.after & actors) and not told.turned


def _other_agent(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """An act before which the text has nobody of the sentences where it is done "by" somebody."""
    known = evidence.lexicon
    for clause in clauses(sentence, known):
        if any(word.folded in known.passive for word in clause):
            continue
        before: frozenset[int] = frozenset()
        begun = False
        for word in content(clause, evidence):
            places = evidence.where(word)
            done_by = places and places <= evidence.where_done_by(word)
            if begun and done_by and before.isdisjoint(places):
                return Finding(Reason.NAME, f"{word.text}: done by another in the item")
            before, begun = before | places, True
    return None


def _with_subjects(sentence: Sentence, evidence: Evidence) -> Iterator[tuple[Word, ...]]:
    """The clauses of `sentence`; one that begins with its verb has a name before it in front."""
    known = evidence.lexicon
    before: tuple[Word, ...] = ()
    for clause in clauses(sentence, known):
        subject: tuple[Word, ...] = ()
        if clause[0].folded in known.auxiliaries and all(
            word.stem in evidence.names or word.folded in known.stop for word in before
        ):
            subject = before
        yield (*subject, *clause)
        before = clause


def _turned(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Three parts of a Chinese clause in the opposite order of the item's sentence."""
    passive = any(word in sentence.folded for word in evidence.lexicon.passive)
    for clause in re.split(_HAN_COMMA, sentence.folded):
        pairs = (evidence.places.get(clause[at : at + 2], ()) for at in range(len(clause) - 1))
        for at, count in Counter(place for places in pairs for place in places).most_common(2):
            other = evidence.sentences[at].folded
            if count < _SHARED or passive != any(w in other for w in evidence.lexicon.passive):
                continue
            places = _parts_in(clause, other)
            if places and any(
                a > b > c for a, b, c in zip(places, places[1:], places[2:], strict=False)
            ):
                return Finding(Reason.NAME, f"{clause[:20]}: the other way round in the item")
    return None


def _parts_in(clause: str, other: str) -> list[int] | None:
    """Where the longest parts of `clause` stand in `other`; None when a part is left over."""
    places: list[int] = []
    at = left = 0
    while at < len(clause):
        size = 0
        while at + size < len(clause) and clause[at : at + size + 1] in other:
            size += 1
        if size >= 2:
            places.append(other.index(clause[at : at + size]))
            at += size
        else:
            left += 1
            at += 1
    return places if left <= _LEFT else None


def _names(sentence: Sentence, evidence: Evidence) -> list[Word]:
    """Names of the sentence that the item has, one word for each, its first one included."""
    capital = evidence.names
    found = [word for word in sentence.words if word.capital and word.stem in capital]
    kept: list[Word] = []
    for word in found:
        if kept and word.start - kept[-1].start <= len(kept[-1].text) + 1:
            continue
        kept.append(word)
    return kept


def _between(sentence: Sentence, one: Word, two: Word, evidence: Evidence) -> frozenset[str]:
    """Stems of the plain content words between two names."""
    start, end = sorted((one.start, two.start))
    light = evidence.lexicon.stop
    return frozenset(
        word.stem
        for word in sentence.words
        if start < word.start < end and not word.capital and word.folded not in light
    )


def _looks_named(word: Word, sentence: Sentence, evidence: Evidence) -> bool:
    """By its capital, or where capitals say nothing by those of the item."""
    return word.stem in evidence.names if sentence.titled else word.capital


def _passive(sentence: Sentence, one: Word, two: Word, evidence: Evidence) -> bool:
    start, end = sorted((one.start, two.start))
    between = [word.folded for word in sentence.words if start < word.start < end]
    return any(word in evidence.lexicon.passive for word in between)
