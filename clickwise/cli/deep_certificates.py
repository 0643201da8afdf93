"""The part of `clickwise check --deep` that looks at certificates: until when each is good."""

import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from clickwise.certificates import first_end
from clickwise.cli.checks import Seen
from clickwise.settings import Settings

SOON_DAYS = 21.0


def certificate(settings: Settings) -> Iterable[Seen]:
    """Until when the certificate is good that servers show, and whether the key fits."""
    if not settings.tls_certificate:
        yield Seen("ok", "no certificate is set")
        return
    yield _until("CLICKWISE_TLS_CERTIFICATE", settings.tls_certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        yield Seen(
            "fail",
            f"CLICKWISE_TLS_KEY={settings.tls_key} does not go with the certificate: {error}",
            "set the key that the certificate was made with",
        )


def authority(settings: Settings) -> Iterable[Seen]:
    """Until when the authority is good by which brokers are known."""
    if settings.kafka_ca_file:
        yield _until("CLICKWISE_KAFKA_CA_FILE", settings.kafka_ca_file)


def _until(name: str, path: str) -> Seen:
    end = first_end(Path(path))
    days = (end - datetime.now(UTC)).total_seconds() / 86_400
    text = f"{name}={path} ends at {end.isoformat()}, expected in {SOON_DAYS:g} days or later"
    if days < SOON_DAYS:
        return Seen("fail" if days < 0 else "warn", text, "renew it, then restart the servers")
    return Seen("ok", f"{name} is good until {end.isoformat()}")


ALL = {"tls": certificate, "kafka-ca": authority}
