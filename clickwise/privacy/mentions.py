"""Whether bytes that are no message of ours speak of a user.

A dead letter may be anything: the id may stand in it as a JSON text, as a number after `user`, or
bare. A short bare id would be found everywhere, so only long ones are looked for in that way.
"""

import re
from collections.abc import Iterator

import msgspec

from clickwise.privacy.port import Whose

LONG_ID = 8

_texts = re.compile(rb"\"(?:[^\"\\]|\\.){1,1600}\"|'(?:[^'\\]|\\.){1,1600}'")
_numbers = re.compile(rb"[\"']?user[\"']?\s*[:=]\s*([^\s,;}\]\"']{1,256})")
_bare = re.compile(rb"[^\s,;:=&?/(){}\[\]\"'<>|\\]{%d,256}" % LONG_ID)
_decoder = msgspec.json.Decoder(str)


def mentions(content: bytes, whose: Whose) -> bool:
    """True if `content` holds the id of somebody who is meant."""
    return any(whose(text) for text in _candidates(content))


def _candidates(content: bytes) -> Iterator[str]:
    """Every text in `content` that may be an id."""
    if len(content) <= 1024:
        yield content.decode(errors="replace")
    for found in _texts.finditer(content):
        quoted = found[0]
        yield quoted[1:-1].decode(errors="replace")
        if b"\\" in quoted and quoted.startswith(b'"'):
            try:
                yield _decoder.decode(quoted)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
    for found in _numbers.finditer(content):
        yield found[1].decode(errors="replace")
    for found in _bare.finditer(content):
        yield found[0].decode(errors="replace")
