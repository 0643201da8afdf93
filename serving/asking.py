"""From a query or a body to a `RecommendRequest`, checked like everything that comes in."""

from datetime import datetime

from clickwise.codec import JsonObject, convert
from clickwise.errors import InvalidInputError
from clickwise.limits import check_id, parse_event_time
from clickwise.recommend.answers import ContextEvent, RecommendRequest
from serving.fields import refuse_unknown
from serving.query import Parameter, flag, plain, whole

PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        Parameter("limit", "limit", whole),
        Parameter("offset", "offset", whole),
        Parameter("cursor", "cursor", plain),
        Parameter("kind", "kinds", plain, repeats=True),
        Parameter("topic", "topics", plain, repeats=True),
        Parameter("language", "languages", plain, repeats=True),
        Parameter("exclude", "exclude", plain, repeats=True),
        Parameter("explain", "explain", flag),
    )
}
_NAMES = {parameter.field: parameter.name for parameter in PARAMETERS.values()}
_FIELDS = RecommendRequest.__struct_fields__
_OF_CONTEXT = ContextEvent.__struct_fields__


def request_from_query(user: str, values: dict[str, object]) -> RecommendRequest:
    """The request of a known user; `values` are those of `PARAMETERS`, by field.

    Raises:
        InvalidInputError: `field` names the query parameter.
    """
    try:
        return _checked(convert({**values, "user": user}, RecommendRequest))
    except InvalidInputError as error:
        name, bracket, place = error.field.partition("[")
        field = f"{_NAMES.get(name, name)}{bracket}{place}"
        raise InvalidInputError(error.reason, field=field) from error


def request_from_body(data: JsonObject, *, now: datetime) -> RecommendRequest:
    """The request in a body; times of its context are checked like an event's.

    Raises:
        InvalidInputError: with the path of the field, an unknown one too.
    """
    refuse_unknown(data, _FIELDS)
    context = data.get("context")
    if isinstance(context, list):
        data = {**data, "context": [_timed(entry, i, now) for i, entry in enumerate(context)]}
    return _checked(convert(data, RecommendRequest))


def _timed(entry: object, index: int, now: datetime) -> object:
    if not isinstance(entry, dict):
        return entry
    refuse_unknown(entry, _OF_CONTEXT, at=f"context[{index}].")
    if entry.get("time") is None:
        return entry
    moment = parse_event_time(entry["time"], f"context[{index}].time", now=now)
    return {**entry, "time": moment}


def _checked(request: RecommendRequest) -> RecommendRequest:
    if request.user is not None:
        check_id(request.user, "user")
    for field, values in (
        ("exclude", request.exclude),
        ("topics", request.topics),
        ("languages", request.languages),
    ):
        for index, value in enumerate(values):
            check_id(value, f"{field}[{index}]")
    for index, event in enumerate(request.context):
        check_id(event.item, f"context[{index}].item")
    return request
