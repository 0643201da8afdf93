"""Limits on what travels, and the checks that every message shares.

Each refusal names the field, what arrived (shortened) and what was expected. Text is kept as
it came: no normalisation, so `A` and `a`, or a letter with and without a combining mark, stay
different ids.
"""

import math
import unicodedata
from datetime import UTC, datetime, timedelta

from clickwise.errors import InvalidInputError, TooLargeError

MAX_ID_CHARACTERS = 256
MAX_MESSAGE_BYTES = 1_000_000
MAX_TITLE_CHARACTERS = 1_000
MAX_BODY_CHARACTERS = 200_000
MAX_URL_CHARACTERS = 2_048
# A picture travels in its item's message, in base64, beside the longest body. 512 pixels a side
# as JPEG are some 60 kB, and encoders read less. 1920 x 1080 pixels are decoded in a tenth of a
# second, in which a server without workers of its own does nothing else.
MAX_IMAGE_BYTES = 262_144
MAX_IMAGE_PIXELS = 2_100_000
MAX_IMAGE_NUMBERS = 2_048
MAX_TOPICS = 8
MAX_TAGS = 64
MAX_LABEL_CHARACTERS = 128
MAX_POSITION = 10_000
MAX_SECONDS_AHEAD = 300.0
EARLIEST_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def shown(value: object, limit: int = 40) -> str:
    """A short, printable form of a refused value, safe to put in a message or a log."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def check_id(value: object, field: str) -> str:
    """Return `value` if it can serve as an id: 1 to 256 characters, none of them a control.

    Raises:
        InvalidInputError: not text, empty, too long, or with control or surrogate characters.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"expected text, got {type(value).__name__}", field=field)
    if not value:
        raise InvalidInputError("expected 1 to 256 characters, got an empty text", field=field)
    if len(value) > MAX_ID_CHARACTERS:
        raise InvalidInputError(
            f"expected 1 to {MAX_ID_CHARACTERS} characters, got {len(value)}", field=field
        )
    if not value.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise InvalidInputError(
            f"control characters are not allowed in an id, got {shown(value)}", field=field
        )
    return value


def check_text(value: str, field: str, *, limit: int) -> str:
    """Return `value` if it is at most `limit` characters and can be stored (no NUL)."""
    if len(value) > limit:
        raise TooLargeError(f"expected at most {limit} characters, got {len(value)}", field=field)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError("text holds half of a surrogate pair", field=field) from error
    if "\0" in value:
        raise InvalidInputError("text holds a NUL character", field=field)
    return value


def parse_time(value: object, field: str) -> datetime:
    """An instant, as an aware UTC datetime.

    Taken are RFC 3339 text with an offset (`2026-11-25T08:30:00+01:00`, or `Z`) and numbers
    of *seconds* since 1970. Refused as ambiguous: text without an offset, and numbers that
    can only be milliseconds.

    Raises:
        InvalidInputError: with what was expected.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInputError(
            f"expected RFC 3339 text or seconds since 1970, got {type(value).__name__}",
            field=field,
        )
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidInputError(
                f"expected RFC 3339 such as 2026-11-25T08:30:00Z, got {shown(value)}", field=field
            ) from error
        if parsed.tzinfo is None:
            raise InvalidInputError(
                f"{shown(value)} has no UTC offset: end it with Z or, say, +08:00", field=field
            )
        try:
            return parsed.astimezone(UTC)
        except OverflowError as error:
            raise InvalidInputError(f"{shown(value)} is out of range", field=field) from error
    if abs(value) >= 1e11 or not math.isfinite(value):
        raise InvalidInputError(
            f"{shown(value)} is not seconds since 1970; milliseconds are not taken", field=field
        )
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f"{shown(value)} is out of range", field=field) from error


def parse_event_time(value: object, field: str, *, now: datetime) -> datetime:
    """`parse_time`, and within what an event can be: from 2000 to five minutes ahead of `now`."""
    moment = parse_time(value, field)
    if moment < EARLIEST_TIME:
        raise InvalidInputError(
            f"{moment.isoformat()} is before 2000: is the producer's clock set?", field=field
        )
    if moment - now > timedelta(seconds=MAX_SECONDS_AHEAD):
        raise InvalidInputError(
            f"{moment.isoformat()} is more than {MAX_SECONDS_AHEAD:.0f} s in the future",
            field=field,
        )
    return moment
