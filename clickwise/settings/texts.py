"""Titles, summaries and key points that a language model writes."""

from typing import Annotated

from msgspec import Meta

from clickwise.secret import Secret
from clickwise.settings.training import TrainingSettings


class TextsSettings(TrainingSettings, frozen=True, kw_only=True):
    """The language model and its budget."""

    texts: Annotated[
        str,
        Meta(
            pattern="^(off|embedded|url)$",
            description=(
                "Who writes titles, summaries and key points: nobody, the embedded model (to try"
                " it), or the endpoint of `texts_url`."
            ),
        ),
    ] = "off"
    texts_url: Annotated[
        str,
        Meta(description="OpenAI-compatible endpoint, to `/v1`: vLLM, llama.cpp, a hosted one."),
    ] = ""
    texts_model: Annotated[str, Meta(description="Model that the endpoint is asked for.")] = ""
    texts_key: Annotated[Secret, Meta(description="The endpoint's key, if it wants one.")] = Secret(
        ""
    )
    texts_tokens_per_day: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000_000,
            description="Budget of prompt and completion tokens, by UTC day. 0: write nothing"
            ", and leave it to other machines on this database.",
        ),
    ] = 500_000
    texts_deadline_seconds: Annotated[
        float,
        Meta(gt=0, le=600, description="Longest wait for one text. Longer for a slow model."),
    ] = 60.0
    texts_segments: Annotated[
        int,
        Meta(ge=1, le=16, description="Most groups of readers that an item is written for."),
    ] = 2
    texts_holdout: Annotated[
        float,
        Meta(
            ge=0,
            le=0.9,
            description="Share of readers who see original titles, to compare click-through.",
        ),
    ] = 0.1
    texts_rejections: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="Refused texts that are kept with their reasons."),
    ] = 10_000
    texts_threads: Annotated[
        int, Meta(ge=1, le=64, description="CPU threads of the embedded model.")
    ] = 1
