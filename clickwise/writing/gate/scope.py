"""What a negator or a "may" bears on: the first content word after it in its clause."""

from collections.abc import Iterator

from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word, clauses

_SCOPE = 5  # words after it that are looked at


def heads(
    sentence: Sentence, above: frozenset[str], known: Lexicon
) -> Iterator[tuple[Word, Word | None]]:
    """Each word of `above` in `sentence`, and the word that it bears on if there is one."""
    harmless = _harmless(sentence, known)
    light = known.stop | above
    for clause in clauses(sentence, known):
        for at, word in enumerate(clause):
            if word.folded not in above or word.start in harmless:
                continue
            after = clause[at + 1 : at + 1 + _SCOPE]
            yield word, next((later for later in after if later.folded not in light), None)


def behind(sentence: Sentence, above: frozenset[str], known: Lexicon) -> frozenset[str]:
    """Stems of words that `sentence` has only in a clause behind a word of `above`."""
    harmless = _harmless(sentence, known)
    found: set[str] = set()
    others: set[str] = set()
    for clause in clauses(sentence, known):
        under = False
        for word in clause:
            (found if under else others).add(word.stem)
            under = under or (word.folded in above and word.start not in harmless)
    return frozenset(found - others)


def _harmless(sentence: Sentence, known: Lexicon) -> frozenset[int]:
    """Starts of negators in phrases such as "not only"."""
    folded = [word.folded for word in sentence.words]
    found: set[int] = set()
    for phrase in known.not_negators:
        parts = phrase.split()
        for at in range(len(folded) - len(parts) + 1):
            if folded[at : at + len(parts)] == parts:
                found.add(sentence.words[at].start)
    return frozenset(found)
