"""A trained network as a bundle: the files that serving loads, and what a warm start needs.

Its version is a hash of its graphs, so equal runs give equal versions. The space of its item
vectors is named after the item graph alone: a bundle that differs in its scorer shares it.

Shape suffixes: see training.model; I = items that the model knows.
"""

import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

from clickwise.bundle import Bundle, Manifest, load_bundle, write_bundle
from clickwise.bundle.folder import KEYS, READ, SCORER, STEP, TOWER
from clickwise.errors import BundleError
from clickwise.profile import Rules
from clickwise.types import ModelVersion, item_key
from clickwise.vectors.port import Int64Array
from training.export_graphs import item_graph, read_graph, step_graph
from training.network import Network
from training.ranker import BaseScorer, Ranker, scorer_graph


@dataclass(frozen=True, slots=True)
class Site:
    """What a model was made for: the encoder's version and its dimension, the rules, and the model
    that the site's picture vectors are of ("" for none).
    """

    encoder: str
    text_dimension: int
    rules: Rules
    pictures: str = ""


def exported_files(
    network: Network, ids: Sequence[str], *, text: int, scorer: BaseScorer | Ranker | None = None
) -> dict[str, bytes]:
    """The graphs and keys of a bundle; `ids` are those of the network's items, in its order,
    `text` the dimension of the site's text vectors.

    Raises:
        BundleError: two ids have one key, or the network reads text of another dimension.
    """
    own = network.get_buffer("text_ID").shape[1]
    if own and own != text:
        raise BundleError(f"the network reads text vectors of {own} numbers, the site has {text}")
    ordered, keys_I = in_key_order(network, ids)
    return {
        TOWER: item_graph(ordered, text=text),
        KEYS: array_bytes(keys_I),
        STEP: step_graph(ordered),
        READ: read_graph(ordered),
        SCORER: scorer_graph(scorer or BaseScorer(), dimension=network.config.dimension + 1),
    }


def write_learned(
    folder: Path,
    network: Network,
    files: Mapping[str, bytes],
    site: Site,
    *,
    created: datetime,
    extras: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write a bundle of `exported_files` (or quantized forms of them) below `folder`.

    Raises:
        BundleError: the network reads pictures, and the site does not say of which model.
    """
    if network.tower.picture is not None and not site.pictures:
        raise BundleError("the network reads pictures: the model that they are of has to be named")
    version = ModelVersion(f"learned-{_digest(files, TOWER, KEYS, STEP, READ, SCORER)}")
    manifest = Manifest(
        version=version,
        vectors=ModelVersion(f"space-{_digest(files, TOWER, KEYS)}"),
        created=created,
        encoder=site.encoder,
        text_dimension=site.text_dimension,
        dimension=network.config.dimension + 1,
        rules=site.rules,
        pictures=site.pictures if network.tower.picture is not None else "",
        picture_dimension=0 if network.tower.picture is None else network.tower.picture.in_features,
        memory=network.user.memory,
        interests=network.config.interests,
    )
    write_bundle(folder / version, manifest, {**files, **(extras or {})})
    return load_bundle(folder / version)


def in_key_order(network: Network, ids: Sequence[str]) -> tuple[Network, Int64Array]:
    """A copy on the CPU whose items lie in ascending order of their keys, and the keys (I,).

    Raises:
        BundleError: two ids have one key.
    """
    keys = np.array([item_key(item) for item in ids], np.int64)
    order = np.argsort(keys, kind="stable")
    keys_I = keys[order]
    if bool((np.diff(keys_I) == 0).any()):
        raise BundleError("two items of the catalogue have the same key")
    ordered = copy.deepcopy(network).cpu().float().eval()
    places = torch.from_numpy(order)
    with torch.no_grad():
        ordered.tower.ids.weight[1:] = ordered.tower.ids.weight[1:][places]
    ordered.text_ID = ordered.get_buffer("text_ID")[places]
    ordered.pictures_IP = ordered.get_buffer("pictures_IP")[places]
    return ordered, keys_I


def array_bytes(array: Int64Array) -> bytes:
    """An array as a `.npy` file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def keys_of(files: Mapping[str, bytes]) -> Int64Array:
    """The keys (I,) among the files of a bundle."""
    keys_I: Int64Array = np.load(io.BytesIO(files[KEYS]), allow_pickle=False)
    return keys_I


def _digest(files: Mapping[str, bytes], *names: str) -> str:
    digest = blake2b(digest_size=6)
    for name in names:
        digest.update(len(files[name]).to_bytes(8) + files[name])
    return digest.hexdigest()
