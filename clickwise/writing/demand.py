"""What to write next: what most readers will see, first.

Pure. An item's expected views are its recent activity, decayed to now as `clickwise.activity` does,
and a share for being new; a segment's are those times the share of readers in it.
"""

import math
from datetime import datetime

from clickwise.items import Item
from clickwise.state.text_port import Candidate
from clickwise.writing.segments import Chosen

# Views of an item that appeared just now, before anybody has seen it.
NEW_VIEWS = 1.0
_MOST_VIEWS = 1e12


def expected_views(
    candidate: Candidate, item: Item, *, now: datetime, half_life_seconds: float
) -> float:
    """Weight of what will be done with an item, in units of one event now."""
    seconds = now.timestamp()
    views = 0.0
    if candidate.log_score is not None:
        exponent = candidate.log_score - seconds / half_life_seconds * math.log(2.0)
        views = math.exp(min(exponent, math.log(_MOST_VIEWS))) if exponent > -700.0 else 0.0
    if item.published is not None:
        age = max(0.0, seconds - item.published.timestamp())
        views += NEW_VIEWS * 0.5 ** min(age / half_life_seconds, 1_000.0)
    return views


def priority(views: float, chosen: Chosen) -> float:
    """Expected views of an item by the readers of a segment."""
    return views * chosen.share
