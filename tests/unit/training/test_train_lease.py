"""One trainer at a time."""

import subprocess
import sys

import pytest

from clickwise.errors import ConflictError
from training.lease import lease

SQLITE = "sqlite:///nowhere.sqlite"
HOLDER = """
import sys, time
from pathlib import Path
from training.lease import lease
with lease(Path(sys.argv[1]), database_url="sqlite:///nowhere.sqlite"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_trainer_is_refused_and_told_by_whom(tmp_path):
    with (
        lease(tmp_path, database_url=SQLITE) as held,
        pytest.raises(ConflictError, match=r"a trainer is at work .*: process \d+"),
        lease(tmp_path, database_url=SQLITE),
    ):
        pass

    assert held()


def test_the_lease_can_be_had_again(tmp_path):
    for _ in range(2):
        with lease(tmp_path, database_url=SQLITE) as held:
            assert held()


def test_a_killed_trainer_lets_go(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConflictError), lease(tmp_path, database_url=SQLITE):
            pass

        holder.kill()
        holder.wait()

    with lease(tmp_path, database_url=SQLITE) as held:
        assert held()
