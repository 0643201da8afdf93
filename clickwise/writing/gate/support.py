"""How much of a sentence the item says: a score from 0 to 1.

Half of it is the share of the sentence's content that the item has at all, half the share that
some two neighboring sentences of the item have together: a claim put together from all over an
item is seldom one of its claims. Content is words (Chinese: characters in pairs), function words
and words that fit any text left out; a word counts when the item has a form of it or a word of
the same meaning.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.reading import HAN, Sentence, Word, clauses

_RUN = re.compile(rf"[{HAN}]+")
_HAN_NUMERALS = frozenset(
    "\u96f6\u3007\u4e00\u4e8c\u4e24\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341\u767e\u5343\u4e07\u4ebf"
)
_CLAUSE_WORDS = 1  # least content of a clause that is looked at alone
_CLAUSE_CHARACTERS = 4
_HAN_COMMAS = ",;:\u3001\uff0c\uff1b\uff1a"
_HAN_CLAUSE = re.compile(",")


@dataclass(frozen=True, slots=True)
class Support:
    """What was found of a sentence, and what was not."""

    score: float
    missing: tuple[str, ...]  # words or runs of characters, in order
    run: int  # longest run of missing content, in words or characters
    weakest: float  # share that the item has of the clause that it has least of
    best: int  # the sentence of the item that says most of it; -1: none


def measure(sentence: Sentence, evidence: Evidence) -> Support:
    """The support of `sentence` in the item."""
    if evidence.lexicon.language == "zh":
        return _han(sentence, evidence)
    return _words(sentence, evidence)


def content(words: Iterable[Word], evidence: Evidence) -> list[Word]:
    """The words that carry the claim of a sentence."""
    known = evidence.lexicon
    light = known.stop | known.generic
    return [
        word
        for word in words
        if word.folded not in light and len(word.folded) > 1 and not _checked(word, evidence)
    ]


def _checked(word: Word, evidence: Evidence) -> bool:
    """Numbers and dates have checks of their own."""
    known = evidence.lexicon
    tables = (known.numbers, known.scales, known.weekdays, known.units, known.currencies)
    return (
        any(word.folded in table for table in tables)
        or word.folded in known.relative_days
        or (word.folded in known.months and word.folded not in ("march", "may"))
        or word.folded in known.negators
    )


def _words(sentence: Sentence, evidence: Evidence) -> Support:
    words = content(sentence.words, evidence)
    if not words:
        return Support(0.0, (), 0, 1.0, -1)
    places: list[frozenset[int]] = [evidence.where(word) for word in words]
    missing = tuple(word.text for word, found in zip(words, places, strict=True) if not found)
    run = _longest([not found for found in places])
    near, best = _window(Counter(at for found in places for at in found), places)
    share = 1 - len(missing) / len(words)
    weakest = _weakest(sentence, evidence)
    return Support(round((share + near / len(words)) / 2, 3), missing, run, weakest, best)


def _window(counts: Counter[int], places: list[frozenset[int]]) -> tuple[int, int]:
    """Most content in two neighbors, and the sentence with most alone."""
    if not counts:
        return 0, -1
    best, _ = max(counts.items(), key=lambda item: (item[1], -item[0]))
    near = max(
        sum(1 for found in places if found & {at, at + 1})
        for at in {place + shift for place, _ in counts.most_common(6) for shift in (-1, 0)}
    )
    return near, best


def _weakest(sentence: Sentence, evidence: Evidence) -> float:
    """The least share of a clause's words that the item has; clauses of few words aside."""
    shares = [1.0]
    for clause in clauses(sentence, evidence.lexicon):
        words = content(clause, evidence)
        if len(words) >= _CLAUSE_WORDS:
            shares.append(sum(bool(evidence.where(word)) for word in words) / len(words))
    return min(shares)


def _states_apart(text: str, state: str) -> str:
    """The states with the commas of the text between them."""
    return "".join("," if c in _HAN_COMMAS else s for c, s in zip(text, state, strict=True))


def _share(states: str) -> float:
    counted = states.count("y") + states.count("n")
    return states.count("y") / counted if counted >= _CLAUSE_CHARACTERS else 1.0


def _longest(flags: list[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _han(sentence: Sentence, evidence: Evidence) -> Support:
    text = sentence.folded
    state = han_states(text, evidence)
    counted = [at for at, s in enumerate(state) if s in "ny"]
    latin = content(sentence.words, evidence)
    lost = [word for word in latin if not evidence.says_exactly(word)]
    total = len(counted) + 2 * len(latin)
    if not total:
        return Support(0.0, (), 0, 1.0, -1)
    missing = tuple(m.group().strip() for m in _RUN.finditer(_only(text, state, "n")))
    found = len([at for at in counted if state[at] == "y"]) + 2 * (len(latin) - len(lost))
    run = max((len(part) for part in missing), default=0)
    pairs = [evidence.places.get(text[at : at + 2], frozenset()) for at in range(len(text) - 1)]
    within = [found_at for found_at in pairs if found_at]
    near, best = _window(Counter(at for found_at in within for at in found_at), within)
    together = near / len(within) if within else 0.0
    share = found / total
    weakest = min(map(_share, _HAN_CLAUSE.split(_states_apart(text, state))), default=1.0)
    names = (*missing, *(word.text for word in lost))
    return Support(round(share * (1 + together) / 2, 3), names, run, weakest, best)


def han_states(text: str, evidence: Evidence) -> str:
    """One letter a character: y said by the item, n not, - no content."""
    known = evidence.lexicon
    state = ["n" if _RUN.match(c) else "-" for c in text]
    for at in range(len(text) - 1):
        if text[at : at + 2] in evidence.places:
            state[at] = state[at + 1] = "y"
    for number, group in enumerate(known.groups):
        if f"#{number}" not in evidence.places:
            continue
        for word in group:
            _mark(text, word, state, "y")
    for word in (*known.stop, *known.generic, *known.negators, *known.relative_days):
        _mark(text, word, state, "-")
    for table in (known.units, known.currencies, known.weekdays):
        for word in table:
            _mark(text, word, state, "-")
    for at, character in enumerate(text):
        if state[at] == "n" and character in _HAN_NUMERALS:
            state[at] = "-"
    return "".join(state)


def _mark(text: str, word: str, state: list[str], letter: str) -> None:
    """Set the state of `word` where nothing is known of a character yet."""
    at = text.find(word)
    while at >= 0:
        for place in range(at, at + len(word)):
            if state[place] == "n":
                state[place] = letter
        at = text.find(word, at + len(word))


def _only(text: str, state: str, letter: str) -> str:
    return "".join(c if s == letter else " " for c, s in zip(text, state, strict=True))
