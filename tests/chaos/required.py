"""What the suite's run does about faults that this machine could not make."""

from clickwise.testing.services import missing
from tests.chaos.report import Report


def need_all_made(report: Report) -> None:
    """Skip the running test with what was left out, and why; fail it where everything is required
    (`CLICKWISE_REQUIRE_SERVICES=1`).
    """
    if report.left_out:
        missing(f"left out, else well: {'; '.join(report.left_out)}")
