"""What of an item is encoded, as plain text.

Feeds send HTML, control characters and bodies of any length. Whatever they send is data: tags
are dropped, entities decoded once, and what remains is just characters, whatever it says.
"""

import html
import re
import unicodedata

from clickwise.items import Item
from clickwise.masking import has_masks, without_masks

MAX_CHARACTERS = 2_000
# Raw characters that are looked at for each: markup rarely takes more of a page.
_RAW_FOR_EACH = 5
_SILENT = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object"})
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i"}
    | {"ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time"}
    | {"tt", "u", "var", "wbr"}
)
# Joiners hold emoji and Indic or Persian letters together; other format characters are noise
# (soft hyphens, byte order marks) or tricks (bidirectional overrides).
_KEPT_FORMAT = "\u200c\u200d"
# Comments (to the end of the text if they are not closed), declarations, and tags with quoted
# attributes or, if the quotes do not match up, without. No part can pass a "<", so the whole
# scan is linear; html.parser is not used because it is quadratic in unfinished tags (10,000
# characters: a second) and raises AssertionError on "<![x[".
_MARKUP = re.compile(
    r"""<!--.*?(?:-->|\Z)
    |<[!?][^<>]*>
    |<(?P<closing>/?)(?P<name>[a-zA-Z][\w:-]*)
     (?:(?:[^<>"']|"[^"<]*"|'[^'<]*')*+|[^<>]*)>""",
    re.DOTALL | re.VERBOSE,
)
_SPACE = re.compile(r"\s+")


def item_text(item: Item) -> str:
    """The text that stands for `item`: title, topics and tags, body.

    Joined as sentences: of the forms tried, "title. topics. body" ranked best with E5 (topics
    first pulls all items of a topic together whatever their title says). Without the masks of
    addresses and numbers, which no item is about. At most MAX_CHARACTERS; the cost does not grow
    with the body beyond a multiple of that.
    """
    labels = dict.fromkeys(plain(label) for label in (*item.topics, *item.tags))
    title, body = (
        plain(without_masks(text)) if has_masks(text) else text
        for text in (plain(item.title), body_text(item.body, limit=MAX_CHARACTERS))
    )
    parts = (title, ", ".join(filter(None, labels)), body)
    return _joined([part for part in parts if part])[:MAX_CHARACTERS].rstrip()


def body_text(body: str, *, limit: int) -> str:
    """The first `limit` characters of a body, plain; the cost grows with `limit`, not the body."""
    raw = _RAW_FOR_EACH * limit
    if len(body) <= raw:
        return plain(body)[:limit]
    start = body[:raw]
    whole, tag, rest = start.rpartition("<")
    return plain(whole if tag and ">" not in rest else start)[:limit]


def plain(text: str) -> str:
    """`text` without markup and control characters, white space folded to single spaces."""
    stripped = _without_markup(text) if "<" in text or "&" in text else text
    return _SPACE.sub(" ", _without_controls(stripped)).strip()


def _joined(parts: list[str]) -> str:
    text = ""
    for part in parts:
        if text:
            closed = unicodedata.category(text[-1]).startswith("P") and text[-1] not in ")]\"'"
            text += " " if closed else ". "
        text += part
    return text


def _without_controls(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cf" if character not in _KEPT_FORMAT:
            return ""
        case "Cs" | "Co":
            return ""
        case _:
            return character


def _without_markup(text: str) -> str:
    """Text between tags, entities decoded once."""
    pieces: list[str] = []
    at = 0
    while found := _MARKUP.search(text, at):
        pieces.append(html.unescape(text[at : found.start()]))
        at = found.end()
        name = (found["name"] or "").lower()
        if name in _SILENT and not found["closing"]:
            end = re.compile(f"</{name}\\b", re.IGNORECASE).search(text, at)
            at = end.start() if end else len(text)
        # Words on both sides of a block are two words; those around <b> are one.
        if name and name not in _INLINE:
            pieces.append(" ")
    pieces.append(html.unescape(text[at:]))
    return "".join(pieces)
