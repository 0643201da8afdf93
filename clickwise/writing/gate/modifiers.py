"""Nouns keep what is said of them: a "weak starter" does not become a "spoiled" one.

Looked at are words that the item lacks: one word of a long sentence is let through as a
paraphrase, but not where it describes a noun that the item describes otherwise, nor as what a
noun is said to be.
"""

import re
from collections.abc import Iterator

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import HAN, Sentence, Word, stretches
from clickwise.writing.gate.support import content, han_states

_NUMBER = re.compile(r"\d\W*$")
_HAN_NEW = re.compile("n{1,4}")
_VERB = ("am", "em", "ou", "eu", "iu", "ndo", "ar", "er", "ir")  # endings, Portuguese
_AND = ("and", "or")
_OF = "\u7684"


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A word that the item lacks, said of a noun that it has."""
    known = evidence.lexicon
    if known.language == "zh":
        return _han(sentence, evidence)
    if not known.copulas:
        return None
    claims = {word.start for word in content(sentence.words, evidence)}
    words = sentence.words
    for at, word in enumerate(words):
        if word.start not in claims or word.folded in known.auxiliaries or evidence.where(word):
            continue
        before = words[at - 1] if at else None
        if before and before.text != "e" and before.folded in known.copulas:
            return Finding(Reason.SUPPORT, f"{before.text} {word.text}: not in the item")
        noun = _noun_beside(words, at, sentence, evidence)
        if not (noun and any(_described(noun, evidence))):
            noun = _noun_before(words, at, evidence)
        if noun:
            return Finding(Reason.SUPPORT, f"{word.text}: of {noun.text} not in the item")
    return None


def _noun_beside(
    words: tuple[Word, ...], at: int, sentence: Sentence, evidence: Evidence
) -> Word | None:
    """The noun of the item that words[at] describes; None where it may be a verb."""
    known = evidence.lexicon
    word = words[at]
    if known.language == "pt":  # after its noun, and of its number
        noun = words[at - 1] if at and _touch(sentence, words[at - 1], word) else None
        if word.folded.endswith(_VERB) or (noun and not _agree(noun, word)):
            return None
        begin = at - 1
    else:
        after = words[at + 1] if at + 1 < len(words) else None
        noun = after if after and _touch(sentence, word, after) else None
        begin = at
    if noun is None or noun.capital > noun.first or noun.folded in known.stop:
        return None
    before = words[begin - 1].folded if begin else ""
    introduced = (
        before in known.determiners | known.prepositions
        or before in known.numbers
        or before in _AND
        or _NUMBER.search(sentence.text[: words[begin].start])
        or known.language == "pt"
    )
    return noun if introduced and evidence.where(noun) else None


def _agree(noun: Word, word: Word) -> bool:
    """Whether a Portuguese adjective `word` may be of `noun`: its number, no "-a" for an "-o"."""
    if noun.folded.endswith("s") != word.folded.endswith("s"):
        return False
    return not (noun.folded.endswith(("o", "os")) and word.folded.endswith(("a", "as")))


def _noun_before(words: tuple[Word, ...], at: int, evidence: Evidence) -> Word | None:
    """The noun that has words[at] behind a preposition, and in the item another word."""
    if at < 2 or words[at - 1].folded not in evidence.lexicon.prepositions:
        return None
    noun, link = words[at - 2], words[at - 1].folded
    if noun.capital or noun.folded in evidence.lexicon.stop:
        return None
    for place in evidence.places.get(noun.stem, ()):
        told = evidence.sentences[place].words
        for one, two, three in zip(told, told[1:], told[2:], strict=False):
            if (
                one.stem == noun.stem
                and two.folded == link
                and three.folded not in evidence.lexicon.stop
            ):
                return noun
    return None


def _described(noun: Word, evidence: Evidence) -> Iterator[bool]:
    """For each place of `noun` in the item, whether a word of content stands where one describes
    it.
    """
    known = evidence.lexicon
    step = 1 if known.language == "pt" else -1
    for at in evidence.where(noun):
        sentence = evidence.sentences[at]
        words = sentence.words
        for place, word in enumerate(words):
            other = place + step
            if word.stem != noun.stem or not 0 <= other < len(words):
                continue
            one, two = sorted((word, words[other]), key=lambda w: w.start)
            yield (
                _touch(sentence, one, two)
                and words[other].folded not in known.stop
                and words[other].folded not in known.numbers
            )


def _touch(sentence: Sentence, one: Word, two: Word) -> bool:
    return sentence.text[one.start + len(one.text) : two.start] == " "


def _han(sentence: Sentence, evidence: Evidence) -> Finding | None:
    for _, clause in stretches(sentence):
        states = han_states(clause, evidence)
        for new in _HAN_NEW.finditer(states):
            if finding := _han_said(clause, states, new.start(), new.end(), evidence):
                return finding
    return None


def _han_said(clause: str, states: str, start: int, end: int, evidence: Evidence) -> Finding | None:
    """What the characters from `start` to `end`, which the item lacks, describe."""
    if states[end : end + 2] == "-y" and clause[end] != _OF:
        end += 1
    shown = clause[start:end]
    if len(shown) == 1 and shown in evidence.characters:
        return None
    if (
        end == len(clause.rstrip(" .!?\u3002"))
        and end - start > 1
        and states[start - 1 : start] == "y"
    ):
        return Finding(Reason.SUPPORT, f"{clause[start - 2 : start]}{shown}: not in the item")
    known = evidence.lexicon
    of = clause[end : end + 1] == _OF
    noun = clause[end + of : end + of + 2]
    if noun not in evidence.places:
        noun = noun[:1] if states[end + of : end + of + 1] == "y" else ""
    introduced = of or clause[start - 1 : start] in known.measures
    opens = end - start == 1 and not set(states[:start]) - {"-"}
    if not noun or not (introduced or opens):
        return None
    if re.search(rf"[{HAN}]{_OF}?{re.escape(noun)}", evidence.folded):
        return Finding(Reason.SUPPORT, f"{shown}: of {noun} not in the item")
    return None
