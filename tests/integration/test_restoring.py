"""A restore that fails: what it leaves, what it says, and what the next one finds."""

import errno
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from clickwise.cli import run
from clickwise.cli.exits import Exit


class WrittenOnce(MemoryFileSystem):
    """A store whose rules let nobody delete."""

    protocol = "written-once"
    store = {}  # noqa: RUF012  # as fsspec has it

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("written-once://"))

    def rm_file(self, path):
        raise PermissionError(13, "Permission denied", path)


fsspec.register_implementation(WrittenOnce.protocol, WrittenOnce, clobber=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The home of a site with an archived click, and beside it a backup and a receipt."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLICKWISE_HOME", "home")
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")
    monkeypatch.setenv("CLICKWISE_LOG_FORMAT", "json")
    monkeypatch.setenv("CLICKWISE_LOG_LEVEL", "error")
    now = datetime.now(UTC).isoformat()
    click = {"id": "e", "user": "ann", "item": "a", "type": "click", "time": now}
    item = {"id": "a", "kind": "news", "title": "A"}
    (tmp_path / "items.jsonl").write_text(json.dumps(item))
    (tmp_path / "events.jsonl").write_text(json.dumps(click))
    for arguments in (
        ["import", "items.jsonl"], ["import", "events.jsonl"], ["archive", "--once"],
        ["backup", "copy"], ["forget", "ann", "--receipt", "ann.json"],
    ):  # fmt: skip
        assert run(arguments) == Exit.DONE
    return tmp_path / "home"


def put_a_name_in_the_way(folder):
    """A backup that is whole, and of which the last file cannot be written."""
    name = ".clickwise.sqlite.restoring"
    (folder / name).write_bytes(b"x")
    found = json.loads((folder / "backup.json").read_text())
    found["files"][name] = {"bytes": 1, "sha256": sha256(b"x").hexdigest()}
    (folder / "backup.json").write_text(json.dumps(found))


def restore(monkeypatch, archive_url, *more):
    """Into another home, with the archive elsewhere."""
    monkeypatch.setenv("CLICKWISE_ARCHIVE_URL", archive_url)
    return run(["restore", "copy", "--home", "other", *more])


def endings(said):
    lines = [json.loads(line) for line in said.splitlines() if '"stream": "audit"' in line]
    return [(one["action"], one["outcome"], one["reason"]) for one in lines]


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_receipt_of_another_site_is_refused_before_the_archive_is_copied(
    tmp_path, monkeypatch, capsys
):
    receipt = tmp_path / "ann.json"
    receipt.write_text(receipt.read_text().replace('"profiles"', '"nothing"'))

    code = restore(monkeypatch, "written-once://receipt", "--receipts", str(receipt))

    said = capsys.readouterr().err
    assert code == Exit.FAILED
    assert "was changed" in said
    assert fsspec.filesystem(WrittenOnce.protocol).find("receipt") == []
    assert endings(said) == [("restore", "failed", "invalid")]
    assert list((tmp_path / "other").iterdir()) == []


def test_keys_that_were_revoked_after_the_backup_are_open_again_and_told(capsys):
    ids = []
    for name in ("revoked before", "revoked since", "kept"):
        capsys.readouterr()
        run(["keys", "create", name, "--scope", "read", "--json"])
        ids.append(json.loads(capsys.readouterr().out)["id"])
    run(["keys", "revoke", ids[0]])
    run(["backup", "with-keys"])
    run(["keys", "revoke", ids[1]])
    capsys.readouterr()

    assert run(["restore", "with-keys", "--home", "other"]) == Exit.DONE

    told = capsys.readouterr().out
    assert (
        "2 keys are open as of the backup: revoke again what was revoked since"
        " (clickwise keys list --home other)"
    ) in told


def test_a_restore_of_a_site_without_keys_says_nothing_of_any(capsys):
    assert run(["restore", "copy", "--home", "other"]) == Exit.DONE
    assert "keys" not in capsys.readouterr().out

    assert run(["restore", "copy", "--home", "another", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["keys"] == 0


def test_a_restore_that_fails_leaves_every_place_to_the_next(tmp_path, monkeypatch, capsys):
    elsewhere = tmp_path / "elsewhere"
    whole = (tmp_path / "copy" / "backup.json").read_bytes()
    put_a_name_in_the_way(tmp_path / "copy")

    failed = restore(monkeypatch, str(elsewhere))

    assert failed == Exit.UNAVAILABLE
    assert endings(capsys.readouterr().err) == [("restore", "failed", "unavailable")]
    assert files(elsewhere) == files(tmp_path / "other") == []
    (tmp_path / "copy" / "backup.json").write_bytes(whole)
    assert restore(monkeypatch, str(elsewhere)) == Exit.DONE
    assert files(elsewhere)


def test_what_cannot_be_deleted_elsewhere_is_said(tmp_path, monkeypatch, capsys):
    put_a_name_in_the_way(tmp_path / "copy")

    failed = restore(monkeypatch, "written-once://kept")

    said = capsys.readouterr().err
    assert failed == Exit.UNAVAILABLE
    assert "what was copied to CLICKWISE_ARCHIVE_URL is there still" in said


def test_a_home_that_cannot_be_deleted_is_said_and_hides_neither_fault_nor_archive(
    tmp_path, monkeypatch, capsys
):
    elsewhere = tmp_path / "elsewhere"
    put_a_name_in_the_way(tmp_path / "copy")

    def refuse(path, *_, **__):
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        broken.setattr("shutil.rmtree", refuse)
        failed = restore(monkeypatch, str(elsewhere))

    said = capsys.readouterr().err
    assert failed == Exit.UNAVAILABLE
    assert endings(said) == [("restore", "failed", "unavailable")]
    assert f"what was copied to {Path('other/models')} is there still" in said
    assert "cannot be written: File exists" in said
    assert files(elsewhere) == []
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["models"]
