"""One operation of the interface: how it runs and how it is described, in one value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from clickwise.access import Scope
from serving.call import Call
from serving.query import Parameter

Handler = Callable[[Call], Awaitable[Response]]
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path template.

    `scope` is what a key has to have, and `also` more; None is said for what needs no key.
    `unbounded` operations
    take no place among the requests in work. `answers` are the types of its own responses by
    status, a media type for what is not JSON; the faults that every operation of its form can have
    are added by `openapi`. `request` names the body's type, None where no body is read.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    answers: Mapping[int, type | str]
    scope: Scope | None
    description: str = ""
    request: type | str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    faults: tuple[int, ...] = ()
    unbounded: bool = False
    also: tuple[Scope, ...] = ()

    @property
    def keyless(self) -> bool:
        """Whether everybody may."""
        return self.scope is None

    @property
    def label(self) -> str:
        """How metrics and logs name it: `GET /v1/items/{id}`."""
        return f"{self.method} {self.path}"

    @property
    def refuses_queries(self) -> bool:
        """True when it takes no query; probes and scrapers may send one, it means nothing."""
        return not self.parameters and self.tag != "service"
