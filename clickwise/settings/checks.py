"""What bounds and patterns of single settings cannot say: which of them go together, and the form
of addresses. A refusal names the variables, and quotes no address that may hold a password.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from clickwise.access import scopes_by_value
from clickwise.errors import ClickwiseError, ConfigurationError
from clickwise.settings.whole import Settings

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@,\[\]]+):[0-9]{1,5}\Z")
_ENDPOINT = re.compile(r"https?://[^\s@/?#]+(/[^\s@?#]*)?\Z")
_ORIGIN = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?\Z|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?\Z"
)
_QDRANT = re.compile(r"https?://[^\s@/]+(/[^\s@]*)?\Z")
# What topics and the embedded log keep of events at least.
_LEAST_ARCHIVE_DAYS = 7


def check(settings: Settings) -> None:
    """Refuse settings that cannot work together.

    Raises:
        ConfigurationError: what does not go together, and what to do about it.
    """
    _check_doors(settings)
    _check_services(settings)
    _check_retention(settings)
    _check_texts(settings)
    _check_callers(settings)


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_doors(settings: Settings) -> None:
    if not is_loopback(settings.host) and not settings.keys and not settings.closed:
        raise ConfigurationError(
            f"CLICKWISE_HOST={settings.host} is reachable from other machines: set"
            " CLICKWISE_API_KEYS, or CLICKWISE_ACCESS=keys with keys of `clickwise keys`, or listen"
            " on 127.0.0.1"
        )
    if any(len(key.reveal()) < 16 for key in settings.keys):
        raise ConfigurationError("CLICKWISE_API_KEYS: each key needs 16 characters or more")
    if any(len(key.reveal()) < 16 for key in settings.keys_of_metrics):
        raise ConfigurationError("CLICKWISE_METRICS_KEYS: each key needs 16 characters or more")
    figures = {key.reveal() for key in settings.keys_of_metrics}
    if settings.keys and figures.issuperset(key.reveal() for key in settings.keys):
        raise ConfigurationError(
            "CLICKWISE_METRICS_KEYS has every key of CLICKWISE_API_KEYS, and a key in both opens"
            " figures alone: give Prometheus a key of its own"
        )
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise ConfigurationError(
            "CLICKWISE_TLS_CERTIFICATE and CLICKWISE_TLS_KEY go together: set both or none"
        )


def _check_services(settings: Settings) -> None:
    sasl = settings.kafka_bootstrap and settings.kafka_security_protocol.startswith("SASL")
    if sasl and not (settings.kafka_username and settings.kafka_password):
        raise ConfigurationError(
            "CLICKWISE_KAFKA_SECURITY_PROTOCOL is SASL: set CLICKWISE_KAFKA_USERNAME and"
            " CLICKWISE_KAFKA_PASSWORD"
        )
    url = settings.database_url.reveal()
    if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ConfigurationError(
            "CLICKWISE_DATABASE_URL: expected sqlite:///PATH or"
            " postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        )
    if settings.site and url.startswith("sqlite"):
        raise ConfigurationError(
            "CLICKWISE_SITE and CLICKWISE_DATABASE_URL=sqlite:///... do not go together: one file"
            " holds one site. Leave the URL empty (a file in each site's home), or use PostgreSQL"
        )
    if settings.kafka_bootstrap and not url:
        raise ConfigurationError(
            "CLICKWISE_KAFKA_BOOTSTRAP is set: stream workers and servers share their state, set"
            " CLICKWISE_DATABASE_URL too"
        )
    if settings.kafka_bootstrap and not all(
        _BROKER.match(broker.strip()) for broker in settings.kafka_bootstrap.split(",")
    ):
        raise ConfigurationError("CLICKWISE_KAFKA_BOOTSTRAP: expected HOST:PORT[,HOST:PORT...]")
    if settings.qdrant_url and not _QDRANT.match(settings.qdrant_url):
        raise ConfigurationError(  # not quoted: there may be a password in it
            "CLICKWISE_QDRANT_URL: expected http://HOST[:PORT] or https://HOST[:PORT]; the key"
            " goes into CLICKWISE_QDRANT_API_KEY"
        )


def _check_retention(settings: Settings) -> None:
    if 0 < settings.profile_days < settings.dedupe_days:
        raise ConfigurationError(
            f"CLICKWISE_PROFILE_DAYS={settings.profile_days:g} is less than"
            f" CLICKWISE_DEDUPE_DAYS={settings.dedupe_days:g}: the log may still deliver what the"
            " profile was made of; expected as many days or more, or 0 to keep profiles"
        )
    if 0 < settings.archive_days < _LEAST_ARCHIVE_DAYS:
        raise ConfigurationError(
            f"CLICKWISE_ARCHIVE_DAYS={settings.archive_days}: the logs themselves keep events for"
            f" {_LEAST_ARCHIVE_DAYS} days; expected as many or more, or 0 to keep all"
        )


def _check_texts(settings: Settings) -> None:
    if settings.texts_url and not _ENDPOINT.match(settings.texts_url):
        raise ConfigurationError(  # not quoted: there may be a password in it
            "CLICKWISE_TEXTS_URL: expected http(s)://HOST[:PORT]/v1; the key goes into"
            " CLICKWISE_TEXTS_KEY"
        )
    if settings.texts == "url" and not (settings.texts_url and settings.texts_model):
        raise ConfigurationError(
            "CLICKWISE_TEXTS=url needs CLICKWISE_TEXTS_URL and CLICKWISE_TEXTS_MODEL"
        )


def _check_callers(settings: Settings) -> None:
    if settings.oidc_issuer and not settings.oidc_audience:
        raise ConfigurationError(
            "CLICKWISE_OIDC_ISSUER is set: set CLICKWISE_OIDC_AUDIENCE too, or tokens for other"
            " services would open this one"
        )
    if settings.oidc_issuer and not _is_issuer(settings.oidc_issuer):
        raise ConfigurationError(  # not quoted: there may be a password in it
            "CLICKWISE_OIDC_ISSUER: expected https://HOST[:PORT][/PATH] (http on loopback alone)"
        )
    try:
        scopes_by_value(settings.oidc_scopes)
    except ClickwiseError as error:
        raise ConfigurationError(f"CLICKWISE_OIDC_SCOPES: {error}") from error
    for origin in settings.origins:
        if not _ORIGIN.match(origin):
            raise ConfigurationError(
                f"CLICKWISE_CORS_ORIGINS: {origin} is no origin; expected https://HOST[:PORT],"
                " in small letters and without a path, and no *"
            )


def _is_issuer(issuer: str) -> bool:
    if not _ENDPOINT.match(issuer):
        return False
    return issuer.startswith("https://") or is_loopback(urlsplit(issuer).hostname or "")
