"""Which partitions have fewer copies than they should."""

import pytest

from streams.kafka import _lacks_copies


@pytest.mark.parametrize(
    ("in_step", "copies", "lacks"),
    [([1], [1], False), ([1, 3], [1, 2, 3], True), ([], [1], True), ([2, 1], [1, 2], False)],
)
def test_a_partition_lacks_copies_that_are_not_in_step(in_step, copies, lacks):
    assert _lacks_copies({"isr": in_step, "replicas": copies}) is lacks
