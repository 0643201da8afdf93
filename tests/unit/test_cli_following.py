"""What a long command says where there is no terminal."""

import pytest

from clickwise.cli.following import SECONDS_BETWEEN_LINES, Lines, bar
from clickwise.cli.stopping import stop_is_said


class Told:
    """Lines that were passed on, at a time that the test sets."""

    def __init__(self):
        self.now = 100.0
        self.said = []
        self.lines = Lines(lambda what, _: self.said.append(what), clock=lambda: self.now)


def test_each_stage_is_said_at_once():
    told = Told()

    for what in ("reading", "early: epoch 1: loss 3.2", "late: epoch 1: loss 3.1"):
        told.lines(what, 0.0)

    assert told.said == ["reading", "early: epoch 1: loss 3.2", "late: epoch 1: loss 3.1"]


def test_epochs_of_a_stage_are_said_now_and_then():
    told = Told()

    for epoch in range(1, 21):
        told.lines(f"epoch {epoch}: loss {3.0 / epoch:.4f}", epoch / 20)
        told.now += SECONDS_BETWEEN_LINES / 4

    assert [what.partition(":")[0] for what in told.said] == [
        "epoch 1", "epoch 5", "epoch 9", "epoch 13", "epoch 17",
    ]  # fmt: skip


def test_stages_that_take_turns_are_not_said_each_time():
    told = Told()

    for _ in range(10):
        told.lines("asking", 0.0)
        told.lines("answering", 0.0)

    assert told.said == ["asking", "answering"]


def test_lines_go_to_standard_error_with_the_share(capsys):
    with bar() as follow:
        follow("reading the archive", 0.0)
        follow("epoch 3: loss 2.5", 0.25)

    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(" s  ")[1] for line in err.splitlines()] == [
        "reading the archive",
        "epoch 3: loss 2.5 (25%)",
    ]


def test_an_interruption_is_said_in_one_line(capsys):
    with pytest.raises(KeyboardInterrupt), stop_is_said("stopped; the same command goes on"):
        raise KeyboardInterrupt

    assert capsys.readouterr().err == "clickwise: stopped; the same command goes on\n"
