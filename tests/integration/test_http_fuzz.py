"""The HTTP interface holds what its own OpenAPI document says, whatever is sent.

schemathesis makes requests from the document, right and wrong ones, from a fixed seed, and
checks each answer: never a 5xx, only documented statuses, types, headers and schemas, wrong
methods refused, keys really asked for.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.applications import Starlette

from clickwise.items import parse_item
from clickwise.settings import load
from clickwise.testing.doors import MemorySite, StoppedClock
from serving.app import create_app
from serving.parts import Parts

KEY = "a-key-of-the-test-suite"
# A batch with a wrong entry is taken (200, a verdict for each), and a JSON Schema cannot say
# "not more than five minutes ahead": so not every right or wrong request is told by its schema.
NOT_SAID_BY_A_SCHEMA = [negative_data_rejection, positive_data_acceptance]
NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)


def application() -> Starlette:
    site = MemorySite(StoppedClock(NOW))
    for name in ("a", "b", "c"):
        item, _ = parse_item({"kind": "news", "title": name}, received=NOW, item=name)
        site.items.items[item.id] = item
    parts = Parts(
        settings=load({}, api_keys=KEY, stream_poll_seconds=0.01),
        recommender=site.recommender,
        state=site.lookups,
        events=site.events,
        items=site.items,
        exposures=site.exposures,
        people=site.people,
        clock=site.clock,
        health=list,
    )
    return create_app(parts, heartbeat_seconds=0.01)


# Nobody clicks here, so a stream sends one list and then waits.
config = SchemathesisConfig.from_dict({"max-stream-events": 1})
schema = schemathesis.openapi.from_asgi("/openapi.json", application(), config=config)


@pytest.mark.case(7)
@schema.parametrize()
@seed(20261125)
@settings(
    max_examples=15,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_what_the_document_says(case: Any) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=NOT_SAID_BY_A_SCHEMA
    )
