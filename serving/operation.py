"""One operation of the interface: how it runs and how it is described, in one value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from serving.call import Call
from serving.query import Parameter

Handler = Callable[[Call], Awaitable[Response]]
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path template.

    `keyless` operations need no API key, `unbounded` ones take no place among the requests in
    work. `answers` are the types of its own responses by status, a media type for what is not
    JSON; the faults that every operation of its form can have are added by `openapi`.
    `request` names the body's type, None where no body is read. `query_of` is the type whose
    fields describe the query parameters.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    answers: Mapping[int, type | str]
    description: str = ""
    request: type | str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    faults: tuple[int, ...] = ()
    keyless: bool = False
    unbounded: bool = False

    @property
    def label(self) -> str:
        """How metrics and logs name it: `GET /v1/items/{id}`."""
        return f"{self.method} {self.path}"

    @property
    def refuses_queries(self) -> bool:
        """True when it takes no query; probes and scrapers may send one, it means nothing."""
        return not self.parameters and self.tag != "service"
