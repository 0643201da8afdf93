"""Bearer tokens of an OpenID Connect issuer: what is checked of one, and what it allows.

Signed access tokens in JWT form (RFC 7519, RFC 9068), checked as RFC 8725 says: algorithms of a
fixed list, none of them with a shared secret; the key is one of the issuer's by its `kid`, never
one that the token names or brings; issuer and audience have to be ours. Pure: keys and the time
are given. No text of a token is in a message.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from clickwise.access import Scope
from clickwise.errors import UnavailableError
from serving.auth import Identity
from serving.errors import KeyReason, UnknownKeyError

ALGORITHMS = ("RS256", "ES256", "EdDSA")
MAX_TOKEN_BYTES = 8_192
LEEWAY_SECONDS = 30.0
MAX_KEYS = 100
_LEAST_RSA_BITS = 2_048
# Of RFC 9068, and what most issuers write. Others say that it is no access token.
_TYPES = ("at+jwt", "application/at+jwt", "jwt")
# The end of what `datetime` holds, in seconds since 1970.
_LAST_SECOND = 253_402_300_799.0
_CLAIMS = ("exp", "iat", "iss", "aud", "sub")

Key = jwt.PyJWK
Keys = Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens open, and what the values of their claim `scope_claim` allow.

    A name with dots that is no claim itself leads into objects: `realm_access.roles`.
    """

    issuer: str
    audience: str
    scope_claim: str
    scopes: Mapping[str, frozenset[Scope]]


def is_token(presented: str) -> bool:
    """Whether it has a token's form, which no key of ours has: three parts, the first an object."""
    return presented.startswith("eyJ") and presented.count(".") == 2


def read_keys(document: bytes) -> Keys:
    """The keys of a JWK set (RFC 7517) that may sign tokens, by `kid`; empty for one without.

    Others (for encryption, of other algorithms, too short) are left out.

    Raises:
        UnavailableError: not a JWK set, or no such key is in it.
    """
    try:
        entries = json.loads(document)["keys"]
        listed = [entry for entry in entries if isinstance(entry, dict)][:MAX_KEYS]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnavailableError("the issuer's keys are no JWK set") from error
    found = {}
    for entry in listed:
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
            continue
        try:
            key = jwt.PyJWK(entry)
        except jwt.PyJWTError:
            continue
        if key.algorithm_name in ALGORITHMS and not _is_short(key):
            found[str(entry.get("kid", ""))] = key
    if not found:
        raise UnavailableError(f"the issuer has no key for any of {', '.join(ALGORITHMS)}")
    return found


def key_id_of(token: str) -> str:
    """The `kid` that a token names, empty for none; nothing is verified by that.

    Raises:
        UnknownKeyError: too long, malformed, or of an algorithm or a type that is not taken.
    """
    if len(token) > MAX_TOKEN_BYTES:
        _refuse(f"expected a token of at most {MAX_TOKEN_BYTES} bytes")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, UnicodeError):
        _refuse("this token is malformed")
    if header.get("alg") not in ALGORITHMS:
        _refuse(f"expected a token that is signed by {', '.join(ALGORITHMS)}")
    if "crit" in header or str(header.get("typ", "jwt")).lower() not in _TYPES:
        _refuse("expected a plain access token")
    return str(header.get("kid", ""))


def check_token(token: str, key: Key, rules: TokenRules, *, now: datetime) -> Identity:
    """Whose token it is, when it is signed with `key`, for us, and of this time.

    Raises:
        UnknownKeyError: it is not.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=rules.audience,
            issuer=rules.issuer,
            options={
                "require": list(_CLAIMS),
                # Below, by the time that is given.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidIssuerError:
        _refuse("this token is of another issuer", "wrong_issuer")
    except jwt.InvalidAudienceError:
        _refuse("this token is for another audience", "wrong_audience")
    except (jwt.PyJWTError, TypeError, ValueError):
        _refuse("this token's signature or one of its claims is not good")
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        _refuse("this token names nobody (`sub`)")
    if "cnf" in claims:
        _refuse("tokens that are bound to a key of the client (`cnf`) are not taken")
    ends = _in_time(claims, now)
    return Identity(name_of(subject), _scopes(claims, rules), until=ends)


def name_of(subject: str) -> str:
    """How logs name a token's `sub`, which may be a person's address: by its SHA-256."""
    return f"oidc-{hashlib.sha256(subject.encode(errors='replace')).hexdigest()[:12]}"


def _in_time(claims: Mapping[str, object], now: datetime) -> datetime:
    """When it ends, leeway included."""
    seconds = now.timestamp()
    ends = _second(claims["exp"]) + LEEWAY_SECONDS
    if ends <= seconds:
        _refuse("this token has expired", "expired")
    if max(_second(claims["iat"]), _second(claims.get("nbf", 0))) > seconds + LEEWAY_SECONDS:
        _refuse("this token is not valid yet", "not_yet")
    return datetime.fromtimestamp(min(ends, _LAST_SECOND), UTC)


def _second(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        _refuse("a time in this token is no number")
    if not math.isfinite(claim) or abs(claim) > _LAST_SECOND:
        _refuse("a time in this token is out of bounds")
    return float(claim)


def _scopes(claims: Mapping[str, object], rules: TokenRules) -> frozenset[Scope]:
    told = claims.get(rules.scope_claim)
    if told is None:
        told = claims
        for step in rules.scope_claim.split("."):
            told = told.get(step) if isinstance(told, dict) else None
    values = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
    return frozenset().union(
        *(rules.scopes.get(value, frozenset()) for value in values if isinstance(value, str))
    )


def _is_short(key: Key) -> bool:
    return isinstance(key.key, RSAPublicKey) and key.key.key_size < _LEAST_RSA_BITS


def _refuse(message: str, reason: KeyReason = "bad_token") -> NoReturn:
    raise UnknownKeyError(message, reason=reason) from None
