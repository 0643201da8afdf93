"""Two profiles of one person as one: what a fold over the events of both would have kept.

The window depends on the set of events alone (`window`), and each profile holds every event of
its own from its window's start on. The start of the joint window is never before either of
those: an anchor, or a length, that leaves N events of one person's leaves at least as many of
both. So nothing that the joint window wants was dropped before.
"""

import numpy as np

from clickwise.profile import window
from clickwise.profile.profile import Profile, with_older
from clickwise.profile.rules import Rules


def united(profile: Profile, other: Profile, rules: Rules) -> Profile:
    """`profile` with the history of `other`; it has to be folded anew (`rebuilt`).

    An event that both keep counts once.
    """
    mine = {int(key) for key in profile.history["event"]}
    more = other.history[[int(key) not in mine for key in other.history["event"]]]
    history = window.ordered(window.joined(profile.history, more))
    begin = window.start(history, rules)
    older = _either(profile.older, other.older)
    changed = profile.replica()
    changed.events_applied += other.events_applied - (len(other.history) - len(more))
    changed.truncated = profile.truncated or other.truncated or begin > 0
    changed.older = with_older(older, history[:begin]) if begin else older
    changed.history = history[begin:].copy()
    return changed


def _either(one: bytes, other: bytes) -> bytes:
    """The Bloom filter of what is in either."""
    if not one or not other:
        return one or other
    return (np.frombuffer(one, np.uint8) | np.frombuffer(other, np.uint8)).tobytes()
