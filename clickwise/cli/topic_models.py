"""What gives items their topics here: a tuned classifier, the site's taxonomy, or nothing."""

from pathlib import Path

from clickwise import logs, metrics
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from clickwise.understanding.classifier import CARD, load_classifier
from clickwise.understanding.taxonomy import load_taxonomy
from clickwise.understanding.topics import NO_TAXONOMY, NearestDescriptions, TopicModel

_log = logs.get(__name__)


def topics_of(settings: Settings, encoder: TextEncoder) -> TopicModel:
    """The classifier that came with the encoder (`clickwise tune`), else the taxonomy.

    Raises:
        ConfigurationError: the taxonomy cannot be read.
        BundleError: the classifier is damaged.
    """
    folder = Path(settings.encoder_model)
    if settings.encoder_model and (folder / CARD).is_file():
        try:
            return load_classifier(folder, encoder)
        except ConfigurationError as error:  # it reads the vectors of another precision
            metrics.errors.labels(error.kind, "topics").inc()
            _log.warning("classifier_not_used", reason=str(error))
    if settings.taxonomy:
        return NearestDescriptions(load_taxonomy(Path(settings.taxonomy)), encoder)
    return NO_TAXONOMY
