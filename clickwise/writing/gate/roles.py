"""Who did it to whom: two names keep the order that the item gives them around an act.

And an act that the item tells as done "by" somebody is not told of one who is nowhere near it. A
word at a name ("baker Jonas Velde") is taken for it. What the item tells is read once of each act
and each two names, however often a text has them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from clickwise.writing.gate import roles_han
from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence, Word, clauses
from clickwise.writing.gate.support import content
from clickwise.writing.gate.voice import Sides, done_by, sides, subjects

_ACT_WITHIN = 4  # words between a name and what it does

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
    """The stems of names that a clause has on both sides of an act."""

    agents: frozenset[str]
    patients: frozenset[str]


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Two names of `sentence` that have changed places."""
    if evidence.lexicon.language == "zh":
        return roles_han.check(sentence, evidence)
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
    apart = known.prepositions - known.words("of")
    read: dict[int, _Clauses] = {}
    for clause in clauses(sentence, known):
        for actor, act in _acts(clause, sentence, named, evidence):
            stem = clause[act].stem
            if stem not in told:
                told[stem] = frozenset(_told(stem, read, evidence))
            said = sides(clause, act, known, subjects(clause[:act], apart, known))
            asked = _Told(_actors(said.agents, evidence), _actors(said.patients, evidence))
            if told[stem] and all(_is_of_others(one, asked) for one in told[stem]):
                shown = f"{clause[actor].text} {clause[act].text}: of another name in the item"
                return Finding(Reason.NAME, shown)
    return None


def _acts(
    clause: tuple[Word, ...], sentence: Sentence, named: set[str], evidence: Evidence
) -> Iterator[tuple[int, int]]:
    """Where `clause` has a name at an act, and the act: before it, or behind its "by"."""
    known = evidence.lexicon
    actor = next(_acting(clause, named, evidence), None)
    if actor is not None:
        act = actor
        while act < len(clause) and (
            act == actor
            or _looks_named(clause[act], sentence, evidence)
            or (clause[act].folded in known.stop and clause[act].folded not in known.prepositions)
        ):
            act += 1
        beside = act < len(clause) and clause[act].folded in known.prepositions
        if act < len(clause) and act - actor <= _ACT_WITHIN and not beside:
            yield actor, act
    for at in range(len(clause) - 1):
        by = done_by(clause, at, known)
        if by == at + 1 and clause[at].folded not in known.stop:
            actor = next((n for n in range(by + 1, len(clause)) if clause[n].stem in named), None)
            if actor is not None and actor - by <= _ACT_WITHIN:
                yield actor, at


def _acting(clause: tuple[Word, ...], named: set[str], evidence: Evidence) -> Iterator[int]:
    """Where `clause` has a name, or a word that stands for one, that follows no preposition."""
    known = evidence.lexicon
    prepositions = known.prepositions - known.words("of")
    beside = False
    for at, word in enumerate(clause):
        owner = word.folded.endswith("'s")
        if not beside and not owner and (word.stem in named or evidence.stand_ins.get(word.stem)):
            yield at
        beside = word.folded in prepositions or (
            beside and (word.folded in known.determiners or word.capital)
        )


def _actors(words: Iterable[Word], evidence: Evidence) -> frozenset[str]:
    """Stems of the names among `words`, and of those that one of them stands for."""
    stems = frozenset(word.stem for word in words)
    stood = (evidence.stand_ins.get(stem, frozenset()) for stem in stems)
    return (stems & evidence.names).union(*stood)


def _told(act: str, read: dict[int, _Clauses], evidence: Evidence) -> Iterator[_Told]:
    """What the item has around `act`; `read` remembers its sentences by their places."""
    for place in evidence.places.get(act, ()):
        if place not in read:
            read[place] = _by_stem(evidence.sentences[place], evidence)
        for clause in read[place].get(act, ()):
            at = next(at for at, word in enumerate(clause) if word.stem == act)
            # Whoever is named before it: of "two of Porto" it is told of Porto as well.
            yield _named(sides(clause, at, evidence.lexicon, clause[:at]), evidence)


def _named(found: Sides, evidence: Evidence) -> _Told:
    names = evidence.names
    return _Told(
        names.intersection(word.stem for word in found.agents),
        names.intersection(word.stem for word in found.patients),
    )


def _by_stem(sentence: Sentence, evidence: Evidence) -> _Clauses:
    found: _Clauses = {}
    for clause in _with_subjects(sentence, evidence):
        for stem in {word.stem for word in clause}:
            found.setdefault(stem, []).append(clause)
    return found


def _is_of_others(told: _Told, asked: _Told) -> bool:
    """Whether the item has other names on the side of the act where the text has its own."""
    for mine, same, other in (
        (asked.agents, told.agents, told.patients),
        (asked.patients, told.patients, told.agents),
    ):
        if mine and (same or other):
            return not same & mine if same else bool(other & mine)
    return False


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
