"""The whole distributed system on this machine, with everything between its parts in reach.

Two "machines" (a, b) have a stream worker, a server and a home each; Kafka and PostgreSQL are real
ones that wait for their disks. Between a machine and a service lies a `TcpProxy` of its own, so
that one machine can be cut off while the other is not. Tried first: `unshare --net` and a veth pair
work for root, but take root wherever the tests run; `tc netem`, which would delay, is not in every
kernel (nor in the one this was written on, which has `tbf` alone); and nothing there drops packets
but a link taken down. The proxy does all of it for any user; what it does not do is lose single
packets, which TCP would hide anyway.
"""

import signal
from contextlib import ExitStack
from pathlib import Path

from clickwise.settings import Settings, environment_of, load
from clickwise.testing.kafka import KafkaServer, free_ports
from clickwise.testing.postgres import PostgresServer
from clickwise.testing.processes import Program
from clickwise.testing.proxy import TcpProxy
from clickwise.testing.running import COMMAND, HASHING
from streams import topics_admin
from tests.chaos.brakes import DiskBrake
from tests.chaos.clocks import MovableClock
from tests.chaos.disks import SmallDisk
from tests.chaos.preloaded import together
from tests.chaos.schedule import MACHINES
from tests.chaos.supervisor import Supervised, Supervisor

SESSION_SECONDS = 4.0
PARTITIONS = 4
HOME_MEGABYTES = 400
DATABASE_MEGABYTES = 3_000
KAFKA_MEGABYTES = 2_000
STOP_SECONDS = 40.0
# Kafka or PostgreSQL, on a full machine and after a kill: one that is late must not break off an
# hour's run.
SERVICE_SECONDS = 300.0


class Deployment:
    """Started by `with`; everything that a fault or a reader of the end needs hangs on it."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.folder = folder
        self.links: dict[str, TcpProxy] = {}
        self.disks: dict[str, SmallDisk] = {}
        self.brakes: dict[str, DiskBrake] = {}
        self.clocks: dict[str, MovableClock] = {}
        self.ports = dict(zip(MACHINES, free_ports(len(MACHINES)), strict=True))

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def servers(self) -> dict[str, str]:
        """Addresses by the name of the process."""
        return {f"serve-{name}": f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    @property
    def processes(self) -> dict[str, Supervised]:
        return self.supervisor.processes

    def end(self) -> None:
        """Stop the four processes as an operator would."""
        self.supervisor.end_all(seconds=STOP_SECONDS)

    def _start(self) -> None:
        stack = self._stack
        sizes = (("kafka", KAFKA_MEGABYTES), ("database", DATABASE_MEGABYTES))
        homes = tuple((f"home-{machine}", HOME_MEGABYTES) for machine in MACHINES)
        for name, size in (*sizes, *homes):
            disk = SmallDisk(self.folder / name, megabytes=size)
            stack.callback(disk.close)
            self.disks[name] = disk
            self.brakes[name] = DiskBrake(self.folder, name, disk=disk.folder)
        for machine in MACHINES:
            self.clocks[machine] = MovableClock(self.folder, machine)
            for service in ("kafka", "database"):
                self.links[f"{machine}-{service}"] = stack.enter_context(TcpProxy())
        ways = [self.links[f"{machine}-kafka"].port for machine in MACHINES]
        self.kafka = KafkaServer(
            self.disks["kafka"].folder / "broker",
            by_way_of=ways,
            environment=self.brakes["kafka"].environment,
            start_seconds=SERVICE_SECONDS,
        )
        self.database = PostgresServer(
            durable=True,
            under=self.disks["database"].folder,
            environment=self.brakes["database"].environment,
            start_seconds=SERVICE_SECONDS,
        )
        stack.enter_context(self.kafka)
        stack.enter_context(self.database)
        for name, link in self.links.items():
            of_kafka = name.endswith("kafka")
            port = self.kafka.port_behind(link.port) if of_kafka else self.database.port
            link.lead_to("127.0.0.1", port)
        self.settings = self._settings()
        topics_admin.create_topics(self.settings)
        processes = [self._process(role, m) for m in MACHINES for role in ("stream", "serve")]
        self.supervisor = stack.enter_context(Supervisor(processes))

    def _settings(self) -> Settings:
        """Those of whoever looks at it from outside: past the proxies, with a home of its own."""
        return load(
            dict(HASHING),
            home=str(self.folder / "home-outside"),
            kafka_bootstrap=self.kafka.bootstrap,
            kafka_topic_prefix="chaos",
            kafka_group="chaos",
            kafka_partitions=PARTITIONS,
            kafka_session_timeout_seconds=SESSION_SECONDS,
            database_url=self.database.create_database("chaos"),
            understand="false",
            log_format="json",
            edge_build_interval_seconds=20.0,
        )

    def _process(self, role: str, machine: str) -> Supervised:
        outside = self.settings
        url = outside.database_url.reveal()
        database = self.links[f"{machine}-database"].port
        environment = environment_of(outside) | {
            "CLICKWISE_HOME": str(self.disks[f"home-{machine}"].folder),
            "CLICKWISE_KAFKA_BOOTSTRAP": f"127.0.0.1:{self.links[f'{machine}-kafka'].port}",
            "CLICKWISE_DATABASE_URL": url.replace(f":{self.database.port}/", f":{database}/"),
            "CLICKWISE_PORT": str(self.ports[machine]),
        }
        preloaded = together(
            self.clocks[machine].environment, self.brakes[f"home-{machine}"].environment
        )
        program = Program(
            [*COMMAND, role],
            environment=environment | preloaded,
            log=self.folder / f"{role}-{machine}.log",
        )
        return Supervised(f"{role}-{machine}", program)


def thaw(process: Supervised) -> None:
    """Go on after SIGSTOP."""
    process.send_all(signal.SIGCONT)
