"""The AsyncAPI document says what the code does."""

import json
from importlib.metadata import version
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from clickwise.asyncapi import asyncapi
from clickwise.topics import TOPICS

DOCUMENT = asyncapi("shop")
EVENT = {"id": "e1", "user": "u1", "item": "i1", "type": "click", "time": "2026-11-25T08:30:00Z"}
ITEM = {"id": "i1", "kind": "news", "title": "A title", "published": "2026-11-25T08:30:00Z"}


def resolve(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def validator(message: str) -> Any:
    payload = DOCUMENT["components"]["messages"][message]["payload"]["schema"]
    return jsonschema_rs.validator_for({**payload, "components": DOCUMENT["components"]})


def test_it_is_an_asyncapi_3_document_with_a_channel_for_each_topic() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        topic.full_name("shop") for topic in TOPICS
    }


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)

    assert found
    for reference in found:
        assert resolve(reference)


def test_every_channel_is_used_and_every_message_has_a_payload_or_says_it_is_bytes() -> None:
    used = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert used == {f"#/channels/{name}" for name in DOCUMENT["channels"]}
    for message in DOCUMENT["components"]["messages"].values():
        assert "payload" in message or message["contentType"] == "application/octet-stream"


def test_it_is_plain_json() -> None:
    assert json.loads(msgspec.json.encode(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("Event", EVENT),
        ("Event", {"user": "u1", "item": "i1", "type": "click"}),
        ("Event", {**EVENT, "time": 1_764_059_400}),
        ("Event", {**EVENT, "time": None}),
        ("Item", ITEM),
        ("Item", {**ITEM, "published": 1_764_059_400.5, "expires": None}),
    ],
)
def test_what_the_program_takes_fits_its_schema(message: str, value: dict[str, Any]) -> None:
    assert validator(message).is_valid(value)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("Event", {**EVENT, "type": "nod"}),
        ("Event", {**EVENT, "user": ""}),
        ("Event", {**EVENT, "position": -1}),
        ("Event", {**EVENT, "time": True}),
        ("Item", {**ITEM, "kind": "poem"}),
        ("Item", {**ITEM, "topics": ["t"] * 9}),
    ],
)
def test_what_the_program_refuses_does_not_fit(message: str, value: dict[str, Any]) -> None:
    assert not validator(message).is_valid(value)


def test_compacted_topics_say_so_and_kept_ones_say_how_long() -> None:
    for topic in TOPICS:
        kafka = DOCUMENT["channels"][topic.name]["bindings"]["kafka"]["topicConfiguration"]
        assert kafka["cleanup.policy"] == ["compact" if topic.compacted else "delete"]
        assert ("retention.ms" in kafka) == (topic.retention is not None)


def test_serve_sends_events_items_and_exposures() -> None:
    assert DOCUMENT["operations"].keys() >= {"send-events", "send-items", "send-exposures"}


def test_the_version_is_the_packages() -> None:
    assert DOCUMENT["info"]["version"] == version("clickwise")
