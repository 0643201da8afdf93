"""The learned user model in its step form: two ONNX graphs over a memory of M numbers.

Shape suffixes: M = memory, D = embedding dimension, K = interests.
"""

from pathlib import Path

import numpy as np

from clickwise.errors import BundleError
from clickwise.onnx_runtime import Array, open_session
from clickwise.vectors.port import Float32Array


class OnnxRecurrence:
    """Implements `profile.Recurrence` with `step.onnx` and `read.onnx`."""

    def __init__(self, step: Path | bytes, read: Path | bytes, *, memory: int) -> None:
        self._step = open_session(step, device="cpu", threads=1)
        self._read = open_session(read, device="cpu", threads=1)
        self._memory = memory
        names = sorted(value.name for value in self._step.get_inputs())
        expected = ["gap", "memory", "type", "vector", "weight"]
        if names != expected:
            raise BundleError(f"the step has inputs {names}, expected {expected}")

    @property
    def memory(self) -> int:
        """See Recurrence."""
        return self._memory

    def step(
        self,
        memory_M: Float32Array,
        vector_D: Float32Array,
        *,
        event_type: int,
        weight: float,
        gap_seconds: float,
    ) -> Float32Array:
        """See Recurrence.

        Raises:
            BundleError: the graph cannot be run on this.
        """
        feeds: dict[str, Array] = {
            "memory": memory_M,
            "vector": vector_D,
            "type": np.array(event_type, np.int64),
            "weight": np.array(weight, np.float32),
            "gap": np.array(gap_seconds, np.float32),
        }
        try:
            (after_M,) = self._step.run(["after"], feeds)
        except Exception as error:  # its exceptions have no root of their own
            raise BundleError(f"the user model failed: {type(error).__name__}") from error
        return np.asarray(after_M, np.float32)

    def read(self, memory_M: Float32Array) -> Float32Array:
        """See Recurrence.

        Raises:
            BundleError: the graph cannot be run on this.
        """
        try:
            (interests_KD,) = self._read.run(["interests"], {"memory": memory_M})
        except Exception as error:  # as above
            raise BundleError(f"the user model failed: {type(error).__name__}") from error
        return np.asarray(interests_KD, np.float32)
