from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from rich.console import Console

from clickwise.bench.report import progress
from clickwise.bench.site import Shape, is_made, make_site, settings_for
from clickwise.bench.synthetic import (
    make_events,
    make_item,
    make_items,
    stream_of_events,
    zipf_ranks,
)
from clickwise.cli import handlers, wiring
from clickwise.codec import decode_object, encode
from clickwise.events import parse_event
from clickwise.items import parse_item
from clickwise.profile import from_stored, profile_bytes
from clickwise.types import item_key
from streams.handlers import Arrival

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SHAPE = Shape(items=600, users=3, events_per_user=230, dimension=16)


@pytest.fixture(scope="module")
def made():
    return make_items(400, dimension=16, now=NOW)


def test_the_same_seed_makes_the_same_site(made):
    again = make_items(400, dimension=16, now=NOW)

    assert again.items == made.items
    assert np.array_equal(again.vectors_ND, made.vectors_ND)
    assert make_events(again, 7, 50, until=NOW) == make_events(made, 7, 50, until=NOW)


def test_items_are_what_the_http_door_takes(made):
    for item in (*made.items, make_item(5_000_123, now=NOW)):
        parsed, unknown = parse_item(decode_object(encode(item)), received=NOW)
        assert (parsed, unknown) == (item, 0)


def test_events_are_what_the_http_door_takes(made):
    streamed = stream_of_events(made, users=40, count=300, until=NOW, seed=1)
    for event in (*make_events(made, 1, 200, until=NOW), *streamed):
        parsed, unknown = parse_event(decode_object(encode(event)), received=NOW)
        assert (parsed, unknown) == (event, 0)


def test_events_come_in_order_of_time_and_none_is_there_twice(made):
    events = make_events(made, 1, 200, until=NOW)

    assert [event.time for event in events] == sorted(event.time for event in events)
    assert len({event.id for event in events}) == 200


def test_vectors_have_unit_length_and_sections_are_clusters(made):
    vectors_ND = made.vectors_ND
    same = made.sections_N[:, None] == made.sections_N[None, :]
    cosines = vectors_ND @ vectors_ND.T

    assert np.allclose(np.linalg.norm(vectors_ND, axis=1), 1.0, atol=1e-5)
    assert cosines[same].mean() > cosines[~same].mean() + 0.3


def test_popular_items_are_read_far_more_often():
    ranks = zipf_ranks(np.random.default_rng(1), 1_000, 20_000)

    assert ranks.min() >= 0
    assert ranks.max() < 1_000
    assert (ranks < 10).mean() > 10 * (ranks >= 990).mean()


def test_a_made_site_is_what_the_event_handler_makes_of_the_same_events(tmp_path):
    with progress(Console(stderr=True)) as bar:
        settings = settings_for(tmp_path / "made", dimension=16)
        made = make_site(settings, SHAPE, progress=bar)
        lived = settings_for(tmp_path / "lived", dimension=16)
        make_site(lived, msgspec.structs.replace(SHAPE, users=0), progress=bar)

    with ExitStack() as stack:
        core = wiring.open_core(lived, stack)
        handler = handlers.embedded_event_handler(core)
        made_state = wiring.state_of(settings, stack)
        bodies = [made_state.profile(user)[0].body for user in SHAPE.user_ids()]
        made_at = datetime.fromtimestamp(from_stored(bodies[0])[1], UTC)

        for number, user in enumerate(SHAPE.user_ids()):
            events = make_events(made, number, SHAPE.events_per_user, until=made_at)
            handler.apply([Arrival(event=event, received=made_at) for event in events])
            lived_body = core.state.profile(user)[0].body
            assert profile_bytes(lived_body) == profile_bytes(bodies[number])
        keys = [item_key(item.id) for item in made.items]
        lived_rows, made_rows = core.state.activity(keys), made_state.activity(keys)
        assert {key: row.log_score for key, row in lived_rows.items()} == pytest.approx(
            {key: row.log_score for key, row in made_rows.items()}
        )


def test_a_site_is_found_again_by_its_shape(tmp_path):
    settings = settings_for(tmp_path, dimension=16)
    assert not is_made(settings, SHAPE)

    with progress(Console(stderr=True)) as bar:
        make_site(settings, SHAPE, progress=bar)

    assert is_made(settings, SHAPE)
    assert not is_made(settings, msgspec.structs.replace(SHAPE, items=601))
