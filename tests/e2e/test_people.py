"""A person is erased, told and looked for again, on a site as a user runs it."""

import json
import os
import subprocess
from pathlib import Path

import httpx
import polars as pl
import pytest

from clickwise.testing.processes import wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite

USER = "rosalind-ellery-7"
SESSION = "session-of-rosalind"
OTHER = "somebody-else-77"


@pytest.fixture
def site(tmp_path: Path):
    with RunningSite(tmp_path / "home") as running:
        running.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(12))
        for i in range(6):
            running.send(event(USER, i), event(OTHER, i))
        yield running


def event(user: str, number: int) -> dict[str, object]:
    return {
        "id": f"event-{number}-of-{user}",
        "user": user,
        "item": f"n{number}",
        "type": "click",
        "session": SESSION if user == USER else "another",
    }


def command(site: RunningSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    return subprocess.run(
        [*COMMAND, *arguments, "--home", str(site.home)],
        env=environment | HASHING,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def done(site: RunningSite, *arguments: str) -> str:
    ran = command(site, *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def show_a_list(site: RunningSite, user: str) -> None:
    """And wait until the log of exposures has it."""
    request = site.list_of(user)["request_id"]
    why = f"{site.address}/v1/recommendations/{request}/why"
    wait_until(lambda: httpx.get(why).is_success, seconds=30, what="the exposure is logged")


def traces(site: RunningSite) -> list[str]:
    """Files of the home, and the log, that hold the user's id or a text of their events."""
    texts = (USER.encode(), SESSION.encode())
    found = []
    for path in [*site.home.rglob("*"), site.home.parent / f"{site.home.name}.log"]:
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":  # compressed: what is in it, too
            content += json.dumps(pl.read_parquet(path).to_dicts(), default=str).encode()
        if any(text in content for text in texts):
            found.append(path.relative_to(site.home.parent).as_posix())
    return found


def test_nothing_of_a_forgotten_user_is_in_any_file(site: RunningSite) -> None:
    show_a_list(site, USER)
    show_a_list(site, OTHER)
    done(site, "archive", "--once")
    assert any("sqlite" in path for path in traces(site))
    assert any("archive/events" in path for path in traces(site))
    assert any("archive/exposures" in path for path in traces(site))

    receipt = site.home.parent / "receipt.json"
    done(site, "forget", USER, "--receipt", str(receipt))

    assert traces(site) == []
    assert site.get(f"/v1/users/{OTHER}/profile")["events_applied"] == 6
    told = json.loads(receipt.read_text())
    assert USER not in receipt.read_text()
    assert {one["store"]: one["records"] for one in told["stores"]} == {
        "profiles": 1,
        "events": 6,
        "exposures": 1,
        "dead letters": 0,
        "archive": 7,
        "training's copies of the archive": 0,
    }


def test_an_older_event_of_a_forgotten_user_has_no_effect_and_a_later_one_begins_anew(
    site: RunningSite,
) -> None:
    httpx.delete(f"{site.address}/v1/users/{USER}", timeout=60).raise_for_status()

    again = event(USER, 3) | {"time": "2026-11-20T00:00:00Z"}
    verdicts = site.send(again)
    site.send(event(USER, 9))

    profile = site.get(f"/v1/users/{USER}/profile")
    assert verdicts == ["duplicate"]
    assert [one["item"] for one in profile["history"]] == ["n9"]
    assert profile["profile_version"] == 1


def test_the_archive_goes_on_after_an_erasure(site: RunningSite) -> None:
    site.send(event(USER, 7))  # the last that is archived is the one that goes
    done(site, "archive", "--once")

    done(site, "forget", USER)
    site.send(event(OTHER, 8))

    summary = json.loads(done(site, "archive", "--once", "--json"))
    assert summary["added"]["events"] == 1
    assert summary["rows"]["events"] == 7
    assert summary["lost"] == 0


def test_a_receipt_is_verified_by_looking_again(site: RunningSite) -> None:
    receipt = site.home.parent / "receipt.json"
    done(site, "archive", "--once")
    before = {path: path.read_bytes() for path in (site.home / "archive").rglob("*.parquet")}
    done(site, "forget", USER, "--receipt", str(receipt))

    nothing = command(site, "forget", "--verify", str(receipt))
    for path, content in before.items():  # a backup was put back, say
        path.write_bytes(content)
    something = command(site, "forget", "--verify", str(receipt), "--json")
    receipt.write_text(receipt.read_text().replace('"profiles"', '"nothing"'))
    changed = command(site, "forget", "--verify", str(receipt))

    assert (nothing.returncode, "nothing found" in nothing.stdout) == (0, True), nothing.stderr
    assert something.returncode == 1
    assert json.loads(something.stdout)["found"] == {"archive": 6}
    assert changed.returncode != 0
    assert "was changed" in changed.stderr


def test_a_user_is_told_all_that_is_known_of_them_and_of_nobody_else(site: RunningSite) -> None:
    show_a_list(site, USER)
    done(site, "archive", "--once")

    by_http = httpx.get(f"{site.address}/v1/users/{USER}/export", timeout=60)
    lines = [json.loads(line) for line in done(site, "export", USER).splitlines()]
    nobody = command(site, "export", "nobody-at-all")

    counted: dict[str, int] = {}
    for line in lines:
        counted[line["store"]] = counted.get(line["store"], 0) + 1
    assert counted == {"profiles": 1, "events": 6, "exposures": 1, "archive": 7}
    assert by_http.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in by_http.text.splitlines()] == lines
    assert OTHER not in by_http.text
    assert nobody.returncode != 0
    assert "nothing is known" in nobody.stderr
