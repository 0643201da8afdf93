"""The drill of docs/care.md: a running site is copied, destroyed, and made again."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import msgspec
import pytest

from clickwise.archive import Stream, open_archive
from clickwise.archive.columns import frame_of
from clickwise.clock import SystemClock
from clickwise.events import Event
from clickwise.profile import from_stored
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.hashed_index import HashedIndex
from clickwise.testing.processes import wait_until
from clickwise.testing.releases import fixed_releases
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from streams.handlers import Arrival, EventHandler

ITEMS = 12
USERS = 5
GONE = "rosalind-ellery-7"


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    return subprocess.run(
        [*COMMAND, *arguments, "--home", str(home)],
        env=environment | HASHING,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def done(home: Path, *arguments: str) -> str:
    ran = command(home, *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def event(number: int, user: str = "") -> dict[str, object]:
    return {
        "id": f"e{number}",
        "user": user or f"u{number % USERS}",
        "item": f"n{number % ITEMS}",
        "type": "click",
    }


def fill(site: RunningSite) -> None:
    site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(ITEMS))


class Traffic(Thread):
    """Sends events until it is told to stop; `acknowledged` are in the log."""

    def __init__(self, site: RunningSite, first: int) -> None:
        super().__init__(daemon=True)
        self._site = site
        self._next = first
        self.acknowledged = first
        self.over = Flag()

    def run(self) -> None:
        while not self.over.is_set():
            self._site.send(event(self._next))
            self._next += 1
            self.acknowledged = self._next


def opened(home: Path) -> SqlState:
    return open_state(f"sqlite:///{home / 'clickwise.sqlite'}", timeout_seconds=10.0, pool_size=2)


def log_of(state: SqlState) -> list[Event]:
    rows = state.log_rows("events", after=0, limit=100_000)
    return [msgspec.json.decode(row.body, type=Event) for row in rows]


def histories(state: SqlState) -> dict[str, list[tuple[int, ...]]]:
    """Of each user, what the profile holds: times, items, kinds, weights."""
    found = {}
    for user in state.users():
        stored, _ = state.profile(user)
        assert stored is not None
        found[user] = from_stored(stored.body)[0].history.tolist()
    return found


def replayed(events: list[Event], folder: Path) -> SqlState:
    state = open_state(f"sqlite:///{folder / 'replay.db'}", timeout_seconds=10.0, pool_size=2)
    state.migrate()
    handler = EventHandler(
        state=state,
        releases=fixed_releases(state, HashedIndex()),
        clock=SystemClock(),
        keep_bodies=True,
    )
    handler.apply([Arrival(one, one.time) for one in events])
    return state


@pytest.mark.case(17)
def test_a_backup_of_a_running_site_is_a_site_as_it_was_and_goes_on(tmp_path: Path) -> None:
    home, copy, other = tmp_path / "home", tmp_path / "copy", tmp_path / "other"
    with RunningSite(home) as site:
        fill(site)
        for number in range(40):
            site.send(event(number))
        done(home, "archive", "--once")
        traffic = Traffic(site, 40)
        traffic.start()
        wait_until(lambda: traffic.acknowledged > 60, seconds=60, what="some events")
        before = traffic.acknowledged
        made = json.loads(done(home, "backup", str(copy), "--json"))
        after = traffic.acknowledged
        wait_until(lambda: traffic.acknowledged > after + 10, seconds=60, what="later events")
        traffic.over.set()
        traffic.join(30)
    shutil.rmtree(home)

    done(other, "restore", str(copy))

    state = opened(other)
    events = log_of(state)
    assert [one.id for one in events] == [f"e{n}" for n in range(len(events))]
    assert before <= len(events) == made["events"] <= traffic.acknowledged
    again = replayed(events, tmp_path)
    assert histories(state) == histories(again)
    state.close()
    again.close()
    with RunningSite(other) as site:
        wait_until(lambda: len(site.shown_to("nobody")) == 10, seconds=60, what="the index")
        user = f"u{len(events) % USERS}"
        known = site.get(f"/v1/users/{user}/profile")["events_applied"]
        assert site.send(event(len(events)), event(0)) == ["applied", "duplicate"]
        assert site.get(f"/v1/users/{user}/profile")["events_applied"] == known + 1
        summary = json.loads(done(other, "archive", "--once", "--json"))
    assert summary["rows"]["events"] == len(events) + 1
    assert summary["lost"] == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("made")
    home, copy = folder / "home", folder / "copy"
    with RunningSite(home) as site:
        fill(site)
        site.send(*(event(n) for n in range(10)), *(event(100 + n, GONE) for n in range(6)))
        done(home, "archive", "--once")
    done(home, "backup", str(copy))
    return home, copy


@pytest.fixture
def copied(made: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A stopped site's home, and its backup, with one user more than stay."""
    for one in made:
        shutil.copytree(one, tmp_path / one.name)
    return tmp_path / "home", tmp_path / "copy"


def is_archived(home: Path, user: str) -> bool:
    """Whether the archive has events of the user, by name or by id."""
    state = opened(home)
    names = {user, state.people.name_of(user)}
    state.close()
    archive = open_archive("", home=home)
    files = archive.newest().files_of(Stream.EVENTS)
    frames = [frame_of(archive.store.read(file.name), Stream.EVENTS) for file in files]
    return any(frame["user"].is_in(names).any() for frame in frames)


def test_a_person_who_was_forgotten_after_the_backup_stays_so(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    home, copy = copied
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    done(home, "forget", GONE, "--receipt", str(receipts / "one.json"))
    other = tmp_path / "other"

    restored = json.loads(done(other, "restore", str(copy), "--receipts", str(receipts), "--json"))

    assert restored["erased"] == 1 + 6 + 6  # profile, log, archive
    assert not is_archived(other, GONE)
    assert is_archived(other, "u1")
    found = [p for p in other.rglob("*") if p.is_file() and GONE.encode() in p.read_bytes()]
    assert found == []
    done(other, "forget", "--verify", str(receipts / "one.json"))
    with RunningSite(other) as site:
        old = event(200, GONE) | {"time": "2026-01-01T00:00:00Z"}
        assert site.send(old) == ["duplicate"]
    assert command(other, "export", GONE).returncode != 0


def test_receipts_given_later_erase_what_came_back(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    home, copy = copied
    receipt, other = tmp_path / "receipt.json", tmp_path / "other"
    done(home, "forget", GONE, "--receipt", str(receipt))
    done(other, "restore", str(copy))
    assert command(other, "forget", "--verify", str(receipt)).returncode == 1

    done(other, "forget", "--again", str(receipt))

    done(other, "forget", "--verify", str(receipt))
    assert not is_archived(other, GONE)
    assert command(other, "export", "u1").returncode == 0


def cut_the_list(copy: Path) -> None:
    (copy / "backup.json").unlink()


def change_a_byte(copy: Path) -> None:
    path = next((copy / "archive").rglob("*.parquet"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lose_the_database(copy: Path) -> None:
    (copy / "database" / "clickwise.sqlite").unlink()


def name_a_file_outside(copy: Path) -> None:
    path = copy / "backup.json"
    path.write_text(path.read_text().replace('"database/', '"../database/'))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_the_list, "no whole backup"),
        (change_a_byte, "is damaged"),
        (lose_the_database, "cannot be read"),
        (name_a_file_outside, "no name of a file"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_written(
    copied: tuple[Path, Path], tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    _, copy = copied
    other = tmp_path / "other"
    damage(copy)

    refused = command(other, "restore", str(copy))

    assert refused.returncode == 1
    assert said in refused.stderr
    assert not other.exists()


def test_neither_a_backup_nor_a_restore_writes_over_what_is_there(
    copied: tuple[Path, Path],
) -> None:
    home, copy = copied

    over = command(home, "backup", str(copy))
    into = command(home, "restore", str(copy))
    inside = command(home, "backup", str(home / "copy"))

    assert (over.returncode, "is not empty" in over.stderr) == (1, True)
    assert (into.returncode, "is not empty" in into.stderr) == (1, True)
    assert (inside.returncode, "inside the home" in inside.stderr) == (1, True)


def test_a_receipt_of_another_site_leaves_nothing_behind(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    home, copy = copied
    receipt, other = tmp_path / "receipt.json", tmp_path / "other"
    done(home, "forget", GONE, "--receipt", str(receipt))
    receipt.write_text(receipt.read_text().replace('"profiles"', '"nothing"'))

    refused = command(other, "restore", str(copy), "--receipts", str(receipt))

    assert refused.returncode == 1
    assert "was changed" in refused.stderr
    assert list(other.iterdir()) == []


def test_a_site_on_postgresql_is_told_where_to_look(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    environment["CLICKWISE_DATABASE_URL"] = "postgresql+psycopg://one@127.0.0.1:1/one"

    ran = subprocess.run(
        [*COMMAND, "backup", str(tmp_path / "copy"), "--home", str(tmp_path / "home")],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ran.returncode == 2
    assert "docs/care.md" in ran.stderr
