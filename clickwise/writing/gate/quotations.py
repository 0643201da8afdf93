"""What stands between quotation marks must stand in the item, letter by letter."""

import re

from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import fold

_PAIRS = (
    '"([^"\\n]{2,400})"',
    "\u201c([^\u201c\u201d\\n]{2,400})\u201d",
    "\u00ab([^\u00ab\u00bb\\n]{2,400})\u00bb",
    "\u300c([^\u300c\u300d\\n]{2,400})\u300d",
    "\u300e([^\u300e\u300f\\n]{2,400})\u300f",
    "\u300a([^\u300a\u300b\\n]{2,200})\u300b",
    "\u2018([^\u2018\u2019\\n]{2,400})\u2019(?!\\w)",
    "(?<!\\w)'([^'\\n]{2,400})'(?!\\w)",
)
_QUOTED = re.compile("|".join(_PAIRS))
_LOOSE = re.compile(r"[\W_]+")


def check(text: str, source: str) -> Finding | None:
    """A quotation in `text` that `source`, folded, does not have."""
    loose = f" {_LOOSE.sub(' ', source)} "
    for found in _QUOTED.finditer(text):
        quoted = next(group for group in found.groups() if group is not None)
        words = _LOOSE.sub(" ", fold(quoted)).strip()
        if words and words not in loose:
            return Finding(Reason.QUOTATION, quoted[:80])
    return None
