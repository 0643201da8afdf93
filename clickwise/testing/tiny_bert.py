"""A small random encoder as a Hugging Face folder: real files, real formats, no meaning.

The same numbers can be written under the names of each supported family, so that a reader of
one family can be held against the reader of another.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from clickwise.vectors.port import Float32Array

HIDDEN = 32
LAYERS = 2
HEADS = 4
FEED_FORWARD = 48
POSITIONS = 64
_PAD = 0
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:!?-'"
# Some letters of other scripts; the rest is [UNK].
_FOREIGN = "".join(
    map(chr, [*range(0x0410, 0x0450), *range(0x0627, 0x064B), *range(0x4E00, 0x4E80)])
)
_WORDS = ("the", "news", "team", "wins", "rain", "query", "new", "game", "film", "bank")

_BERT = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_in": "intermediate.dense",
    "feed_out": "output.dense",
    "feed_norm": "output.LayerNorm",
}
_DISTILBERT = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "attention_out": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "feed_in": "ffn.lin1",
    "feed_out": "ffn.lin2",
    "feed_norm": "output_layer_norm",
}


def write_tiny_bert(
    folder: Path,
    *,
    family: str = "bert",
    prefix: str = "",
    shards: int = 1,
    activation: str = "gelu",
    seed: int = 0,
) -> Path:
    """Fill `folder` (made if missing) and return it.

    `family` is a `model_type`; `prefix` stands before every tensor's name. Equal seeds give
    equal numbers in every family.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    words = tokenizer.get_vocab_size()
    tensors = {
        prefix + name: np.ascontiguousarray(value)
        for name, value in _tensors(family, words, np.random.default_rng(seed)).items()
    }
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(_config(family, words, activation)))
    names = sorted(tensors)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return folder
    where = {name: f"model-{place % shards:05}.safetensors" for place, name in enumerate(names)}
    for shard in set(where.values()):
        save_file({n: tensors[n] for n in names if where[n] == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


def _config(family: str, words: int, activation: str) -> dict[str, object]:
    shared = {
        "model_type": family,
        "vocab_size": words,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": _PAD,
    }
    if family == "distilbert":
        return shared | {
            "dim": HIDDEN,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "hidden_dim": FEED_FORWARD,
            "activation": activation,
        }
    return shared | {
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": FEED_FORWARD,
        "hidden_act": activation,
        "layer_norm_eps": 1e-12,
    }


def _tensors(family: str, words: int, random: np.random.Generator) -> dict[str, Float32Array]:
    distilled = family == "distilbert"
    counts_from_padding = family in {"roberta", "xlm-roberta", "camembert"}

    def draw(*shape: int, spread: float = 0.25, middle: float = 0.0) -> Float32Array:
        return random.normal(middle, spread, shape).astype(np.float32)

    positions = draw(POSITIONS, HIDDEN)
    if counts_from_padding:
        positions = np.concatenate([np.full((_PAD + 1, HIDDEN), 9, np.float32), positions])
    tensors = {
        "embeddings.word_embeddings.weight": draw(words, HIDDEN, spread=1.0),
        "embeddings.position_embeddings.weight": positions,
        "embeddings.LayerNorm.weight": draw(HIDDEN, middle=1.0),
        "embeddings.LayerNorm.bias": draw(HIDDEN),
    }
    if not distilled:
        tensors["embeddings.token_type_embeddings.weight"] = np.zeros((2, HIDDEN), np.float32)
    shapes = {"feed_in": (FEED_FORWARD, HIDDEN), "feed_out": (HIDDEN, FEED_FORWARD)}
    for layer in range(LAYERS):
        stem = f"transformer.layer.{layer}" if distilled else f"encoder.layer.{layer}"
        for part, name in (_DISTILBERT if distilled else _BERT).items():
            if part.endswith("norm"):
                weight = draw(HIDDEN, middle=1.0)
            else:
                weight = draw(*shapes.get(part, (HIDDEN, HIDDEN)))
            tensors[f"{stem}.{name}.weight"] = weight
            tensors[f"{stem}.{name}.bias"] = draw(len(weight))
    return tensors


def _tokenizer() -> Tokenizer:
    letters = _LETTERS + _FOREIGN
    pieces = [*_SPECIAL, *_WORDS, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=_SPECIAL[1]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    # As published tokenizers do; the encoder has its own ideas and must not inherit these.
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=24)
    return tokenizer
