"""Who did what to what, names aside: a tree damages two buses, and not the buses the tree.

An act is turned around where the item has, on both of its sides, what the text has on the other
one: one word of each side is enough, since the others may be left out. `roles` looks at names.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word, clauses
from clickwise.writing.gate.support import content
from clickwise.writing.gate.voice import Sides, sides

_MOST = 20  # clauses of the item with an act that are compared
_PREFIX = 5  # letters that two forms of an act share

_VERB_EN = ("ed", "s", "en")
_NOUN_PT = ("s", "ao", "dade", "gem")

_Clauses = dict[int, list[tuple[Word, ...]]]  # of a sentence of the item, by its place


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """An act of `sentence` whose sides have changed places."""
    known = evidence.lexicon
    if not known.prepositions:
        return None
    read: _Clauses = {}
    told: dict[str, list[Sides]] = {}
    for clause in clauses(sentence, known):
        said = {word.start for word in content(clause, evidence)}
        for at, word in enumerate(clause):
            if word.start not in said or not _may_be_act(clause, at, known):
                continue
            here = sides(clause, at, known)
            if not here.agents or not here.patients:
                continue
            if word.stem not in told:
                told[word.stem] = list(islice(_told(word, read, evidence), _MOST))
            if _is_turned(here, told[word.stem], evidence):
                return Finding(Reason.NAME, f"{word.text}: the other way round in the item")
    return None


def _may_be_act(clause: tuple[Word, ...], at: int, known: Lexicon) -> bool:
    """Whether clause[at] may be a verb, and one that its subject does: not "made prices fall"."""
    word, before = clause[at].folded, clause[at - 1].folded if at else ""
    if before in known.auxiliaries:
        return True
    if before in known.determiners | known.prepositions or before in known.generic:
        return False
    if known.language == "pt":
        return not word.endswith(_NOUN_PT)
    return word.endswith(_VERB_EN) or word in known.words("past")


def _told(act: Word, read: _Clauses, evidence: Evidence) -> Iterator[Sides]:
    """Both sides of `act`, or of a word like it, wherever the item has it."""
    known = evidence.lexicon
    groups = known.kin.get(act.stem, frozenset()) - known.likes
    for place in sorted(evidence.where(act)):
        if place not in read:
            read[place] = clauses(evidence.sentences[place], known)
        for clause in read[place]:
            for at, word in enumerate(clause):
                same = word.stem[:_PREFIX] == act.stem[:_PREFIX]
                if same or groups & known.kin.get(word.stem, frozenset()):
                    yield sides(clause, at, known)
                    break


def _is_turned(here: Sides, told: Iterable[Sides], evidence: Evidence) -> bool:
    turned = False
    agents, patients = _keys(here.agents, evidence), _keys(here.patients, evidence)
    for there in told:
        doing, done = _keys(there.agents, evidence), _keys(there.patients, evidence)
        if agents & doing:
            return False
        turned = turned or bool(agents & done and patients & (doing - done))
    return turned


def _keys(words: Iterable[Word], evidence: Evidence) -> frozenset[str]:
    """The stems of `words` that carry a claim."""
    return frozenset(word.stem for word in content(words, evidence))
