"""What is said of what: the content of a clause must hang together in the item.

Two words are linked when a stretch of the item between two marks has both; through links, each
word of a clause must reach the others. So "the bell was rusty" falls where the item says that the
engine was rusty, but the bell still rings. Words of the title are linked to all, since every
sentence is about them, and so is what begins a later stretch of a sentence to what stands before,
its subject. Names have a check of their own (`roles`), and what a preposition begins may come from
elsewhere.

The other way around: of "the buses of the plan will be electric" the words "the plan will be
electric" hang together and say something else. What follows a preposition is no subject.
"""

from collections.abc import Sequence

from clickwise.writing.gate.evidence import Evidence, Stretch
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence, Word, clauses
from clickwise.writing.gate.support import content


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Words of a clause of `sentence` that the item does not say of each other."""
    known = evidence.lexicon
    if not known.prepositions:
        return None
    for clause in clauses(sentence, known):
        if finding := _apart(clause, sentence, evidence) or _no_subject(clause, evidence):
            return finding
    return None


def _apart(clause: tuple[Word, ...], sentence: Sentence, evidence: Evidence) -> Finding | None:
    words = [
        word
        for word in content(clause, evidence)
        if evidence.stretches_with(word) and not _is_name(word, sentence, evidence)
    ]
    parts = [
        part for part in _linked(words, evidence) if not _is_beside(part[0], sentence, evidence)
    ]
    if len(parts) < 2:
        return None
    return Finding(Reason.SUPPORT, f"{parts[0][-1].text}, {parts[1][0].text}: apart in the item")


def _is_name(word: Word, sentence: Sentence, evidence: Evidence) -> bool:
    """Whether `word` is a name of the item, begins one or stands at one ("baker Jonas Velde")."""
    if word.stem in evidence.names:
        return True
    after = next((one for one in sentence.words if one.start > word.start), None)
    if after is None or not after.capital or after.stem not in evidence.names:
        return False
    return sentence.text[word.start + len(word.text) : after.start] == " "


def _linked(words: Sequence[Word], evidence: Evidence) -> list[list[Word]]:
    """`words` in groups that the item links, each in order."""
    groups: list[list[Word]] = []
    for word in words:
        near = [group for group in groups if any(_link(one, word, evidence) for one in group)]
        merged = [*(one for group in near for one in group), word]
        groups = [group for group in groups if group not in near]
        groups.append(sorted(merged, key=lambda one: one.start))
    return sorted(groups, key=lambda group: group[0].start)


def _link(one: Word, two: Word, evidence: Evidence) -> bool:
    topic = evidence.sentences[0].stems
    if one.stem in topic or two.stem in topic:
        return True
    first, second = evidence.stretches_with(one), evidence.stretches_with(two)
    if first & second:
        return True
    return _carried(first, second, evidence) or _carried(second, first, evidence)


def _carried(first: frozenset[int], second: frozenset[int], evidence: Evidence) -> bool:
    """Whether a stretch of `second` begins with its verb, and one of `first` stands before it."""
    earliest = evidence.earliest(first)
    told = evidence.stretches
    return any(
        earliest.get(told[later].sentence, later) < later
        and not _has_subject(told[later], evidence)
        for later in second
    )


def _has_subject(stretch: Stretch, evidence: Evidence) -> bool:
    known = evidence.lexicon
    for word in stretch.words:
        if word.folded not in known.conjunctions:
            return word.folded not in known.auxiliaries
    return True


def _is_beside(word: Word, sentence: Sentence, evidence: Evidence) -> bool:
    """Whether `word` follows a preposition, determiners aside."""
    return _preposition_before(sentence.words, sentence.words.index(word), evidence) >= 0


def _preposition_before(words: Sequence[Word], at: int, evidence: Evidence) -> int:
    """Where the preposition stands that words[at] follows, determiners aside; -1: nowhere."""
    known = evidence.lexicon
    before = at - 1
    while before >= 0:
        folded = words[before].folded
        if folded in known.prepositions:
            return before
        if folded not in known.determiners and folded not in known.numbers:
            return -1
        before -= 1
    return -1


def _no_subject(clause: tuple[Word, ...], evidence: Evidence) -> Finding | None:
    """A subject that the item has only behind a preposition, where it says the same."""
    known = evidence.lexicon
    for at, word in enumerate(clause[:-1]):
        if word.folded in known.prepositions:
            return None
        if clause[at + 1].folded not in known.auxiliaries or word.folded in known.stop:
            continue
        said = next((one for one in content(clause[at + 1 :], evidence)), None)
        if said is None or not evidence.where(word) or word.stem in evidence.names:
            return None
        told = [evidence.stretches[one] for one in evidence.stretches_with(word)]
        both = [one.words for one in told if any(other.stem == said.stem for other in one.words)]
        if both and all(_is_owner(words, word, said, evidence) for words in both):
            return Finding(Reason.SUPPORT, f"{word.text}, {said.text}: of another in the item")
        return None
    return None


def _is_owner(words: tuple[Word, ...], owner: Word, said: Word, evidence: Evidence) -> bool:
    """Whether `owner` stands behind a noun and a preposition each time before `said`."""
    end = next(at for at, word in enumerate(words) if word.stem == said.stem)
    places = [at for at, word in enumerate(words[:end]) if word.stem == owner.stem]
    for at in places:
        if words[at].folded.endswith("'s"):
            continue
        begin = _preposition_before(words, at, evidence)
        if begin <= 0 or not content(words[:begin], evidence):
            return False
    return bool(places)
