"""From the archive to a data set: distinct, in order, weighed, with its items."""

import os
from datetime import timedelta
from uuid import uuid4

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickwise.archive import Stream
from clickwise.archive.columns import EVENT_COLUMNS
from clickwise.archive.remote import RemoteStore
from clickwise.errors import NotFoundError
from clickwise.events import Event
from clickwise.profile import weight_of
from clickwise.types import EVENT_CODES, EventId, EventType, ItemId, UserId
from tests.unit.training.archives import MODEL, START, Log
from training.prepare import prepare
from training.prepare.events import read_events, weights_of

VALUED = {EventType.VIEW: (0.0, 86_400.0), EventType.RATING: (1.0, 5.0)}


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    yield made
    made.state.close()


def prepared(log, tmp_path, **options):
    log.archive_now()
    return prepare(
        log.archive, name="site", cache=tmp_path / "cache", now=log.clock.now(), **options
    )


def told(dataset):
    """The log in words: (user, item, type, seconds since the start)."""
    log = dataset.log
    return [
        (dataset.user_ids[user], dataset.items.ids[item], kind, time - START.timestamp())
        for user, item, kind, time in zip(
            log.users_N, log.items_N, log.types_N, log.times_N, strict=True
        )
    ]


def at(seconds):
    return START + timedelta(seconds=seconds)


def arrivals(*rows):
    """Two files of the archive: (id, seconds, offset), or more; an offset tells the receipt."""
    filled = [
        {
            "id": name, "user": "u", "item": "i", "type": "click", "time": at(seconds),
            "value": None, "session": None, "request": None, "position": None,
            "source": "s", "partition": 0, "offset": offset, "received": at(offset),
            **dict(*more),
        }
        for name, seconds, offset, *more in rows
    ]  # fmt: skip
    frame = pl.LazyFrame(filled, schema=dict(EVENT_COLUMNS))
    return [frame[:1], frame[1:]]


def test_events_are_in_the_order_in_which_they_happened(log, tmp_path):
    for name, seconds in (("a", 30), ("b", 10), ("c", 20)):
        log.happened(name, user=name, time=at(seconds))

    dataset = prepared(log, tmp_path).dataset

    assert [user for user, *_ in told(dataset)] == [log.state.people.name_of(n) for n in "bca"]
    assert dataset.log.times_N.tolist() == [at(s).timestamp() for s in (10, 20, 30)]


def test_copies_of_files_that_count_no_more_go_once_nobody_can_read_them(log, tmp_path):
    log.happened("a", user="a", time=at(1))
    folder = tmp_path / "cache" / "events" / "date=2026-11-20"
    folder.mkdir(parents=True)
    young, old = folder / "young.parquet", folder / "old.parquet"
    for path in (young, old):
        path.write_bytes(b"a copy")
        os.utime(path, (log.clock.now().timestamp(),) * 2)
    os.utime(old, (0, 0))

    prepared(log, tmp_path)

    assert (young.exists(), old.exists()) == (True, False)


def test_events_of_one_moment_are_in_the_order_of_arrival():
    events = read_events(
        arrivals(("a", 5, 2, {"item": "x"}), ("b", 5, 0, {"item": "y"}), ("c", 5, 1, {"item": "z"}))
    )

    assert [events.items[i] for i in events.items_N] == ["y", "z", "x"]


def test_of_repeated_ids_the_first_to_arrive_stands():
    events = read_events(
        arrivals(
            ("same", 50, 3, {"user": "late"}),
            ("same", 99, 1, {"user": "first"}),
            ("same", 10, 2, {"user": "second"}),
            ("other", 20, 4, {"user": "other"}),
        )
    )

    assert [events.users[u] for u in events.users_N] == ["other", "first"]
    assert events.duplicates == 2


@given(st.permutations([("a", 3, 0), ("b", 1, 1), ("a", 2, 2), ("c", 1, 3), ("b", 9, 4)]))
def test_the_order_of_files_does_not_matter(rows):
    events = read_events(arrivals(*[(*row, {"item": row[0]}) for row in rows]))

    assert [events.items[i] for i in events.items_N] == ["b", "c", "a"]
    assert events.duplicates == 2


def test_a_window_is_cut_by_the_events_own_time():
    rows = arrivals(*[(f"e{n}", n * 10, 9 - n) for n in range(5)])

    events = read_events(rows, since=at(10), until=at(30))

    assert [t - START.timestamp() for t in events.times_N] == [10.0, 20.0]


def test_types_of_a_later_program_are_left_out():
    events = read_events(arrivals(("a", 0, 0), ("b", 1, 1, {"type": "levitate"})))

    assert len(events.types_N) == 1


@given(
    st.lists(
        st.sampled_from(list(EventType)).flatmap(
            lambda kind: st.tuples(
                st.just(kind),
                st.floats(*VALUED[kind])
                if kind is EventType.RATING
                else st.none() | st.floats(*VALUED.get(kind, (0.0, 1e6))),
            )
        ),
        max_size=20,
    )
)
def test_weights_are_what_the_profile_rule_gives(events):
    def live(kind, value):
        return weight_of(
            Event(
                id=EventId("e"), user=UserId("u"), item=ItemId("i"), type=kind, time=START,
                value=value,
            )
        )  # fmt: skip

    weights = weights_of(
        np.array([EVENT_CODES[kind] for kind, _ in events], np.uint8),
        np.array([np.nan if value is None else value for _, value in events], np.float64),
    )

    assert weights.tolist() == [np.float32(live(kind, value)) for kind, value in events]


def test_a_view_with_its_dwell_keeps_its_weight_through_the_archive(log, tmp_path):
    log.happened("a", type="view", value=45.0)
    log.happened("b", type="rating", value=1.0)

    dataset = prepared(log, tmp_path).dataset

    assert dataset.log.weights_N == pytest.approx([1.1, -1.2])


def test_items_are_as_they_are_now_with_their_text_and_facts(log, tmp_path):
    log.put("i1", title="Old")
    log.archive_now()
    log.put(
        "i1", title="New", body="<p>words</p>", topics=["sport"], language="en",
        published="2026-11-01T00:00:00Z",
    )  # fmt: skip
    log.happened("e")

    items = prepared(log, tmp_path).dataset.items

    assert (items.ids, items.titles, items.topics) == (("i1",), ("New",), (("sport",),))
    assert (items.kinds, items.languages) == (("news",), ("en",))
    assert items.texts == ("New. sport. words",)
    assert items.published_I.tolist() == [1_793_491_200.0]


def test_items_that_only_events_know_stay_without_text(log, tmp_path):
    log.put("known", "gone")
    log.remove("gone")
    log.happened("a", item="gone")
    log.happened("b", item="never heard of")

    found = prepared(log, tmp_path)

    items = found.dataset.items
    assert items.ids == ("gone", "known", "never heard of")
    assert items.texts == ("", "known", "")
    assert found.sheet.items_unknown == 2
    assert [item for _, item, *_ in told(found.dataset)] == ["gone", "never heard of"]


def test_items_without_any_event_are_in_the_catalog(log, tmp_path):
    log.put("new")
    log.happened("a", item="old")

    assert prepared(log, tmp_path).dataset.items.ids == ("new", "old")


def test_text_vectors_come_from_the_archive_and_are_zero_where_there_are_none(log, tmp_path):
    log.put("i1", "i2")
    log.happened("a", item="unknown")

    items = prepared(log, tmp_path).dataset.items

    assert items.ids == ("i1", "i2", "unknown")
    assert items.text_ID.tolist() == [[1.0], [1.0], [0.0]]
    assert items.text_model == MODEL


def test_an_empty_archive_is_an_empty_data_set(log, tmp_path):
    found = prepared(log, tmp_path)

    assert (len(found.dataset.log), len(found.dataset.items)) == (0, 0)
    assert found.dataset.items.text_ID is None
    assert found.sheet.warnings == ("There are no events.",)


def test_a_file_that_is_missing_is_named(log, tmp_path):
    log.happened("a")
    log.archive_now()
    (file,) = log.manifest.files_of(Stream.EVENTS)
    log.store.delete(file.name)

    with pytest.raises(NotFoundError, match=r"part-database-0-1-1\.parquet"):
        prepared(log, tmp_path)


def test_an_archive_elsewhere_is_read_through_copies(log, tmp_path):
    log.store = RemoteStore(f"memory://{uuid4().hex}")
    log.happened("a")

    found = prepared(log, tmp_path)
    (file,) = log.manifest.files_of(Stream.EVENTS)
    log.store.delete(file.name)
    again = prepared(log, tmp_path)

    assert len(found.dataset.log) == len(again.dataset.log) == 1
