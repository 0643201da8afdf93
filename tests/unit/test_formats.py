"""What earlier programs wrote is read, or refused in words; so is what a later one may write."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from clickwise.activity import Increment
from clickwise.archive import Stream, open_archive
from clickwise.archive.columns import frame_of
from clickwise.bundle.folder import load_bundle
from clickwise.errors import BundleError, ConfigurationError, InvalidInputError
from clickwise.messages import LiveModel
from clickwise.profile import from_stored
from clickwise.recommend.exposures import ExposureMessage
from streams.activity_messages import decode_increments
from streams.records import Record, event_of, item_of

FORMATS = Path(__file__).parents[1] / "data" / "formats"
NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)


def written(name: str) -> bytes:
    return (FORMATS / name).read_bytes()


def record(value: bytes, key: bytes) -> Record:
    return Record("clickwise.any", 0, 7, key, value, NOW.timestamp())


def with_more(value: bytes, **more: object) -> bytes:
    return json.dumps({**json.loads(value), **more}).encode()


LATER = {"mood": {"calm": [1, None]}, "region": "north"}


@pytest.mark.parametrize("more", [{}, LATER], ids=["as written", "with later fields"])
def test_an_event_of_schema_1_is_read(more):
    event = event_of(record(with_more(written("event-1.json"), **more), b"ann"))

    assert (event.id, event.user, event.item, event.type.value) == ("e1", "ann", "n1", "view")
    assert (event.value, event.session, event.request, event.position) == (12.5, "s", "r1", 2)
    assert event.time == NOW


@pytest.mark.parametrize("more", [{}, LATER], ids=["as written", "with later fields"])
def test_an_item_of_schema_1_is_read(more):
    name, item = item_of(record(with_more(written("item-1.json"), **more), b"n1"))

    assert item is not None
    assert (name, item.title, item.language) == ("n1", "\u79d1\u6280 caf\u00e9", "zh")
    assert (item.topics, item.published) == (("tech",), NOW)


@pytest.mark.parametrize("more", [{}, LATER], ids=["as written", "with later fields"])
def test_what_the_engine_writes_in_schema_1_is_read(more):
    exposure = with_more(written("exposure-1.json"), **more)
    increments = with_more(written("increments-1.json"), **more)
    model = with_more(written("live-model-1.json"), **more)

    shown = msgspec.json.decode(exposure, type=ExposureMessage)
    assert (shown.request_id, shown.items[0].item, shown.items[0].propensity) == ("r1", "n1", 0.25)
    assert shown.language == "en"
    assert decode_increments(record(increments, b"")).increments == [
        Increment(item=7, follower=0, type=1, weight=1.0, time=1.764e9, partition=0, offset=4)
    ]
    assert msgspec.json.decode(model, type=LiveModel).sequence == 3


@pytest.mark.parametrize("version", [2, 99, 0, "1", True])
@pytest.mark.parametrize(("name", "read"), [("event-1.json", event_of), ("item-1.json", item_of)])
def test_a_message_of_another_schema_is_refused_by_its_version(name, read, version):
    value = with_more(written(name), schema_version=version)
    key = b"ann" if read is event_of else b"n1"

    with pytest.raises(InvalidInputError) as refused:
        read(record(value, key))

    assert refused.value.field == "schema_version"


@pytest.mark.parametrize("number", [2, 3])
def test_a_profile_of_an_earlier_format_is_the_same_profile(number):
    profile, received = from_stored(written(f"profile-{number}.bin"))

    assert received == 1.764e9
    assert (profile.model, profile.events_applied) == ("golden", 5)
    assert profile.interests_KD.shape == (2, 8)
    assert len(profile.history) == 5
    assert np.isfinite(profile.interests_KD).all()
    assert profile.masses_K.max() > 0


def test_profiles_of_two_formats_hold_the_same_history():
    older, newer = (from_stored(written(f"profile-{number}.bin"))[0] for number in (2, 3))

    assert older.history.tolist() == newer.history.tolist()


def test_a_bundle_of_this_format_is_loaded():
    bundle = load_bundle(FORMATS / "bundle-3")

    assert (bundle.manifest.encoder, bundle.manifest.dimension) == ("golden-encoder", 8)


def test_a_bundle_of_an_earlier_format_is_refused_by_its_format():
    with pytest.raises(BundleError, match="format 2, expected 3"):
        load_bundle(FORMATS / "bundle-2")


def test_a_bundle_of_a_later_format_is_refused_by_its_format_and_later_fields_are_not(tmp_path):
    later, more = tmp_path / "later", tmp_path / "more"
    for folder, change in ((later, {"format": 4}), (more, LATER)):
        shutil.copytree(FORMATS / "bundle-3", folder)
        manifest = folder / "manifest.json"
        manifest.write_bytes(with_more(manifest.read_bytes(), **change))

    assert load_bundle(more).version == load_bundle(FORMATS / "bundle-3").version
    with pytest.raises(BundleError, match="format 4, expected 3"):
        load_bundle(later)


@pytest.mark.parametrize("name", ["archive-1", "archive-2"])
def test_an_archive_of_each_format_is_read(name):
    archive = open_archive(str(FORMATS / name), home=FORMATS)
    manifest = archive.newest()

    rows = {
        stream: frame_of(archive.store.read(file.name), stream)
        for stream in (Stream.EVENTS, Stream.EXPOSURES)
        for file in manifest.files_of(stream)
    }
    assert rows[Stream.EVENTS].row(0, named=True)["id"] == "e1"
    assert rows[Stream.EXPOSURES].row(0, named=True)["items"][0]["item"] == "n1"
    assert [mark.next for mark in manifest.marks] == [2, 2]


def test_an_archive_of_a_later_format_is_refused_by_its_format(tmp_path):
    shutil.copytree(FORMATS / "archive-1", tmp_path / "archive")
    manifest = next((tmp_path / "archive" / "manifests").glob("*.json"))
    manifest.write_bytes(with_more(manifest.read_bytes(), format=3))

    with pytest.raises(ConfigurationError, match="format 3, this program knows 2"):
        open_archive("", home=tmp_path).newest()
