"""From which cosine on items count as alike: measured on the site, not set."""

import numpy as np
import pytest

from clickwise.bundle.tower import TextTower
from clickwise.recommend.nearness import AGAIN_SECONDS, Nearness, least_alike
from tests.site import ManualClock


def made(*, common, groups, each, seed=0, dimension=64):
    """Unit vectors of `groups` groups of alike items; `common` is what all of them share."""
    rng = np.random.default_rng(seed)
    centers = np.repeat(rng.normal(size=(groups, dimension)), each, axis=0)
    rows = centers + 0.7 * rng.normal(size=centers.shape)
    rows += common * np.sqrt(dimension) * np.eye(dimension)[0]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("common", [0.0, 1.0, 2.0])
def test_alike_items_are_told_from_others_wherever_the_cosines_of_a_space_lie(common):
    rows = made(common=common, groups=12, each=8)
    cosines = rows @ rows.T
    same = np.repeat(np.arange(12), 8)
    pairs = np.triu_indices(len(rows), 1)
    alike = (same[:, None] == same)[pairs]

    found = cosines[pairs] >= least_alike(rows)

    assert found[alike].mean() >= 0.95
    assert found[~alike].mean() <= 0.05


def test_of_items_that_have_nothing_in_common_few_pairs_count_as_alike():
    rows = made(common=1.0, groups=100, each=1)
    pairs = (rows @ rows.T)[np.triu_indices(100, 1)]

    assert (pairs >= least_alike(rows)).mean() <= 0.05


def test_a_handful_of_items_tells_nothing():
    assert least_alike(made(common=0.0, groups=3, each=1)) == np.inf


def test_it_is_measured_again_after_a_while_and_at_once_when_there_was_too_little():
    clock = ManualClock()
    nearness = Nearness(TextTower(64), clock)
    loose, close = made(common=0.0, groups=12, each=8), made(common=2.0, groups=12, each=8)

    assert nearness.least(loose[:2]) == np.inf
    first = nearness.least(loose)
    clock.advance(seconds=AGAIN_SECONDS / 2)
    assert nearness.least(close) == first
    clock.advance(seconds=AGAIN_SECONDS)
    assert nearness.least(close) > first + 0.2
