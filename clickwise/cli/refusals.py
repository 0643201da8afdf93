"""What could never work with these settings: files that are not there, packages that are missing.

`clickwise up` and `clickwise serve` ask all of it before they start anything, and `clickwise check`
one after the other: so both say the same. Each function looks at one thing, returns a line on what
it saw, and raises what the process that needs it would raise later.
"""

from pathlib import Path

from clickwise import tracing
from clickwise.cli.pictures import pictures_of
from clickwise.cli.writing import check_texts
from clickwise.settings import Settings
from clickwise.tls import check_pair, trusting
from clickwise.understanding.classifier import CARD, check_classifier
from clickwise.understanding.taxonomy import load_taxonomy

_NOT_SET = "not set"


def refuse(settings: Settings) -> None:
    """Return when nothing of this kind is wrong.

    Raises:
        ConfigurationError: names the setting, and what was expected.
        BundleError: what a setting names is damaged.
    """
    if settings.tls_certificate:
        check_pair(settings.tls_certificate, settings.tls_key)
    if settings.oidc_issuer:
        trusting(settings.oidc_ca_file, "CLICKWISE_OIDC_CA_FILE")
    for look in (traces, pictures, topics, texts):
        look(settings)


def traces(settings: Settings) -> str:
    """What speaks with the collector."""
    tracing.check(settings)
    return "sent to the collector" if settings.trace_endpoint else f"{_NOT_SET}: nothing is traced"


def pictures(settings: Settings) -> str:
    """The image encoder: opened, and tried."""
    pictures_of(settings)
    return settings.image_encoder or f"{_NOT_SET}: none are read"


def topics(settings: Settings) -> str:
    """The site's topics, and the classifier that came with a tuned encoder."""
    told = []
    folder = Path(settings.encoder_model)
    if (folder / CARD).is_file():
        told.append(f"a classifier of {check_classifier(folder)} in {folder}")
    if settings.taxonomy:
        taxonomy = load_taxonomy(Path(settings.taxonomy))
        told.append(f"{len(taxonomy.topic)} in {settings.taxonomy}")
    return ", ".join(told) or f"{_NOT_SET}: items have those that they bring"


def texts(settings: Settings) -> str:
    """The client of the language model, or the embedded one."""
    check_texts(settings)
    if settings.texts == "url":
        return f"written by {settings.texts_model}, which is not asked here"
    return "written by the embedded model" if settings.texts == "embedded" else "off"
