"""Faults of HTTP itself, and how every fault becomes an answer: one JSON shape.

    ClickwiseError
    ├── MethodNotAllowedError    the address exists, the method does not
    ├── ForeignError             a page of another site asks, and no key is set
    ├── ForbiddenScopeError      the key is good, and not for this
    ├── MediaTypeError           the body is not JSON in UTF-8
    └── SlowBodyError            the client did not send its body in time
    UnauthorizedError
    └── UnknownKeyError          no key or token, or one that does not open: `reason` says which
    OverloadedError
    └── RateError                the key asks too often

Faults with status 500 tell the client nothing but that: the log has the rest.
"""

import math
from typing import Literal

from clickwise import codec
from clickwise.errors import (
    ClickwiseError,
    InvalidInputError,
    OverloadedError,
    UnauthorizedError,
    UnavailableError,
)
from serving.answers import JsonResponse
from serving.schemas import ErrorBody

_CHALLENGE = 'Bearer realm="clickwise"'


class MethodNotAllowedError(ClickwiseError):
    """The address exists but not for this method; `allowed` are those that it has."""

    kind = "method_not_allowed"
    status = 405

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not possible here; possible: {', '.join(allowed)}")
        self.allowed = allowed


class ForeignError(ClickwiseError):
    """Without keys only this machine is answered: no other host's name, no other site's page."""

    kind = "forbidden"
    status = 403


class ForbiddenScopeError(ClickwiseError):
    """The key is known, but the operation needs a scope that it lacks."""

    kind = "forbidden"
    status = 403


KeyReason = Literal[
    "no_key", "unknown_key", "expired", "revoked",
    # Of tokens; `expired` is one, too.
    "bad_token", "not_yet", "unknown_signer", "wrong_audience", "wrong_issuer",
]  # fmt: skip


class UnknownKeyError(UnauthorizedError):
    """No key or token, or one that does not open. `key` is the id of a key that did once."""

    def __init__(self, message: str, *, reason: KeyReason, key: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.key = key


class RateError(OverloadedError):
    """The key asks more often than it may."""

    kind = "rate_limited"


class QuotaError(OverloadedError):
    """The key has asked as often as it may on one day."""

    kind = "quota_exhausted"


class MediaTypeError(ClickwiseError):
    """The body is of another type than JSON, compressed, or not UTF-8."""

    kind = "unsupported_media_type"
    status = 415


class SlowBodyError(ClickwiseError):
    """The body did not arrive in time."""

    kind = "request_timeout"
    status = 408
    retryable = True


def reason_of(error: Exception) -> str:
    """One word for `error` in figures and the audit log, of a closed set."""
    if isinstance(error, UnknownKeyError):
        return error.reason
    if isinstance(error, ForbiddenScopeError):
        return "wrong_scope"
    return error.kind if isinstance(error, ClickwiseError) else "internal"


def error_body(error: Exception, request_id: str) -> ErrorBody:
    """What the client is told of `error`."""
    if not isinstance(error, ClickwiseError) or (error.status >= 500 and not error.retryable):
        kind = error.kind if isinstance(error, ClickwiseError) else "internal"
        message = f"this server failed; its log tells more under request {request_id}"
        return ErrorBody(error=kind, message=message, request_id=request_id)
    if isinstance(error, InvalidInputError):
        return ErrorBody(
            error=error.kind,
            message=error.reason,
            field=error.field or None,
            request_id=request_id,
        )
    return ErrorBody(error=error.kind, message=str(error), request_id=request_id)


def error_response(error: Exception, request_id: str) -> JsonResponse:
    """`error` as a response, with the headers that go with its status."""
    status = error.status if isinstance(error, ClickwiseError) else 500
    response = JsonResponse(codec.encode(error_body(error, request_id)), status_code=status)
    if isinstance(error, OverloadedError | UnavailableError):
        response.add(b"retry-after", str(max(1, math.ceil(error.retry_after_seconds))))
    elif isinstance(error, UnauthorizedError):
        response.add(b"www-authenticate", _challenge(error))
    elif isinstance(error, ForbiddenScopeError):
        response.add(b"www-authenticate", f'{_CHALLENGE}, error="insufficient_scope"')
    elif isinstance(error, MethodNotAllowedError):
        response.add(b"allow", ", ".join(error.allowed))
    return response


def _challenge(error: UnauthorizedError) -> str:
    """What RFC 6750 wants told; nothing more to somebody who had no key."""
    if isinstance(error, UnknownKeyError) and error.reason == "no_key":
        return _CHALLENGE
    return f'{_CHALLENGE}, error="invalid_token"'
