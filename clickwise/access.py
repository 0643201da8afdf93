"""API keys: their scopes, their form, and what of them is kept.

A key that Clickwise makes reads `cw_<id>_<secret>`: twelve hexadecimal digits that name it in lists
and logs, and 256 random bits. Only the SHA-256 digest of the whole key is stored. A slow hash makes
guessing dear where a secret has few possibilities, as a password has; nobody guesses 256 bits
however fast the hash, so a fast one is right, and one that costs a request a microsecond.
"""

import enum
import hashlib
import os
import re
from collections.abc import Iterable

from clickwise.errors import InvalidInputError
from clickwise.secret import Secret

_FORM = re.compile(r"cw_([0-9a-f]{12})_[0-9a-f]{64}\Z")
_ID_BYTES = 6
_SECRET_BYTES = 32


class Scope(enum.StrEnum):
    """What a key may do. None holds another one, but for `admin`, which holds all."""

    EVENTS = "events"
    """Publish events."""
    READ = "read"
    """Read recommendations, profiles and items."""
    ITEMS = "items"
    """Write and delete items."""
    OPERATE = "operate"
    """See figures and what is wrong; models and texts."""
    ADMIN = "admin"
    """Everything, and what only an administrator may."""

    @property
    def writes(self) -> bool:
        """Whether what it allows changes something."""
        return self in (Scope.EVENTS, Scope.ITEMS, Scope.ADMIN)


ALL_SCOPES = frozenset(Scope)
# Of the keys in CLICKWISE_API_KEYS: all that there was before keys had scopes.
SETTING_SCOPES = ALL_SCOPES - {Scope.ADMIN}
# Of the keys in CLICKWISE_METRICS_KEYS.
METRICS_SCOPES = frozenset({Scope.OPERATE})


def new_key() -> tuple[str, Secret]:
    """A fresh key: its id, and the key itself, which is not to be had a second time."""
    key_id = os.urandom(_ID_BYTES).hex()
    return key_id, Secret(f"cw_{key_id}_{os.urandom(_SECRET_BYTES).hex()}")


def id_of(presented: str) -> str | None:
    """The id in a key of our form; None for any other text."""
    found = _FORM.match(presented)
    return found[1] if found is not None else None


def digest_of(presented: str) -> bytes:
    """What is stored of a key: 32 bytes."""
    return hashlib.sha256(presented.encode(errors="replace")).digest()


def parse_scopes(words: Iterable[str]) -> tuple[Scope, ...]:
    """Scopes from words, each once, in the order of their declaration.

    Raises:
        InvalidInputError: no word, or an unknown one.
    """
    wanted = {word.strip() for given in words for word in given.split(",")}
    unknown = wanted - set(Scope)
    if unknown or not wanted:
        raise InvalidInputError(f"expected scopes of {', '.join(Scope)}", field="scope")
    return tuple(scope for scope in Scope if scope in wanted)


def scopes_by_value(words: str) -> dict[str, frozenset[Scope]]:
    """What the values of a token's claim allow: `theirs=ours`, with commas between.

    Empty: `clickwise:read` allows `read`, and so for each. A value may stand there more than once.

    Raises:
        InvalidInputError: another form, or an unknown scope.
    """
    if not words.strip():
        return {f"clickwise:{scope}": frozenset({scope}) for scope in Scope}
    found: dict[str, frozenset[Scope]] = {}
    for pair in words.split(","):
        value, equals, name = (part.strip() for part in pair.rpartition("="))
        if not equals or not value:
            raise InvalidInputError("expected VALUE=SCOPE[,VALUE=SCOPE...]", field="scopes")
        found[value] = found.get(value, frozenset()) | set(parse_scopes([name]))
    return found
