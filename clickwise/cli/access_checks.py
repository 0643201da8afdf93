"""Checks of who is let in: the certificate that is shown, and the issuer whose tokens open."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from clickwise.cli.checks import Seen
from clickwise.settings import Settings
from clickwise.tls import check_pair, ends_of

SOON = timedelta(days=14)


def certificate(settings: Settings) -> Iterable[Seen]:
    """Whether its files fit together, and how long it is good."""
    if not settings.tls_certificate:
        yield Seen("ok", "not set: plain HTTP, for loopback or behind a proxy with TLS")
        return
    check_pair(settings.tls_certificate, settings.tls_key)
    ends = ends_of(settings.tls_certificate)
    now = datetime.now(UTC)
    text = f"good until {ends:%Y-%m-%dT%H:%M:%SZ}"
    if ends < now:
        yield Seen("fail", f"{text}, which is over", "renew it: a running server takes the new one")
    elif ends < now + SOON:
        yield Seen("warn", text, "renew it: a running server takes the new one")
    else:
        yield Seen("ok", text)


def issuer(settings: Settings) -> Iterable[Seen]:
    """Whether it answers, and with which keys."""
    if not settings.oidc_issuer:
        yield Seen("ok", "not set: keys alone")
        return
    from serving.discovery import fetch_keys

    yield Seen("ok", f"{settings.oidc_issuer} answers, with {len(fetch_keys(settings))} keys")


ALL: dict[str, Callable[[Settings], Iterable[Seen]]] = {
    "tls": certificate,
    "issuer": issuer,
}
ADVICE = {
    "tls": "correct CLICKWISE_TLS_CERTIFICATE and CLICKWISE_TLS_KEY",
    "issuer": "correct CLICKWISE_OIDC_ISSUER or CLICKWISE_OIDC_CA_FILE; tokens wait for it",
}
