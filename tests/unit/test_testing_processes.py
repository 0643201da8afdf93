"""A program of a test: what is left of it after its `with` block."""

import sys
from pathlib import Path

from clickwise.testing.processes import Program, wait_until

CHILD = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, {handler})
print(f"child {{os.getpid()}}.", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
STUBBORN = CHILD.format(handler="signal.SIG_IGN")
ORDERLY = CHILD.format(handler='lambda *_: sys.exit(print("put away", flush=True))')


def a_family(child, folder, *, grace_seconds):
    """A program that starts a child and waits for it."""
    return Program(
        [sys.executable, "-c", PARENT, child],
        environment={},
        log=folder / "log",
        grace_seconds=grace_seconds,
    )


def child_of(program):
    program.wait_for(".")
    return int(program.output.partition("child ")[2].partition(".")[0])


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_that_ignores_sigterm_ends_with_the_block(tmp_path):
    with a_family(STUBBORN, tmp_path, grace_seconds=0.1) as program:
        child = child_of(program)

    assert not runs(child)
    assert not program.running


def test_a_child_whose_parent_was_killed_lives_until_the_end_of_the_block(tmp_path):
    with a_family(STUBBORN, tmp_path, grace_seconds=0.1) as program:
        child = child_of(program)
        program.kill()

        assert runs(child)

    assert not runs(child)


def test_a_child_may_put_things_away_first(tmp_path):
    with a_family(ORDERLY, tmp_path, grace_seconds=60.0) as program:
        child_of(program)

    assert "put away" in program.output


def test_what_ended_by_itself_is_not_missed(tmp_path):
    program = Program([sys.executable, "-c", ""], environment={}, log=tmp_path / "log")
    with program:
        wait_until(lambda: not program.running, seconds=60.0, what="its end")

    assert program.wait() == 0
