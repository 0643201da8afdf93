"""What is done for a person on request: everything told, or everything erased."""

import asyncio

from starlette.responses import Response

from clickwise import codec
from clickwise.errors import OverloadedError
from clickwise.types import UserId
from serving.answers import JsonResponse
from serving.call import Call

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
