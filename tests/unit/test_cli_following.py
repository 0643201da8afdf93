"""What a long command says where there is no terminal."""

import pytest

from clickwise.cli.following import SECONDS_BETWEEN_LINES, Lines, Whole, bar
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
    assert [line.split(" s  ") for line in err.splitlines()] == [
        ["after    0", "reading the archive"],
        ["after    0", "epoch 3: loss 2.5 (25%)"],
    ]


def test_the_share_of_the_whole_never_falls():
    said = []
    whole = Whole(
        lambda what, share: said.append((what, round(share, 3))),
        {"reading": (0.0, 0.1), "early": (0.1, 0.6), "early export": (0.6, 1.0)},
    )

    for what, share in (
        ("reading", 1.0), ("early: epoch 1", 0.0), ("early: epoch 2", 0.5), ("reading again", 0.2),
        ("something else", 0.9), ("early export", 0.5), ("early: epoch 3", 7.0),
    ):  # fmt: skip
        whole(what, share)

    assert [share for _, share in said] == [0.1, 0.1, 0.35, 0.35, 0.35, 0.8, 0.8]
    assert said[2][0] == "early: epoch 2"


def test_an_interruption_is_said_in_one_line(capsys):
    with pytest.raises(KeyboardInterrupt), stop_is_said("stopped; the same command goes on"):
        raise KeyboardInterrupt

    assert capsys.readouterr().err == "clickwise: stopped; the same command goes on\n"
