"""What was shown: the message that a later model learns from without bias.

It holds every item of the page with its place, score and propensity (the chance that this
policy had of showing it there), so that clicks can be weighed by inverse propensity.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise import codec
from clickwise.codec import SCHEMA_VERSION
from clickwise.doors import Exposure
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.why_words import DEFAULT, told_in
from clickwise.types import ItemId, ItemKind, UserId


class ShownItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item where it was shown."""

    item: ItemId
    kind: ItemKind
    position: Annotated[int, Meta(ge=0, description="Place in the list, from 0.")]
    score: float
    propensity: Annotated[
        float, Meta(gt=0, le=1, description="Chance of being shown here, given this policy.")
    ]
    sources: tuple[str, ...]
    reason: Annotated[str, Meta(description="Code of the reason that was given.")]
    text: Annotated[
        str,
        Meta(
            description=(
                "Whose words were shown: written, edited, own, or held (its own though others are"
                " ready). Empty: before there were any."
            )
        ),
    ] = ""
    segment: Annotated[str, Meta(description="Readers that the words were written for.")] = ""
    text_version: Annotated[int, Meta(description="Of the words; 0: the item's own.")] = 0


class ExposureMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer that was sent: what it showed, by which model and policy."""

    request_id: Annotated[str, Meta(description="Events name it as their `request`.")]
    user: Annotated[UserId | None, Meta(description="Missing: a guest.")] = None
    time: Annotated[datetime, Meta(tz=True, description="When the answer was made.")]
    items: tuple[ShownItem, ...]
    model: Annotated[str, Meta(description="Version of the model bundle that scored.")]
    policy: Annotated[str, Meta(description="Version of the ranking rules and settings.")]
    profile_version: Annotated[int, Meta(description="0: no profile yet.")]
    events_applied: Annotated[int, Meta(description="Distinct events folded so far.")]
    personalized: bool
    kinds: Annotated[tuple[ItemKind, ...], Meta(description="Filter that was asked for.")] = ()
    topics: Annotated[tuple[str, ...], Meta(description="Filter that was asked for.")] = ()
    languages: Annotated[tuple[str, ...], Meta(description="Filter that was asked for.")] = ()
    language: Annotated[
        str, Meta(description="That the reasons were told in. Missing: English.")
    ] = DEFAULT
    degraded: Annotated[
        tuple[str, ...], Meta(description="Stages that fell back to something cheaper.")
    ] = ()
    schema_version: int = SCHEMA_VERSION


def exposure_of(answer: Answer, request: RecommendRequest) -> Exposure:
    """The exposure of one answer, ready for the log.

    A guest's is keyed by its request id: without a user there is no order to keep, and one
    key for all guests would load one partition.
    """
    message = ExposureMessage(
        request_id=answer.request_id,
        user=answer.user,
        time=answer.generated,
        items=tuple(
            ShownItem(
                item=shown.item,
                kind=shown.kind,
                position=shown.position,
                score=shown.score,
                propensity=shown.propensity,
                sources=shown.sources,
                reason=shown.reason.code,
                text=shown.text.shown if shown.text is not None else "",
                segment=shown.text.segment if shown.text is not None else "",
                text_version=shown.text.version if shown.text is not None else 0,
            )
            for shown in answer.items
        ),
        model=answer.model,
        policy=answer.policy,
        profile_version=answer.profile_version,
        events_applied=answer.events_applied,
        personalized=answer.personalized,
        kinds=request.kinds,
        topics=request.topics,
        languages=request.languages,
        language=told_in(request.languages),
        degraded=answer.degraded,
    )
    return Exposure(user=answer.user or answer.request_id, body=codec.encode(message))


def is_of(body: bytes, request: str) -> bool:
    """Whether the logged exposure in `body` is that of a request."""
    # The bytes first: to decode every message takes ten times as long.
    return request.encode() in body and codec.decode_object(body).get("request_id") == request
