"""Whom a person's word on texts is for: what `--segment` may say."""

from clickwise.errors import InvalidInputError
from clickwise.state.text_port import ALL
from clickwise.writing.segments import Segment


def check_segment(segment: str) -> None:
    """Nothing against `ALL`, nor against what a reader can be in.

    Raises:
        InvalidInputError: it is none, so what is decided for it would never hold.
    """
    try:
        if segment != ALL:
            Segment.parse(segment)
    except ValueError as error:
        raise InvalidInputError(str(error), field="segment") from error


def is_of_nobody(segment: str) -> bool:
    """Whether no reader can be in it; earlier programs stored whatever was typed."""
    try:
        check_segment(segment)
    except InvalidInputError:
        return True
    return False
