"""Ids that this process makes: UUID version 7 (RFC 9562), so they sort by time, and tell it."""

import os
import uuid
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 100_000_000_000_000  # in the year 5138: what comes later cannot be reckoned with


def time_ordered_id(now: datetime) -> str:
    """A new id: 48 bits of milliseconds since 1970, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10))
    high = (milliseconds << 16) | 0x7000 | (random >> 68 & 0x0FFF)
    low = (0b10 << 62) | (random & ((1 << 62) - 1))
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def time_of(name: str) -> datetime | None:
    """When an id of ours was made, to the millisecond; None if it is not one."""
    try:
        parsed = uuid.UUID(name)
    except ValueError:
        return None
    if parsed.version != 7:
        return None
    milliseconds = parsed.int >> 80
    if milliseconds >= _LAST:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)
