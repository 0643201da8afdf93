"""A training with another text encoder than the live model's: how a tuned one comes to serve.

The candidate learns, and is judged, with its own encoder's vectors of the items; the live model is
judged beside it with those that it serves with. What passes the gate is promoted with its encoder,
and the items are encoded anew before it goes live (`clickwise.cli.encoding`).
"""

from dataclasses import dataclass, replace

import msgspec

from clickwise.cli import homes
from clickwise.cli.encoders import encoder_of
from clickwise.cli.training import Follow, TrainCommand
from clickwise.errors import ConflictError
from clickwise.settings import Settings
from training.data import Dataset
from training.datasets.text_vectors import with_text_vectors
from training.evaluation.lived import LivedPlan
from training.export import Site
from training.once import Live


@dataclass(frozen=True, slots=True)
class Text:
    """What the candidate reads (`data`, `site`), and what the live model reads."""

    data: Dataset
    site: Site
    served: Dataset

    def for_bundle(self, encoder: str, lived: LivedPlan) -> LivedPlan:
        """`lived` with the vectors of a bundle's encoder."""
        if encoder == self.site.encoder:
            return lived
        train = replace(lived.plan.train, items=self.served.items)
        return replace(lived, plan=replace(lived.plan, train=train))


def text_of(
    settings: Settings, command: TrainCommand, data: Dataset, live: Live, follow: Follow
) -> Text:
    """The live model's text, or that of the encoder that the command names.

    Raises:
        ConflictError: an incremental training goes on with the encoder that it began with.
        ClickwiseError: the encoder cannot be had.
    """
    manifest = live.bundle.manifest
    site = Site(
        encoder=manifest.encoder,
        text_dimension=manifest.text_dimension,
        rules=manifest.rules,
        pictures=data.items.pictures.model if data.items.pictures is not None else "",
    )
    if not command.encoder:
        return Text(data, site, data)
    opened = encoder_of(
        msgspec.structs.replace(settings, encoder_model=command.encoder),
        progress=lambda stage, done: follow(f"encoder: {stage}", done),
    )
    if opened.version == manifest.encoder:
        return Text(data, site, data)
    if command.kind != "full":
        raise ConflictError(
            f"{live.bundle.version} was trained with another text encoder: train in full"
        )
    learned = with_text_vectors(
        data,
        opened,
        homes.encoder_folder(settings) / "text-vectors",
        progress=lambda done, total: follow("encoding texts", done / total),
    )
    own = replace(site, encoder=opened.version, text_dimension=opened.dimension)
    return Text(learned, own, data)
