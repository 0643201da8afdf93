"""Without API keys the door is open to this machine, and to nobody who borrows its browser.

A page of another site could ask by a name that it makes resolve to loopback, or with requests
that need no permission. A browser names in `Host` what it asked for, and in `Sec-Fetch-Site`
who made it ask; other programs send no such header.
"""

from collections.abc import Sequence
from functools import lru_cache

from clickwise.settings import is_loopback
from serving.errors import ForeignError


def check_local(headers: Sequence[tuple[bytes, bytes]], *, linkable: bool) -> None:
    """Return unless a browser speaks for another site; `linkable` addresses may be linked to.

    Raises:
        ForeignError: the host asked for is not loopback, or another site's page asks.
    """
    for name, value in headers:
        if name == b"host":
            if not _names_loopback(value):
                raise ForeignError(
                    "no API key is set, so only loopback names are answered: ask 127.0.0.1 or"
                    " localhost, or set CLICKWISE_API_KEYS"
                )
        elif name == b"sec-fetch-site" and value == b"cross-site" and not linkable:
            raise ForeignError(
                "no API key is set, so pages of other sites are not answered: set"
                " CLICKWISE_API_KEYS"
            )


@lru_cache(maxsize=64)
def _names_loopback(host: bytes) -> bool:
    """Whether a `Host` header, with or without a port, names this machine."""
    text = host.decode("latin-1").lower()
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    return is_loopback(name)
