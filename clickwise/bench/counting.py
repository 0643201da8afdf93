"""Whether every event counts exactly once."""

from collections.abc import Mapping


def lost_and_twice(expected: Mapping[str, int], applied: Mapping[str, int]) -> tuple[int, int]:
    """Events that are in no profile, and those that are in one too often; both by user."""
    lost = sum(max(0, count - applied.get(user, 0)) for user, count in expected.items())
    twice = sum(max(0, count - expected.get(user, 0)) for user, count in applied.items())
    return lost, twice
