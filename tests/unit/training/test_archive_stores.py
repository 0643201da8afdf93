"""Both stores keep the same promises: a folder, and whatever fsspec opens."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from clickwise.archive import LocalStore, open_store
from clickwise.archive.remote import RemoteStore
from clickwise.errors import ConfigurationError, ConflictError, NotFoundError


@pytest.fixture(params=["folder", "memory", "local"])
def store(request, tmp_path):
    if request.param == "folder":
        return LocalStore(tmp_path / "archive")
    if request.param == "memory":
        return RemoteStore(f"memory://{uuid4().hex}/archive")
    return RemoteStore(f"local://{tmp_path}/archive")


def test_what_is_written_is_read(store, tmp_path):
    store.write("events/date=2026-11-20/a.parquet", b"first")
    store.write("events/date=2026-11-20/a.parquet", b"second")

    assert store.read("events/date=2026-11-20/a.parquet") == b"second"
    copy = store.fetch("events/date=2026-11-20/a.parquet", tmp_path / "cache")
    assert copy.read_bytes() == b"second"


def test_what_is_created_is_never_replaced(store):
    store.create("manifests/1.json", b"first")

    with pytest.raises(ConflictError):
        store.create("manifests/1.json", b"second")
    assert store.read("manifests/1.json") == b"first"


def test_files_are_listed_below_their_folder_with_size_and_time(store):
    assert store.files("events") == []
    store.write("events/date=b/2", b"22")
    store.write("events/date=a/1", b"1")
    store.write("items/3", b"333")

    listed = store.files("events")

    assert [(file.name, file.size) for file in listed] == [
        ("events/date=a/1", 1), ("events/date=b/2", 2),
    ]  # fmt: skip
    age = [datetime.now(UTC) - file.modified for file in listed]
    assert all(abs(one) < timedelta(minutes=10) for one in age)


def test_what_is_missing_is_not_found(store, tmp_path):
    with pytest.raises(NotFoundError, match="nothing"):
        store.read("nothing")
    with pytest.raises(NotFoundError, match="nothing"):
        store.fetch("nothing", tmp_path / "cache")


def test_deleting_twice_is_no_fault(store):
    store.write("a", b"1")

    store.delete("a")
    store.delete("a")

    assert store.files("") == []


def test_a_folder_holds_no_unfinished_files(tmp_path):
    store = LocalStore(tmp_path)
    store.write("events/a", b"1")
    store.create("events/b", b"1")
    with pytest.raises(ConflictError):
        store.create("events/b", b"1")

    assert sorted(path.name for path in (tmp_path / "events").iterdir()) == ["a", "b"]


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "archive").write_text("a file")

    with pytest.raises(ConfigurationError, match="CLICKWISE_ARCHIVE_URL"):
        LocalStore(tmp_path / "archive").write("events/a", b"1")


def test_urls_name_their_store(tmp_path):
    open_store(f"file://{tmp_path}").write("a", b"1")

    assert (tmp_path / "a").read_bytes() == b"1"
    assert isinstance(open_store("memory://x"), RemoteStore)
    with pytest.raises(ConfigurationError, match="CLICKWISE_ARCHIVE_URL"):
        open_store("nosuchthing://x")
