"""A disk that is slow for the processes that were told so, a database and a broker among them."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from clickwise.testing.kafka import KafkaMissingError, KafkaServer
from clickwise.testing.postgres import PostgresMissingError, PostgresServer
from clickwise.testing.processes import wait_until
from clickwise.testing.services import missing
from tests.chaos.brakes import DiskBrake
from tests.chaos.clocks import MovableClock
from tests.chaos.disks import SmallDisk
from tests.chaos.faults import strike
from tests.chaos.preloaded import together
from tests.chaos.schedule import Fault

WRITES = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(file, bytes(4096))
os.writev(file, [b"one", b"two"])
os.pwrite(file, b"three", 100)
os.pwritev(file, [b"four"], 200)
os.fsync(file)
os.fdatasync(file)
mmap.mmap(file, 4096).flush()
"""


@pytest.fixture
def open_folder():
    """One that PostgreSQL's user can read; pytest closes the way to its own."""
    with tempfile.TemporaryDirectory(prefix="clickwise-chaos-parts-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def brake(open_folder):
    """Of a disk of its own where one may be mounted."""
    disk = SmallDisk(open_folder / "disk", megabytes=200)
    made = DiskBrake(open_folder, "a", disk=disk.folder)
    if not made.can_be_slowed:
        pytest.skip("no C compiler")
    try:
        yield made
    finally:
        disk.close()


def write(brake, file):
    """Everything that can wait, once; to the file, and how often something has waited."""
    before = brake.num_held
    subprocess.run([sys.executable, "-c", WRITES, str(file)], env={**brake.environment}, check=True)
    return brake.num_held - before


def test_each_write_and_flush_waits_for_a_slow_disk_until_it_is_released(brake, open_folder):
    brake.slow(0.001)
    assert write(brake, open_folder / "disk" / "file") == 7

    brake.release()
    assert write(brake, open_folder / "disk" / "file") == 0


def test_files_of_another_disk_do_not_wait(brake, open_folder):
    if (open_folder / "disk").stat().st_dev == open_folder.stat().st_dev:
        pytest.skip("this user may not mount a tmpfs")
    brake.slow(0.001)

    assert write(brake, open_folder / "file") == 1  # msync does not know of which disk it is


def test_who_waits_for_a_slow_disk_goes_on_when_it_is_released(brake, open_folder):
    brake.slow(3_600.0)
    file = open_folder / "disk" / "file"
    with subprocess.Popen(
        [sys.executable, "-c", WRITES, str(file)], env={**brake.environment}
    ) as process:
        try:
            wait_until(lambda: brake.num_held == 1, seconds=60.0, what="a write that waits")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)

            brake.release()

            assert process.wait(60.0) == 0
        finally:
            process.kill()


def test_the_fault_slows_its_disk_and_tells_how_many_calls_have_waited(brake, open_folder):
    deployment = SimpleNamespace(brakes={"database": brake})
    file = open_folder / "disk" / "file"

    undo = strike(deployment, Fault("disk-slow", "database", seconds=1.0, amount=0.001))
    write(brake, file)

    assert undo() == "7 calls waited for database"
    assert write(brake, file) == 0


def test_a_database_waits_for_its_slow_disk(brake, open_folder):
    try:
        server = PostgresServer(
            durable=True, under=open_folder / "disk", environment=brake.environment
        )
    except PostgresMissingError as error:
        missing(str(error))
    with server:
        assert brake.num_held == 0
        brake.slow(0.001)

        server.create_database("one")

        assert brake.num_held > 0


def test_a_broker_waits_for_its_slow_disk(brake, open_folder):
    brake.slow(0.001)
    try:
        with KafkaServer(open_folder / "disk" / "broker", environment=brake.environment):
            assert brake.num_held > 0
    except KafkaMissingError as error:
        missing(str(error))


def test_a_process_can_have_a_moved_clock_and_a_slow_disk(brake, open_folder):
    clock = MovableClock(open_folder, "a")
    clock.move(-3_600)
    brake.slow(0.001)
    program = f"import time, os; os.fsync(os.open({str(open_folder / 'disk')!r}, os.O_RDONLY))"

    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(time.time())"],
        env=together(clock.environment, brake.environment),
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert brake.num_held == 1
    assert float(done.stdout) - time.time() == pytest.approx(-3_600, abs=60)
