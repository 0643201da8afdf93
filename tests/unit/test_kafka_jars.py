"""Fetching the test broker's jars: a command that says where they are, or what is missing."""

import pytest

from clickwise.testing import kafka


def test_the_folder_has_the_version_in_its_name(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv(kafka.LIBS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    folder = tmp_path / ".cache" / f"kafka-{kafka.version()}"
    folder.mkdir(parents=True)
    (folder / "kafka_2.13-0.jar").touch()

    assert kafka.main(["resolve"]) == 0
    assert capsys.readouterr().out.strip() == str(folder)


def test_what_is_missing_is_one_line_and_exit_1(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert kafka.main(["resolve"]) == 1

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "Java" in told


@pytest.mark.parametrize("arguments", [[], ["fetch"]])
def test_anything_else_is_a_wrong_command_line(arguments):
    assert kafka.main(arguments) == 2
