"""What a bundle keeps for the next training: weights, and how they came about.

`weights.safetensors` holds the network with its items in the order of `items.npy`, so that a warm
start finds each item's row by its key; `training.json` the sizes and the story.
"""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from clickwise.bundle.folder import KEYS
from clickwise.errors import BundleError
from clickwise.vectors.port import Int64Array
from training.model import ModelConfig
from training.network import Network

WEIGHTS, STORY = "weights.safetensors", "training.json"
_IDS, _PICTURE, _NO_PICTURE = "tower.ids.weight", "tower.picture.weight", "tower.no_picture"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """How a bundle's network was trained.

    `kind` is full or incremental, `base` the version that it was started from ("" for none).
    `learned_until`: events before it were learned (seconds since 1970); `full_seconds` is how long
    the last full training took, which an incremental one is measured by, `full_made` when it was.
    """

    kind: str
    base: str
    seed: int
    learned_until: float
    seconds: float
    full_seconds: float
    full_made: datetime
    epochs: int
    quality: float | None
    events: int
    users: int
    items: int
    made: datetime
    model: dict[str, int | float]


def story_files(ordered: Network, story: Story) -> dict[str, bytes]:
    """Both files; `ordered` has its items in the order of their keys."""
    tensors = {name: one.detach().cpu().contiguous() for name, one in ordered.state_dict().items()}
    return {
        WEIGHTS: save_tensors(tensors),
        STORY: msgspec.json.format(msgspec.json.encode(story), indent=2),
    }


def read_story(folder: Path) -> Story | None:
    """The story of the bundle at `folder`; None where it was not trained (day 0).

    Raises:
        BundleError: it cannot be read.
    """
    path = folder / STORY
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Story)
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{path}: the story of the training is damaged") from error


def model_of(story: Story) -> ModelConfig:
    """The sizes that its network has.

    Raises:
        BundleError: another program's, with other fields.
    """
    try:
        return msgspec.convert(story.model, ModelConfig)
    except msgspec.ValidationError as error:
        raise BundleError(f"{STORY}: sizes of another program: {error}") from error


def sizes_of(config: ModelConfig) -> dict[str, int | float]:
    """The sizes as a story keeps them."""
    return asdict(config)


@torch.no_grad()
def warm_start(network: Network, keys_N: Int64Array, folder: Path) -> int:
    """Give `network` the weights of the bundle at `folder`, in place; how many items it knew.

    `keys_N` are those of the network's items, in its order. Items that the bundle did not know
    keep their fresh rows; and where the bundle read no pictures they say nothing at first.

    Raises:
        BundleError: the weights are damaged, or of other sizes.
    """
    try:
        tensors = load_tensors((folder / WEIGHTS).read_bytes())
        known_I: Int64Array = np.load(folder / KEYS, allow_pickle=False)
    except (OSError, SafetensorError, ValueError) as error:
        raise BundleError(f"{folder}: {WEIGHTS} cannot be read") from error
    rows = tensors.pop(_IDS)
    own = dict(network.state_dict())
    fresh = own.pop(_IDS)
    if _PICTURE in own and _PICTURE not in tensors:
        tensors |= {name: torch.zeros_like(own[name]) for name in (_PICTURE, _NO_PICTURE)}
    fits = {name: one.shape for name, one in own.items()} == {
        name: one.shape for name, one in tensors.items()
    }
    if not fits or rows.shape[1:] != fresh.shape[1:] or len(rows) != len(known_I) + 1:
        raise BundleError(f"{folder}: the weights are those of a network of other sizes")
    places_N = np.searchsorted(known_I, keys_N)
    found_N = np.zeros(len(keys_N), np.bool_)
    if len(known_I):
        found_N = known_I[np.minimum(places_N, len(known_I) - 1)] == keys_N
    started = fresh.clone()
    at = torch.from_numpy(np.flatnonzero(found_N)) + 1
    started[at.to(fresh.device)] = rows[torch.from_numpy(places_N[found_N]) + 1].to(fresh.device)
    network.load_state_dict({**tensors, _IDS: started})
    return int(found_N.sum())
