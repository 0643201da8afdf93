"""What gives items their topics here: a tuned classifier, the site's taxonomy, or nothing.

A classifier is fitted on the vectors of an int8 encoder, which is what a CPU runs. Where items are
encoded on CUDA, in fp32, it gets an encoder of its own on the CPU: it is small.
"""

from pathlib import Path

from clickwise import logs, metrics
from clickwise.cli import homes
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from clickwise.understanding.classifier import CARD, WithOwnVectors, load_classifier
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
            return _classifier(settings, folder, encoder)
        except ConfigurationError as error:  # it was made for other weights
            metrics.errors.labels(error.kind, "topics").inc()
            _log.warning("classifier_not_used", reason=str(error))
    if settings.taxonomy:
        return NearestDescriptions(load_taxonomy(Path(settings.taxonomy)), encoder)
    return NO_TAXONOMY


def _classifier(settings: Settings, folder: Path, encoder: TextEncoder) -> TopicModel:
    """On the vectors that items have; else on those of its own encoder, on a device that has it.

    Raises:
        ConfigurationError: no device here gives the vectors that it reads.
    """
    from clickwise.encoder import open_encoder
    from clickwise.onnx_runtime import Device, choose_device

    try:
        return load_classifier(folder, encoder)
    except ConfigurationError as error:
        refused = error
    for device in dict.fromkeys((Device.CPU, choose_device("auto"))):
        own = open_encoder(
            model=str(folder),
            device=device,
            threads=settings.encoder_threads,
            cache=homes.encoder_folder(settings),
        )
        try:
            topics = load_classifier(folder, own)
        except ConfigurationError:
            continue
        _log.info("classifier_on_own_vectors", device=device.value, encoder=own.version)
        return WithOwnVectors(topics, own)
    raise refused
