"""What the engine itself writes to topics: a user's new list, and what events do to items."""

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.activity import Increment
from clickwise.recommend.answers import Answer
from clickwise.types import UserId


class Recommendations(Answer, frozen=True, kw_only=True):
    """A user's new list after a change of the profile; keyed by the user."""

    id: Annotated[
        str,
        Meta(
            description=(
                "The same for the same user, profile version and model: drop what you have seen."
            )
        ),
    ]


class Increments(msgspec.Struct, frozen=True, kw_only=True):
    """The message of the internal topic `item-activity`: what a batch of events does to items."""

    group: Annotated[
        str,
        Meta(
            description=(
                "The consumer group that read the events: offsets of two groups (of two lives"
                " of `events`, say) are never compared."
            )
        ),
    ]
    increments: list[Increment]


def recommendations_of(user: UserId, answer: Answer) -> Recommendations:
    """The message that carries `answer`."""
    identity = "\0".join((user, str(answer.profile_version), answer.model))
    digest = blake2b(identity.encode(), digest_size=16).hexdigest()
    return Recommendations(id=digest, **msgspec.structs.asdict(answer))
