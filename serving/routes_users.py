"""A user's list, stream and profile, and the list of somebody who is not known."""

from collections.abc import Callable

from starlette.background import BackgroundTask
from starlette.responses import Response

from clickwise import codec
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.exposures import exposure_of
from clickwise.types import UserId
from serving.answers import JsonResponse
from serving.asking import PARAMETERS, request_from_body, request_from_query
from serving.call import Call
from serving.door import Door
from serving.stream import EventStream


async def user_recommendations(call: Call) -> Response:
    """A page of the user's list."""
    request = request_from_query(call.path_id(), call.query(PARAMETERS))
    return await _answered(call, lambda: request)


async def post_recommendations(call: Call) -> Response:
    """The same with everything in the body: many exclusions, a guest's context."""
    raw, now = await call.body(), call.door.parts.clock.now()
    return await _answered(call, lambda: request_from_body(call.decoded(raw), now=now))


async def user_profile(call: Call) -> Response:
    """What is known of the user."""
    user = UserId(call.path_id())
    recommender = call.door.parts.recommender
    return JsonResponse(await call.turn(lambda: codec.encode(recommender.profile(user))))


async def user_stream(call: Call) -> Response:
    """The present list, then a new one after each change of the profile."""
    request = request_from_query(call.path_id(), call.query(PARAMETERS))
    door = call.door
    # Joined before the first list is made: a change in between is seen, not lost.
    subscription = door.streams.join(UserId(request.user or ""))
    try:
        first = await call.stream_turn(lambda: door.parts.recommender.recommend(request))
    except BaseException:
        door.streams.leave(subscription)
        raise
    call.request_id = first.request_id
    return EventStream(
        first,
        ask=lambda: call.stream_turn(lambda: door.parts.recommender.recommend(request)),
        shown=lambda answer: _log_exposure(door, answer, request),
        still_allowed=lambda: door.callers.holds(call.identity),
        subscription=subscription,
        hub=door.streams,
        heartbeat_seconds=door.heartbeat_seconds,
    )


async def _answered(call: Call, asked: Callable[[], RecommendRequest]) -> Response:
    recommender = call.door.parts.recommender

    def answered() -> tuple[RecommendRequest, Answer, bytes]:
        request = asked()
        answer = recommender.recommend(request)
        return request, answer, codec.encode(answer)

    request, answer, body = await call.turn(answered)
    # Events name this id as their `request`, so the header says the same.
    call.request_id = answer.request_id
    response = JsonResponse(body)
    if answer.items:
        response.background = BackgroundTask(_log_later, call.door, answer, request)
    return response


async def _log_later(door: Door, answer: Answer, request: RecommendRequest) -> None:
    """Runs once the answer is sent."""
    _log_exposure(door, answer, request)


def _log_exposure(door: Door, answer: Answer, request: RecommendRequest) -> None:
    if answer.items:
        door.parts.exposures.add(exposure_of(answer, request))
