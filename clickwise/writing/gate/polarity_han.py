"""Yes and no in Chinese, where nothing parts the words: by what follows a negator.

As in `polarity`, what counts is which clauses of the item say most of the text's clause: those
that deny, or those that do not.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import islice

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import HAN, Sentence
from clickwise.writing.gate.support import Support

# Between a negator and what it denies: auxiliaries and prepositions.
_SKIPPED = (
    "(?:\u6253\u7b97|[\u4f1a\u80fd\u518d\u6709\u88ab\u5f97\u5bf9\u8981\u66fe\u5c06\u4e8e\u5728\u5411"
    "\u4e3a\u53d7\u4e88\u8fc7])*"
)
_REACH = 6  # characters between a negator and what it denies
_LEAST = 2
_MAX_DENIALS = 200  # of an item that are compared
_MAX_CLAUSES = 50  # of an item with the same two characters
_COMMA = re.compile("[,;:\u3001\n]")


def check(sentence: Sentence, support: Support, evidence: Evidence) -> Finding | None:
    """Where `sentence` turns around what the item says."""
    told = _COMMA.split(evidence.folded)
    denials = _denials(told, evidence.lexicon)
    for clause in _COMMA.split(sentence.folded):
        finding = _denied(clause, told, support, evidence) or _asserted(
            clause, denials, told, evidence
        )
        if finding:
            return finding
    return _hardened(sentence, evidence) or _opposite(sentence, support, evidence)


@cache
def _negator(known: Lexicon) -> re.Pattern[str]:
    """A negator that is no part of another word, and the two characters it bears on."""
    harmless = "|".join(_longest_first(known.words("notnegator")))
    words = "|".join(_longest_first(known.negators))
    return re.compile(rf"(?:{harmless})|(?P<no>{words}){_SKIPPED}(?P<head>[{HAN}]{{2}})?")


@cache
def _hedge(known: Lexicon) -> re.Pattern[str]:
    words = "|".join(_longest_first(known.hedges - known.certain))
    return re.compile(rf"(?:{words}){_SKIPPED}([{HAN}]{{2}})")


@lru_cache(maxsize=256)
def _denial(known: Lexicon, head: str) -> re.Pattern[str]:
    words = "|".join(_longest_first((known.negators | known.negative) - {head}))
    return re.compile(rf"(?:{words})[{HAN}]{{0,{_REACH}}}{re.escape(head)}")


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted(words, key=lambda word: (-len(word), word))


def _denied(clause: str, told: list[str], support: Support, evidence: Evidence) -> Finding | None:
    """A denial that the item does not make."""
    known = evidence.lexicon
    for found in _negator(known).finditer(clause):
        if not found["no"] or _is_told_otherwise(clause, found.start(), told, evidence):
            continue
        head = found["head"]
        if head and head in evidence.places:
            with_head = _with(head, told)
            denying = [other for other in with_head if _denial(known, head).search(other)]
            asserting = [other for other in with_head if other not in denying]
            if _most(denying, clause) >= max(1, _most(asserting, clause)):
                continue
        else:
            around = evidence.sentences[max(0, support.best - 1) : support.best + 2]
            # That it "can be cancelled" does not deny what "cannot be cancelled".
            if any(_is_negative(other.folded, known, besides=clause) for other in around):
                continue
        return Finding(Reason.NEGATION, found.group()[:12])
    return None


def _is_told_otherwise(clause: str, start: int, told: list[str], evidence: Evidence) -> bool:
    """Whether a negator begins a word for what the item says without of the same: free."""
    for number, group in enumerate(evidence.lexicon.groups):
        if f"#{number}" not in evidence.places:
            continue
        word = next((w for w in group if len(w) >= _LEAST and clause.startswith(w, start)), "")
        rest = clause[:start] + "\n" + clause[start + len(word) :]
        if word and any(_shared(other, rest) for other in told if any(w in other for w in group)):
            return True
    return False


def _denials(told: list[str], known: Lexicon) -> list[tuple[str, str]]:
    """What clauses of the item deny: the clause, and the two characters after its negator."""
    found = ((one, m["head"]) for one in told for m in _negator(known).finditer(one) if m["head"])
    return list(islice(found, _MAX_DENIALS))


def _asserted(
    clause: str, denials: list[tuple[str, str]], told: list[str], evidence: Evidence
) -> Finding | None:
    """Something that the item denies, where it says most of the clause."""
    known = evidence.lexicon
    if _is_negative(clause, known):
        return None
    for other, head in denials:
        if head not in clause:
            continue
        asserting = [one for one in _with(head, told) if not _denial(known, head).search(one)]
        if _shared(other, clause) > _most(asserting, clause):
            return Finding(Reason.NEGATION, f"{head}: denied in the item")
    return None


def _with(head: str, told: list[str]) -> list[str]:
    return list(islice((one for one in told if head in one), _MAX_CLAUSES))


def _most(told: list[str], clause: str) -> int:
    return max((_shared(other, clause) for other in told), default=0)


def _shared(one: str, other: str) -> int:
    """Pairs of characters that both have."""
    pairs = {other[at : at + 2] for at in range(len(other) - 1)}
    return len(pairs & {one[at : at + 2] for at in range(len(one) - 1)})


def _hardened(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Something that the item leaves open, said as a fact."""
    known = evidence.lexicon
    if any(word in sentence.folded for word in known.hedges - known.certain):
        return None
    heads = Counter(_hedge(known).findall(evidence.folded))
    for head, count in heads.items():
        if head in sentence.folded and evidence.folded.count(head) == count:
            return Finding(Reason.SUPPORT, f"{head}: left open in the item")
    return None


def _opposite(sentence: Sentence, support: Support, evidence: Evidence) -> Finding | None:
    """A word where the item's sentence has its opposite."""
    if support.best < 0:
        return None
    near = evidence.sentences[support.best].folded
    for word, against in evidence.lexicon.opposites.items():
        if len(word) < _LEAST or word in near or not _is_said(word, sentence.folded):
            continue
        if any(len(other) >= _LEAST and other in near for other in against):
            return Finding(Reason.NEGATION, f"{word}: the opposite in the item")
    return None


def _is_said(word: str, text: str) -> bool:
    """Whether `text` has `word` without a "not" right before it."""
    return bool(re.search(f"(?<![\u4e0d\u672a\u6ca1\u65e0]){re.escape(word)}", text))


def _is_negative(text: str, known: Lexicon, *, besides: str = "") -> bool:
    """Whether `text` denies something, by another word than those that `besides` has too."""
    if any(m["no"] for m in _negator(known).finditer(text)):
        return True
    words = (word for word in known.negative if len(word) >= _LEAST and word not in besides)
    return any(word in text for word in words)
