"""What every request passes, in one ASGI application per address.

In this order: a request id, the key or token (or, without keys, that this machine asks), its scope,
how often it asks, a place among the requests in work, the handler; and on the way out: faults as
JSON, the headers that all answers share, the figures, the audit log. One layer, because each
wrapped layer costs a request tens of microseconds.
"""

import time
from collections.abc import Mapping

from prometheus_client import Counter
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from clickwise import logs, metrics, tracing
from clickwise.access import Scope as AccessScope
from clickwise.audit import Deed, Outcome
from clickwise.errors import ClickwiseError, NotFoundError
from serving.auth import LOCAL, NOBODY, Headers, Identity
from serving.call import Call
from serving.door import Door
from serving.errors import MethodNotAllowedError, UnknownKeyError, error_response, reason_of
from serving.local import check_local
from serving.operation import Operation

UNMATCHED = "unmatched"
CLIENT_LEFT = 499  # nginx's word for it; no such answer is ever sent
# Statuses of requests that were not let in, or not in this form.
_REFUSED = frozenset({401, 403, 405, 408, 413, 415, 422, 429})
# What the objective for availability counts, shown from the start.
_FAULTS = ("500", "503")
_SHARED_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

_log = logs.get(__name__)


class Gate:
    """All methods of one address; of none where the address is unknown."""

    def __init__(self, door: Door, operations: Mapping[str, Operation]) -> None:
        self._door = door
        self._operations = dict(operations)
        self._keyless = bool(operations) and all(o.keyless for o in operations.values())
        if self._keyless:
            # Probes and proxies ask with HEAD; the server leaves the body out.
            self._operations["HEAD"] = operations["GET"]
        self._figures = {
            method: _Figures(operation.label) for method, operation in self._operations.items()
        }
        path = next(iter(operations.values())).path if operations else UNMATCHED
        self._other = _Figures(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": "not a websocket"})
            return
        started = time.perf_counter()
        operation = self._operations.get(scope["method"])
        figures = self._figures.get(scope["method"], self._other)
        call = Call(self._door, figures.label, scope, receive)
        placed, reason = False, ""
        try:
            try:
                call.identity = await self._admitted(scope["headers"])
                if operation is None:
                    raise self._no_operation(scope["method"])  # noqa: TRY301  # told like any other fault
                if operation.scope is not None:
                    for wanted in (operation.scope, *operation.also):
                        call.identity.need(wanted)
                    self._door.rates.take(call.identity)
                    self._door.quotas.take(call.identity)
                if not operation.unbounded:
                    self._door.admission.enter()
                    placed = True
                if scope["query_string"] and operation.refuses_queries:
                    call.query({})
                parent = call.traceparent() if tracing.on() else None
                with tracing.span(operation.label, parent=parent):
                    response = await operation.handler(call)
            except ClientDisconnect:
                figures.count(CLIENT_LEFT, time.perf_counter() - started)
                return
            except Exception as error:  # noqa: BLE001  # the edge of the process: every fault is an answer
                reason = reason_of(error)
                response = _answer_to(error, call, figures.label)
                if isinstance(error, UnknownKeyError):
                    call.identity = _who(error)
            response.raw_headers.append((b"x-request-id", call.request_id.encode("latin-1")))
            response.raw_headers.extend(_SHARED_HEADERS)
            figures.count(response.status_code, time.perf_counter() - started)
            self._record(call, operation, figures.label, response.status_code, reason)
            await response(scope, receive, send)
        finally:
            if placed:
                self._door.admission.leave()

    async def _admitted(self, headers: Headers) -> Identity:
        """Who asks; whoever it is where everybody may.

        Raises:
            ForeignError: no key is set, and this machine did not ask.
            UnauthorizedError: no key and no token that opens.
            UnavailableError: a token came, and the keys of its issuer are not known.
        """
        if not self._door.callers.asked:
            check_local(headers, linkable=self._keyless)
            return LOCAL
        return NOBODY if self._keyless else await self._door.callers.identify(headers)

    def _record(
        self, call: Call, operation: Operation | None, label: str, status: int, reason: str
    ) -> None:
        """Count what was refused; note that, and every write."""
        scope = operation.scope if operation is not None else None
        refused = status in _REFUSED
        if refused:
            reason = reason or "invalid"  # a batch in which every entry was wrong
            metrics.refused_requests.labels(scope or "none", reason).inc()
        elif scope is None or not scope.writes:
            return
        outcome: Outcome = "refused" if refused else "failed" if reason else "done"
        deed = Deed(call.identity.key, label, outcome, reason, status)
        own_line = scope is not AccessScope.EVENTS or (operation is not None and operation.also)
        if outcome == "done" and own_line:
            self._door.audit.note(deed, call.request_id)
        else:
            self._door.audit.note_summed(deed, call.request_id)

    def _no_operation(self, method: str) -> ClickwiseError:
        if self._operations:
            return MethodNotAllowedError(method, tuple(self._operations))
        return NotFoundError("no such address; /docs lists them (send / in an id as %2F)")


class _Figures:
    """The metrics of one route, looked up once."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._seconds = metrics.request_seconds.labels(label)
        self._by_status: dict[int, Counter] = {}
        metrics.at_zero(metrics.requests, [label], _FAULTS)

    def count(self, status: int, seconds: float) -> None:
        """One request, answered with `status`; `seconds` up to its first byte."""
        counting = self._by_status.get(status)
        if counting is None:
            counting = metrics.requests.labels(self.label, str(status))
            self._by_status[status] = counting
        counting.inc()
        self._seconds.observe(seconds)


def _who(error: UnknownKeyError) -> Identity:
    """Whose key it was that opens nothing, as far as that is sure."""
    if error.reason == "no_key":
        return NOBODY
    return Identity(error.key or "unknown", frozenset())


def _answer_to(error: Exception, call: Call, where: str) -> Response:
    """The response to a fault; it is counted, and logged once if it is this server's own."""
    kind = error.kind if isinstance(error, ClickwiseError) else "internal"
    metrics.errors.labels(kind, where).inc()
    if isinstance(error, ClickwiseError) and (error.status < 500 or error.retryable):
        _log.debug("request refused", kind=kind, where=where, request_id=call.request_id)
    else:
        _log.error(
            "request failed", kind=kind, where=where, request_id=call.request_id, exc_info=error
        )
    return error_response(error, call.request_id)
