"""Ids that this process makes: UUID version 7 (RFC 9562), so they sort by time."""

import os
from datetime import datetime


def time_ordered_id(now: datetime) -> str:
    """A new id: 48 bits of milliseconds since 1970, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10))
    high = (milliseconds << 16) | 0x7000 | (random >> 68 & 0x0FFF)
    low = (0b10 << 62) | (random & ((1 << 62) - 1))
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
