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
            "description": (
                f"Of the sentences: {', '.join(LANGUAGES)}; others get English. Missing: that of"
                " the list's reasons."
            ),
        },
    )
}

_decoder = msgspec.json.Decoder(ExposureMessage)


async def why_recommended(call: Call) -> Response:
    """The grounds of one logged list."""
    request = call.path_id()
    asked = call.query(WHY_PARAMETERS).get("language")
    body = await call.door.parts.exposures.find(request)
    if body is None:
        raise NotFoundError(
            f"no list with request_id {shown(request)} in the log of exposures: it shows an answer"
            " a moment after it was given, and keeps it for a while; empty lists are not in it"
        )
    recommender = call.door.parts.recommender

    def told() -> bytes:
        shown = _decoder.decode(body)
        language = shown.language if asked is None else str(asked)
        return codec.encode(recommender.why(shown, language=language))

    return JsonResponse(await call.turn(told))
