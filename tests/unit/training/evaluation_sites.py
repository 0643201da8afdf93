"""Small made-up sites with known answers, and rankers that do what a test needs."""

import numpy as np

from clickwise.types import EVENT_CODES, EventType
from training.data import Dataset, Items, Log

CLICK = EVENT_CODES[EventType.CLICK]
DAY = 86_400.0
NOON = 1.4e9


def log_of(rows):
    """Events from (user, item, time), or with type and weight after; sorted by time."""
    filled = [(*row, *(CLICK, 1.0)[len(row) - 3 :]) for row in rows]
    filled.sort(key=lambda row: row[2])
    users, items, times, types, weights = zip(*filled, strict=True) if filled else ((),) * 5
    return Log(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array(types, np.uint8),
        np.array(weights, np.float32),
        np.array(times, np.float64),
    )


def site(rows, *, items=None, users=None, timed=True, published=None, languages=None, **columns):
    """A dataset of these events."""
    log = log_of(rows)
    num_items = items or int(log.items_N.max()) + 1
    num_users = users or int(log.users_N.max()) + 1
    names = tuple(f"i{place}" for place in range(num_items))
    return Dataset(
        "made-up",
        log,
        Items(
            ids=names,
            titles=names,
            topics=columns.get("topics", ((),) * num_items),
            kinds=columns.get("kinds", ("article",) * num_items),
            languages=languages or ("en",) * num_items,
            published_I=np.zeros(num_items) if published is None else np.array(published, float),
            texts=("",) * num_items,
            text_ID=columns.get("text_ID"),
        ),
        tuple(f"u{place}" for place in range(num_users)),
        timed,
    )


class Fixed:
    """Gives every user the same scores, and remembers what it was asked."""

    def __init__(self, scores, name="fixed"):
        self.name = name
        self.scores = np.array(scores, np.float32)
        self.fitted = None
        self.asked = []

    def fit(self, data, *, seed):
        self.fitted = (data, seed)

    def score(self, users, histories):
        self.asked += list(zip(users, histories, strict=True))
        return np.broadcast_to(self.scores, (len(users), len(self.scores)))

    def learn(self, *_, **__):
        raise AssertionError("nothing is learned in these protocols")


class Chain(Fixed):
    """Expects the item after the newest one, as sites in these tests go on."""

    def __init__(self, num_items, name="chain"):
        super().__init__(np.zeros(num_items), name)

    def score(self, users, histories):
        scores = np.zeros((len(users), len(self.scores)), np.float32)
        for row, history in enumerate(histories):
            if len(history):
                scores[row, (history.items_T[-1] + 1) % len(self.scores)] = 1.0
        return scores


def silent(*_):
    """A listener of progress that does not care."""
