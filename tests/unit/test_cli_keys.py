"""`clickwise keys`: a key is printed once, and what is kept of it opens the door."""

import json
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from clickwise.access import digest_of, id_of
from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.cli.homes import make_home
from clickwise.cli.keys import FIRST
from clickwise.cli.up import asks_for_keys, samples
from clickwise.cli.wiring import state_of
from clickwise.settings import load
from clickwise.state.key_port import StoredKey

SCOPES = ["--scope", "events", "--scope", "read"]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    folder = str(tmp_path / "home")
    monkeypatch.setenv("CLICKWISE_HOME", folder)
    return folder


@pytest.fixture
def created(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run(["keys", "create", "shop", *SCOPES, "--days", "30", "--json"]) == Exit.DONE
    made: dict[str, object] = json.loads(capsys.readouterr().out)
    return made


def kept(home: str) -> list[StoredKey]:
    with ExitStack() as stack:
        return state_of(load({}, home=home), stack).keys.every()


def test_a_key_is_made_before_the_first_start_and_kept_as_a_digest(
    home: str, created: dict[str, object]
) -> None:
    (stored,) = kept(home)

    assert stored.digest == digest_of(str(created["key"]))
    assert stored.id == created["id"] == id_of(str(created["key"]))
    assert stored.scopes == ("events", "read")
    assert stored.expires == stored.created + timedelta(days=30)


def test_the_key_stands_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "create", "shop", *SCOPES])

    said = capsys.readouterr()
    assert id_of(said.out.strip()) is not None
    assert said.out.strip() not in said.err


def test_the_first_key_says_that_it_closes_the_door_and_the_next_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["keys", "create", "shop", *SCOPES])
    first = capsys.readouterr().err
    run(["keys", "create", "shop", *SCOPES])
    second = capsys.readouterr().err

    assert FIRST in first
    assert FIRST not in second


@pytest.mark.parametrize(
    ("name", "value"), [("CLICKWISE_ACCESS", "keys"), ("CLICKWISE_API_KEYS", "sixteen-characters")]
)
def test_where_the_door_was_closed_before_a_first_key_says_nothing_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    run(["keys", "create", "shop", *SCOPES])

    assert FIRST not in capsys.readouterr().err


def test_lines_to_try_carry_a_key_once_there_is_one(home: str) -> None:
    settings = load({}, home=home)
    make_home(settings)
    with ExitStack() as stack:
        state_of(settings, stack).migrate()
    before = asks_for_keys(settings)
    run(["keys", "create", "shop", *SCOPES])
    after = asks_for_keys(settings)

    assert (before, after) == (False, True)
    assert not any("Bearer" in line for line in samples("http://a", keys=before))
    told, *lines = samples("http://a", keys=after)
    assert told.startswith("KEY=")
    assert all('-H "Authorization: Bearer $KEY"' in line for line in lines)


def test_a_list_shows_what_it_is_for_and_nothing_that_opens(
    capsys: pytest.CaptureFixture[str], created: dict[str, object]
) -> None:
    secret = str(created["key"]).rpartition("_")[2]

    run(["keys", "list"])
    table = capsys.readouterr().out
    run(["keys", "list", "--json"])
    (row,) = json.loads(capsys.readouterr().out)

    assert str(created["id"]) in table
    assert secret not in table + json.dumps(row)
    assert digest_of(str(created["key"])).hex() not in table + json.dumps(row)
    assert (row["name"], row["scopes"], row["state"]) == ("shop", ["events", "read"], "open")


def test_a_rotated_key_has_the_same_rights_and_an_end_for_the_old_one(
    capsys: pytest.CaptureFixture[str], home: str, created: dict[str, object]
) -> None:
    code = run(["keys", "rotate", str(created["id"]), "--grace-hours", "1", "--json"])

    new = json.loads(capsys.readouterr().out)
    first, second = kept(home)
    assert code == Exit.DONE
    assert new["key"] != created["key"]
    assert (second.name, second.scopes, second.replaces) == (first.name, first.scopes, first.id)
    assert second.expires == second.created + timedelta(days=30)
    assert first.expires == second.created + timedelta(hours=1)


def test_a_list_tells_a_rotated_key_from_an_open_one_and_until_when_it_opens(
    capsys: pytest.CaptureFixture[str], home: str, created: dict[str, object]
) -> None:
    run(["keys", "rotate", str(created["id"]), "--grace-hours", "1", "--json"])
    new = json.loads(capsys.readouterr().out)

    run(["keys", "list"])
    table = capsys.readouterr().out
    run(["keys", "list", "--json"])
    rows = json.loads(capsys.readouterr().out)

    old, _ = kept(home)
    assert old.expires is not None
    assert [(row["state"], row["replaced_by"]) for row in rows] == [
        ("rotated", new["id"]),
        ("open", None),
    ]
    (line,) = [one for one in table.splitlines() if f"rotated to {new['id']}" in one]
    assert str(created["id"]) in line
    assert old.expires.isoformat(timespec="seconds") in line


def test_a_rotated_key_whose_time_is_over_has_expired(
    capsys: pytest.CaptureFixture[str], created: dict[str, object]
) -> None:
    run(["keys", "rotate", str(created["id"]), "--grace-hours", "0"])
    capsys.readouterr()

    run(["keys", "list", "--json"])

    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["expired", "open"]


def test_a_revoked_key_is_told(
    capsys: pytest.CaptureFixture[str], created: dict[str, object]
) -> None:
    assert run(["keys", "revoke", str(created["id"])]) == Exit.DONE

    capsys.readouterr()
    run(["keys", "list", "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row["state"] == "revoked"
    assert run(["keys", "rotate", str(created["id"])]) == Exit.FAILED


@pytest.mark.parametrize(
    ("arguments", "expected", "words"),
    [
        (["create", "shop", "--scope", "foo"], Exit.USAGE, "'foo': expected scopes of events,"),
        (["create", "", "--scope", "read"], Exit.USAGE, "printable"),
        (["create", "a\nb", "--scope", "read"], Exit.USAGE, "printable"),
        (["revoke", "nobody"], Exit.FAILED, "there is no"),
        (["rotate", "nobody"], Exit.FAILED, "there is no"),
        (["list"], Exit.FAILED, "there is no site"),
    ],
)
def test_what_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: Exit, words: str
) -> None:
    code = run(["keys", *arguments])

    lines = capsys.readouterr().err.splitlines()
    assert code == expected
    assert len(lines) == 1
    assert words in lines[0]
