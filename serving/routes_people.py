"""What is done for a person on request: all told, all erased, or a guest made a user."""

import asyncio

from starlette.responses import Response

from clickwise import codec, metrics
from clickwise.doors import Verdict
from clickwise.errors import ConflictError, InvalidInputError, OverloadedError
from clickwise.ids import time_ordered_id
from clickwise.limits import check_id
from clickwise.merges import Merge, check_two
from clickwise.state.alias_port import Alias
from clickwise.types import EventId, UserId
from serving.answers import JsonResponse
from serving.call import Call
from serving.fields import refuse_unknown
from serving.schemas import Guest, Merged

_NDJSON = (b"content-type", b"application/x-ndjson")
_BUSY = "another person is being erased or told: ask again in a moment"

# One in work per process: each reads every store.
_turn = asyncio.Lock()


async def export_user(call: Call) -> Response:
    """Everything that is known of the user."""
    user = UserId(call.path_id())
    people = call.door.parts.people
    if _turn.locked():
        raise OverloadedError(_BUSY)
    async with _turn:
        body = await asyncio.to_thread(lambda: b"".join(people.export(user)))
    response = JsonResponse(body)
    response.raw_headers = [(b"content-length", str(len(body)).encode()), _NDJSON]
    return response


async def forget_user(call: Call) -> Response:
    """Erase the user; the receipt."""
    user = UserId(call.path_id())
    people = call.door.parts.people
    if _turn.locked():
        raise OverloadedError(_BUSY)
    async with _turn:
        # Not broken off with its request: half of an erasure helps nobody.
        receipt = await asyncio.shield(asyncio.to_thread(people.forget, user))
    return JsonResponse(codec.encode(receipt))


async def merge_user(call: Call) -> Response:
    """What the guest did becomes the user's.

    It is noted first, so that no two merges come to stand against each other, then written to the
    log. Asked again it is written again: a first time may have ended between the two.
    """
    user = UserId(call.path_id())
    raw = await call.body()
    alias = await call.turn(lambda: _alias(call.decoded(raw), user, call))
    parts = call.door.parts
    try:
        alias = await asyncio.to_thread(parts.people.pair, alias)
    except ConflictError:
        metrics.merges.labels("refused").inc()
        raise
    merge = Merge(id=EventId(alias.merge), user=alias.guest, into=user, time=alias.at)
    verdict = await parts.events.merge(merge)
    told = Merged(id=merge.id, guest=alias.guest, user=user, verdict=verdict)
    status = 202 if verdict is Verdict.ACCEPTED else 200
    return JsonResponse(codec.encode(told), status_code=status)


def _alias(data: codec.JsonObject, user: UserId, call: Call) -> Alias:
    """What the body asks for."""
    refuse_unknown(data, Guest.__struct_fields__)
    if "guest" not in data:
        raise InvalidInputError("required field is missing", field="guest")
    guest = UserId(check_id(data["guest"], "guest"))
    check_two(guest, user, field="guest")
    now = call.door.parts.clock.now()
    name = data.get("id")
    merge = time_ordered_id(now) if name is None else check_id(name, "id")
    return Alias(guest, user, merge, now)
