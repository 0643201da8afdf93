"""Which ends of a process have a reason, and which are told as a problem."""

import signal

import pytest

from clickwise.testing.processes import Program
from tests.chaos.ends import LINE_CHARACTERS, ends_of, last_lines, reason
from tests.chaos.schedule import Fault
from tests.chaos.supervisor import Life, Supervised
from tests.chaos.troubles import Trouble

BEGAN, ENDED = 100.0, 200.0
NOT_DELIVERED = '{"event": "a batch failed", "exception": "... NotDeliveredError: 3 to 4"}'


ANEW = '{"why": "...", "event": "starting anew"}'
AT_WORK = '{"partitions": [1], "event": "partitions assigned"}'


def life(code, *signals, said="", ended=ENDED):
    return Life(pid=7, began=BEGAN, ended=ended, code=code, signals=list(signals), said=said)


def trouble(kind, target, *, began=ENDED - 5.0, over=ENDED + 5.0):
    return Trouble((Fault(kind, target, 5.0, 0.0),), began, over)


@pytest.mark.parametrize(
    ("code", "sent"),
    [(-9, signal.SIGKILL), (0, signal.SIGTERM), (-15, signal.SIGTERM)],
)
def test_an_end_that_was_sent_to_that_life_has_a_reason(code, sent):
    assert reason("serve-b", life(code, sent), []) is not None


@pytest.mark.parametrize(
    ("code", "sent"),
    [(-9, signal.SIGTERM), (-9, signal.SIGSTOP), (0, signal.SIGSTOP), (1, signal.SIGTERM)],
)
def test_an_end_of_another_sort_than_what_was_sent_has_none(code, sent):
    assert reason("stream-b", life(code, sent), [trouble("terminate", "stream-b")]) is None


@pytest.mark.parametrize("code", [0, 1, 2, 3, 70, -9, -11, -15])
@pytest.mark.parametrize("process", ["serve-b", "stream-b"])
def test_an_end_that_nothing_struck_has_no_reason_whatever_its_code(process, code):
    assert reason(process, life(code, said=NOT_DELIVERED), []) is None


def test_a_server_ends_when_one_of_its_processes_is_killed():
    assert reason("serve-b", life(1), [trouble("kill-child", "serve-b")]) is not None
    assert reason("serve-b", life(1), [trouble("kill-child", "serve-a")]) is None
    assert reason("serve-b", life(-11), [trouble("kill-child", "serve-b")]) is None


def test_a_fault_that_was_over_long_before_the_end_explains_nothing():
    before = trouble("kill-child", "serve-b", began=BEGAN, over=ENDED - 60.0)

    assert reason("serve-b", life(1), [before]) is None


@pytest.mark.parametrize("target", ["kafka", "database", "b-kafka", "b-database"])
def test_who_begins_while_a_service_is_struck_may_end_with_the_code_that_says_so(target):
    struck = trouble("partition-long", target, began=BEGAN - 1.0, over=BEGAN + 30.0)

    assert reason("serve-b", life(3), [struck]) is not None
    assert reason("stream-a", life(1), [struck]) is None


@pytest.mark.parametrize("at", [BEGAN + 100.0, BEGAN + 2_990.0])
def test_who_is_at_work_waits_for_a_service_and_ends_for_none(at):
    struck = trouble("freeze-service", "kafka", began=at, over=at + 20.0)
    long = life(3, said=f"{ANEW}\n{AT_WORK}", ended=BEGAN + 3_000.0)

    assert reason("stream-b", long, [struck]) is None
    assert reason("serve-b", life(3, ended=BEGAN + 3_000.0), [struck]) is None


def test_a_worker_that_begins_anew_may_end_as_one_that_begins():
    struck = trouble("freeze-service", "kafka", began=BEGAN + 2_930.0, over=BEGAN + 2_950.0)
    earlier = trouble("freeze-service", "kafka", began=BEGAN + 100.0, over=BEGAN + 120.0)
    away = life(3, said=f"{AT_WORK}\n{ANEW}", ended=BEGAN + 3_000.0)
    stopped = life(-15, signal.SIGTERM, said=f"{AT_WORK}\n{ANEW}", ended=BEGAN + 3_000.0)

    assert reason("stream-b", away, [struck]) is not None
    assert reason("stream-b", away, [earlier]) is None
    assert reason("stream-b", stopped, []) is not None


def test_who_is_at_work_ends_in_order_when_it_is_told_to():
    ended = BEGAN + 3_000.0

    assert reason("serve-b", life(0, signal.SIGTERM, ended=ended), []) is not None
    assert reason("serve-b", life(-15, signal.SIGTERM, ended=ended), []) is None
    assert reason("stream-b", life(-15, signal.SIGTERM, said=AT_WORK, ended=ended), []) is None


def test_a_service_that_another_machine_alone_cannot_reach_is_no_reason():
    struck = trouble("partition-long", "a-kafka", began=BEGAN - 1.0, over=BEGAN + 30.0)

    assert reason("serve-b", life(3), [struck]) is None


def test_a_full_home_keeps_a_process_from_beginning_and_ends_none_that_runs():
    at_start = trouble("disk-full", "home-b", began=BEGAN - 1.0, over=BEGAN + 5.0)

    assert reason("serve-b", life(1), [at_start]) is not None
    assert reason("serve-b", life(1), [trouble("disk-full", "home-b")]) is None
    assert reason("serve-a", life(1), [at_start]) is None


@pytest.mark.parametrize("target", ["kafka", "a-kafka", "b-kafka", "stream-a"])
def test_a_worker_ends_itself_where_kafka_passed_messages_over(target):
    moved = trouble("freeze-long", target)

    assert reason("stream-b", life(70, said=NOT_DELIVERED), [moved]) is not None
    assert reason("stream-b", life(70, said="TypeError"), [moved]) is None
    assert reason("stream-b", life(70, said=NOT_DELIVERED), [trouble("kill", "serve-a")]) is None


def test_every_life_that_is_over_is_told_and_what_it_said_only_without_a_reason(tmp_path):
    lives = [
        Life(pid=2, began=50.0, ended=60.0, code=1, said="first\n\nlast\n"),
        Life(pid=3, began=61.0, ended=70.0, code=-9, signals=[signal.SIGKILL], said="well"),
        Life(pid=4, began=71.0),
    ]
    program = Program(["true"], environment={}, log=tmp_path / "log")

    first, second = ends_of([Supervised("stream-b", program, lives)], [], began=50.0)

    assert (first.code, first.at, first.lived_seconds, first.why) == (1, 10.0, 10.0, None)
    assert first.last == ("first", "last")
    assert (second.code, second.why, second.last) == (-9, "killed", ())


def test_of_a_long_line_its_beginning_and_end_are_kept():
    (line,) = last_lines("a" * 5_000 + "the fault")

    assert line.startswith("aaa")
    assert line.endswith("the fault")
    assert len(line) < LINE_CHARACTERS + 10
