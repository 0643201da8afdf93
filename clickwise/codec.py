"""JSON in and out: strict about what is wrong, tolerant of what is unknown.

Unknown fields are ignored and counted (an old consumer must survive a new producer); wrong or
missing ones are refused with their path.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import MAX_MESSAGE_BYTES

SCHEMA_VERSION = 1

T = TypeVar("T", bound=msgspec.Struct)
JsonObject = dict[str, Any]

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_NO_CHOICE = "Invalid enum value "
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
        elif message.startswith(_NO_CHOICE):
            names = re.sub(r"\[[^]]*\]", "", field).split(".")
            choices = ", ".join(_choices(inspect.type_info(to), names))
            message = f"expected one of {choices}, got {message.removeprefix(_NO_CHOICE)}"
        raise InvalidInputError(message, field=field) from error


def encode(value: object) -> bytes:
    """Compact JSON of a message; `None` fields of Structs with omit_defaults are left out."""
    return _encoder.encode(value)


def _choices(kind: inspect.Type, names: Sequence[str]) -> list[str]:
    """Values of the enum that the field at the path `names` in a `kind` takes."""
    if isinstance(kind, inspect.EnumType):
        return [str(member.value) for member in kind.cls]
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type, names)
    if isinstance(kind, inspect.UnionType):
        return [choice for one in kind.types for choice in _choices(one, names)]
    if isinstance(kind, inspect.CollectionType):
        return _choices(kind.item_type, names)
    if isinstance(kind, inspect.StructType) and names:
        inner = (field.type for field in kind.fields if field.encode_name == names[0])
        return [choice for one in inner for choice in _choices(one, names[1:])]
    return []
