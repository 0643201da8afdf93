"""What a test does when a service that it needs is not installed."""

import os
from typing import NoReturn

import pytest

REQUIRE_VARIABLE = "CLICKWISE_REQUIRE_SERVICES"


def missing(reason: str) -> NoReturn:
    """Skip the running test with `reason`, or fail it where services are required."""
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{reason} ({REQUIRE_VARIABLE}=1)", pytrace=False)
    pytest.skip(reason)
