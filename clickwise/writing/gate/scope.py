"""What a negator or a "may" bears on: the first content word after it in its clause."""

from collections import Counter
from collections.abc import Iterable, Iterator

from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word, clauses

_SCOPE = 5  # words after it that are looked at


def heads(
    sentence: Sentence,
    above: frozenset[str],
    known: Lexicon,
    *,
    besides: frozenset[str] = frozenset(),
) -> Iterator[tuple[Word, Word | None]]:
    """Each word of `above` in `sentence`, and the word that it bears on if there is one.

    Clauses that begin with one of `besides` are left out.
    """
    harmless = _harmless(sentence, known)
    light = known.stop | above
    for clause in clauses(sentence, known):
        if clause[0].folded in besides:
            continue
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


def only_under(
    sentences: Iterable[Sentence], above: frozenset[str], known: Lexicon
) -> dict[str, frozenset[int]]:
    """Stems and groups, and where each is what a word of `above` bears on and not otherwise."""
    found: dict[str, set[int]] = {}
    if_so = known.words("conditional")  # "if you have no milk" does not deny milk
    for at, sentence in enumerate(sentences):
        told = heads(sentence, above, known, besides=if_so)
        under = Counter(head.stem for _, head in told if head)
        times = Counter(word.stem for word in sentence.words)
        only = {key for key, count in under.items() if count >= times[key]}
        for key in only | (_groups(only, known) - _groups(times.keys() - only, known)):
            found.setdefault(key, set()).add(at)
    return {key: frozenset(places) for key, places in found.items()}


def _groups(stems: Iterable[str], known: Lexicon) -> set[str]:
    return {f"#{group}" for stem in stems for group in known.kin.get(stem, ())}


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
