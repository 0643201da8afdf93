"""What the gate knows of each language: word lists and patterns, read from `words/*.txt`.

A list file has sections in brackets, then lines; `#` starts a comment. Everything is compared
folded: compatibility forms made one, no case, no accents.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from clickwise.writing.gate.stems import stem

LANGUAGES = ("en", "pt", "zh")
_PATTERN_SECTIONS = frozenset({"echo", "promise", "insult", "order"})


def fold(text: str) -> str:
    """`text` as it is compared: NFKC, lower case, no accents."""
    lowered = unicodedata.normalize("NFKC", text).casefold()
    if lowered.isascii():
        return lowered
    apart = unicodedata.normalize("NFD", lowered)
    bare = "".join(c for c in apart if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare).replace("\u2019", "'")


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The lists of one language; of a language that has none, all are empty."""

    language: str
    sections: dict[str, tuple[str, ...]]

    def words(self, section: str) -> frozenset[str]:
        """The words of a plain section."""
        return frozenset(w for line in self.sections.get(section, ()) for w in line.split())

    @cached_property
    def stop(self) -> frozenset[str]:
        """Function words: they carry no claim."""
        return self.words("stop")

    @cached_property
    def generic(self) -> frozenset[str]:
        """Content words that any text about any item may use."""
        return self.words("generic")

    @cached_property
    def negators(self) -> frozenset[str]:
        """Words that turn a statement around."""
        return self.words("negator")

    @cached_property
    def negative(self) -> frozenset[str]:
        """Words that deny without a negator: refuse, lack."""
        return self.words("negative")

    @cached_property
    def hedges(self) -> frozenset[str]:
        """Words that leave open whether it is so."""
        return self.words("hedge")

    @cached_property
    def certain(self) -> frozenset[str]:
        """Words that close it."""
        return self.words("certain")

    @cached_property
    def not_negators(self) -> tuple[str, ...]:
        """Phrases with a negator in them that deny nothing."""
        return self.sections.get("notnegator", ())

    @cached_property
    def kin(self) -> dict[str, frozenset[int]]:
        """Stem (or, in Chinese, word) to the groups of words of one meaning that hold it."""
        sections = ("synonym", "form", "like")
        return self._groups_of(line for name in sections for line in self.sections.get(name, ()))

    @cached_property
    def forms(self) -> frozenset[int]:
        """The groups of `kin` that prove no denial wrong.

        They hold forms that no ending tells, what is derived (depth, deep), and words that are
        alike in most of their meanings.
        """
        first = len(self.sections.get("synonym", ()))
        others = len(self.sections.get("form", ())) + len(self.sections.get("like", ()))
        return frozenset(range(first, first + others))

    @cached_property
    def likes(self) -> frozenset[int]:
        """The groups of `kin` of words that are alike, but not one act: bring, carry."""
        first = len(self.sections.get("synonym", ())) + len(self.sections.get("form", ()))
        return frozenset(range(first, first + len(self.sections.get("like", ()))))

    @cached_property
    def brief(self) -> dict[str, frozenset[str]]:
        """Stem of a short word of headlines, or of a longer one, to those it may stand for."""
        lines = self.sections.get("headline", ())
        groups = [frozenset(self.key(word) for word in line.split()) for line in lines]
        return {
            one: frozenset[str]().union(*(group for group in groups if one in group))
            for one in frozenset[str]().union(*groups)
        }

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups themselves, numbered as in `kin`."""
        sections = ("synonym", "form", "like")
        return tuple(
            tuple(line.split()) for name in sections for line in self.sections.get(name, ())
        )

    @cached_property
    def opposites(self) -> dict[str, frozenset[str]]:
        """Word to the words that say the opposite, keyed and listed as `kin` keys."""
        found: dict[str, set[str]] = {}
        for line in self.sections.get("antonym", ()):
            one, _, other = line.partition("|")
            left = {self.key(word) for word in one.split()}
            right = {self.key(word) for word in other.split()}
            for word in left:
                found.setdefault(word, set()).update(right)
            for word in right:
                found.setdefault(word, set()).update(left)
        return {word: frozenset(others - {word}) for word, others in found.items()}

    @cached_property
    def pronouns(self) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        """Pronouns of one person, and other words for whom they may stand."""
        lines = (line.partition("|") for line in self.sections.get("pronoun", ()))
        return tuple((frozenset(one.split()), frozenset(other.split())) for one, _, other in lines)

    @cached_property
    def courtesy(self) -> frozenset[str]:
        """Titles before a name that are other words elsewhere."""
        return self.words("courtesy")

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Number word to value; "one" is left out, it is mostly an article."""
        return {word: int(value) for value, word in self._named("number")}

    @cached_property
    def scales(self) -> dict[str, int]:
        """Word such as "million" to its factor."""
        return {word: int(value) for value, word in self._named("scale")}

    @cached_property
    def units(self) -> dict[str, str]:
        """Word of a unit to the unit's name."""
        return {word: value for value, word in self._named("unit")}

    @cached_property
    def currencies(self) -> dict[str, str]:
        """Word of a currency to its code."""
        return {word: value for value, word in self._named("currency")}

    @cached_property
    def months(self) -> dict[str, int]:
        """Name of a month to its number."""
        return {word: int(value) for value, word in self._named("month")}

    @cached_property
    def weekdays(self) -> dict[str, int]:
        """Name of a weekday to its number, Monday first."""
        return {word: int(value) for value, word in self._named("weekday")}

    @cached_property
    def relative_days(self) -> frozenset[str]:
        """Today, tomorrow and the like."""
        return self.words("relative")

    @cached_property
    def passive(self) -> frozenset[str]:
        """Words that say who did it after what was done."""
        return self.words("passive")

    @cached_property
    def speech(self) -> frozenset[str]:
        """Verbs before which or behind which the speaker may stand."""
        return self.words("speech")

    @cached_property
    def conjunctions(self) -> frozenset[str]:
        """Words that begin another clause."""
        return self.words("conjunction")

    @cached_property
    def prepositions(self) -> frozenset[str]:
        """Words that begin what is beside the claim: where, with what, of what."""
        return self.words("preposition")

    @cached_property
    def determiners(self) -> frozenset[str]:
        """Words that a noun may have before it."""
        return self.words("determiner")

    @cached_property
    def auxiliaries(self) -> frozenset[str]:
        """Words between a subject and what is said of it."""
        return self.words("auxiliary")

    @cached_property
    def copulas(self) -> frozenset[str]:
        """Words between a noun and what it is."""
        return self.words("copula")

    @cached_property
    def measures(self) -> frozenset[str]:
        """Chinese words between a number and a noun."""
        return self.words("measure")

    @cached_property
    def kinds(self) -> dict[str, int]:
        """Word for what a name is of (city, river, doctor) to the number of its class."""
        lines = self.sections.get("kind", ())
        return {word: number for number, line in enumerate(lines) for word in line.split()}

    @cached_property
    def approximate(self) -> frozenset[str]:
        """Words that make a rounded number right."""
        return self.words("approximate")

    @cached_property
    def known(self) -> frozenset[str]:
        """Words in any list: no names."""
        listed: set[str] = set()
        for section, lines in self.sections.items():
            if section not in _PATTERN_SECTIONS:
                listed.update(w for line in lines for w in line.split())
        return frozenset(listed)

    def _named(self, section: str) -> list[tuple[str, str]]:
        rows = (line.split() for line in self.sections.get(section, ()))
        return [(value, word) for value, *words in rows for word in words]

    def _groups_of(self, lines: Iterable[str]) -> dict[str, frozenset[int]]:
        groups: dict[str, set[int]] = {}
        for number, line in enumerate(lines):
            for word in line.split():
                groups.setdefault(self.key(word), set()).add(number)
        return {word: frozenset(numbers) for word, numbers in groups.items()}

    def key(self, word: str) -> str:
        """What `kin` and `opposites` have `word` by."""
        return stem(word, self.language)


@cache
def lexicon(language: str) -> Lexicon:
    """The lists of `language`, a primary tag."""
    if language not in LANGUAGES:
        return Lexicon(language, {})
    text = files("clickwise.writing.gate.words").joinpath(f"{language}.txt").read_text("utf-8")
    sections: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
            current = line[1:-1]
        elif line.strip() and not line.startswith("# "):
            kept = line if current in _PATTERN_SECTIONS else fold(line)
            sections.setdefault(current, []).append(kept)
    return Lexicon(language, {name: tuple(lines) for name, lines in sections.items()})


@cache
def patterns(section: str) -> tuple[re.Pattern[str], ...]:
    """The patterns of a section in all languages: an item may hold more than its own."""
    lines = (line for tag in LANGUAGES for line in lexicon(tag).sections.get(section, ()))
    return tuple(re.compile(line, re.MULTILINE) for line in lines)
