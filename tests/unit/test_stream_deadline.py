"""The deadline of a stop: it ends the process, unless it is called off or begun anew."""

import subprocess
import sys

import pytest

# Whoever joins the timers goes on at once where they are cancelled, and never where they are not.
PROGRAM = """
import logging, sys, threading
from streams.deadline import Deadline

def join(timers):
    for one in timers:
        one.join()

def timers():
    return [one for one in threading.enumerate() if one.name == "clickwise-deadline"]

with Deadline() as deadline:
    deadline.begin("the first", seconds={first}, code=5)
    waiting = timers()
    {then}
join(waiting)
sys.exit(3)
"""


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        (0.1, "join(waiting)", 5),
        (3600.0, "deadline.begin('the second', seconds=0.1, code=6); join(timers())", 6),
        (3600.0, "deadline.begin('the second', seconds=3600.0, code=6); join(waiting)", 3),
        (5.0, "pass", 3),
    ],
    ids=["ends", "begun anew, ends", "begun anew, the first is off", "called off"],
)
def test_a_process_ends_by_the_deadline_that_was_begun_last_and_not_called_off(first, then, code):
    program = PROGRAM.format(first=first, then=then)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == code, done.stderr
