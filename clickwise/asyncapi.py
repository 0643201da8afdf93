"""The topics as an AsyncAPI 3 document, generated from the table of topics and the types.

What is produced may leave out what the door fills in: an event its id and time.
Whoever produces to the topics or consumes from them generates clients and checks from it.
"""

from importlib.metadata import version
from typing import Any

import msgspec

from clickwise.codec import SCHEMA_VERSION
from clickwise.events import Event
from clickwise.items import Item
from clickwise.merges import Merge
from clickwise.messages import Increments, LiveModel, Recommendations
from clickwise.recommend.exposures import ExposureMessage
from clickwise.topics import (
    DEAD_LETTERS,
    EVENTS,
    EXPOSURES,
    ITEM_ACTIVITY,
    ITEMS,
    MODELS,
    RECOMMENDATIONS,
    TEXTS,
    TOPICS,
    Topic,
)
from clickwise.writing.published import ItemTexts

ASYNCAPI_VERSION = "3.0.0"
_BINDING = "0.5.0"
_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"

JsonSchema = dict[str, Any]

# What the processes do with the topics: `clickwise stream` receives, both send.
_RECEIVED = (EVENTS, ITEMS, ITEM_ACTIVITY)
_SENT_BY = {
    EVENTS: "clickwise serve",
    ITEMS: "clickwise serve",
    EXPOSURES: "clickwise serve",
    ITEM_ACTIVITY: "clickwise stream",
    RECOMMENDATIONS: "clickwise stream",
    MODELS: "clickwise models",
    TEXTS: "clickwise serve",
    DEAD_LETTERS: "clickwise stream",
}
_PAYLOADS: dict[Topic, tuple[str, object]] = {
    EVENTS: ("Event", Event),
    ITEMS: ("Item", Item),
    RECOMMENDATIONS: ("Recommendations", Recommendations),
    EXPOSURES: ("Exposure", ExposureMessage),
    ITEM_ACTIVITY: ("Increments", Increments),
    MODELS: ("LiveModel", LiveModel),
    TEXTS: ("ItemTexts", ItemTexts),
}
# What else a topic holds, beside its first kind.
_MORE: dict[Topic, tuple[str, object]] = {EVENTS: ("Merge", Merge)}
_KEYS: dict[Topic, JsonSchema] = {
    EVENTS: {"type": "string", "description": "The user id, UTF-8."},
    ITEMS: {"type": "string", "description": "The item id, UTF-8. No value: a deletion."},
    RECOMMENDATIONS: {"type": "string", "description": "The user id, UTF-8."},
    EXPOSURES: {"type": "string", "description": "The user id, UTF-8; the request id for a guest."},
    MODELS: {"type": "string", "const": "live"},
    TEXTS: {"type": "string", "description": "The item id, UTF-8. No value: its own words."},
}
_DEAD_LETTER_HEADERS: JsonSchema = {
    "type": "object",
    "required": ["topic", "partition", "offset", "reason", "detail"],
    "properties": {
        "topic": {"type": "string", "description": "Where the message was."},
        "partition": {"type": "string", "pattern": "^[0-9]+$"},
        "offset": {"type": "string", "pattern": "^[0-9]+$"},
        "reason": {
            "type": "string",
            "description": "One word: key, empty, invalid, too_large, conflict, not_found.",
        },
        "detail": {"type": "string", "description": "The field, and what was expected."},
        "cut": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "Bytes of a value too large to be copied; the state has all of it.",
        },
    },
}


def asyncapi(prefix: str) -> JsonSchema:
    """The document for a deployment whose topics begin with `prefix`."""
    payloads = [kind for _, kind in (*_PAYLOADS.values(), *_MORE.values())]
    schemas, definitions = msgspec.json.schema_components(
        payloads, ref_template="#/components/schemas/{name}"
    )
    by_topic = dict(zip(_PAYLOADS, schemas, strict=False))
    more = dict(zip(_MORE, schemas[len(_PAYLOADS) :], strict=True))
    _open_to_producers(definitions)
    document = {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Clickwise topics",
            "version": version("clickwise"),
            "description": (
                "Events in, recommendations out. Values are JSON; unknown fields are ignored and"
                " counted, wrong ones set aside as dead letters."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, prefix) for topic in TOPICS},
        "operations": {
            **{
                f"receive-{topic.name}": _operation(topic, "receive", by="clickwise stream")
                for topic in _RECEIVED
            },
            **{
                f"send-{topic.name}": _operation(topic, "send", by=sender)
                for topic, sender in _SENT_BY.items()
            },
        },
        "components": {
            "messages": {
                **{
                    _message_name(topic): _message(
                        topic, _message_name(topic), topic.holds, by_topic.get(topic)
                    )
                    for topic in TOPICS
                },
                **{
                    name: _message(topic, name, "a guest turned out to be a user", more[topic])
                    for topic, (name, _) in _MORE.items()
                },
            },
            "schemas": definitions,
        },
    }
    # Plain JSON values: msgspec leaves tuples in defaults.
    plain: JsonSchema = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def _open_to_producers(definitions: dict[str, JsonSchema]) -> None:
    """Describe events and items as the consumer takes them, not only as they are stored."""
    item = definitions["Item"]
    for event in (definitions["Event"], definitions["Merge"]):
        event["required"] = [name for name in event["required"] if name not in ("id", "time")]
        event["properties"]["id"]["description"] += " Missing: its place in the topic."
        _or_seconds(event["properties"], "time", "Missing or null: when the log took it.")
    # What tells it from an event.
    definitions["Merge"]["required"] = ["type", *definitions["Merge"]["required"]]
    for name in ("published", "expires"):
        _or_seconds(item["properties"], name, "")


def _or_seconds(properties: JsonSchema, name: str, more: str) -> None:
    description = f"{properties[name].get('description', '')} {more}".strip()
    properties[name] = {
        "description": description,
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "number", "description": "Seconds since 1970."},
            {"type": "null"},
        ],
    }


def _message_name(topic: Topic) -> str:
    return _PAYLOADS[topic][0] if topic in _PAYLOADS else "DeadLetter"


def _message_names(topic: Topic) -> list[str]:
    names = [_message_name(topic)]
    return [*names, _MORE[topic][0]] if topic in _MORE else names


def _channel(topic: Topic, prefix: str) -> JsonSchema:
    configuration: JsonSchema = {
        "cleanup.policy": ["compact" if topic.compacted else "delete"],
    }
    if topic.retention is not None:
        configuration["retention.ms"] = round(topic.retention.total_seconds() * 1000)
    return {
        "address": topic.full_name(prefix),
        "title": topic.name,
        "description": f"{topic.holds}. Key: {topic.key}.",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic)
        },
        "bindings": {
            "kafka": {
                "topic": topic.full_name(prefix),
                "topicConfiguration": configuration,
                "bindingVersion": _BINDING,
            }
        },
    }


def _operation(topic: Topic, action: str, *, by: str) -> JsonSchema:
    return {
        "action": action,
        "summary": f"By `{by}`.",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [
            {"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _message_names(topic)
        ],
    }


def _message(topic: Topic, name: str, summary: str, payload: JsonSchema | None) -> JsonSchema:
    binding: JsonSchema = {"bindingVersion": _BINDING}
    if topic in _KEYS:
        binding["key"] = _KEYS[topic]
    message: JsonSchema = {
        "name": name,
        "summary": summary,
        "bindings": {"kafka": binding},
    }
    if payload is None:
        message["contentType"] = "application/octet-stream"
        message["headers"] = _DEAD_LETTER_HEADERS
    else:
        message["contentType"] = "application/json"
        message["payload"] = {"schemaFormat": _SCHEMA_FORMAT, "schema": payload}
        message["x-schema-version"] = SCHEMA_VERSION
    return message
