"""JSON Schemas of what clients send, where the door takes more than the stored type holds.

An event may leave out its id and time, an item that is put by address its id, and instants
may be numbers of seconds; the types of `clickwise` describe messages after that. What asks for
something has no other fields (`serving.fields`); events and items may.
"""

import copy
from collections.abc import Mapping

from clickwise.codec import SCHEMA_VERSION
from clickwise.limits import EARLIEST_TIME
from serving.operation import Schema

# What `check_id` takes: no control characters.
ID_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
ID_SCHEMA: Schema = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": ID_PATTERN}

_FROM = EARLIEST_TIME.timestamp()
_ANY = -62_135_596_800.0  # the year 1
_EVENT_EXAMPLE: Schema = {"id": "e-1", "user": "ann", "item": "news/42", "type": "click"}
_ITEM_EXAMPLE: Schema = {"kind": "news", "title": "A new telescope", "topics": ["science"]}


def incoming(components: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schemas by name, from those of the stored types."""
    event = _without_required(components["Event"], {"id", "time"})
    event |= {"title": "EventSent", "examples": [_EVENT_EXAMPLE]}
    for name in ("id", "user", "item"):
        event["properties"][name]["pattern"] = ID_PATTERN
    for name in ("session", "request"):
        event["properties"][name]["anyOf"][0]["pattern"] = ID_PATTERN
    event["properties"]["id"]["description"] += " Missing: one is made."
    event["properties"]["time"] = _instant(
        event["properties"]["time"], "Missing: now.", earliest=_FROM
    )
    event["properties"]["schema_version"]["maximum"] = SCHEMA_VERSION

    item = copy.deepcopy(components["Item"]) | {"title": "ItemSent"}
    item["properties"]["id"]["pattern"] = ID_PATTERN
    for name in ("published", "expires"):
        item["properties"][name] = _instant(item["properties"][name], "", earliest=_ANY)
    item["properties"]["schema_version"]["maximum"] = SCHEMA_VERSION
    addressed = _without_required(item, {"id"}) | {"title": "ItemPut", "examples": [_ITEM_EXAMPLE]}

    context = copy.deepcopy(components["ContextEvent"])
    context["properties"]["item"]["pattern"] = ID_PATTERN
    time = context["properties"]["time"]
    context["properties"]["time"] = _instant(time, "", earliest=_FROM)

    request = copy.deepcopy(components["RecommendRequest"])
    request["properties"]["user"]["anyOf"][0]["pattern"] = ID_PATTERN
    for name in ("topics", "languages", "exclude"):
        request["properties"][name]["items"]["pattern"] = ID_PATTERN

    guest = copy.deepcopy(components["Guest"])
    guest["properties"]["guest"]["pattern"] = ID_PATTERN
    merge = guest["properties"]["id"]["anyOf"]
    guest["properties"]["id"]["anyOf"] = [
        ID_SCHEMA if option["type"] == "string" else option for option in merge
    ]

    for asking in (context, request, guest):
        asking["additionalProperties"] = False

    return {
        "EventSent": event,
        "EventBatch": _batch("EventBatch", "events", "EventSent"),
        "EventOrEvents": {
            "title": "EventOrEvents",
            "description": "One event, or many.",
            "anyOf": [_reference("EventSent"), _reference("EventBatch")],
        },
        "ItemSent": item,
        "ItemPut": addressed,
        "ItemBatch": _batch("ItemBatch", "items", "ItemSent"),
        "ContextEvent": context,
        "RecommendRequest": request,
        "Guest": guest,
    }


def _without_required(schema: Schema, names: set[str]) -> Schema:
    changed = copy.deepcopy(schema)
    changed["required"] = [name for name in schema["required"] if name not in names]
    return changed


def _instant(schema: Schema, more: str, *, earliest: float) -> Schema:
    """An instant as text or as a number of seconds, between what `parse_time` takes."""
    seconds: Schema = {"type": "number", "minimum": earliest, "exclusiveMaximum": 1e11}
    seconds["description"] = "Seconds since 1970."
    return {
        "description": f"{schema.get('description', '')} {more}".strip(),
        "anyOf": [{"type": "string", "format": "date-time"}, seconds, {"type": "null"}],
    }


def _batch(title: str, field: str, entry: str) -> Schema:
    return {
        "title": title,
        "description": f"Many {field} in one request, up to the server's limit.",
        "type": "object",
        "properties": {field: {"type": "array", "items": _reference(entry)}},
        "required": [field],
        "additionalProperties": False,
    }


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
