"""What a serving process does when it starts."""

import pytest

from clickwise.cli.processes import connect
from clickwise.errors import ClickwiseError, ConfigurationError, UnavailableError


class Door:
    def __init__(self, fault: ClickwiseError | None) -> None:
        self.fault = fault
        self.started = False

    async def start(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.started = True


async def test_it_starts_without_a_broker_that_went_away_meanwhile() -> None:
    door = Door(UnavailableError("no broker"))

    await connect(door)

    assert not door.started


async def test_it_connects_where_the_broker_answers() -> None:
    door = Door(None)

    await connect(door)

    assert door.started


async def test_it_does_not_start_with_what_will_never_work() -> None:
    with pytest.raises(ConfigurationError):
        await connect(Door(ConfigurationError("not allowed")))
