"""Events in: one or many, a verdict for each."""

from starlette.responses import Response

from clickwise import metrics
from clickwise.codec import JsonObject
from clickwise.doors import Verdict
from clickwise.events import Event, parse_event
from clickwise.ids import time_ordered_id
from clickwise.types import EventType
from serving.batches import Sorted, entries_of, respond, results_of, sort_out
from serving.call import Call

_TYPES = frozenset(EventType)


async def post_events(call: Call) -> Response:
    """Take one event, or `{"events": [...]}`.

    Applied, accepted and duplicate events are counted by the engine behind the door; what it
    never sees, the refused ones, is counted here.
    """
    parts = call.door.parts
    received = parts.clock.now()

    def parse(data: JsonObject) -> tuple[Event, int]:
        return parse_event(data, received=received, default_id=time_ordered_id(received))

    raw = await call.body()

    def read() -> Sorted[Event]:
        data = call.decoded(raw)
        entries: list[object] = [data]
        if "events" in data:
            entries = entries_of(data, "events", limit=parts.settings.max_batch_events)
        return sort_out(entries, parse, message="event")

    sorted_out = await call.turn(read)
    _count_refused(sorted_out)
    verdicts: list[Verdict] = []
    if sorted_out.valid:
        verdicts = await parts.events.post(sorted_out.valid)
    return respond(results_of(sorted_out, verdicts), call.request_id)


def _count_refused(sorted_out: Sorted[Event]) -> None:
    for index in sorted_out.faults:
        entry = sorted_out.entries[index]
        kind = entry.get("type") if isinstance(entry, dict) else None
        known = isinstance(kind, str) and kind in _TYPES
        metrics.events.labels(kind if known else "unknown", Verdict.REFUSED.value).inc()
