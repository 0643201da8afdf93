"""JSON in and out: strict about what is wrong, tolerant of what is unknown.

Unknown fields are ignored and counted (an old consumer must survive a new producer); wrong or
missing ones are refused with their path.
"""

import re
from typing import Any, TypeVar

import msgspec

from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import MAX_MESSAGE_BYTES

SCHEMA_VERSION = 1

T = TypeVar("T", bound=msgspec.Struct)
JsonObject = dict[str, Any]

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_AT = re.compile(r" - at `\$\.?([^`]*)`$")


def decode_object(raw: bytes, *, limit: int = MAX_MESSAGE_BYTES) -> JsonObject:
    """The JSON object in `raw`.

    Raises:
        TooLargeError: more than `limit` bytes.
        InvalidInputError: not UTF-8, not JSON, or not an object.
    """
    if len(raw) > limit:
        raise TooLargeError(f"expected at most {limit} bytes, got {len(raw)}")
    try:
        data = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"not valid JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise InvalidInputError("JSON is nested too deeply") from error
    if not isinstance(data, dict):
        raise InvalidInputError(f"expected a JSON object, got {type(data).__name__}")
    return data


def check_schema_version(data: JsonObject) -> None:
    """Refuse a message of a later schema than this program knows."""
    version = data.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInputError("expected a whole number from 1", field="schema_version")
    if version > SCHEMA_VERSION:
        raise InvalidInputError(
            f"version {version} is newer than {SCHEMA_VERSION}, the newest known here",
            field="schema_version",
        )


def convert(data: object, to: type[T]) -> T:
    """`data` as a value of type `to`; faults become InvalidInputError with their path."""
    try:
        return msgspec.convert(data, to)
    except msgspec.ValidationError as error:
        text = str(error)
        match = _AT.search(text)
        message = text[: match.start()] if match else text
        field = match.group(1) if match else ""
        missing = re.fullmatch(r"Object missing required field `(.+)`", message)
        if missing:
            name = missing.group(1)
            field = f"{field}.{name}" if field else name
            message = "required field is missing"
        raise InvalidInputError(message, field=field) from error


def encode(value: object) -> bytes:
    """Compact JSON of a message; `None` fields of Structs with omit_defaults are left out."""
    return _encoder.encode(value)
