"""How this site reads pictures, by its settings."""

import re
from pathlib import Path

from clickwise.errors import ConfigurationError
from clickwise.limits import MAX_IMAGE_NUMBERS
from clickwise.pictures.reader import NO_PICTURES, PictureReader, SentVectors
from clickwise.settings import Settings
from clickwise.types import ModelVersion

_VECTORS = re.compile(r"vectors:((?P<name>[A-Za-z0-9._-]{1,64}):)?(?P<dimension>[0-9]{1,4})\Z")


def pictures_of(settings: Settings) -> PictureReader:
    """None, the feed's own vectors (`vectors:<dimension>` or `vectors:<name>:<dimension>`), or the
    encoder in a folder.

    Raises:
        ConfigurationError: the setting is none of these, or its folder cannot be used.
    """
    chosen = settings.image_encoder
    if not chosen:
        return NO_PICTURES
    if chosen.partition(":")[0] != "vectors":
        from clickwise.pictures.encoder import open_pictures

        return open_pictures(
            Path(chosen), device=settings.encoder_device, threads=settings.encoder_threads
        )
    vectors = _VECTORS.match(chosen)
    dimension = int(vectors["dimension"]) if vectors is not None else 0
    if vectors is None or not 1 <= dimension <= MAX_IMAGE_NUMBERS:
        raise ConfigurationError(
            f"CLICKWISE_IMAGE_ENCODER={chosen}: expected vectors:<dimension>, from 1 to"
            f" {MAX_IMAGE_NUMBERS}, or a folder"
        )
    return SentVectors(ModelVersion(f"{vectors['name'] or 'vectors'}-{dimension}"), dimension)
