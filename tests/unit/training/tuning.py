"""A tiny encoder and two classes of made-up headlines, for the tests of tuning."""

import random

import numpy as np

from clickwise.encoder.sources import FolderSource
from clickwise.testing.tiny_bert import write_tiny_bert
from training.data import Dataset, Items, Log
from training.tune.course import Course
from training.tune.labelled import Labelled
from training.tune.parts import parts_of
from training.tune.task import task_of

WORDS = {"money": ("bank", "rain", "film", "new"), "sport": ("team", "wins", "game", "news")}
QUICK = Course(epochs=2, batch=16, max_tokens=16)


def weights(folder, **options):
    return FolderSource(write_tiny_bert(folder / "tiny", **options), "tiny").load()


def headlines(number, *, seed=0):
    """Different texts; which words they have tells the class."""
    draw = random.Random(seed)
    texts, labels = [], []
    for place in range(number):
        label = place % 2
        words = draw.choices(WORDS[("money", "sport")[label]], k=5)
        texts.append(f"{' '.join(words)} {seed * 1000 + place}")
        labels.append(label)
    return Labelled(tuple(texts), np.array(labels, np.int64), ("money", "sport"))


def task(folder, course=QUICK, *, number=48, **options):
    train, test = headlines(number), headlines(16, seed=1)
    parts = parts_of(train, test, None, held=12, seed=1)
    return task_of(weights(folder, **options), parts, course)


def clicked(*, users, per_user=6):
    """Users who take headlines of one class alone, one after the other."""
    data = headlines(24)
    draw = np.random.default_rng(3)
    of_class = [np.flatnonzero(data.labels_N == label) for label in (0, 1)]
    taken = [draw.choice(of_class[user % 2], per_user, replace=False) for user in range(users)]
    number = users * per_user
    log = Log(
        users_N=np.repeat(np.arange(users), per_user).astype(np.int32),
        items_N=np.concatenate(taken).astype(np.int32),
        types_N=np.ones(number, np.uint8),
        weights_N=np.ones(number, np.float32),
        times_N=np.arange(number, dtype=np.float64),
    )
    none = ("",) * len(data)
    items = Items(
        ids=tuple(f"i{place}" for place in range(len(data))),
        titles=data.texts,
        topics=((),) * len(data),
        kinds=none,
        languages=none,
        published_I=np.zeros(len(data)),
        texts=data.texts,
    )
    return Dataset("clicked", log, items, tuple(f"u{user}" for user in range(users)))
