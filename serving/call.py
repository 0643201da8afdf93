"""One request as a handler sees it: its id, what its address names, its query and its body."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope

from clickwise import codec
from clickwise.access import Scope as AccessScope
from clickwise.codec import JsonObject
from clickwise.errors import InvalidInputError, UnauthorizedError, UnavailableError
from clickwise.ids import time_ordered_id
from clickwise.limits import check_id
from serving.auth import NOBODY
from serving.body import read_body
from serving.door import Door
from serving.query import Parameter, read_query

T = TypeVar("T")

_CLIENT_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}\Z")


class Call:
    """A request in work. `identity` is whose, once that is known; `label` is its operation's.

    `request_id` is the client's own if that is plain, else a new one.
    """

    __slots__ = ("_receive", "_scope", "door", "identity", "label", "request_id")

    def __init__(self, door: Door, label: str, scope: Scope, receive: Receive) -> None:
        self.door = door
        self.label = label
        self._scope = scope
        self._receive = receive
        self.identity = NOBODY
        self.request_id = self._own_id() or time_ordered_id(door.parts.clock.now())

    def _own_id(self) -> str | None:
        for name, value in self._scope["headers"]:
            if name == b"x-request-id" and _CLIENT_ID.match(value):
                return str(value, "ascii")
        return None

    def traceparent(self) -> str | None:
        """The client's trace, as W3C Trace Context names it; None: this request begins one."""
        for name, value in self._scope["headers"]:
            if name == b"traceparent":
                return str(value, "latin-1")
        return None

    async def trusted(self) -> bool:
        """Whether it may be told what is wrong: by who asks, or because only this machine does."""
        try:
            identity = await self.door.callers.identify(self._scope["headers"])
        except (UnauthorizedError, UnavailableError):
            return False
        return identity.may(AccessScope.OPERATE)

    def path_id(self) -> str:
        """The id in the address, percent-decoded.

        Raises:
            InvalidInputError: not UTF-8, or not an id.
        """
        raw: str = self._scope["path_params"]["id"]
        if "%" in raw or not raw.isascii():
            try:
                raw = unquote_to_bytes(raw.encode("latin-1")).decode()
            except UnicodeDecodeError as error:
                raise InvalidInputError("not percent-encoded UTF-8", field="id") from error
        return check_id(raw, "id")

    def query(self, known: Mapping[str, Parameter]) -> dict[str, object]:
        """The query's values by request field; see `read_query`."""
        return read_query(self._scope["query_string"], known)

    async def turn(self, work: Callable[[], T]) -> T:
        """What `work` returns, when it is its turn in the one thread that computes. All that reads
        a store, parses a body or takes long goes here: the loop refuses and answers meanwhile.

        Raises:
            OverloadedError: too many wait.
        """
        return await self.door.admission.turn(self.label, work)

    async def stream_turn(self, work: Callable[[], T]) -> T:
        """The same for a list of a stream: it waits as long as it has to."""
        return await self.door.admission.stream_turn(self.label, work)

    async def body(self) -> bytes:
        """The body as it came; see `read_body` for refusals."""
        limit = self.door.parts.settings.max_body_bytes
        return await read_body(self._scope, self._receive, limit=limit)

    def decoded(self, raw: bytes) -> JsonObject:
        """The JSON object in a body; see `decode_object`. Large ones take milliseconds."""
        return codec.decode_object(raw, limit=self.door.parts.settings.max_body_bytes)
