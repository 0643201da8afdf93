"""What a learned model keeps of a user's events: a memory that each event moves one step.

Shape suffixes: M = memory, D = embedding dimension, K = interests.
"""

from typing import Protocol

from clickwise.vectors.port import Float32Array


class Recurrence(Protocol):
    """The step form of a learned user model; equal inputs give equal bytes.

    Pure: it holds weights and nothing of any user.
    """

    @property
    def memory(self) -> int:
        """M: how many numbers are kept per user."""
        ...

    def step(
        self,
        memory_M: Float32Array,
        vector_D: Float32Array,
        *,
        event_type: int,
        weight: float,
        gap_seconds: float,
    ) -> Float32Array:
        """The memory after one event on an item with this vector; zeros before the first.

        `event_type` is of EVENT_CODES, `gap_seconds` the time since the event before it.
        """
        ...

    def read(self, memory_M: Float32Array) -> Float32Array:
        """Interests (K, D): their directions say what, their lengths how surely."""
        ...
