"""Yes must stay yes, no must stay no, perhaps must stay perhaps.

Three comparisons with the item: what the text denies must be denied there; what is denied (or
left open) there must not be asserted, unless other sentences assert as much of the text; and a
word must not stand where the item has its opposite. Denied is also what a denied act
is done to: of an app that "does not show the queue" nothing else that it shows makes "shows the
queue" right. What is only derived from a word ("depth" from "deep") is no evidence here.
"""

from collections import Counter
from collections.abc import Iterable

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence, Word, clauses
from clickwise.writing.gate.scope import heads
from clickwise.writing.gate.support import content

_AROUND = 4  # words on both sides of a word such as "refuse"
_DOERS = {  # endings of who does it
    "en": ("er", "ers", "or", "ors"),
    "pt": ("dor", "dora", "dores", "doras"),
}

_Clauses = dict[int, list[tuple[Word, ...]]]  # of a sentence of the item, by its place


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Where `sentence` turns around what the item says."""
    said = _coverage(sentence.words, evidence)
    return (
        _denied(sentence, said, evidence)
        or _asserted(sentence, said, evidence)
        or _asserted_of(sentence, evidence)
        or _opposite(sentence, evidence)
        or _hardened(sentence, said, evidence)
    )


def _coverage(words: tuple[Word, ...], evidence: Evidence) -> Counter[int]:
    """How many of the words each sentence of the item has."""
    return Counter(
        place for word in content(words, evidence) for place in evidence.where_weighed(word)
    )


def _denied(sentence: Sentence, said: Counter[int], evidence: Evidence) -> Finding | None:
    """A denial that the item does not make."""
    denied: dict[str, bool] = {}
    read: _Clauses = {}
    nor = evidence.lexicon.words("nor")
    free = _is_free(sentence, evidence)
    for negator, head in heads(sentence, evidence.lexicon.negators, evidence.lexicon):
        stem = head.stem if head else ""
        if stem not in denied:
            further = head is not None and bool(denied) and negator.folded in nor
            denied[stem] = _denies(head, said, read, evidence) or (
                further and _is_in_a_denial(head, read, evidence)
            )
        if not denied[stem] and not free:
            return Finding(Reason.NEGATION, f"{negator.text} {head.text}" if head else negator.text)
    return None


def _denies(head: Word | None, said: Counter[int], read: _Clauses, evidence: Evidence) -> bool:
    """Whether the item says no to `head`; where it lacks that, to what it has most of the text."""
    places = evidence.where_weighed(head) if head else frozenset[int]()
    if head is None or not places:
        best = [place for place, _ in said.most_common(2)]
        return any(_is_negative(evidence.sentences[place].words, evidence) for place in best)
    denying = [place for place in places if _is_denied(place, head, read, evidence)]
    asserting = evidence.places.get(head.stem, frozenset()).difference(denying)
    return _most(denying, said) >= max(1, _most(asserting, said))


def _is_free(sentence: Sentence, evidence: Evidence) -> bool:
    """Whether `sentence` says "costs nothing" of what a clause of the item says that it is free."""
    known = evidence.lexicon
    phrases = known.sections.get("gratis", ())
    groups = known.kin.get(known.key("gratis"), frozenset())
    told = {at for group in groups for at in evidence.places.get(f"#{group}", ())}
    for clause in clauses(sentence, known) if told else ():
        bare = " ".join(word.folded for word in clause)
        if any(phrase in bare for phrase in phrases):
            said = {word.stem for word in content(clause, evidence)}
            return any(
                said & {word.stem for word in other}
                for at in told
                for other in clauses(evidence.sentences[at], known)
                if any(groups & known.kin.get(word.stem, frozenset()) for word in other)
            )
    return False


def _is_in_a_denial(head: Word | None, read: _Clauses, evidence: Evidence) -> bool:
    """Whether the item has `head` in a clause that denies: "accepts neither" of "are not"."""
    if head is None:
        return False
    for place in evidence.where_weighed(head):
        if place not in read:
            read[place] = clauses(evidence.sentences[place], evidence.lexicon)
        for clause in read[place]:
            if _is_negative(clause, evidence) and any(w.stem == head.stem for w in clause):
                return True
    return False


def _asserted(sentence: Sentence, said: Counter[int], evidence: Evidence) -> Finding | None:
    """Something that the item denies, where it says most of the sentence."""
    for clause in clauses(sentence, evidence.lexicon):
        if _is_negative(clause, evidence):
            continue
        for word in clause:
            if word.folded in evidence.lexicon.stop:
                continue
            denying = evidence.under(word, evidence.denied)
            if not denying or _is_only_a_doer(word, denying, evidence):
                continue
            there = word.stem in evidence.places
            asserting = (evidence.where_weighed if there else evidence.where)(word) - denying
            if _most(denying, said) > _most(asserting, said):
                return Finding(Reason.NEGATION, f"{word.text}: denied in the item")
    return None


def _is_only_a_doer(word: Word, denying: Iterable[int], evidence: Evidence) -> bool:
    """Whether `word` is the trainer, where the item denies that somebody trained."""
    if not word.folded.endswith(_DOERS.get(evidence.lexicon.language, ())):
        return False
    told = (other for at in denying for other in evidence.sentences[at].words)
    return all(other.folded != word.folded for other in told)


def _asserted_of(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """An act said of something that the item has only where it denies the act."""
    for clause in clauses(sentence, evidence.lexicon):
        if _is_negative(clause, evidence):
            continue
        words = {word.stem: word for word in content(clause, evidence)}
        acts = {word.stem for word in clause if word.folded not in evidence.lexicon.stop}
        denying = frozenset[int]().union(*(evidence.denied.get(stem, ()) for stem in acts))
        for stem, word in words.items() if denying else ():
            there = evidence.where_weighed(word)
            denied = evidence.denied.get(stem, frozenset())
            behind = evidence.behind_no.get(stem, frozenset())
            if there and there <= behind and (there & denying) - denied:
                return Finding(Reason.NEGATION, f"{word.text}: denied in the item")
    return None


def _hardened(sentence: Sentence, said: Counter[int], evidence: Evidence) -> Finding | None:
    """Something that the item leaves open, said as a fact."""
    known = evidence.lexicon
    hedges = known.hedges - known.certain
    leaves_open = hedges | known.words("open")
    if "?" in sentence.text or any(word.folded in leaves_open for word in sentence.words):
        return None
    begins = {clause[0].start for clause in clauses(sentence, known)}
    words = sentence.words
    for at, word in enumerate(words):
        # "To open" is open itself, and a clause that begins with its verb is an offer.
        if word.folded in known.stop or word.start in begins or words[at - 1].folded == "to":
            continue
        there = evidence.under(word, evidence.left_open)
        if there and _most(there, said) > _most(evidence.where_weighed(word) - there, said):
            return Finding(Reason.SUPPORT, f"{word.text}: left open in the item")
    return None


def _opposite(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A word where the item has its opposite: in the sentence that says most of its clause."""
    known = evidence.lexicon
    denied = {head.stem for _, head in heads(sentence, known.negators, known) if head}
    ignored = known.negators | known.words("notopposite")
    for clause in clauses(sentence, known):
        for word in clause:
            against = known.opposites.get(word.stem)
            if not against or word.stem in denied or word.folded in ignored:
                continue
            others = tuple(other for other in clause if other is not word)
            said = _coverage(others, evidence)
            for at, quantity in evidence.quantities:
                if quantity.raw in sentence.text:
                    said[at] += 1
            most = max(said.values(), default=0)
            best = [place for place, count in said.items() if count == most]
            here = evidence.where_weighed(word)
            if here.intersection(best):
                continue
            there = any(evidence.sentences[place].stems & against for place in best)
            elsewhere = word.folded not in known.stop and not here
            if there or (elsewhere and any(other in evidence.places for other in against)):
                return Finding(Reason.NEGATION, f"{word.text}: the opposite in the item")
    return None


def _most(places: Iterable[int], said: Counter[int]) -> int:
    return max((said[place] for place in places), default=0)


def _is_denied(place: int, head: Word, read: _Clauses, evidence: Evidence) -> bool:
    """Whether a clause of the sentence at `place` says no to `head`, or to a word like it.

    `read` remembers the clauses of the item's sentences.
    """
    known = evidence.lexicon
    groups = known.kin.get(head.stem, frozenset()) - known.forms
    if place not in read:
        read[place] = clauses(evidence.sentences[place], known)
    for clause in read[place]:
        alike = [
            at
            for at, word in enumerate(clause)
            if word.stem[:5] == head.stem[:5] or groups & known.kin.get(word.stem, frozenset())
        ]
        for at, word in enumerate(clause):
            if word.folded in known.negators and any(at < h for h in alike):
                return True
            if word.folded in known.negative and any(0 < abs(at - h) <= _AROUND for h in alike):
                return True
    return False


def _is_negative(words: tuple[Word, ...], evidence: Evidence) -> bool:
    known = evidence.lexicon
    return any(word.folded in known.negators or word.folded in known.negative for word in words)
