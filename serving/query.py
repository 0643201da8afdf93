"""Query strings: each parameter is declared, an unknown one is refused with a suggestion.

A misspelled filter that is ignored looks like a wrong answer, so nothing is ignored here.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import shown

MAX_PARAMETERS = 2_000
_WHOLE = re.compile(r"-?[0-9]{1,12}\Z")
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


def whole(text: str, name: str) -> int:
    """A whole number in decimal digits."""
    if not _WHOLE.match(text):
        raise InvalidInputError(f"expected a whole number, got {shown(text)}", field=name)
    return int(text)


def flag(text: str, name: str) -> bool:
    """1 or true, 0 or false."""
    if text not in _FLAGS:
        raise InvalidInputError(f"expected 1, true, 0 or false, got {shown(text)}", field=name)
    return _FLAGS[text]


def plain(text: str, name: str) -> str:  # noqa: ARG001  # one signature for all readers
    """Text as it is."""
    return text


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter: its name, the request field it fills, how its text is read.

    `schema` is what OpenAPI says of it, where it is no field of a `RecommendRequest`.
    """

    name: str
    field: str
    read: Callable[[str, str], object]
    repeats: bool = False
    schema: Mapping[str, object] | None = None


def read_query(raw: bytes, known: Mapping[str, Parameter]) -> dict[str, object]:
    """The values in a query string, by request field.

    Raises:
        InvalidInputError: an unknown parameter, a repeated one that cannot repeat, or a value
            that cannot be read; `field` is the parameter's name.
    """
    if not raw:
        return {}
    values: dict[str, object] = {}
    repeated: dict[str, list[object]] = {}
    for name, text in _pairs(raw):
        parameter = known.get(name)
        if parameter is None:
            raise InvalidInputError(f"unknown query parameter{suggestion(name, known)}", field=name)
        value = parameter.read(text, name)
        if parameter.repeats:
            repeated.setdefault(parameter.field, []).append(value)
        elif parameter.field in values:
            raise InvalidInputError("expected once, got it several times", field=name)
        else:
            values[parameter.field] = value
    return {**values, **repeated}


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except UnicodeDecodeError as error:
        raise InvalidInputError("the query is not percent-encoded UTF-8") from error
    except ValueError as error:
        raise TooLargeError(f"expected at most {MAX_PARAMETERS} query parameters") from error


def suggestion(name: str, known: Collection[str]) -> str:
    """What goes on behind "unknown ...": the name that was meant perhaps, else all there are."""
    close = difflib.get_close_matches(name[:64], known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(known)}" if known else "; this address takes none"
