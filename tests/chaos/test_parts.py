"""What the chaos runs are made of: schedule, disks, clocks, supervision, figures, pages."""

import itertools
import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clickwise.testing.kafka import KafkaMissingError, KafkaServer, libraries
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.services import missing
from tests.chaos.checker import FAULTS, Finding
from tests.chaos.clocks import MovableClock
from tests.chaos.disks import SmallDisk
from tests.chaos.ends import End
from tests.chaos.faults import MADE
from tests.chaos.report import Report, Struck, markdown
from tests.chaos.required import need_all_made
from tests.chaos.schedule import MORTAL, PROCESSES, kinds, schedule, short_kinds
from tests.chaos.supervisor import Supervised, Supervisor
from tests.chaos.usage import Sample, trend, usage_of

KINDS = kinds(session_seconds=4.0)
SHORT_KINDS = short_kinds(session_seconds=4.0)


def steps(seed, number):
    return list(itertools.islice(schedule(seed, KINDS), number))


def test_a_seed_gives_the_same_schedule_and_another_seed_another_one():
    assert steps(1, 40) == steps(1, 40)
    assert steps(1, 40) != steps(2, 40)


def test_each_kind_can_be_made_and_is_described():
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    described = page.partition("## What strikes")[2].partition("\n\nA seed")[0]

    names = {kind.name for kind in KINDS}
    assert set(re.findall(r"`([a-z-]+)`", described)) == names
    assert names == MADE


def test_a_broker_has_as_long_to_start_as_it_is_given(tmp_path):
    try:
        libraries()
    except KafkaMissingError as error:
        missing(str(error))
    broker = KafkaServer(tmp_path, start_seconds=0.0)

    with pytest.raises(RuntimeError, match="Kafka did not start"):
        broker.start()
    assert not broker.running


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("of", [KINDS, SHORT_KINDS], ids=["all", "short"])
def test_every_kind_strikes_in_each_pass(seed, of):
    faults = itertools.chain.from_iterable(step.faults for step in schedule(seed, of))

    struck = list(itertools.islice(faults, 2 * len(of)))

    names = {kind.name for kind in of}
    assert {fault.kind for fault in struck[: len(of)]} == names
    assert {fault.kind for fault in struck[len(of) :]} == names


@pytest.mark.parametrize("seed", range(5))
def test_faults_that_strike_together_have_different_targets(seed):
    for step in steps(seed, 200):
        assert len({fault.target for fault in step.faults}) == len(step.faults)


def test_after_the_first_pass_machine_a_is_not_killed():
    later = [fault for step in steps(3, 300)[len(KINDS) :] for fault in step.faults]

    killed = {f.target for f in later if f.kind.startswith(("kill", "terminate"))}

    assert killed & set(PROCESSES) == set(MORTAL)


def test_a_full_disk_refuses_to_write_until_it_is_freed(tmp_path):
    disk = SmallDisk(tmp_path / "disk", megabytes=4)
    try:
        if not disk.can_be_filled:
            pytest.skip("this user may not mount a tmpfs")
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "file").write_bytes(bytes(8192))

        disk.free()
        (disk.folder / "file").write_bytes(bytes(8192))
    finally:
        disk.close()


def test_a_moved_clock_moves_the_wall_clock_of_its_processes_alone(tmp_path):
    clock = MovableClock(tmp_path, "a")
    if not clock.can_be_moved:
        pytest.skip("no C compiler")
    program = "import time; print([time.time(), time.monotonic()])"

    def times():
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**clock.environment}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        wall, steady = json.loads(done.stdout)
        return wall - time.time(), steady - time.monotonic()

    clock.move(-3_600)
    wall, steady = times()
    assert wall == pytest.approx(-3_600, abs=60)
    assert steady == pytest.approx(0, abs=60)

    clock.move(0)
    assert times()[0] == pytest.approx(0, abs=60)


def test_what_ends_is_started_again_and_its_lives_are_known(tmp_path):
    program = Program(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        environment={},
        log=tmp_path / "log",
    )
    with Supervisor([Supervised("one", program)]) as supervisor:
        one = supervisor.processes["one"]
        first = one.program.pid
        one.program.kill()
        wait_until(lambda: len(one.lives) == 2, seconds=30.0, what="a second life")

        supervisor.end_all(seconds=30.0)

    assert one.lives[0].pid == first
    assert [life.code for life in one.lives] == [-9, -15]


def test_a_life_knows_what_was_sent_to_it_and_what_it_said_last(tmp_path):
    program = Program(
        [sys.executable, "-uc", "import time; print('at work'); time.sleep(60)"],
        environment={},
        log=tmp_path / "log",
    )
    with Supervisor([Supervised("one", program)]) as supervisor:
        one = supervisor.processes["one"]
        for number, end in enumerate((lambda: one.send(signal.SIGKILL), one.program.kill), 1):
            wait_until(lambda: "at work" in one.output, seconds=30.0, what="it works")
            end()
            wait_until(lambda: len(one.lives) > number, seconds=30.0, what="another life")  # noqa: B023
        one.send_all(signal.SIGTERM)
        supervisor.end_all(seconds=30.0)

    assert [life.signals[:1] for life in one.lives] == [[signal.SIGKILL], [], [signal.SIGTERM]]
    assert [life.said.strip() for life in one.lives[:2]] == ["at work", "at work"]


def test_a_trend_is_the_slope_by_hour():
    points = [(float(at), 100.0 + at / 36.0) for at in range(100)]

    found = trend(points)

    assert found.per_hour == pytest.approx(100.0, abs=0.1)
    assert found.start < found.end


def test_usage_is_that_of_the_longest_life_once_it_is_warm():
    short = [Sample(float(at), 1, 1, 1, 1) for at in range(10)]
    long = [Sample(float(at), 500 if at < 30 else 100, 50, 7, 3) for at in range(60)]

    found = usage_of([short, long])

    assert (found.lives, found.samples) == (2, 30)
    assert found.memory_bytes.start == found.memory_bytes.end == 100
    assert math.isclose(found.handles.per_hour, 0.0)


TOLD = End(process="serve-a", code=0, at=9.0, lived_seconds=8.0, why="told to stop")


def report(**changed):
    nothing = {name: Finding() for name in FAULTS}
    step = Struck(faults=("kill serve-a",), at=1.0, undone=1.0, recovered=3.5)
    fields = {
        "seed": 1, "seconds": 10.0, "settled_seconds": 1.0, "steps": (step,),
        "events": {"sent": 5}, "event_requests": {"202": 3}, "requests": {"200": 4},
        "exposures": 4, "findings": nothing, "ends": (TOLD,), "starts": {"serve-a": 2},
        "usage": {},
    }  # fmt: skip
    return Report(**{**fields, **changed})


def test_a_report_has_failed_when_anything_is_found_not_recovered_or_ended_badly():
    step = Struck(faults=("kill serve-a",), at=1.0, undone=1.0, recovered=None)
    lost = {name: Finding() for name in FAULTS} | {"events lost": Finding(count=1, examples=("e",))}

    assert report().problems == []
    assert report(findings=lost).problems == ["events lost: 1 (e)"]
    assert report(steps=(step,)).problems == ["not whole again after kill serve-a at 1 s"]


def test_an_end_without_a_reason_fails_the_report_whatever_life_it_was_of():
    alone = End(
        process="stream-b", code=1, at=5.0, lived_seconds=4.0, why=None, last=("one", "another")
    )

    found = report(ends=(alone, TOLD))

    assert found.problems == [
        "stream-b ended with 1 at 5 s, after 4 s, for no reason that is known: one / another"
    ]
    assert "| serve-a | 0 | told to stop | 1 |" in markdown(found)
    assert "| stream-b | 1 | UNKNOWN | 1 |" in markdown(found)


def test_a_process_that_grows_fails_the_report():
    life = [Sample(60.0 * at, 900, round(1e6 * at), 7, 3) for at in range(60)]
    usage = {"serve-a": usage_of([life])}

    assert [problem.split(":")[0] for problem in report(usage=usage).problems] == [
        "serve-a grows, in 50 min"
    ]
    assert "| GROWS, 50 min |" in markdown(report(usage=usage))


def test_a_fault_that_was_left_out_is_told_with_its_reason():
    step = Struck(
        faults=("clock a by 1",), at=1.0, undone=1.0, recovered=1.0,
        left_out=("clock a by 1: no C compiler",),
    )  # fmt: skip

    assert report(steps=(step, step)).left_out == ["clock a by 1: no C compiler"]
    assert "clock a by 1 (left out: clock a by 1: no C compiler)" in markdown(report(steps=(step,)))


def test_a_run_with_faults_left_out_is_skipped_and_says_which():
    step = Struck(
        faults=("clock a by 1", "disk-full database, 4 s"), at=1.0, undone=1.0, recovered=1.0,
        left_out=("clock a by 1: no C compiler", "disk-full database, 4 s: no small disk"),
    )  # fmt: skip

    with pytest.raises(
        pytest.skip.Exception, match=r"clock a by 1: no C compiler; disk-full .* no small disk"
    ):
        need_all_made(report(steps=(step,)))

    need_all_made(report())


def test_the_page_names_the_verdict_the_faults_and_the_answers():
    page = markdown(report())

    assert "nothing lost, nothing twice, nothing wrong" in page
    assert "| 1 s | kill serve-a | 2.5 s |" in page
    assert "| 200 | 4 | 0 |" in page
