"""One of the two pure rules: how an event changes a profile."""

from clickwise.profile.fold import (
    Folded,
    Interaction,
    ItemFacts,
    ItemSource,
    event_type,
    fold,
    has_unknown,
    interaction_of,
    rebuilt,
    unknown_items,
)
from clickwise.profile.profile import (
    MICROSECONDS,
    RECEIVED_BYTES,
    Profile,
    empty_profile,
    from_bytes,
    from_stored,
    in_older,
    profile_bytes,
    received_in,
    stored_body,
    to_bytes,
)
from clickwise.profile.recurrence import Recurrence
from clickwise.profile.rules import Rules, weight_of
from clickwise.profile.union import united

__all__ = [
    "MICROSECONDS",
    "RECEIVED_BYTES",
    "Folded",
    "Interaction",
    "ItemFacts",
    "ItemSource",
    "Profile",
    "Recurrence",
    "Rules",
    "empty_profile",
    "event_type",
    "fold",
    "from_bytes",
    "from_stored",
    "has_unknown",
    "in_older",
    "interaction_of",
    "profile_bytes",
    "rebuilt",
    "received_in",
    "stored_body",
    "to_bytes",
    "united",
    "unknown_items",
    "weight_of",
]
