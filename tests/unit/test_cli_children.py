"""What stays of a child process that ended, and what does not."""

import os
import re
import time

from clickwise import metrics
from clickwise.cli.children import Child
from clickwise.testing.processes import wait_until

# The first one loses the database and ends; the second one has it, and stays.
PROGRAM = """
import time
from pathlib import Path
from clickwise import metrics

first = not Path({mark!r}).exists()
metrics.dependency_up.labels("database").set(0 if first else 1)
metrics.model_info.labels("m-old" if first else "m-new").set(1)
metrics.profiles_expired.inc(2)
if first:
    Path({mark!r}).write_text(str(time.time()))
else:
    Path({again!r}).touch()
    time.sleep(600)
"""


def test_the_present_of_a_child_that_ended_is_forgotten_and_what_it_counted_stays(
    tmp_path, monkeypatch
):
    folder = tmp_path / "metrics"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    again = tmp_path / "again"
    program = PROGRAM.format(mark=str(tmp_path / "was here"), again=str(again))
    (tmp_path / "once_lost.py").write_text(program)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    child = Child("once_lost", [], environment={**os.environ, "PYTHONPATH": path})

    began = time.time()
    child.start()
    try:
        wait_until(again.exists, seconds=60.0, what="the second child has shown all of its figures")
        shown = metrics.expose().decode()
    finally:
        child.stop()

    assert "clickwise_profiles_expired_total 4.0" in shown
    assert 'clickwise_dependency_up{dependency="database"} 1.0' in shown
    assert 'clickwise_model_info{version="m-new"} 1.0' in shown
    assert "m-old" not in shown
    (start,) = re.findall(r"^clickwise_start_timestamp_seconds (\S+)$", shown, re.MULTILINE)
    assert began <= float(start) <= float((tmp_path / "was here").read_text())
