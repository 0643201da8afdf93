"""Chinese numerals: the tables, and the value of a run of them."""

import re

_DIGITS = "\u96f6\u3007\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d"
_VALUE = {c: max(0, at - 1) for at, c in enumerate(_DIGITS)} | {"\u4e24": 2}
SMALL = {"\u5341": 10, "\u767e": 100, "\u5343": 1000}
LARGE = {"\u4e07": 10**4, "\u4ebf": 10**8}
NUMBER = re.compile(rf"[{_DIGITS}\u4e24\u5341\u767e\u5343\u4e07\u4ebf]+")
# What a lone numeral counts; without one of these it is part of a word.
_MEASURES = frozenset(
    "\u4eba\u540d\u4e2a\u4f4d\u5e74\u6708\u65e5\u5929\u65f6\u5206\u79d2\u5468\u5c81\u500d\u6b21"
    "\u5bb6\u6240\u6761\u5ea7\u8f86\u516c\u5143\u5c42\u697c\u5c4a\u7ae0\u8282\u8bfe\u671f\u79cd"
    "\u7c7b\u9879\u4ef6\u672c\u90e8\u53f0\u5957\u95f4\u573a\u7ea7\u5757\u7247\u5428\u5ea6\u6210"
    "\u6298\u70b9\u53f7\u53ea\u5934\u68f5\u8258\u67b6\u652f\u6bb5\u6b65\u5206\u5bf9\u8f6e\u7403"
    "\u6839\u628a\u5f20\u9876\u53cc\u526f\u7bb1\u74f6\u676f\u76d2\u5305\u888b\u7897"
    "\u76d8\u9897\u7c92\u80a1\u680b\u5e62\u6237\u6751\u7701\u53bf\u5e02\u56fd\u961f\u7ec4"
    "\u73ed\u95e8\u679a\u518c\u7bc7\u9996\u96c6\u8d9f\u904d\u987f\u7b14\u5339\u6735\u675f"
    "\u6392\u5217\u9762\u4ee3\u8fde\u7c73\u65a4\u514b\u5428\u5347\u682a\u7fa4\u6d3e\u62e8\u7ad9\u7a0b"
    "\u5c0f\u661f\u767b\u53e5\u9053\u5f20\u5e45\u6279"
)
_BETWEEN = "\u591a\u4f59\u51e0"
SCALE = re.compile(rf"\s?[{_BETWEEN}]?((?:[\u5341\u767e\u5343](?![\u7c73\u514b])|[\u4e07\u4ebf])+)")
TENTH = "\u6210"  # a tenth, in percent
_FULL = "\u4e00"


def value_of(raw: str, follows: str) -> int | None:
    """The value of a run of Chinese numerals; None where it is no number, or just one."""
    if all(c in _VALUE for c in raw):
        if len(raw) == 1:
            counted = raw != _FULL and follows in _MEASURES and follows
            return _VALUE[raw] if counted else None
        return int("".join(str(_VALUE[c]) for c in raw)) if len(raw) >= 4 else None
    if len(raw) == 1:
        return 10 if raw in SMALL and raw == "\u5341" and follows in _MEASURES else None
    if not any(c in _VALUE for c in raw) and not raw.startswith("\u5341"):
        return None
    total = section = digit = 0
    for c in raw:
        if c in _VALUE:
            digit = _VALUE[c]
        elif c in SMALL:
            section += (digit or 1) * SMALL[c]
            digit = 0
        else:
            total = (total + section + digit) * LARGE[c]
            section = digit = 0
    return total + section + digit
