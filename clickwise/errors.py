"""Every fault that Clickwise names, in one tree.

    ClickwiseError
    ├── InvalidInputError        what arrived is wrong: field, value, what was expected
    │   └── TooLargeError        … because it is over a limit
    ├── UnauthorizedError        no key, or a wrong one
    ├── NotFoundError            no such item, user or dead letter
    ├── ConflictError            somebody else wrote first; read again and retry
    ├── OverloadedError          a queue or a limit is full; come back later
    ├── UnavailableError         Kafka, Qdrant or the database did not answer in time
    ├── ConfigurationError       a setting, or a combination of them, cannot work
    └── BundleError              a model bundle is damaged or does not fit

`kind` is one word used everywhere: metric label, log field, JSON `error`. `status` is the
HTTP status of that kind, `retryable` says whether the same call may succeed later (retry it)
or never will (dead letter). Errors of libraries are translated where they enter, with
`raise ... from error`.
"""

from typing import ClassVar


class ClickwiseError(Exception):
    """Root of the tree; never raised itself."""

    kind: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class InvalidInputError(ClickwiseError, ValueError):
    """An event, item or request breaks its schema.

    `field` is the path of what is wrong (`items[3].title`), empty for the whole message.
    """

    kind = "invalid"
    status = 422

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.reason = message

    def under(self, prefix: str) -> "InvalidInputError":
        """The same fault with its field path put below `prefix` (`events[3]`)."""
        joined = f"{prefix}.{self.field}" if self.field else prefix
        return type(self)(self.reason, field=joined)


class TooLargeError(InvalidInputError):
    """A message or a list is over its limit; the limit is in the message."""

    kind = "too_large"
    status = 413


class UnauthorizedError(ClickwiseError):
    """The request carries no API key, or one that is not known."""

    kind = "unauthorized"
    status = 401


class NotFoundError(ClickwiseError):
    """The item, user or dead letter that was asked for does not exist."""

    kind = "not_found"
    status = 404


class ConflictError(ClickwiseError):
    """A conditional write found another version than the one it had read."""

    kind = "conflict"
    status = 409
    retryable = True


class OverloadedError(ClickwiseError):
    """A bounded queue is full, or too many requests are in flight."""

    kind = "overloaded"
    status = 429
    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(ClickwiseError):
    """Kafka, Qdrant or the database did not answer in time."""

    kind = "unavailable"
    status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConfigurationError(ClickwiseError):
    """A setting is unknown, out of bounds, or does not go with another one."""

    kind = "configuration"


class BundleError(ClickwiseError):
    """A model bundle is incomplete, damaged, or of another format version."""

    kind = "bundle"
