"""An item's text made ready to be asked: does it say this word, this number, here?

Sentences that give orders to a model are no evidence, nor is the sentence after one, where
what is ordered often stands.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from clickwise.writing.gate import phrases
from clickwise.writing.gate.apposition import stand_ins
from clickwise.writing.gate.called import Called, called
from clickwise.writing.gate.dates import Dates, dates_in
from clickwise.writing.gate.judgement import Source
from clickwise.writing.gate.lexicon import Lexicon, lexicon
from clickwise.writing.gate.numerals import Quantity, quantities
from clickwise.writing.gate.persons import persons
from clickwise.writing.gate.reading import HAN, Sentence, Word, read, stretches
from clickwise.writing.gate.scope import behind, only_under

MAX_CHARACTERS = 20_000  # of an item that are looked at
_PREFIX = 5
_ALIKE = 0.65  # share of the longer stem that two forms of a word share
_RUN = re.compile(rf"[{HAN}]+")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What stands between two marks of a sentence of the item."""

    sentence: int  # its place
    words: tuple[Word, ...]
    folded: str
    names: frozenset[str]  # stems


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an item says, by words and by places (indices of sentences, the title's is 0)."""

    lexicon: Lexicon
    sentences: tuple[Sentence, ...]
    text: str  # without orders, in compatibility form
    folded: str
    whole: frozenset[str]  # the sentences, folded
    quantities: tuple[tuple[int, Quantity], ...]  # with the place of each
    words: frozenset[str]  # folded
    places: dict[str, frozenset[int]]  # stem, "#group" or pair of Chinese characters
    stretches: tuple[Stretch, ...]
    stretch_places: dict[str, frozenset[int]]  # the keys of `places` to indices of stretches
    prefixes: dict[str, tuple[str, ...]]  # first letters to stems
    characters: frozenset[str]
    names: frozenset[str]  # stems of words that their capitals make names
    dates: Dates
    denied: dict[str, frozenset[int]]  # stem or "#group" to sentences that have it under a no only
    behind_no: dict[str, frozenset[int]]  # stem to the sentences that have it behind a negator only
    left_open: dict[str, frozenset[int]]  # the same under "may" and the like
    orders: str  # folded: what was said to a model in it
    called: Called
    stand_ins: dict[str, frozenset[str]]  # stem of a word at a name to the stems of the name
    quoting: frozenset[int]  # sentences whose first stretch ends in "said"
    persons: frozenset[int]  # lines of pronouns that may be used of it
    done_by: dict[str, frozenset[int]]  # first letters or "#group" to sentences: before a "by"

    def where(self, word: Word) -> frozenset[int]:
        """The sentences that say `word`, in this or another form, or with a word like it."""
        return self._where(word, self.lexicon.kin.get(word.stem, frozenset()))

    def where_weighed(self, word: Word) -> frozenset[int]:
        """The same where it is weighed against a denial: "depth" does not say that it is deep."""
        return self._where(word, self.lexicon.kin.get(word.stem, frozenset()) - self.lexicon.forms)

    def under(self, word: Word, above: dict[str, frozenset[int]]) -> frozenset[int]:
        """Where `above` (`denied`, `left_open`) has `word`; if the item lacks it, one like it."""
        if word.stem in self.places:
            return above.get(word.stem, frozenset())
        groups = self.lexicon.kin.get(word.stem, frozenset()) & self.lexicon.likes
        return frozenset[int]().union(*(above.get(f"#{group}", ()) for group in groups))

    def where_brief(self, word: Word) -> frozenset[int]:
        """The sentences for which `word` may be short in a headline, none where it is denied."""
        found: frozenset[int] = frozenset()
        for other in self.lexicon.brief.get(word.stem, ()):
            told = self.places.get(other, frozenset())
            told -= self.denied.get(other, frozenset()) | self.left_open.get(other, frozenset())
            found |= told
        return found

    def _where(self, word: Word, groups: frozenset[int]) -> frozenset[int]:
        found = self.places.get(word.stem, frozenset())
        for group in groups:
            found |= self.places.get(f"#{group}", frozenset())
        if found:
            return found
        for other in self.prefixes.get(word.stem[:_PREFIX], ()):
            if _alike(word.stem, other):
                found |= self.places[other]
        return found

    def where_done_by(self, word: Word) -> frozenset[int]:
        """The sentences that have a form of `word`, or a word like it, right before a "by"."""
        found = self.done_by.get(word.stem[:_PREFIX], frozenset())
        for group in self.lexicon.kin.get(word.stem, ()):
            found |= self.done_by.get(f"#{group}", frozenset())
        return found

    def stretches_with(self, word: Word) -> frozenset[int]:
        """The stretches that have `word`; those with a word like it only where none has it."""
        if found := self.stretch_places.get(word.stem):
            return found
        found = frozenset()
        for group in self.lexicon.kin.get(word.stem, frozenset()) - self.lexicon.likes:
            found |= self.stretch_places.get(f"#{group}", frozenset())
        for other in self.prefixes.get(word.stem[:_PREFIX], ()):
            if _alike(word.stem, other):
                found |= self.stretch_places[other]
        return found

    def earliest(self, stretches: frozenset[int]) -> dict[int, int]:
        """Of each sentence that has one of `stretches`, the first of them."""
        found: dict[int, int] = {}
        for at in sorted(stretches, reverse=True):
            found[self.stretches[at].sentence] = at
        return found

    def says_whole(self, sentence: Sentence) -> bool:
        """Whether the item has the whole sentence, word for word."""
        return sentence.folded in self.whole

    def says_exactly(self, word: Word) -> bool:
        """Whether the item has `word` itself: a name has no other form."""
        return _is_among(self.words, word)

    def is_name(self, word: Word, sentence: Sentence) -> bool:
        """Whether `word` of `sentence` is a name, to the item or by its capital."""
        return _is_name(word, sentence, self.lexicon, self.words, self.names)


def evidence(source: Source, tag: str) -> Evidence:
    """What `source` says, read as language `tag`: its own, or the draft's where that is unknown."""
    known = lexicon(tag)
    read_title = read(source.title[:MAX_CHARACTERS], tag).sentences
    read_body = read(source.body[:MAX_CHARACTERS], tag).sentences
    sentences, orders = _without_orders([*read_title, *read_body])
    text = "\n".join(sentence.text for sentence in sentences)
    names = _names(sentences, known)
    places = _places(
        _keys(one.stems, one.words, one.folded, known) | _han_groups(one.folded, known)
        for one in sentences
    )
    parts = [
        Stretch(at, words, folded, names.intersection(word.stem for word in words))
        for at, sentence in enumerate(sentences)
        for words, folded in stretches(sentence)
    ]
    stretch_places = _places(
        _keys(frozenset(word.stem for word in one.words), one.words, one.folded, known)
        for one in parts
    )
    prefixes: dict[str, list[str]] = {}
    for key in places:
        if len(key) >= _PREFIX and key[0] != "#":
            prefixes.setdefault(key[:_PREFIX], []).append(key)
    folded = "\n".join(sentence.folded for sentence in sentences)
    words = frozenset(
        form
        for sentence in sentences
        for word in sentence.words
        for form in (word.folded, word.folded.removesuffix("'s"))
    )

    def is_name(word: Word, sentence: Sentence) -> bool:
        return _is_name(word, sentence, known, words, names)

    return Evidence(
        lexicon=known,
        sentences=sentences,
        text=text,
        folded=folded,
        whole=frozenset(sentence.folded for sentence in sentences),
        quantities=tuple(
            (at, quantity)
            for at, sentence in enumerate(sentences)
            for quantity in quantities(
                sentence.text, known, separators=tag if source.language else ""
            )
        ),
        words=words,
        places=places,
        stretches=tuple(parts),
        stretch_places=stretch_places,
        prefixes={key: tuple(found[:20]) for key, found in prefixes.items()},
        characters=frozenset(folded),
        names=names,
        dates=dates_in(text, known),
        denied=only_under(sentences, known.negators, known),
        behind_no=_places(set(behind(one, known.negators, known)) for one in sentences),
        left_open=only_under(sentences, known.hedges - known.certain, known),
        orders=orders,
        called=called(sentences, folded, known, is_name),
        stand_ins=stand_ins(sentences, names, known),
        quoting=_quoting(parts, known),
        persons=persons(sentences, folded, names, known),
        done_by=_places(_before_by(one, known) for one in sentences),
    )


def _without_orders(sentences: Iterable[Sentence]) -> tuple[tuple[Sentence, ...], str]:
    """The sentences that tell readers something, and the others, folded."""
    kept: list[Sentence] = []
    orders: list[str] = []
    after_order = False
    for sentence in sentences:
        is_order = phrases.is_order(sentence.text)
        if is_order or (after_order and kept):
            orders.append(sentence.folded)
        else:
            kept.append(sentence)
        after_order = is_order
    return tuple(kept), "\n".join(orders)


def _places(keys: Iterable[set[str]]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for at, held in enumerate(keys):
        for key in held:
            found.setdefault(key, set()).add(at)
    return {key: frozenset(places) for key, places in found.items()}


def _keys(stems: frozenset[str], words: tuple[Word, ...], folded: str, known: Lexicon) -> set[str]:
    keys = set(stems)
    for word in words:
        keys.update(f"#{group}" for group in known.kin.get(word.stem, ()))
    for run in _RUN.findall(folded):
        keys.update(run[at : at + 2] for at in range(len(run) - 1))
    return keys


def _before_by(sentence: Sentence, known: Lexicon) -> set[str]:
    keys: set[str] = set()
    for word, after in pairwise(sentence.words):
        if after.folded in known.passive:
            keys.add(word.stem[:_PREFIX])
            keys.update(f"#{group}" for group in known.kin.get(word.stem, ()))
    return keys


def _quoting(parts: Iterable[Stretch], known: Lexicon) -> frozenset[int]:
    first: dict[int, str] = {}
    for part in parts:
        first.setdefault(part.sentence, part.folded.rstrip())
    speech = tuple(known.speech) or ("\n",)
    return frozenset(at for at, folded in first.items() if folded.endswith(speech))


def _han_groups(folded: str, known: Lexicon) -> set[str]:
    """The groups of one meaning of which Chinese text has a word."""
    if known.language != "zh":
        return set()
    return {
        f"#{number}"
        for number, group in enumerate(known.groups)
        if any(word in folded for word in group)
    }


def _names(sentences: tuple[Sentence, ...], known: Lexicon) -> frozenset[str]:
    return frozenset(
        word.stem
        for sentence in sentences
        for word in sentence.names
        if word.folded not in known.known
    )


def _is_among(words: frozenset[str], word: Word) -> bool:
    bare = word.folded.removesuffix("'s")
    return bare in words or bare.removesuffix("s") in words


def _is_name(
    word: Word, sentence: Sentence, known: Lexicon, words: frozenset[str], names: frozenset[str]
) -> bool:
    if not word.capital or word.folded in known.stop:
        return False
    if word.folded in known.weekdays or word.folded in known.months:
        return False
    sure = not word.first and not sentence.titled and _is_among(words, word)
    return sure or word.stem in names


def _alike(one: str, other: str) -> bool:
    """Whether two stems are forms of one word: they begin alike for most of their length."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared >= _PREFIX and shared >= _ALIKE * max(len(one), len(other))
