"""The question that pruned encoders are compared by."""

from dataclasses import replace

import numpy as np

from tests.unit.training.networks import two_tastes
from training.data import Dataset
from training.pruning import by_text


def site(text_ID):
    data = two_tastes(users=10, items=40, events=8, again=False)
    return Dataset(data.name, data.log, replace(data.items, text_ID=text_ID), data.user_ids)


def test_text_that_says_what_people_like_finds_it_and_text_that_does_not_does_not():
    rng = np.random.default_rng(1)
    telling = np.zeros((40, 8), np.float32)
    telling[np.arange(40), np.arange(40) % 2] = 1.0
    telling += 0.01 * rng.standard_normal((40, 8)).astype(np.float32)
    silent = rng.standard_normal((40, 8)).astype(np.float32)

    found = by_text(site(telling), telling).values_U.mean()
    lost = by_text(site(silent), silent).values_U.mean()

    assert found > 1.5 * lost
    assert len(by_text(site(telling), telling).users_U) == 10


def test_the_films_before_it_are_no_answer():
    # All texts alike: every other film ties with the right one and stands before it.
    alike = np.ones((40, 8), np.float32)

    asked = by_text(site(alike), alike)

    assert asked.values_U.max() == 0.0
