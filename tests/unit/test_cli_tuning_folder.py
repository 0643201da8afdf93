"""The folder of a tuning's results: whole, of one run, whatever happens to the next."""

import errno
import multiprocessing
import os
import signal

import pytest

from clickwise.cli.tuning_folder import check_out, made_whole, put_in_place
from clickwise.errors import BundleError, ConfigurationError, ConflictError


def written(folder, run, *, names=("model.safetensors", "classifier.json", "report.json")):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(run)


def holds(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def out(tmp_path):
    """A folder with what an older run left."""
    written(tmp_path / "out", "old")
    return tmp_path / "out"


def test_all_of_a_run_takes_the_place_of_all_of_the_one_before(out):
    with made_whole(out) as new:
        written(new, "new", names=("model.safetensors",))

    assert holds(out) == {"model.safetensors": "new"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_that_is_not_there_yet_is_made(tmp_path):
    with made_whole(tmp_path / "deep" / "out") as new:
        written(new, "new")

    assert set(holds(tmp_path / "deep" / "out").values()) == {"new"}


def test_what_is_made_has_the_name_that_it_will_have(out):
    with made_whole(out) as new:
        assert new.name == "out"


def run_that_ends_with(fault, out):
    with made_whole(out) as new:
        written(new, "new", names=("model.safetensors",))
        raise fault


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_leaves_the_one_before(out, fault):
    with pytest.raises(fault):
        run_that_ends_with(fault(), out)

    assert set(holds(out).values()) == {"old"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def killed_while_it_writes(out):
    with made_whole(out) as new:
        written(new, "new", names=("model.safetensors",))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_run_leaves_the_one_before_and_the_next_one_its_own(out):
    process = multiprocessing.get_context("spawn").Process(
        target=killed_while_it_writes, args=(out,)
    )
    process.start()
    process.join()

    assert process.exitcode == -signal.SIGKILL
    assert set(holds(out).values()) == {"old"}
    check_out(out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_files_that_no_tuning_made_stay(out):
    (out / "README.md").write_text("mine")
    (out / "my-lora.safetensors").write_text("mine")
    (out / "notes").mkdir()
    (out / "notes" / "a.txt").write_text("mine too")

    with made_whole(out) as new:
        written(new, "new")

    assert holds(out)["README.md"] == holds(out)["my-lora.safetensors"] == "mine"
    assert (out / "notes" / "a.txt").read_text() == "mine too"


def test_what_was_refused_can_be_found_and_what_stood_there_still_does(out):
    with pytest.raises(BundleError) as told:
        run_that_ends_with(BundleError("too far off"), out)

    assert str(told.value).startswith("too far off; it is in ")
    assert set(holds(out).values()) == {"old"}
    assert set(holds(out.parent / ".out.making" / "out").values()) == {"new"}


def test_of_two_commands_one_writes(out):
    with made_whole(out), pytest.raises(ConflictError, match="another command"):
        check_out(out)

    assert holds(out) == {}


def test_two_folders_get_each_others_place(out, tmp_path):
    written(tmp_path / "new", "new")

    put_in_place(tmp_path / "new", out, former=tmp_path / "former")

    assert set(holds(out).values()) == {"new"}
    assert set(holds(tmp_path / "new").values()) == {"old"}


def test_a_run_that_was_killed_between_two_renames_is_undone(out):
    beside = out.parent / ".out.making"
    written(out.parent / "made", "new")
    beside.mkdir()
    (out.parent / "made").rename(beside / "out")
    out.rename(beside / "former")

    check_out(out)

    assert set(holds(out).values()) == {"old"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_full_disk_takes_one_line(out):
    with pytest.raises(ConfigurationError, match="No space left"):
        run_that_ends_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), out)

    assert set(holds(out).values()) == {"old"}


@pytest.mark.parametrize(("name", "told"), [("file", "is no folder"), (".", "called in")])
def test_a_folder_that_cannot_be_replaced_is_refused_before_the_work(
    tmp_path, monkeypatch, name, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=told):
        check_out(tmp_path / name)
