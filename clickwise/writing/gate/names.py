"""Names of a text must be the item's, whole and in the places they have there.

In Latin script a name is a word with a capital where a plain word would have none. At the start
of a sentence and in headlines with capitals throughout, a word that no list knows, that has no
ending of a plain word and that the item lacks, is taken for one. In Chinese a name is a run of
characters that the item lacks, after a surname or before a word such as "city".
"""

import re
from itertools import pairwise

import rjieba

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import HAN, Sentence, Word
from clickwise.writing.gate.support import han_states

_PLAIN_ENDINGS = {
    "en": (
        *("ing", "ed", "ly", "tion", "sion", "ment", "ness", "ity", "able", "ible", "ful"),
        *("less", "ous", "ive", "ize", "ise", "s"),
    ),
    "pt": (
        *("ndo", "ado", "ada", "ido", "ida", "mente", "cao", "coes", "dade", "dades", "ar", "er"),
        *("ir", "ou", "am", "em", "avel", "ivel", "oso", "osa", "ismo", "ista", "gem", "s"),
    ),
}
_DEMONYMS = (
    *("ian", "ans", "ians", "an", "n", "ese", "ish", "i", "ic", "er", "ers"),
    *("ano", "ana", "anos", "anas", "iano", "iana", "eiro", "eira", "eiros", "eiras", "es"),
    *("esa", "eses", "ense", "enses", "ino", "ina"),
)
_CONNECTORS = frozenset(
    {"de", "da", "do", "dos", "das", "of", "e", "the", "van", "von", "del", "la"}
)
_APART = 5  # words between two parts of a name in the item, titles and middle names included
_LEAST = 3
_MISSING = re.compile("n{2,4}")


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A name of `sentence` that the item does not have."""
    if evidence.lexicon.language == "zh":
        return _latin(sentence, evidence) or _han(sentence, evidence)
    return _latin(sentence, evidence) or _parts(sentence, evidence)


def _latin(sentence: Sentence, evidence: Evidence) -> Finding | None:
    known = evidence.lexicon
    chinese = known.language == "zh"
    for word in sentence.words:
        if evidence.says_exactly(word) or word.folded in known.known or word.text == "I":
            continue
        if sentence.text.startswith("$", word.start + len(word.text)):
            continue  # R$, a currency
        sure = word.capital and not word.first and not sentence.titled
        if chinese and len(word.text) > 1:
            sure = True
        guessed = word.capital and (word.first or sentence.titled) and not _plain(word, evidence)
        if not sure and not guessed:
            continue
        if _derived(word, evidence) or _initials(word, evidence):
            continue
        if sure and evidence.where(word) and not _name_in_item(word, evidence):
            continue
        if guessed and evidence.where(word):
            continue
        return Finding(Reason.NAME, word.text[:40])
    return None


def _plain(word: Word, evidence: Evidence) -> bool:
    endings = _PLAIN_ENDINGS.get(evidence.lexicon.language, ())
    return len(word.folded) < _LEAST or word.folded.endswith(endings)


def _name_in_item(word: Word, evidence: Evidence) -> bool:
    """Whether what the item has in place of `word` are names there: another name, then."""
    places = evidence.where(word)
    return all(
        any(
            other.capital and not other.first and other.stem[:5] == word.stem[:5]
            for other in evidence.sentences[at].words
        )
        for at in places
    )


def _derived(word: Word, evidence: Evidence) -> bool:
    """Brazilian for Brazil, and back."""
    for other in evidence.prefixes.get(word.stem[:5], ()) if len(word.stem) >= 5 else ():
        short, long = sorted((word.folded, other), key=len)
        for at in range(len(short), 3, -1):
            if long.startswith(short[:at]):
                tails = (short[at:], long[at:])
                if all(tail == "" or len(tail) <= 1 or tail.endswith(_DEMONYMS) for tail in tails):
                    return any(tail in _DEMONYMS for tail in tails)
                break
    return False


def _initials(word: Word, evidence: Evidence) -> bool:
    """WHO for World Health Organization."""
    if not (word.text.isupper() and 2 <= len(word.text) <= 6):
        return False
    for sentence in evidence.sentences:
        letters = "".join(
            w.folded[0] if w.capital else " " for w in sentence.words if w.folded not in _CONNECTORS
        )
        if word.folded in letters:
            return True
    return False


def _parts(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Two words of one name stand together in the item too."""
    if sentence.titled:
        return None
    for one, two in pairwise(sentence.words):
        gap = sentence.text[one.start + len(one.text) : two.start]
        if not (one.capital and two.capital and gap == " "):
            continue
        if not (evidence.says_exactly(one) and evidence.says_exactly(two)):
            continue
        if one.folded in evidence.lexicon.stop or two.folded in evidence.lexicon.stop:
            continue
        if not _together(one, two, evidence):
            return Finding(Reason.NAME, f"{one.text} {two.text}: apart in the item")
    return None


def _together(one: Word, two: Word, evidence: Evidence) -> bool:
    both = evidence.places.get(one.stem, frozenset()) & evidence.places.get(two.stem, frozenset())
    for at in both:
        stems = [word.stem for word in evidence.sentences[at].words]
        last: dict[str, int] = {}
        for place, found in enumerate(stems):
            if found in (one.stem, two.stem):
                last[found] = place
                if len(last) == 2 and abs(last[one.stem] - last[two.stem]) <= _APART:
                    return True
    return False


def _han(sentence: Sentence, evidence: Evidence) -> Finding | None:
    text = sentence.folded
    known = evidence.lexicon
    surnames = frozenset("".join(known.sections.get("surname", ())))
    sure = frozenset(known.sections.get("surname", ("",))[0])  # the others are words as well
    places = known.words("place")
    state = han_states(text, evidence)
    for at, letter in enumerate(state):
        if letter != "n":
            continue
        before = text[at - 1] if at else ""
        if text[at] in sure and at + 1 < len(text) and state[at + 1] in "ny":
            return Finding(Reason.NAME, text[at : at + 3])
        if before in sure or (before in surnames and state[at - 1] == "n"):
            return Finding(Reason.NAME, text[at - 1 : at + 2])
        if any(text.startswith(place, at + 1) for place in places):
            return Finding(Reason.NAME, text[max(0, at - 1) : at + 3])
    return _substituted(text, state, evidence)


def _substituted(text: str, state: str, evidence: Evidence) -> Finding | None:
    """A word that the item lacks where the item has another between the same characters."""
    for missing in _MISSING.finditer(state):
        before, after = text[missing.start() - 1 : missing.start()], text[missing.end() :][:2]
        new = text[missing.start() : missing.end()]
        if before and len(after) == 2 and not _is_act(new, text):
            same = re.compile(f"{re.escape(before)}([{HAN}]{{1,5}}){re.escape(after)}")
            told = (found.group(1) for found in same.finditer(evidence.folded))
            if any(set(new).isdisjoint(other) for other in told):
                return Finding(Reason.NAME, new)
    return None


def _is_act(new: str, text: str) -> bool:
    """Whether jieba's dictionary has `new`, where it stands in `text`, for a verb."""
    marks = [mark for word, mark in rjieba.tag(text) if word == new]
    return bool(marks) and all(mark == "v" for mark in marks)
