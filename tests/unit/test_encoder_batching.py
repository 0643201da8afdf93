import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, sleep

import numpy as np
import pytest

from clickwise.encoder.batching import BatchingEncoder
from clickwise.errors import OverloadedError, UnavailableError
from clickwise.testing.encoder import HashingEncoder
from clickwise.vectors.port import Float32Array


class GatedEncoder(HashingEncoder):
    """Encodes only while its gate is open, and remembers its batches."""

    def __init__(self) -> None:
        super().__init__(dimension=8)
        self.gate = threading.Event()
        self.batches: list[list[str]] = []
        self.fault: Exception | None = None

    def encode(self, texts: Sequence[str]) -> Float32Array:
        self.batches.append(list(texts))
        assert self.gate.wait(10)
        if self.fault:
            raise self.fault
        return super().encode(texts)


@contextmanager
def running(batch: int, capacity: int = 100) -> Iterator[tuple[GatedEncoder, BatchingEncoder]]:
    gated = GatedEncoder()
    batching = BatchingEncoder(gated, batch=batch, capacity=capacity)
    try:
        yield gated, batching
    finally:
        gated.gate.set()
        batching.close()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)


async def eventually_async(condition: Callable[[], bool]) -> None:
    """The loop has to run for the condition to come true."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("the condition did not come true")


def submitted(
    pool: ThreadPoolExecutor, batching: BatchingEncoder, texts: list[str]
) -> Future[Float32Array]:
    """Hand texts in from another thread and come back when they wait or are at work."""
    before = batching._waiting
    at_work = bool(batching._encoder.batches)  # type: ignore[attr-defined]
    future = pool.submit(batching.encode, texts)
    if at_work:
        eventually(lambda: batching._waiting == before + len(texts))
    else:
        eventually(lambda: bool(batching._encoder.batches))  # type: ignore[attr-defined]
    return future


def test_texts_of_waiting_callers_are_encoded_together() -> None:
    with running(batch=8) as (gated, batching), ThreadPoolExecutor(4) as pool:
        first = submitted(pool, batching, ["first"])
        others = [submitted(pool, batching, [name, f"{name}2"]) for name in "abc"]

        gated.gate.set()

        assert gated.batches[:1] == [["first"]]
        assert np.array_equal(first.result(10), HashingEncoder(dimension=8).encode(["first"]))
        for name, other in zip("abc", others, strict=True):
            expected = HashingEncoder(dimension=8).encode([name, f"{name}2"])
            assert np.array_equal(other.result(10), expected)
        assert gated.batches[1:] == [["a", "a2", "b", "b2", "c", "c2"]]


def test_one_text_does_not_wait_for_a_thousand_before_it() -> None:
    with running(batch=4, capacity=2_000) as (gated, batching), ThreadPoolExecutor(4) as pool:
        first = submitted(pool, batching, ["first"])
        many = submitted(pool, batching, [str(number) for number in range(1_000)])
        one = submitted(pool, batching, ["one"])

        gated.gate.set()

        assert one.result(10).shape == (1, 8)
        assert many.result(10).shape == (1_000, 8)
        assert first.result(10).shape == (1, 8)
        assert "one" in gated.batches[2]


def test_a_full_queue_refuses_at_once() -> None:
    with running(batch=1, capacity=3) as (gated, batching), ThreadPoolExecutor(4) as pool:
        submitted(pool, batching, ["at work"])
        submitted(pool, batching, ["1", "2"])

        with pytest.raises(OverloadedError, match="2 texts wait to be encoded, at most 3 may"):
            batching.encode(["3", "4"])

        gated.gate.set()


def test_a_job_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    with running(batch=2, capacity=3) as (gated, batching):
        gated.gate.set()

        assert batching.encode(["x"] * 10).shape == (10, 8)


def test_a_fault_reaches_every_caller_in_the_batch_and_no_other() -> None:
    with running(batch=2) as (gated, batching), ThreadPoolExecutor(4) as pool:
        failed = submitted(pool, batching, ["a"])
        gated.fault = RuntimeError("no memory")
        gated.gate.set()
        with pytest.raises(RuntimeError, match="no memory"):
            failed.result(10)

        gated.fault = None

        assert batching.encode(["b"]).shape == (1, 8)
        assert batching._waiting == 0


def test_the_rest_of_a_failed_job_is_not_encoded() -> None:
    with running(batch=2) as (gated, batching), ThreadPoolExecutor(1) as pool:
        failed = pool.submit(batching.encode, ["a", "b", "c", "d"])
        eventually(lambda: bool(gated.batches))
        gated.fault = RuntimeError("no memory")
        gated.gate.set()
        with pytest.raises(RuntimeError, match="no memory"):
            failed.result(10)

        gated.fault = None
        batching.encode(["e"])

        assert gated.batches == [["a", "b"], ["e"]]


def test_closing_refuses_what_waits_and_what_comes() -> None:
    with running(batch=1) as (gated, batching), ThreadPoolExecutor(4) as pool:
        at_work = submitted(pool, batching, ["at work"])
        waiting = submitted(pool, batching, ["waiting"])
        closing = pool.submit(batching.close)
        eventually(lambda: batching._closed)
        gated.gate.set()
        closing.result(10)

        assert at_work.result(10).shape == (1, 8)
        with pytest.raises(UnavailableError, match="the encoder was closed"):
            waiting.result(10)
        with pytest.raises(UnavailableError, match="the encoder is closed"):
            batching.encode(["late"])


async def test_an_event_loop_goes_on_while_texts_are_encoded() -> None:
    with running(batch=4) as (gated, batching):
        calls = [asyncio.create_task(batching.encode_async([name])) for name in "abcd"]
        await eventually_async(lambda: bool(gated.batches))
        gated.gate.set()

        vectors = await asyncio.gather(*calls)

        expected = HashingEncoder(dimension=8).encode(list("abcd"))
        assert np.array_equal(np.concatenate(vectors), expected)


async def test_a_cancelled_call_is_not_encoded() -> None:
    with running(batch=1) as (gated, batching):
        first = asyncio.create_task(batching.encode_async(["first"]))
        await eventually_async(lambda: bool(gated.batches))
        cancelled = asyncio.create_task(batching.encode_async(["cancelled"]))
        await eventually_async(lambda: bool(batching._waiting))
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        gated.gate.set()
        await first

        await batching.encode_async(["last"])

        assert gated.batches == [["first"], ["last"]]
        assert batching._waiting == 0
