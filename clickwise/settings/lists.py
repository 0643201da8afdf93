"""How a list of recommendations is made."""

from typing import Annotated

from msgspec import Meta

from clickwise.settings.texts import TextsSettings


class ListsSettings(TextsSettings, frozen=True, kw_only=True):
    """Profiles, candidates, ranking."""

    interests: Annotated[int, Meta(ge=1, le=16, description="Interest vectors per user (K).")] = 4
    history: Annotated[
        int,
        Meta(
            ge=8, le=1_000, description="Newest events that a profile is a fold of (N), at least."
        ),
    ] = 192
    interest_half_life_days: Annotated[
        float, Meta(gt=0, le=3650, description="Shorter for news, longer for courses.")
    ] = 14.0
    trending_half_life_hours: Annotated[
        float, Meta(gt=0, le=8760, description="Shorter for news, longer for courses.")
    ] = 72.0
    candidates: Annotated[
        int, Meta(ge=20, le=1_000, description="Most candidates scored per request.")
    ] = 200
    exploration: Annotated[
        float,
        Meta(ge=0, le=0.5, description="Share of places given to a drawn candidate. 0: none."),
    ] = 0.05
    diversity: Annotated[
        float,
        Meta(ge=0, le=1, description="0: pure score; 1: as varied as can be."),
    ] = 0.2
    topic_share: Annotated[
        float,
        Meta(gt=0, le=1, description="Largest share of each ten places that one topic may take."),
    ] = 0.6
    show_seen: Annotated[
        bool, Meta(description="Recommend items again that the user has engaged with.")
    ] = False
    deadline_seconds: Annotated[
        float, Meta(gt=0, le=30, description="Time of one recommendation, all stages.")
    ] = 0.25
