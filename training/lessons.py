"""What a network learns from a dataset: the items that events know, histories, and the part that
early stopping looks at.

Impressions are no part of a profile, so they are no part of a history here either. Items without
an event have nothing to learn from: the network does not hold them, and works on their text and
picture.

Shape suffixes: I = items of the catalogue, N = items that the network knows, U = users.
"""

from dataclasses import dataclass

import numpy as np
import torch

from clickwise.types import EVENT_CODES, EventType
from clickwise.vectors.port import Float32Array, Int64Array
from training.data import Dataset, History
from training.distributed import ALONE, SharedHistories, World
from training.network import Network
from training.quality import Validation
from training.sequences import Histories

VALIDATION_SHARE = 0.1
VALIDATION_USERS = 2_000
_FEWEST_USERS = 20  # fewer say nothing of quality
_IMPRESSION = EVENT_CODES[EventType.IMPRESSION]


@dataclass(frozen=True, slots=True)
class Lessons:
    """`known_N` are ascending places in the catalogue; the histories speak of places in it.

    `validation` is None where there are too few users to hold anything back.
    """

    known_N: Int64Array
    text_ND: Float32Array | None
    pictures_NP: Float32Array | None
    histories: Histories
    validation: Validation | None


def lessons_of(
    data: Dataset,
    *,
    seed: int,
    device: str,
    world: World = ALONE,
    learn_from: float | None = None,
) -> Lessons:
    """Everything to learn from in `data`.

    A tenth of the users (at most 2,000), drawn at random, are held back for validation from
    their last new item of interest on; all else is learned, by each process of `world` a share.
    A training that goes on from weights which know what was before `learn_from` is asked only
    about what came since.

    Raises:
        ValueError: no user has two events.
    """
    histories = [without_impressions(history) for _, history in data.histories()]
    histories = [history for history in histories if len(history)]
    if not any(len(history) > 1 for history in histories):
        raise ValueError(f"{data.name}: nobody has two events, so nothing follows from anything")
    known_N = np.unique(np.concatenate([history.items_T for history in histories]))
    known_N = known_N.astype(np.int64)
    histories = [_renumbered(history, known_N) for history in histories]
    validation = _held_back(histories, np.random.default_rng((seed, 7)), learn_from)
    text_ID, pictures = data.items.text_ID, data.items.pictures
    return Lessons(
        known_N=known_N,
        text_ND=None if text_ID is None else text_ID[known_N],
        pictures_NP=None if pictures is None else pictures.vectors_IP[known_N],
        histories=SharedHistories(histories, device=device, world=world),
        validation=validation,
    )


def without_impressions(history: History) -> History:
    """What a profile would hold of it."""
    kept_T = history.types_T != _IMPRESSION
    if kept_T.all():
        return history
    return _taken(history, kept_T)


def over_catalogue(network: Network, data: Dataset, known_N: Int64Array) -> None:
    """Let a trained network see the whole catalogue, in place: items that it knows by their rows,
    the others by their text and picture.
    """
    device = network.get_buffer("places_I").device
    places_I = torch.zeros(len(data.items), dtype=torch.long)
    places_I[torch.from_numpy(known_N)] = torch.arange(1, len(known_N) + 1)
    network.places_I = places_I.to(device)
    text_ID = data.items.text_ID
    if network.tower.text is not None and text_ID is not None:
        network.text_ID = torch.from_numpy(text_ID).float().to(device)
    else:
        network.text_ID = torch.zeros(len(data.items), 0, device=device)
    if network.tower.picture is not None:
        pictures = data.items.pictures
        rows_IP = (
            torch.zeros(len(data.items), network.tower.picture.in_features)
            if pictures is None
            else torch.from_numpy(pictures.vectors_IP).float()
        )
        network.pictures_IP = rows_IP.to(device)


def _held_back(
    histories: list[History], rng: np.random.Generator, since: float | None
) -> Validation | None:
    """Validation questions; the histories in the list lose what they ask about."""
    able = np.arange(len(histories))
    if since is not None:
        able = able[[one.times_T[_last_new(one)] >= since for one in histories]]
    if len(able) < _FEWEST_USERS:
        return None
    number = min(VALIDATION_USERS, max(_FEWEST_USERS, round(len(able) * VALIDATION_SHARE)))
    asked, targets = [], []
    for user in np.sort(able[rng.permutation(len(able))[:number]]).tolist():
        place = _last_new(histories[user])
        if place:
            before = _taken(histories[user], slice(0, place))
            targets.append(int(histories[user].items_T[place]))
            asked.append(before)
            histories[user] = before
    return Validation(tuple(asked), np.array(targets, np.int64)) if asked else None


def _last_new(history: History) -> int:
    """Place of the last positive event with which the user meets an item; 0 for none."""
    _, firsts = np.unique(history.items_T, return_index=True)
    liked = firsts[history.weights_T[firsts] > 0.0]
    return int(liked.max()) if len(liked) else 0


def _renumbered(history: History, known_N: Int64Array) -> History:
    return History(
        np.searchsorted(known_N, history.items_T).astype(np.int32),
        history.types_T,
        history.weights_T,
        history.times_T,
        history.now,
    )


def _taken(history: History, rows: "slice | np.ndarray[tuple[int], np.dtype[np.bool_]]") -> History:
    return History(
        history.items_T[rows],
        history.types_T[rows],
        history.weights_T[rows],
        history.times_T[rows],
        history.now,
    )
