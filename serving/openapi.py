"""The OpenAPI 3.1 document, made from the table of operations and the types they name."""

import inspect
from importlib.metadata import version

import msgspec

from clickwise.events import Event
from clickwise.items import Item
from clickwise.recommend.answers import Answer, RecommendRequest
from serving.discovery import DOCUMENT as DISCOVERY
from serving.incoming import ID_SCHEMA, incoming
from serving.operation import Operation, Schema
from serving.routes import OPERATIONS
from serving.schemas import ErrorBody, Guest

_PLAIN: dict[str, Schema] = {
    "application/json": {"type": "object"},
    "text/event-stream": {
        "type": "object",
        "description": "One event of the stream.",
        "properties": {
            "event": {"const": "recommendations"},
            "id": {"type": "string", "description": "Profile version of the list."},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/Answer"},
            },
        },
        "required": ["data"],
    },
}
_STATUS_TEXTS = {
    200: "Done.",
    202: "Durable, not applied yet.",
    307: "Elsewhere.",
    401: "No API key and no token, or one that does not open.",
    403: "The key or token lacks the scope; or no key is set, and this machine did not ask.",
    408: "The body did not arrive in time.",
    409: "Somebody else wrote first, or the id's key is taken.",
    413: "Over a limit; the message names it.",
    415: "Not JSON in UTF-8.",
    422: "Something in the request is wrong; `field` says where.",
    429: "Too many requests, of all or of this key; come back after Retry-After seconds.",
    500: "This server failed; its log has the request id.",
    503: "A service behind (an issuer of tokens too) does not answer.",
}
# A 404 is of what the path begins with.
_MISSING = {
    "items": "No such item.",
    "users": "No such user.",
    "recommendations": "No such list in the log of exposures.",
}


def openapi(issuer: str = "") -> Schema:
    """The document, as plain JSON values; `issuer` is the one whose tokens open, empty for none."""
    types = {t for o in OPERATIONS for t in o.answers.values() if isinstance(t, type)}
    types |= {ErrorBody, RecommendRequest, Event, Item, Answer, Guest}
    ordered = sorted(types, key=lambda t: t.__name__)
    references, components = msgspec.json.schema_components(
        ordered, ref_template="#/components/schemas/{name}"
    )
    named = dict(zip(ordered, references, strict=True))
    schemas: dict[str, Schema] = {**components, **incoming(components)}
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema.get("description", ""))
    schemes = _schemes(issuer)
    ways = tuple(schemes)
    paths: dict[str, dict[str, Schema]] = {}
    for operation in OPERATIONS:
        described = _operation(operation, named, schemas, ways)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clickwise",
            "version": version("clickwise"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": (
                "Clicks in, recommendations out: the next list rests on the last click. What a key"
                " or token needs is beside each operation's `security`: its scope."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{way: []} for way in ways],
        "tags": [
            {"name": "recommendations", "description": "What to show next, and why."},
            {"name": "events", "description": "What users did."},
            {"name": "items", "description": "What can be recommended."},
            {"name": "users", "description": "What is known of a person, told or erased."},
            {"name": "service", "description": "For people and machines on call."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": schemes,
        },
    }


def _schemes(issuer: str) -> Schema:
    schemes: Schema = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, or a token (JWT) of the issuer where one is set up.",
        },
        "header": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An API key.",
        },
    }
    if issuer:
        schemes["oidc"] = {
            "type": "openIdConnect",
            "openIdConnectUrl": issuer.rstrip("/") + DISCOVERY,
            "description": "A token of this issuer, as `Authorization: Bearer TOKEN`.",
        }
    return schemes


def _operation(
    operation: Operation,
    named: dict[type, Schema],
    schemas: dict[str, Schema],
    ways: tuple[str, ...],
) -> Schema:
    described: Schema = {
        "operationId": operation.handler.__name__,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": _responses(operation, named),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.scope is None:
        described["security"] = []
    else:
        scopes = [operation.scope, *operation.also]
        described["security"] = [{way: scopes} for way in ways]
    parameters = _parameters(operation, schemas)
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        schema = (
            {"$ref": f"#/components/schemas/{operation.request}"}
            if isinstance(operation.request, str)
            else named[operation.request]
        )
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _responses(operation: Operation, named: dict[type, Schema]) -> dict[str, Schema]:
    headers: Schema = {
        "X-Request-Id": {
            "description": "Names this answer in logs and events.",
            "schema": {"type": "string"},
        }
    }
    responses: dict[str, Schema] = {}
    for status in _fault_statuses(operation):
        more: Schema = {}
        if status in (429, 503):
            more = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
        responses[str(status)] = {
            "description": _fault_text(status, operation),
            "headers": {**headers, **more},
            "content": {"application/json": {"schema": named[ErrorBody]}},
        }
    for status, answer in operation.answers.items():
        described: Schema = {"description": _STATUS_TEXTS[status], "headers": headers}
        if isinstance(answer, type):
            described["content"] = {"application/json": {"schema": named[answer]}}
        elif answer:
            described["content"] = {answer: {"schema": _PLAIN.get(answer, {"type": "string"})}}
        responses[str(status)] = described
    return dict(sorted(responses.items()))


def _fault_text(status: int, operation: Operation) -> str:
    return _MISSING[operation.path.split("/")[2]] if status == 404 else _STATUS_TEXTS[status]


def _fault_statuses(operation: Operation) -> set[int]:
    """Faults that follow from the operation's form, and its own."""
    if operation.keyless:
        return {403, *operation.faults}
    statuses = {401, 403, 429, 500, 503, *operation.faults}
    if operation.tag != "service":
        statuses.add(422)
    if operation.request is not None:
        statuses |= {408, 413, 415}
    if operation.parameters:
        statuses.add(413)
    return statuses


def _parameters(operation: Operation, schemas: dict[str, Schema]) -> list[Schema]:
    described: list[Schema] = []
    if "{id}" in operation.path:
        described.append({"name": "id", "in": "path", "required": True, "schema": ID_SCHEMA})
    fields = schemas["RecommendRequest"]["properties"]
    for parameter in operation.parameters.values():
        schema: Schema = dict(parameter.schema or fields[parameter.field])
        described.append(_query_parameter(parameter.name, schema))
    return described


def _query_parameter(name: str, schema: Schema) -> Schema:
    text = schema.pop("description", None)
    if "anyOf" in schema:  # "or null": a query has no null, it leaves the parameter out
        schema = next(option for option in schema["anyOf"] if option.get("type") != "null")
    parameter: Schema = {"name": name, "in": "query", "required": False, "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": True}
    if text:
        parameter["description"] = text
    return parameter
