"""Fields of a body that asks for something: an unknown one is refused with a suggestion.

Ignored, `exclud` would answer with what was to be left out. An event or an item is no such body:
it is a message, which a program of another version wrote perhaps, and what nobody knows in it is
ignored and counted (`clickwise.codec`). The list around many of them is such a body.
"""

from collections.abc import Collection

from clickwise.codec import JsonObject
from clickwise.errors import InvalidInputError
from clickwise.limits import shown
from serving.query import suggestion

_MAX_SHOWN = 64


def refuse_unknown(data: JsonObject, known: Collection[str], *, at: str = "") -> None:
    """Refuse `data` with a field that is not in `known`; `at` is the path to it: `context[1].`.

    Raises:
        InvalidInputError: `field` names the first one.
    """
    for name in data:
        if name not in known:
            plain = name.isprintable() and len(name) <= _MAX_SHOWN
            told = name if plain else shown(name, _MAX_SHOWN)
            raise InvalidInputError(f"unknown field{suggestion(name, known)}", field=f"{at}{told}")
