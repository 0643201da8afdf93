"""What the suite's run does about faults that this machine could not make."""

import pytest

from tests.chaos.report import Report


def need_all_made(report: Report) -> None:
    """Skip the running test with what was left out, and why: the rights to mount are no service
    that can be installed, so it does not fail where services are required.
    """
    if report.left_out:
        pytest.skip(f"left out, else well: {'; '.join(report.left_out)}")
