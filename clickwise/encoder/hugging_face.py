"""An encoder's weights from a Hugging Face folder of the BERT family.

Families: BERT, RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT, ELECTRA. Read are `config.json`,
`tokenizer.json` and `model.safetensors` or its shards (and what `recipe` reads). Nothing from
the folder is executed: no remote code, no pickle.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clickwise.encoder.recipe import RECIPE_FILES, Json, read_json, read_recipe
from clickwise.encoder.stored_tensors import StoredTensors
from clickwise.encoder.weights import Activation, Architecture, EncoderWeights
from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Float32Array

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_ACTIVATIONS = {
    "gelu": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "relu": Activation.RELU,
}
_BERT_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_in": "intermediate.dense",
    "feed_out": "output.dense",
    "feed_norm": "output.LayerNorm",
}
_DISTIL_PARTS = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "attention_out": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "feed_in": "ffn.lin1",
    "feed_out": "ffn.lin2",
    "feed_norm": "output_layer_norm",
}
# Names that a size has in `config.json`: DistilBERT has its own.
_SIZES = {
    "hidden": ("hidden_size", "dim"),
    "layers": ("num_hidden_layers", "n_layers"),
    "heads": ("num_attention_heads", "n_heads"),
    "feed_forward": ("intermediate_size", "hidden_dim"),
}


@dataclass(frozen=True, slots=True)
class _Family:
    """How one `model_type` names its tensors and counts its positions."""

    layers: str = "encoder.layer"
    distilled: bool = False
    counts_from_padding: bool = False

    @property
    def parts(self) -> Mapping[str, str]:
        return _DISTIL_PARTS if self.distilled else _BERT_PARTS


_FAMILIES = {
    "bert": _Family(),
    "electra": _Family(),
    "roberta": _Family(counts_from_padding=True),
    "xlm-roberta": _Family(counts_from_padding=True),
    "camembert": _Family(counts_from_padding=True),
    "distilbert": _Family(layers="transformer.layer", distilled=True),
}


def folder_checksum(folder: Path) -> str:
    """SHA-256 over the names and contents of all files that are read.

    Raises:
        ConfigurationError: a file is missing, or the weights are pickled.
    """
    names = [path.name for path in weight_files(folder)]
    names += [name for name in (_INDEX, *RECIPE_FILES) if (folder / name).is_file()]
    for required in ("config.json", "tokenizer.json"):
        if not (folder / required).is_file():
            raise ConfigurationError(f"the encoder's folder {folder} has no {required}")
        names.append(required)
    total = hashlib.sha256()
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{name} {digest}\n".encode())
    return total.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model.

    Raises:
        ConfigurationError: there are none, or a shard is missing.
    """
    if (folder / _INDEX).is_file():
        shards = read_json(folder / _INDEX).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise ConfigurationError(f"{folder / _INDEX} has no weight_map")
        # Only the last part: an index must not reach outside its folder.
        files = [folder / Path(str(name)).name for name in sorted(set(shards.values()))]
    else:
        files = [folder / _SINGLE]
    for file in files:
        if file.is_file():
            continue
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        if pickled:
            raise ConfigurationError(
                f"the encoder's folder {folder} has {pickled[0]} but no {file.name}: pickled"
                " weights can run code when read and are not taken; save them as safetensors"
            )
        raise ConfigurationError(f"the encoder's folder {folder} has no {file.name}")
    return files


def load_folder(folder: Path, *, name: str, checksum: str) -> EncoderWeights:
    """The weights in `folder`, all tensors checked.

    Raises:
        ConfigurationError: an unsupported model, a missing tensor, or one of the wrong shape.
    """
    config = read_json(folder / "config.json")
    family = _family(config, name)
    stored = StoredTensors(name, weight_files(folder))
    pad_id = _whole(config, ("pad_token_id",), name, default=0)
    positions = stored.read("embeddings.position_embeddings.weight")
    if family.counts_from_padding:
        positions = positions[pad_id + 1 :]
    types = stored.find("embeddings.token_type_embeddings.weight")
    words = stored.read("embeddings.word_embeddings.weight")
    architecture = _architecture(config, name, family, words=len(words), positions=len(positions))
    if words.shape[1] != architecture.hidden:
        raise ConfigurationError(
            f"encoder {name}: word vectors of {words.shape[1]} dimensions that are projected to"
            f" {architecture.hidden} are not supported"
        )
    tensors: dict[str, Float32Array] = {
        "words": words,
        "positions": positions if types is None else positions + types[0],
        "norm.weight": stored.read("embeddings.LayerNorm.weight"),
        "norm.bias": stored.read("embeddings.LayerNorm.bias"),
    }
    for layer in range(architecture.layers):
        for ours, theirs in family.parts.items():
            for kind in ("weight", "bias"):
                source = f"{family.layers}.{layer}.{theirs}.{kind}"
                tensors[f"{layer}.{ours}.{kind}"] = stored.read(source)
    return EncoderWeights(
        name=name,
        checksum=checksum,
        architecture=architecture,
        recipe=read_recipe(folder, name=name, positions=architecture.positions),
        pad_id=pad_id,
        tokenizer=(folder / "tokenizer.json").read_bytes(),
        tensors=tensors,
    )


def _family(config: Json, name: str) -> _Family:
    kind = config.get("model_type")
    family = _FAMILIES.get(str(kind))
    if family is None:
        raise ConfigurationError(
            f"encoder {name}: model_type {kind!r} is not supported, only"
            f" {', '.join(sorted(_FAMILIES))}"
        )
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise ConfigurationError(
            f"encoder {name}: position_embedding_type {positions!r} is not supported"
        )
    return family


def _architecture(
    config: Json, name: str, family: _Family, *, words: int, positions: int
) -> Architecture:
    sizes = {ours: _whole(config, theirs, name) for ours, theirs in _SIZES.items()}
    activation = config.get("activation" if family.distilled else "hidden_act", "gelu")
    if activation not in _ACTIVATIONS:
        raise ConfigurationError(
            f"encoder {name}: activation {activation!r} is not supported, only"
            f" {', '.join(_ACTIVATIONS)}"
        )
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, int | float):
        raise ConfigurationError(f"encoder {name}: layer_norm_eps is {epsilon!r}, not a number")
    return Architecture(
        **sizes,
        vocabulary=words,
        positions=positions,
        norm_epsilon=float(epsilon),
        activation=_ACTIVATIONS[str(activation)],
    )


def _whole(config: Json, names: tuple[str, ...], encoder: str, default: int | None = None) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and value >= 0:
            return value
    if default is None:
        raise ConfigurationError(f"encoder {encoder}: config.json has no {names[0]}")
    return default
