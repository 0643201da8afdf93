"""What the engine itself writes to topics: a user's new list, what events do to items, and which
model is live.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.activity import Increment
from clickwise.recommend.answers import Answer
from clickwise.state.port import NamedRelease
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


class LiveModel(msgspec.Struct, frozen=True, kw_only=True):
    """Which model is in use, since when, and where its bundle is."""

    version: Annotated[str, Meta(description="As answers and exposures name it.")]
    url: Annotated[
        str, Meta(description="Folder or URL of the bundle; `day0:` is made from the settings.")
    ]
    checksum: Annotated[str, Meta(description="SHA-256 of its manifest.json; empty for `day0:`.")]
    changed: Annotated[datetime, Meta(description="When it went live.")]
    sequence: Annotated[
        int, Meta(description="Counts the changes: a message with a smaller one is older.")
    ]


def model_of(live: NamedRelease, sequence: int) -> LiveModel:
    """The message that says that this one is live."""
    return LiveModel(
        version=live.version,
        url=live.url,
        checksum=live.checksum,
        changed=live.changed,
        sequence=sequence,
    )


def recommendations_of(user: UserId, answer: Answer) -> Recommendations:
    """The message that carries `answer`."""
    identity = "\0".join((user, str(answer.profile_version), answer.model))
    digest = blake2b(identity.encode(), digest_size=16).hexdigest()
    return Recommendations(id=digest, **msgspec.structs.asdict(answer))
