"""The secrets of an installation: random, written once, nobody else's."""

import os
import re
import stat
from pathlib import Path

import pytest

from clickwise.settings import load
from deploy.new_secrets import write_secrets
from tests.deploy.files import DEPLOY, compose


def variables(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_two_installations_share_no_secret(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        assert write_secrets(folder)

    for file in filter(Path.is_file, folders[0].iterdir()):
        assert file.read_text() != (folders[1] / file.name).read_text()


def test_what_is_there_is_left_as_it_is(tmp_path):
    write_secrets(tmp_path / "secrets")
    before = {file.name: file.read_text() for file in (tmp_path / "secrets").glob("*.env")}

    assert not write_secrets(tmp_path / "secrets")

    after = {file.name: file.read_text() for file in (tmp_path / "secrets").glob("*.env")}
    assert before == after


def test_they_fit_each_other_and_the_settings(tmp_path):
    folder = tmp_path / "secrets"
    write_secrets(folder)

    settings = load(variables(folder / "clickwise.env"), host="0.0.0.0")  # noqa: S104  # as in a container
    password = variables(folder / "postgres.env")["POSTGRES_PASSWORD"]
    key = variables(folder / "qdrant.env")["QDRANT__SERVICE__API_KEY"]
    assert f":{password}@postgres/" in settings.database_url.reveal()
    assert settings.qdrant_api_key.reveal() == key
    metrics = (folder / "metrics-key").read_text()
    assert [one.reveal() for one in settings.keys_of_metrics] == [metrics]
    assert metrics not in [one.reveal() for one in settings.keys]


def test_only_their_owner_comes_to_them(tmp_path):
    write_secrets(tmp_path / "secrets")

    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    for file in (tmp_path / "secrets").glob("*.env"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_alertmanagers_own_user_can_read_its_keys_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_secrets(tmp_path / "secrets")
    finally:
        os.umask(before)

    folder = tmp_path / "secrets" / "alertmanager"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    for name in ("pager-key", "chat-url", "watchdog-url"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o644


def test_each_secret_that_the_compose_file_names_is_written(tmp_path):
    write_secrets(tmp_path / ".secrets")
    services = compose()["services"].values()
    named = [path for service in services for path in service.get("env_file", ())]
    named += [one["file"] for one in compose()["secrets"].values()]
    named += [
        volume.partition(":")[0]
        for service in services
        for volume in service.get("volumes", ())
        if volume.startswith("./.secrets/")
    ]

    assert all((tmp_path / path).exists() for path in named)


def test_each_file_that_alertmanager_reads_is_written(tmp_path):
    write_secrets(tmp_path / "secrets")
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text()

    for name in re.findall(r"_file: /etc/alertmanager/secrets/(\S+)", text):
        assert (tmp_path / "secrets" / "alertmanager" / name).exists()
