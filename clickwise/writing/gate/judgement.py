"""What is judged, and how a judgement reads."""

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """What a text is written for."""

    TITLE = "title"
    SUMMARY = "summary"
    KEY_POINTS = "key_points"
    REASON = "reason"


class Reason(StrEnum):
    """Why a text is refused: a closed set, fit for a metric's label."""

    EMPTY = "empty"
    LENGTH = "length"
    MARKUP = "markup"
    LINK = "link"
    ECHO = "echo"
    INJECTION = "injection"
    INSULT = "insult"
    PROMISE = "promise"
    LANGUAGE = "language"
    COPY = "copy"
    REPETITION = "repetition"
    QUOTATION = "quotation"
    NUMBER = "number"
    DATE = "date"
    NAME = "name"
    NEGATION = "negation"
    SUPPORT = "support"


@dataclass(frozen=True, slots=True)
class Source:
    """The plain text of an item, all that a written text may rest on."""

    title: str
    body: str
    language: str = ""  # primary tag, such as `pt`; empty: unknown


@dataclass(frozen=True, slots=True)
class Draft:
    """A text as a model wrote it. Key points are lines, one each."""

    field: Field
    language: str  # the one asked for
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a draft may be shown, and if not, the first thing that was found against it."""

    accepted: bool
    reason: str  # one of `Reason`, or empty when accepted
    detail: str  # what was not found, in a few words of the draft; for people, not for logs
    support: float  # 0 to 1: the least supported sentence's; 0 where an earlier check refused


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has against a draft."""

    reason: Reason
    detail: str
