"""Bodies that do not come to an end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from clickwise.errors import TooLargeError
from serving.body import read_body
from serving.errors import SlowBodyError

SCOPE = {"headers": [(b"content-type", b"application/json")]}


def dripping(pause: float) -> Callable[[], Awaitable[Message]]:
    """A client that sends a byte at a time, for ever."""

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": b" ", "more_body": True}

    return receive


@pytest.mark.case(20)
async def test_a_body_that_drips_is_given_up_as_a_whole() -> None:
    with pytest.raises(SlowBodyError) as refused:
        await read_body(SCOPE, dripping(0.001), limit=1_000_000, seconds=0.05)

    assert refused.value.status == 408
    assert refused.value.retryable


@pytest.mark.case(20)
async def test_a_body_without_an_end_is_given_up_at_its_limit() -> None:
    with pytest.raises(TooLargeError):
        await read_body(SCOPE, dripping(0), limit=100)
