"""Trainings' copies of an archive that is elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

from clickwise.archive import is_remote
from clickwise.privacy.copies import ArchiveCopies
from clickwise.types import UserId

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_copies_go_and_those_of_other_machines_are_named_as_left(tmp_path: Path) -> None:
    left = []
    for url in ("/srv/archive", "s3://bucket/archive"):
        folder = tmp_path / "archive-cache"
        (folder / "events").mkdir(parents=True)
        (folder / "events" / "one.parquet").write_bytes(b"rows")

        erased = ArchiveCopies(folder, elsewhere=is_remote(url)).erase(UserId("ann"), until=NOW)

        assert erased.records == 1
        assert not folder.exists()
        left.append(erased.left)
    assert [bool(one) for one in left] == [False, True]
    assert "other machines" in left[1]


def test_only_an_archive_that_is_no_folder_is_copied() -> None:
    assert is_remote("s3://bucket/archive")
    assert not any(map(is_remote, ("", "folder/archive", "file:///srv/archive")))
