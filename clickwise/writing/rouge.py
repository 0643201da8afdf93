"""ROUGE-1 and ROUGE-L: how much a text shares with one that a person wrote for the same.

After C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004 (sections 2 and 3.1,
one reference, beta = 1). Words are runs of letters and digits without regard to case, nothing is
stemmed and no word left out; a Han or kana character is a word.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_DENSE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_DENSE}]|[^\W_{_DENSE}]+")


@dataclass(frozen=True, slots=True)
class Rouge:
    """F1 of single words, and of the longest sequence that both texts have in order; 0 to 1."""

    one: float
    longest: float


def rouge(text: str, reference: str) -> Rouge:
    """Of `text` against `reference`; 0 where either has no word."""
    said, wanted = tokens(text), tokens(reference)
    shared = (Counter(said) & Counter(wanted)).total()
    return Rouge(
        one=_f1(shared, len(said), len(wanted)),
        longest=_f1(_longest(said, wanted), len(said), len(wanted)),
    )


def tokens(text: str) -> list[str]:
    """What is counted as a word."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


def _f1(shared: int, said: int, wanted: int) -> float:
    return 2.0 * shared / (said + wanted) if shared else 0.0


def _longest(said: Sequence[str], wanted: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    above = [0] * (len(wanted) + 1)
    for word in said:
        row = [0]
        for at, other in enumerate(wanted):
            row.append(above[at] + 1 if word == other else max(row[at], above[at + 1]))
        above = row
    return above[-1]
