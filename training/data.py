"""What training and evaluation read: events in columns, and the items that they are about.

Shape suffixes: N = events, I = items, D = dimension of the text vectors, P = of the picture
vectors, T = steps of one user's history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float32Array, Float64Array, Int32Array

UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Log:
    """Distinct events in event-time order (ties: in the order of the source).

    `users_N` and `items_N` are places in `Dataset.user_ids` and `Dataset.items`; `types_N` are
    `EVENT_CODES`; `weights_N` what `profile.weight_of` gives (positive: interest); `times_N`
    seconds since 1970, or 0, 1, 2 ... where the source tells only the order (`Dataset.timed`).
    """

    users_N: Int32Array
    items_N: Int32Array
    types_N: UInt8Array
    weights_N: Float32Array
    times_N: Float64Array

    def __len__(self) -> int:
        return len(self.users_N)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Log":
        """Some events, by mask or by places in ascending order."""
        return Log(
            self.users_N[rows],
            self.items_N[rows],
            self.types_N[rows],
            self.weights_N[rows],
            self.times_N[rows],
        )


@dataclass(frozen=True, slots=True)
class Pictures:
    """Picture vectors of items, all of one model: unit vectors, zero rows where there is none."""

    model: str
    vectors_IP: Float32Array


@dataclass(frozen=True, slots=True)
class Items:
    """Items in columns. `published_I` is 0 where it is not known, `languages` and `kinds` "".

    `text_model` is the version of the encoder that `text_ID` is of, "" where nobody asks.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    topics: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...]
    languages: tuple[str, ...]
    published_I: Float64Array
    texts: tuple[str, ...]  # what the encoder reads (`clickwise.text.item_text`); "" for none
    text_ID: Float32Array | None = None  # unit vectors; zero rows where there is no text
    text_model: str = ""
    pictures: Pictures | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A site's log and catalogue. `timed` False: times give the order and nothing else."""

    name: str
    log: Log
    items: Items
    user_ids: tuple[str, ...]
    timed: bool = True

    def with_log(self, log: Log) -> "Dataset":
        """The same users and items with other events."""
        return Dataset(self.name, log, self.items, self.user_ids, self.timed)

    def before(self, time: float) -> "Dataset":
        """The events strictly before `time`."""
        return self.with_log(self.log.take(self.log.times_N < time))

    def histories(self) -> Iterator[tuple[int, "History"]]:
        """Each user that has events, with all of them in order."""
        order = np.argsort(self.log.users_N, kind="stable")
        users_N = self.log.users_N[order]
        bounds = np.flatnonzero(np.diff(users_N)) + 1
        for rows in np.split(order, bounds) if len(order) else []:
            yield int(self.log.users_N[rows[0]]), History.of(self.log.take(rows))


@dataclass(frozen=True, slots=True)
class History:
    """One user's events up to a moment, oldest first. `now`: when the question is asked
    (seconds since 1970), or one past the last step where only the order is known.
    """

    items_T: Int32Array
    types_T: UInt8Array
    weights_T: Float32Array
    times_T: Float64Array
    now: float

    @classmethod
    def of(cls, log: Log, *, now: float | None = None) -> "History":
        """The events of one user's `log`."""
        last = float(log.times_N[-1]) if len(log) else 0.0
        return cls(
            log.items_N,
            log.types_N,
            log.weights_N,
            log.times_N,
            last if now is None else now,
        )

    def __len__(self) -> int:
        return len(self.items_T)


class Ranker(Protocol):
    """Something that orders all items for a user: a baseline, or ours.

    `fit` reads a training part; `score` is asked about histories that may go on beyond it, and
    must not look at anything after them. `learn` is told every event in order when a log is
    lived forward, for rankers whose counts can move without a new fit.
    """

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Learn from `data`; equal seeds give equal rankers."""
        ...

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """Scores (B, I), higher is better. Seen items are scored too: the caller bars them.

        `users` are places in `user_ids`, for rankers that keep something per user.
        """
        ...

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """One later event happened."""
        ...
