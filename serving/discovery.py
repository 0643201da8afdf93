"""An issuer's keys over HTTPS: its discovery document (OpenID Connect Discovery 1.0), then those.

Bounded in bytes and in time; no redirect is followed: the issuer alone says where its keys are.
"""

import json
import time

import httpx

from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.settings import Settings, is_loopback
from clickwise.tls import trusting
from serving.tokens import Keys, read_keys

OIDC_CA_FILE = "CLICKWISE_OIDC_CA_FILE"
DOCUMENT = "/.well-known/openid-configuration"
STEP_SECONDS = 5.0
FETCH_SECONDS = 10.0
MAX_DOCUMENT_BYTES = 512_000


def fetch_keys(settings: Settings) -> Keys:
    """The issuer's keys now; waits `FETCH_SECONDS` at most, and a step of the network more.

    Raises:
        UnavailableError: the issuer does not answer, or with something else.
        ConfigurationError: the document is another issuer's, or its keys would come without TLS.
    """
    issuer = settings.oidc_issuer
    context = trusting(settings.oidc_ca_file, OIDC_CA_FILE)
    deadline = time.monotonic() + FETCH_SECONDS
    with httpx.Client(verify=context, timeout=STEP_SECONDS, follow_redirects=False) as client:
        document = _document(_bytes_of(client, issuer.rstrip("/") + DOCUMENT, deadline))
        if document.get("issuer") != issuer:
            raise ConfigurationError(
                f"CLICKWISE_OIDC_ISSUER={issuer}: its discovery document names another issuer"
            )
        address = str(document.get("jwks_uri", ""))
        if not _is_safe(address, issuer):
            raise ConfigurationError(
                f"CLICKWISE_OIDC_ISSUER={issuer}: its discovery document has no https jwks_uri"
            )
        return read_keys(_bytes_of(client, address, deadline))


def _bytes_of(client: httpx.Client, address: str, deadline: float) -> bytes:
    held = bytearray()
    try:
        with client.stream("GET", address) as answer:
            if answer.status_code != httpx.codes.OK:
                raise UnavailableError(f"{address} answers with status {answer.status_code}")
            for chunk in answer.iter_bytes():
                held += chunk
                if len(held) > MAX_DOCUMENT_BYTES:
                    raise UnavailableError(f"{address} is over {MAX_DOCUMENT_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise UnavailableError(f"{address} took over {FETCH_SECONDS:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError(f"{address}: {type(error).__name__} {error}".strip()) from error
    return bytes(held)


def _document(raw: bytes) -> dict[str, object]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnavailableError("the issuer's discovery document is no JSON object")
    return document


def _is_safe(address: str, issuer: str) -> bool:
    """https; or, as the issuer on this machine itself, plain and on this machine."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    own = issuer.startswith("http://") and url.scheme == "http" and is_loopback(url.host)
    return bool(url.host) and (url.scheme == "https" or own)
