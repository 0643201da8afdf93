"""A broker with TLS, passwords and ACLs: every process by its own name, with the rights that
docs/access.md gives it and no others.
"""

import argparse
import asyncio
import gc
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from clickwise.errors import ClickwiseError, ConfigurationError, UnavailableError
from clickwise.settings import Settings, load
from clickwise.testing.certificates import Authority
from clickwise.testing.kafka import BrokerLogin, KafkaMissingError, KafkaServer, libraries
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from clickwise.testing.services import missing
from streams import kafka
from streams.kafka import Message, Producer

SECONDS = 60.0
USERS = ("admin", "serve", "stream", "archive", "producer", "consumer")
PASSWORDS = {f"clickwise-{user}": f"password-of-{user}-0123456789" for user in USERS}
PAGE = Path(__file__).parents[2] / "docs" / "access.md"
# Of Kafka's protocol.
RESOURCES = {"topic": 2, "group": 3}
OPERATIONS = {"All": 2, "Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
PATTERNS = {"literal": 3, "prefixed": 4}
ALLOW = 3


class Broker:
    """The broker, and who signed its certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.other = Authority(folder / "other")
        login = BrokerLogin(self.authority.issue("broker"), PASSWORDS)
        self.server = KafkaServer(folder / "kafka", login=login)

    def environment(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        return {
            "CLICKWISE_KAFKA_BOOTSTRAP": self.server.secure_bootstrap,
            "CLICKWISE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "CLICKWISE_KAFKA_SASL_MECHANISM": mechanism,
            "CLICKWISE_KAFKA_USERNAME": f"clickwise-{user}",
            "CLICKWISE_KAFKA_PASSWORD": PASSWORDS[f"clickwise-{user}"],
            "CLICKWISE_KAFKA_CA_FILE": str(self.authority.file),
            "CLICKWISE_KAFKA_PARTITIONS": "1",
            "CLICKWISE_DATABASE_URL": "sqlite:///never-made",
        }

    def settings(self, user: str, mechanism: str = "SCRAM-SHA-512", **changed: str) -> Settings:
        return load(self.environment(user, mechanism), **changed)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    try:
        libraries()
    except KafkaMissingError as error:
        missing(str(error))
    made = Broker(tmp_path_factory.mktemp("secured"))
    with made.server:
        asyncio.run(allow(made.server.bootstrap, documented()))
        yield made


def documented() -> list[str]:
    """The `kafka-acls` commands of the page, as an operator copies them."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^kafka-acls .*$", text, flags=re.MULTILINE)


async def allow(bootstrap: str, commands: list[str]) -> None:
    """Do what the commands of Kafka's tool do; the broker's jars here come without that."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        for command in commands:
            for kind, name, pattern, principal, operation in parsed(command):
                request = CreateAclsRequest(
                    RESOURCES[kind], name, PATTERNS[pattern], principal, "*",
                    OPERATIONS[operation], ALLOW,
                )  # fmt: skip
                answer = await client._send_request(request)
                assert [code for code, _ in answer.creation_responses] == [0]
    finally:
        await client.close()


def parsed(command: str) -> Iterator[tuple[str, str, str, str, str]]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    for name in ("--bootstrap-server", "--command-config", "--allow-principal"):
        parser.add_argument(name, required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--resource-pattern-type", default="literal")
    for name in ("--operation", "--topic", "--group"):
        parser.add_argument(name, action="append", default=[])
    said = parser.parse_args(shlex.split(command)[1:])
    for kind, names in (("topic", said.topic), ("group", said.group)):
        for name in names:
            for operation in said.operation:
                yield kind, name, said.resource_pattern_type, said.allow_principal, operation


def command(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    done = subprocess.run(
        [*COMMAND, *arguments],
        env={**inherited, **environment, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


async def write(settings: Settings, topic: str) -> None:
    producer = Producer(settings, delivery_seconds=5.0)
    try:
        await producer.write([Message(f"clickwise.{topic}", b"k", b"{}")])
    finally:
        await producer.stop()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_client_logs_in_over_tls(broker: Broker, mechanism: str) -> None:
    await kafka.ping(broker.settings("serve", mechanism))


# aiokafka leaves the connection of a login that failed to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_wrong_password_and_another_authority_are_refused(broker: Broker) -> None:
    with pytest.raises(ClickwiseError):
        await kafka.ping(broker.settings("serve", kafka_password="guessed-password"))
    with pytest.raises(UnavailableError):
        await kafka.ping(broker.settings("serve", kafka_ca_file=str(broker.other.file)))
    with pytest.raises(ConfigurationError, match="CLICKWISE_KAFKA_CA_FILE=absent"):
        await kafka.ping(broker.settings("serve", kafka_ca_file="absent"))
    gc.collect()  # here, where the warning is expected, and in no later test


@pytest.mark.case(20)
def test_every_process_does_its_work_with_the_rights_of_the_page_and_no_others(
    broker: Broker, postgres_url: str, tmp_path: Path
) -> None:
    def environment(user: str) -> dict[str, str]:
        return {
            **HASHING,
            **broker.environment(user),
            "CLICKWISE_DATABASE_URL": postgres_url,
            "CLICKWISE_HOME": str(tmp_path / f"home-{user}"),
            "CLICKWISE_LOG_FORMAT": "json",
            "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "30",
        }

    created, said = command(environment("admin"), "topics", "create")
    assert created == 0, said
    stream = Program(
        [*COMMAND, "stream"], environment=environment("stream"), log=tmp_path / "stream.log"
    )
    site = RunningSite(tmp_path / "home-serve", command="serve", environment=environment("serve"))
    with stream, site:
        stream.wait_for("partitions assigned")
        assert set(
            site.put({"id": f"i{n}", "kind": "news", "title": f"N {n}"} for n in range(5))
        ) == {"accepted"}
        wait_until(lambda: len(site.shown_to("zoe")) == 5, seconds=SECONDS, what="items")
        assert site.send({"id": "e1", "user": "ada", "item": "i0", "type": "click"}) == ["accepted"]
        wait_until(
            lambda: site.list_of("ada")["events_applied"] == 1, seconds=SECONDS, what="the click"
        )
        shown = str(site.list_of("ada")["request_id"])
        wait_until(
            lambda: site._client.get(f"/v1/recommendations/{shown}/why").status_code == 200,
            seconds=SECONDS, what="why",
        )  # fmt: skip
        assert site._client.get("/v1/users/ada/export").status_code == 200
        receipt = site._client.delete("/v1/users/ada")
        assert receipt.status_code == 200, receipt.text
    archived, told = command(environment("archive"), "archive", "--once")
    assert archived == 0, told

    logs = stream.output + site.program.output + said + told
    assert not [password for password in PASSWORDS.values() if password in logs]
    assert "not allow" not in logs


REFUSED = {
    "serve": ("item-activity", "dead-letters"),
    "stream": ("events", "items", "models"),
    "archive": ("events", "exposures"),
    "producer": ("items", "recommendations", "dead-letters"),
    "consumer": ("events", "recommendations"),
}


@pytest.mark.case(20)
@pytest.mark.parametrize("user", REFUSED)
async def test_nobody_writes_what_is_not_theirs(broker: Broker, user: str) -> None:
    await asyncio.to_thread(command, {**broker.environment("admin"), **HASHING}, "topics", "create")

    for topic in REFUSED[user]:
        with pytest.raises(ConfigurationError, match="Kafka does not allow it"):
            await write(broker.settings(user), topic)
    if user == "producer":
        await write(broker.settings(user), "events")
