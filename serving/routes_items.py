"""Items in and out: one by its address, many in a body."""

from collections.abc import Sequence

from starlette.responses import Response

from clickwise import codec, metrics
from clickwise.codec import JsonObject
from clickwise.doors import Verdict
from clickwise.errors import InvalidInputError, NotFoundError
from clickwise.items import Item, parse_item
from clickwise.limits import shown
from clickwise.types import ItemId
from clickwise.understanding import shown as shown_item
from serving.answers import JsonResponse
from serving.batches import Sorted, entries_of, respond, results_of, sort_out, status_of
from serving.call import Call
from serving.query import Parameter, whole
from serving.schemas import Result, SimilarItems

MAX_SIMILAR = 100
DEFAULT_SIMILAR = 10
SIMILAR_PARAMETERS = {
    "limit": Parameter(
        "limit",
        "limit",
        whole,
        schema={
            "type": "integer", "minimum": 1, "maximum": MAX_SIMILAR, "default": DEFAULT_SIMILAR,
        },
    )
}  # fmt: skip


async def put_item(call: Call) -> Response:
    """Create or replace one item."""
    item = call.path_id()
    raw = await call.body()
    received = call.door.parts.clock.now()

    def read() -> Item:
        parsed, unknown = parse_item(call.decoded(raw), received=received, item=item)
        if unknown:
            metrics.unknown_fields.labels("item").inc(unknown)
        return call.door.masking.item(parsed)

    verdict = (await call.door.parts.items.put([await call.turn(read)]))[0]
    return _one(item, verdict)


async def delete_item(call: Call) -> Response:
    """Delete one item; deleting what is not there is done already."""
    item = call.path_id()
    verdict = (await call.door.parts.items.delete([ItemId(item)]))[0]
    return _one(item, verdict)


async def get_item(call: Call) -> Response:
    """One item as it was last put."""
    item = call.path_id()
    row = await call.turn(lambda: call.door.parts.state.item(ItemId(item)))
    if row is None or row.body is None:
        raise NotFoundError(f"there is no item {shown(item, 80)}")
    return JsonResponse(row.body)


async def post_items(call: Call) -> Response:
    """Create or replace many items; a verdict for each."""
    parts = call.door.parts
    received = parts.clock.now()

    def parse(data: JsonObject) -> tuple[Item, int]:
        item, unknown = parse_item(data, received=received)
        return call.door.masking.item(item), unknown

    raw = await call.body()

    def read() -> Sorted[Item]:
        data = call.decoded(raw)
        entries = entries_of(data, "items", limit=parts.settings.max_batch_events)
        return sort_out(entries, parse, message="item")

    sorted_out = await call.turn(read)
    for fault in sorted_out.faults.values():
        metrics.errors.labels(fault.kind, "items").inc()
    verdicts: Sequence[Verdict | InvalidInputError] = []
    if sorted_out.valid:
        verdicts = await parts.items.put(sorted_out.valid)
    return respond(results_of(sorted_out, verdicts), call.request_id)


async def similar_items(call: Call) -> Response:
    """Items near one item."""
    item = ItemId(call.path_id())
    limit = call.query(SIMILAR_PARAMETERS).get("limit", DEFAULT_SIMILAR)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_SIMILAR:
        raise InvalidInputError(f"expected 1 to {MAX_SIMILAR}, got {limit}", field="limit")
    recommender = call.door.parts.recommender
    near = await call.turn(lambda: recommender.similar(item, limit=limit))
    return JsonResponse(codec.encode(SimilarItems(item=item, items=near)))


async def understood_item(call: Call) -> Response:
    """What is understood of one item."""
    item = ItemId(call.path_id())
    state = call.door.parts.state
    return JsonResponse(await call.turn(lambda: codec.encode(shown_item(state, item))))


def _one(item: str, verdict: Verdict | InvalidInputError) -> Response:
    if isinstance(verdict, InvalidInputError):
        raise verdict
    if verdict is Verdict.REFUSED:
        raise InvalidInputError(f"item {shown(item, 80)} was refused", field="id")
    result = Result(id=item, verdict=verdict)
    return JsonResponse(codec.encode(result), status_code=status_of([result]))
