"""Why a list was as it was."""

import msgspec
from starlette.responses import Response

from clickwise import codec
from clickwise.errors import NotFoundError
from clickwise.limits import shown
from clickwise.recommend.exposures import ExposureMessage
from clickwise.recommend.why_words import LANGUAGES
from serving.answers import JsonResponse
from serving.call import Call
from serving.query import Parameter, plain

WHY_PARAMETERS = {
    "language": Parameter(
        "language",
        "language",
        plain,
        schema={
            "type": "string",
            "default": "en",
            "description": f"Of the sentences: {', '.join(LANGUAGES)}; others get English.",
        },
    )
}

_decoder = msgspec.json.Decoder(ExposureMessage)


async def why_recommended(call: Call) -> Response:
    """The grounds of one logged list."""
    request = call.path_id()
    language = str(call.query(WHY_PARAMETERS).get("language", "en"))
    body = await call.door.parts.exposures.find(request)
    if body is None:
        raise NotFoundError(
            f"no list with request_id {shown(request)} in the log of exposures: it shows an answer"
            " a moment after it was given, and keeps it for a while; empty lists are not in it"
        )
    recommender = call.door.parts.recommender
    return JsonResponse(
        await call.turn(
            lambda: codec.encode(recommender.why(_decoder.decode(body), language=language))
        )
    )
