"""A real Kafka broker for tests and benchmarks: one node (KRaft) on loopback, from Maven's jars.

    with KafkaServer(folder) as broker:
        broker.bootstrap            # "127.0.0.1:49152"
        broker.kill()               # SIGKILL: what was acknowledged must still be there
        broker.start()              # same ports, same data

With `login` there is a listener beside it for clients that come over TLS with a name and a
password, whose rights are ACLs; the plain one is then its administrator's.

A broker tells its clients where to connect. So whoever is to reach it through a proxy needs a
listener of its own, which names the proxy (`by_way_of`).

The jars (about 45 MB) are copied once into `.cache/kafka-<version>` below the working directory, or
where CLICKWISE_TEST_KAFKA_LIBS points. Java 17 and Maven have to be installed.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import TracebackType
from typing import Self

from clickwise.testing.certificates import Issued

LIBS_VARIABLE = "CLICKWISE_TEST_KAFKA_LIBS"
START_SECONDS = 90.0
STOP_SECONDS = 30.0

# One node needs one copy of everything; its own timeouts are short, so that a start after a
# kill does not wait for the dead registration to expire.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=CLIENT://127.0.0.1:{port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}/log
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""

# What a client without TLS asks, a test for one, is asked by the administrator.
_LOGIN_PROPERTIES = """\
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},\
SECURE://127.0.0.1:{secure_port}
advertised.listeners=CLIENT://127.0.0.1:{port},SECURE://127.0.0.1:{secure_port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required {plain_users};
listener.name.secure.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={keystore}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""

_LOGGING = """\
Configuration:
  Appenders:
    Console:
      name: out
      target: SYSTEM_OUT
      PatternLayout: {pattern: "[%d] %p %m (%c)%n"}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: out}}
"""

# ApiVersions v0, correlation 1, no client id: any broker that is ready answers it.
_ARE_YOU_READY = bytes.fromhex("0000000a0012000000000001ffff")


class KafkaMissingError(RuntimeError):
    """Java, Maven or the jars are not to be had; the message says which and what to do."""


def version() -> str:
    """The broker's version, as the list of its jars has it."""
    pom = files("clickwise.testing").joinpath("kafka-pom.xml").read_text(encoding="utf-8")
    return pom.partition("<kafka.version>")[2].partition("</kafka.version>")[0]


def libraries() -> Path:
    """The folder with the broker's jars, filled by Maven when it is not there yet.

    Raises:
        KafkaMissingError: no `java`, no `mvn`, or Maven could not resolve the jars.
    """
    if shutil.which("java") is None:
        raise KafkaMissingError("a Kafka broker needs Java: install openjdk-17-jre-headless")
    own = os.environ.get(LIBS_VARIABLE)
    folder = Path(own or Path.cwd() / ".cache" / f"kafka-{version()}").resolve()
    if any(folder.glob("kafka_*.jar")):
        return folder
    if shutil.which("mvn") is None:
        raise KafkaMissingError(
            f"{folder} holds no Kafka jars and Maven is not installed: install maven, or let"
            f" {LIBS_VARIABLE} name a folder that holds them"
        )
    # Copied beside and renamed, so that an interrupted copy is not taken for a whole one.
    beside = folder.with_name(f"{folder.name}.{os.getpid()}")
    with as_file(files("clickwise.testing") / "kafka-pom.xml") as pom:
        command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={beside}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed command
    if done.returncode:
        shutil.rmtree(beside, ignore_errors=True)
        raise KafkaMissingError(f"Maven could not resolve Kafka's jars:\n{done.stdout[-2000:]}")
    try:
        beside.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclass(frozen=True, slots=True)
class BrokerLogin:
    """What the listener with TLS shows, and the passwords of its users by name."""

    certificate: Issued
    passwords: Mapping[str, str]


class KafkaServer:
    """One broker that can be stopped, killed and started again on the same ports and data."""

    def __init__(
        self,
        folder: Path,
        *,
        properties: str = "",
        heap: str = "384m",
        login: BrokerLogin | None = None,
        by_way_of: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """`by_way_of`: ports of loopback, each of a proxy to `port_behind` that port; without
        `login`, whose listener has none. `environment`: of the broker, beside the caller's.
        `start_seconds`: how long each start may take.
        """
        if login is not None and by_way_of:
            raise ValueError("expected a login or proxies, got both")
        self._data = folder.resolve()
        self._extra = properties
        self._heap = heap
        self._login = login
        self._environment = dict(environment or {})
        self._start_seconds = start_seconds
        self._port, self._controller_port, self._secure_port, *behind = free_ports(
            3 + len(by_way_of)
        )
        self._behind = dict(zip(by_way_of, behind, strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._port}"

    def port_behind(self, proxy: int) -> int:
        """Where the proxy that listens on this port has to lead."""
        return self._behind[proxy]

    @property
    def secure_bootstrap(self) -> str:
        """Where clients with a login connect."""
        return f"127.0.0.1:{self._secure_port}"

    @property
    def log(self) -> Path:
        """What the broker says."""
        return self._data / "broker.log"

    def start(self) -> None:
        """Format a new folder, start the broker and wait until it answers.

        Raises:
            RuntimeError: it ended or did not answer in time; the message quotes its log.
        """
        libs = libraries()
        self._format(libs)
        command = self._java(libs, "kafka.Kafka", str(self._properties), heap=self._heap)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # fixed command
                command,
                cwd=self._data,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + self._start_seconds
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                state = self._process.poll()
                self.kill()
                raise RuntimeError(f"Kafka did not start (exit {state}):\n{self._log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM: a clean end."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """SIGKILL: the power plug of a process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def pause(self) -> None:
        """Let it stand still: connections stay, answers do not come."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """False when it was stopped, or has ended by itself."""
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        """True once the broker answers requests."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1.0) as connection:
                connection.settimeout(2.0)
                connection.sendall(_ARE_YOU_READY)
                return len(connection.recv(4)) == 4
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _properties(self) -> Path:
        return self._data / "server.properties"

    def _format(self, libs: Path) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        (self._data / "logging.yaml").write_text(_LOGGING)
        self._properties.write_text(
            _PROPERTIES.format(
                port=self._port, controller_port=self._controller_port, data=self._data
            )
            + (self._login_properties(self._login) if self._login is not None else "")
            + self._more_listeners()
            + self._extra
        )
        if (self._data / "log" / "meta.properties").exists():
            return
        arguments = ("format", "--standalone", "--cluster-id", "Y2xpY2t3aXNlLXRlc3RzLQ")
        tool = ["kafka.tools.StorageTool", *arguments, "--config", str(self._properties)]
        for name, password in (self._login.passwords if self._login is not None else {}).items():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                tool += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
        done = subprocess.run(  # noqa: S603  # fixed command
            self._java(libs, *tool, heap="128m"), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stderr[-2000:]}")

    def _login_properties(self, login: BrokerLogin) -> str:
        keystore = self._data / "keystore.pem"
        pem = login.certificate.key.read_bytes() + login.certificate.certificate.read_bytes()
        keystore.touch(mode=0o600)
        keystore.write_bytes(pem)
        users = [f'user_{name}="{password}"' for name, password in login.passwords.items()]
        return _LOGIN_PROPERTIES.format(
            port=self._port,
            controller_port=self._controller_port,
            secure_port=self._secure_port,
            keystore=keystore,
            plain_users=" ".join(users),
        )

    def _more_listeners(self) -> str:
        """Properties that take the place of those above; none where nobody uses a proxy."""
        if not self._behind:
            return ""
        ways = {f"WAY{number}": ports for number, ports in enumerate(self._behind.items())}
        own = f"CLIENT://127.0.0.1:{self._port}"
        listen = [own, *(f"{name}://127.0.0.1:{behind}" for name, (_, behind) in ways.items())]
        told = [own, *(f"{name}://127.0.0.1:{proxy}" for name, (proxy, _) in ways.items())]
        names = ",".join(f"{name}:PLAINTEXT" for name in ("CLIENT", "CONTROLLER", *ways))
        return (
            f"listeners={','.join(listen)},CONTROLLER://127.0.0.1:{self._controller_port}\n"
            f"advertised.listeners={','.join(told)}\n"
            f"listener.security.protocol.map={names}\n"
        )

    def _java(self, libs: Path, main: str, *arguments: str, heap: str) -> list[str]:
        return [
            "java",
            f"-Xmx{heap}",
            "-XX:+UseSerialGC",
            # Half the start-up time on a busy machine: no second compiler.
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self._data}/logging.yaml",
            "-cp",
            f"{libs}/*",
            main,
            *arguments,
        ]

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


def main(arguments: list[str]) -> int:
    """`python -m clickwise.testing.kafka resolve`: fetch the jars and name their folder."""
    if arguments != ["resolve"]:
        print("usage: python -m clickwise.testing.kafka resolve", file=sys.stderr)
        return 2
    try:
        print(libraries())
    except KafkaMissingError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
