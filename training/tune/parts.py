"""Labelled texts in three parts, none of which has a text of another. Needs no torch.

Shape suffixes: N = texts.
"""

from dataclasses import dataclass

import numpy as np

from clickwise.errors import ConfigurationError
from training.tune.labelled import Labelled, split_off, without

DEV_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """`test` may be empty. `leaked`: texts that were taken out of what is learned from, because
    dev or test hold them too.
    """

    train: Labelled
    dev: Labelled
    test: Labelled
    leaked: int


def parts_of(
    train: Labelled, test: Labelled | None, dev: Labelled | None, *, held: int, seed: int
) -> Parts:
    """Parts without a text in two of them; without `dev`, `held` texts (0: a tenth) of `train`.

    Raises:
        ConfigurationError: nothing is left to learn from.
    """
    nothing = Labelled((), np.zeros(0, np.int64), train.classes)
    given = [part for part in (test, dev) if part is not None]
    train, leaked = without(train, given)
    if dev is not None and test is not None:
        dev, shared = without(dev, [test])
        leaked += shared
    if not len(train):
        raise ConfigurationError("every text to learn from is in dev or test too")
    if dev is None:
        number = held or max(1, round(len(train) * DEV_SHARE))
        train, dev = split_off(train, number, seed=seed)
        train, repeated = without(train, [dev])
        leaked += repeated
    return Parts(train, dev, test or nothing, leaked)
