"""What is said of what: the content of a clause must hang together in the item.

Two words are linked when a stretch of the item between two marks has both; through links, each
word of a clause must reach the others. So "the bell was rusty" falls where the item says that the
engine was rusty, but the bell still rings. Words of the title are linked to all, since every
sentence is about them, and so is what begins a later stretch of a sentence to what stands before,
its subject. A word at a name ("baker Jonas Velde") stands for it. Names have a check of their own
(`roles`), and what a preposition begins may come from elsewhere.

The other way around: of "the buses of the plan will be electric" the words "the plan will be
electric" hang together and say something else. What follows a preposition is no subject.
"""

from collections.abc import Sequence

from clickwise.writing.gate.evidence import Evidence, Stretch
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence, Word, clauses
from clickwise.writing.gate.support import content
from clickwise.writing.gate.together import Carried, Part, together

# What was found of a clause: its stems to those of each group.
Held = dict[frozenset[str], list[frozenset[str]]]
Told = dict[str, frozenset[int]]  # stem to the stretches that have it


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Words of a clause of `sentence` that the item does not say of each other."""
    known = evidence.lexicon
    if not known.prepositions:
        return None
    held: Held = {}
    places: Told = {}
    for clause in clauses(sentence, known):
        for word in content(clause, evidence):
            if word.stem not in places:
                places[word.stem] = _places(word, evidence)
        finding = _apart(clause, sentence, places, held, evidence)
        if finding := finding or _no_subject(clause, evidence):
            return finding
    return None


def _apart(
    clause: tuple[Word, ...], sentence: Sentence, places: Told, held: Held, evidence: Evidence
) -> Finding | None:
    said = content(clause, evidence)
    words = [word for word in said if places[word.stem] and not _is_name(word, sentence, evidence)]
    parts = [
        part
        for part in _linked(words, places, held, evidence)
        if not _is_beside(part[0], sentence, evidence)
    ]
    if len(parts) < 2:
        return None
    return Finding(Reason.SUPPORT, f"{parts[0][-1].text}, {parts[1][0].text}: apart in the item")


def _places(word: Word, evidence: Evidence) -> frozenset[int]:
    """The stretches that have `word`, or the one name that it stands for and no other."""
    names = evidence.stand_ins.get(word.stem, frozenset())
    named = frozenset[int]().union(*(evidence.stretch_places.get(name, ()) for name in names))
    alone = (at for at in named if evidence.stretches[at].names <= names)
    return evidence.stretches_with(word).union(alone)


def _is_name(word: Word, sentence: Sentence, evidence: Evidence) -> bool:
    """Whether `word` is a name of the item, begins one or stands at one ("baker Jonas Velde")."""
    if word.stem in evidence.names:
        return True
    after = next((one for one in sentence.words if one.start > word.start), None)
    if after is None or not after.capital or after.stem not in evidence.names:
        return False
    return sentence.text[word.start + len(word.text) : after.start] == " "


def _linked(
    words: Sequence[Word], places: Told, held: Held, evidence: Evidence
) -> list[list[Word]]:
    """`words` in groups that the item links, each in order; `places`: stretches of each stem."""
    stems = frozenset(word.stem for word in words)
    if not stems or stems & evidence.sentences[0].stems:
        return [list(words)] if words else []
    if stems not in held:
        # Whichever word the clause has first, they may be linked.
        parts = [Part(stem, 0, 1, places[stem]) for stem in stems]
        groups = together(parts, evidence, _carried(evidence))
        held[stems] = [frozenset(part.text for part in group) for group in groups]
    found = [[word for word in words if word.stem in group] for group in held[stems]]
    return sorted(found, key=lambda group: group[0].start)


def _carried(evidence: Evidence) -> Carried:
    """All parts of a stretch that begins with its verb."""
    return lambda stretch, parts: () if _has_subject(stretch, evidence) else parts


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
    found = -1
    for place in range(1, at + 1):
        found = _after(words[place - 1], place, found, evidence)
    return found


def _after(before: Word, at: int, found: int, evidence: Evidence) -> int:
    """The same of the word at `at`, from the word `before` it and what was `found` of that."""
    known = evidence.lexicon
    if before.folded in known.prepositions:
        return at - 1
    return found if before.folded in known.determiners or before.folded in known.numbers else -1


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
        both = evidence.stretches_with(word) & evidence.stretch_places.get(said.stem, frozenset())
        told = (evidence.stretches[one].words for one in both)
        if both and all(_is_owner(words, word, said, evidence) for words in told):
            return Finding(Reason.SUPPORT, f"{word.text}, {said.text}: of another in the item")
        return None
    return None


def _is_owner(words: tuple[Word, ...], owner: Word, said: Word, evidence: Evidence) -> bool:
    """Whether `owner` stands behind a noun and a preposition each time before `said`."""
    end = next(at for at, word in enumerate(words) if word.stem == said.stem)
    nouns = content(words[:end], evidence)
    found = False
    begin = -1
    for at, word in enumerate(words[:end]):
        begin = _after(words[at - 1], at, begin, evidence) if at else -1
        if word.stem != owner.stem:
            continue
        found = True
        if word.folded.endswith("'s"):
            continue
        if begin <= 0 or not nouns or nouns[0].start >= words[begin].start:
            return False
    return found
