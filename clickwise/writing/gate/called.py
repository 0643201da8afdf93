"""What an item calls its names: its words for what a name is of, and the names they stand at.

Made once of an item: to read a long sentence again for each word of a text would cost its square.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word

WITHIN = 5  # words between a name and its kind in the item
_LIGHT = 2  # function words between them in the text
_HAN_NEAR = 6  # characters
_HAN_THIS = "\u5168\u8be5\u672c\u8fd9\u6b64\u5f53"  # "this", of a city and the like


@dataclass(frozen=True, slots=True)
class Called:
    """Places are numbers of words, those of two sentences more than `WITHIN` apart."""

    spots: dict[str, frozenset[int]]  # stem to the places that have it
    kinds: dict[str, frozenset[int]]  # stem of a kind to the places of the kind
    owned: frozenset[int]  # places of kinds that stand at a name
    classes: dict[str, frozenset[int]]  # stem of a name to the classes of the kinds at it
    near: dict[str, frozenset[str]]  # Chinese kind to the pairs of characters around it
    this: frozenset[str]  # Chinese kinds that the item has as "this city"


def called(
    sentences: Iterable[Sentence],
    folded: str,
    known: Lexicon,
    is_name: Callable[[Word, Sentence], bool],
) -> Called:
    """What `sentences` call their names; `folded` is all of them."""
    if known.language == "zh":
        return _han(folded, known)
    spots: dict[str, set[int]] = {}
    kinds: dict[str, set[int]] = {}
    owned: set[int] = set()
    classes: dict[str, set[int]] = {}
    begin = 0
    for sentence in sentences if known.kinds else ():
        for at, word in enumerate(sentence.words, begin):
            spots.setdefault(word.stem, set()).add(at)
            if word.folded in known.kinds:
                kinds.setdefault(word.stem, set()).add(at)
        for at, name in at_names(sentence, known, is_name):
            owned.add(begin + at)
            number = known.kinds[sentence.words[at].folded]
            classes.setdefault(name.stem, set()).add(number)
        begin += len(sentence.words) + WITHIN
    return Called(
        _frozen(spots), _frozen(kinds), frozenset(owned), _frozen(classes), {}, frozenset()
    )


def at_names(
    sentence: Sentence, known: Lexicon, is_name: Callable[[Word, Sentence], bool]
) -> Iterator[tuple[int, Word]]:
    """Places of kinds, and the names that they stand at: a few function words between at most."""
    words = sentence.words
    for at, kind in enumerate(words):
        if kind.folded not in known.kinds:
            continue
        for step in (-1, 1):
            other = at + step
            while (
                0 <= other < len(words)
                and abs(other - at) <= _LIGHT
                and words[other].folded in known.stop
            ):
                other += step
            if not 0 <= other < len(words):
                continue
            word = words[other]
            one, two = sorted((at, other))
            apart = sentence.text[words[one].start : words[two].start]
            if any(mark in apart for mark in ";:()"):
                continue
            if word.folded not in known.kinds and is_name(word, sentence):
                yield at, word


def _han(folded: str, known: Lexicon) -> Called:
    near: dict[str, frozenset[str]] = {}
    this: set[str] = set()
    for kind in known.kinds:
        pairs: set[str] = set()
        place = folded.find(kind)
        while place >= 0:
            around = folded[max(0, place - _HAN_NEAR) : place + len(kind) + _HAN_NEAR]
            pairs.update(around[at : at + 2] for at in range(len(around) - 1))
            if folded[place - 1 : place] in _HAN_THIS:
                this.add(kind)
            place = folded.find(kind, place + 1)
        near[kind] = frozenset(pairs)
    return Called({}, {}, frozenset(), {}, near, frozenset(this))


def _frozen(found: dict[str, set[int]]) -> dict[str, frozenset[int]]:
    return {key: frozenset(places) for key, places in found.items()}
