"""`clickwise check --deep` names each thing that is damaged: what, where, and what was expected."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from clickwise.cli import run
from clickwise.settings import load
from clickwise.state.port import Partition
from clickwise.state.sql import open_state
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from streams import topics_admin


def event(number: int) -> dict[str, object]:
    return {
        "id": f"e{number}",
        "user": f"u{number % 3}",
        "item": f"n{number % 12}",
        "type": "click",
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped site with profiles, an archive, a bundle and an index."""
    home = tmp_path_factory.mktemp("whole") / "home"
    with RunningSite(home) as site:
        site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(12))
        site.send(*(event(n) for n in range(30)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
        for command in (("archive", "--once"), ("index", "build")):
            subprocess.run(
                [*COMMAND, *command, "--home", str(home)],
                env=environment | HASHING, check=False, timeout=120,
            )  # fmt: skip
    return home


@pytest.fixture
def home(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in HASHING.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(whole, tmp_path / "home")
    return tmp_path / "home"


def looked_at(home: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str]]]:
    capsys.readouterr()
    code = run(["check", "--deep", "--json", "--home", str(home), "--port", "0"])
    return code, json.loads(capsys.readouterr().out)["findings"]


def faults(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What failed, by the check's name; each with its expectation."""
    code, findings = looked_at(home, capsys)
    failed: dict[str, str] = {}
    for one in findings:
        if one["level"] == "fail":
            failed[one["name"]] = f"{failed.get(one['name'], '')}{one['text']}\n"
    assert code == (1 if failed else 0)
    return failed


def sql(home: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(home / "clickwise.sqlite")
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_sound_site_passes_and_is_as_it_was(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stored() -> tuple[list[str], dict[str, bytes]]:
        connection = sqlite3.connect(home / "clickwise.sqlite")
        rows = list(connection.iterdump())
        connection.close()
        return rows, {
            str(path.relative_to(home)): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file() and ".sqlite" not in path.name
        }

    before = stored()

    code, findings = looked_at(home, capsys)

    said = {one["name"]: one["text"] for one in findings}
    assert code == 0, findings
    assert said["profiles"] == "3 profiles read"
    assert said["items"] == "12 items read"
    assert "30 rows" in said["archive"]
    assert "12 items" in said["index"]
    assert stored() == before


def damage_profile(home: Path) -> None:
    sql(home, "UPDATE profiles SET body = substr(body, 1, 40) WHERE user = 'u1'")


def damage_vector(home: Path) -> None:
    sql(home, "UPDATE item_vectors SET vector = substr(vector, 1, 100) WHERE key ="
              " (SELECT min(key) FROM items)")  # fmt: skip


def miscount_items(home: Path) -> None:
    sql(home, "UPDATE counters SET value = value + 2 WHERE name = 'items'")


def age_schema(home: Path) -> None:
    sql(home, "UPDATE alembic_version SET version_num = '0005'")


def lose_archived_file(home: Path) -> None:
    next((home / "archive" / "events").rglob("*.parquet")).unlink()


def cut_archived_file(home: Path) -> None:
    path = next((home / "archive" / "events").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])


def forget_a_file(home: Path) -> None:
    path = max((home / "archive" / "manifests").glob("*.json"))
    manifest = json.loads(path.read_text())
    manifest["files"] = [one for one in manifest["files"] if one["stream"] != "events"]
    path.write_text(json.dumps(manifest))


def shorten_the_log(home: Path) -> None:
    sql(home, "DELETE FROM events WHERE seq > 20")


def change_bundle(home: Path) -> None:
    path = next((home / "models" / "bundles").glob("*/scorer.onnx"))
    path.write_bytes(path.read_bytes() + b"\0")


def change_index(home: Path) -> None:
    path = max((home / "vectors").rglob("columns/*.npy"), key=lambda one: one.stat().st_size)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "name", "said"),
    [
        (damage_profile, "profiles", "profile of user 'u1'"),
        (damage_vector, "items", "expected 256"),
        (miscount_items, "items", "says 14, expected 12"),
        (age_schema, "schema", "schema 0005, expected"),
        (lose_archived_file, "archive", "not in the archive, expected 30 rows"),
        (cut_archived_file, "archive", "expected 30"),
        (forget_a_file, "archive", "0 different offsets in the files, expected 30"),
        (shorten_the_log, "archive", "archived up to number 30, expected the log to reach"),
        (change_bundle, "bundles", "scorer.onnx has SHA-256"),
        (change_index, "index", "expected the checksums"),
    ],
)
def test_what_is_damaged_is_named(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    name: str,
    said: str,
) -> None:
    damage(home)

    found = faults(home, capsys)

    assert said in found[name]


def made_certificate(folder: Path, days: int) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-days", str(days), "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


@pytest.mark.parametrize(("days", "level"), [(400, "ok"), (3, "warn")])
def test_a_certificate_that_ends_is_told_before(
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    level: str,
) -> None:
    key, certificate = made_certificate(tmp_path, days)
    monkeypatch.setenv("CLICKWISE_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("CLICKWISE_TLS_KEY", str(key))

    _, findings = looked_at(home, capsys)

    (found,) = [one for one in findings if one["name"] == "tls"]
    end = subprocess.run(
        ["openssl", "x509", "-enddate", "-noout", "-dateopt", "iso_8601", "-in", certificate],
        check=True, capture_output=True, text=True,
    ).stdout.strip().removeprefix("notAfter=").removesuffix("Z")  # fmt: skip
    assert found["level"] == level
    assert end.replace(" ", "T") in found["text"]


def test_a_key_of_another_certificate_is_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    _, certificate = made_certificate(tmp_path, 400)
    key, _ = made_certificate(tmp_path / "other", 400)
    monkeypatch.setenv("CLICKWISE_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("CLICKWISE_TLS_KEY", str(key))

    assert "does not go with the certificate" in faults(home, capsys)["tls"]


@pytest.fixture
def cluster(
    kafka: KafkaServer,
    postgres_url: str,
    topic_prefix: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    for name, value in {
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "KAFKA_TOPIC_PREFIX": topic_prefix,
        "KAFKA_GROUP": topic_prefix,
        "KAFKA_PARTITIONS": "1",
        "DATABASE_URL": postgres_url,
    }.items():
        monkeypatch.setenv(f"CLICKWISE_{name}", value)
    topics_admin.create_topics(load(os.environ))
    run(["migrate", "--home", str(home)])
    return topic_prefix


def test_topics_and_offsets_that_are_as_they_should_be_pass(
    cluster: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(home / "archive")
    _, findings = looked_at(home, capsys)

    said = {one["name"]: (one["level"], one["text"]) for one in findings}
    assert said["topics"] == ("ok", "8 of 8 topics are set as they should be")
    assert said["offsets"] == (
        "ok", f"offsets of {cluster}.events and {cluster}.items lie within the log"
    )  # fmt: skip
    assert said["schema"][0] == "ok"


def test_a_topic_set_otherwise_and_an_offset_beyond_the_log_are_named(
    cluster: str,
    kafka: KafkaServer,
    postgres_url: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def alter() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        shorter = {"retention.ms": "60000", "cleanup.policy": "delete", "segment.ms": "604800000"}
        resource = ConfigResource(ConfigResourceType.TOPIC, f"{cluster}.events", configs=shorter)
        await admin.alter_configs([resource])
        await admin.close()

    asyncio.run(alter())
    state = open_state(postgres_url, timeout_seconds=5.0, pool_size=2)
    with state.write() as write:
        write.put_offsets({Partition(cluster, f"{cluster}.items", 0): 9})
    state.close()

    found = faults(home, capsys)

    assert f"{cluster}.events has retention.ms=60000, expected 604800000 or more" in found["topics"]
    assert (
        f"{cluster}.events has segment.ms=604800000, expected 86400000 or less" in found["topics"]
    )
    assert "applied up to 9, expected 0 at most" in found["offsets"]
