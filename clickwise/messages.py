"""What is published about users: the message of the `recommendations` topic."""

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

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


def recommendations_of(user: UserId, answer: Answer) -> Recommendations:
    """The message that carries `answer`."""
    identity = "\0".join((user, str(answer.profile_version), answer.model))
    digest = blake2b(identity.encode(), digest_size=16).hexdigest()
    return Recommendations(id=digest, **msgspec.structs.asdict(answer))
