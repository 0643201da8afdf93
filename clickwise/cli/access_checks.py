"""Checks of who is let in: the keys of the settings, the certificate that is shown, and the issuer
whose tokens open.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from clickwise.access import id_of
from clickwise.cli.checks import Seen, stored
from clickwise.cli.wiring import state_of
from clickwise.settings import Settings
from clickwise.tls import check_pair, ends_of

SOON = timedelta(days=14)


def setting_keys(settings: Settings) -> Iterable[Seen]:
    """Whether CLICKWISE_API_KEYS is what a command presents, where a server would take it as more:
    a key of another site's `clickwise keys`, whose own scopes nobody here knows.
    """
    if not settings.keys:
        yield Seen("ok", "CLICKWISE_API_KEYS is not set: the keys of `clickwise keys`, if any")
        return
    made = [found for key in settings.keys if (found := id_of(key.reveal())) is not None]
    strange = [key_id for key_id in made if key_id not in _ids(settings)] if made else []
    if strange:
        yield Seen(
            "warn",
            f"CLICKWISE_API_KEYS holds {', '.join(strange)}, which `clickwise keys` made, and not"
            " here: a server that starts with it takes it with every scope but admin",
            "set it for the command that presents it alone, and not where servers start",
        )
        return
    number = len(settings.keys)
    yield Seen(
        "ok",
        f"CLICKWISE_API_KEYS holds {number} key{'' if number == 1 else 's'}: servers take"
        f" {'it' if number == 1 else 'each'}, commands present the first",
    )


def _ids(settings: Settings) -> set[str]:
    """Of the keys in the database."""
    if not stored(settings):
        return set()
    with ExitStack() as stack:
        state = state_of(settings, stack)
        return {key.id for key in state.keys.every()} if state.schema_version() else set()


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
    "keys": setting_keys,
    "tls": certificate,
    "issuer": issuer,
}
ADVICE = {
    "keys": "see the database",
    "tls": "correct CLICKWISE_TLS_CERTIFICATE and CLICKWISE_TLS_KEY",
    "issuer": "correct CLICKWISE_OIDC_ISSUER or CLICKWISE_OIDC_CA_FILE; tokens wait for it",
}
