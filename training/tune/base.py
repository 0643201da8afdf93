"""The encoder that is tuned: canonical weights into transformers' BertModel, and back.

Every family that the encoder package reads arrives in one canonical form
(`clickwise.encoder.weights`), so one model class serves them all: positions count from 0 and the
vector of token type 0 is in them.

Of the vocabulary only the pieces that the texts at hand use are held (a multilingual one has a
quarter of a million, of which a site's texts use some thousands): less memory, and a full tuning
spends nothing on rows that it cannot learn. The others come back when the weights do.

Shape suffixes: V = kept pieces, N = texts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from clickwise.encoder.tokens import load_tokenizer
from clickwise.encoder.weights import Activation, EncoderWeights
from clickwise.vectors.port import Float32Array, Int64Array
from training.tune.batches import Row

if TYPE_CHECKING:
    from transformers import BertModel

_ACTIVATIONS = {
    Activation.GELU: "gelu",
    Activation.GELU_TANH: "gelu_pytorch_tanh",
    Activation.RELU: "relu",
}
_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_in": "intermediate.dense",
    "feed_out": "output.dense",
    "feed_norm": "output.LayerNorm",
}
_WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True, slots=True)
class Base:
    """Weights, and the ids of the pieces that are held, ascending."""

    weights: EncoderWeights
    kept_V: Int64Array

    @property
    def pad(self) -> int:
        """The place of the padding piece among those held."""
        return int(np.searchsorted(self.kept_V, self.weights.pad_id))

    @property
    def parameters(self) -> int:
        """Of the whole encoder, with its whole vocabulary."""
        return sum(tensor.size for tensor in self.weights.tensors.values())

    def rows(self, ids: Iterable[Sequence[int]]) -> list[Row]:
        """Token ids as places among the pieces held.

        Raises:
            ValueError: a piece is not held.
        """
        found = []
        for row in ids:
            given = np.asarray(row, np.int64)
            places = np.searchsorted(self.kept_V, given)
            if not np.array_equal(self.kept_V[np.minimum(places, len(self.kept_V) - 1)], given):
                raise ValueError("a text uses a piece that is not held")
            found.append(places.astype(np.int64))
        return found

    def model(self, *, dropout: float = 0.0) -> "BertModel":
        """A BertModel with these weights, float32, in evaluation mode. Nothing is downloaded."""
        from transformers import BertConfig, BertModel

        sizes = self.weights.architecture
        config = BertConfig(
            vocab_size=len(self.kept_V),
            hidden_size=sizes.hidden,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            intermediate_size=sizes.feed_forward,
            hidden_act=_ACTIVATIONS[sizes.activation],
            max_position_embeddings=sizes.positions,
            type_vocab_size=1,
            layer_norm_eps=sizes.norm_epsilon,
            pad_token_id=self.pad,
            hidden_dropout_prob=dropout,
            # Scalar code on a CPU: a sixth of a step, for little.
            attention_probs_dropout_prob=0.0,
        )
        # torch's own attention takes half of a step in its backward pass on a CPU.
        config._attn_implementation = "eager"  # noqa: SLF001
        model = BertModel(config, add_pooling_layer=False)
        tensors = self.weights.tensors
        held = {**tensors, "words": tensors["words"][self.kept_V]}
        state = {name: torch.from_numpy(held[ours].copy()) for name, ours in self._names()}
        state["embeddings.token_type_embeddings.weight"] = torch.zeros(1, sizes.hidden)
        missing, strange = model.load_state_dict(state, strict=False)
        if strange or any("position_ids" not in name for name in missing):
            raise ValueError(f"transformers' BertModel has other tensors: {missing} {strange}")
        return model.eval()

    def tuned(self, model: "BertModel", *, name: str) -> EncoderWeights:
        """The whole encoder with what `model` learned; pieces that it does not hold are as they
        were.
        """
        state = model.state_dict()
        types = state["embeddings.token_type_embeddings.weight"]
        found: dict[str, Float32Array] = {
            ours: state[theirs].float().cpu().numpy().copy() for theirs, ours in self._names()
        }
        found["positions"] = found["positions"] + types.float().cpu().numpy()
        words = self.weights.tensors["words"].copy()
        words[self.kept_V] = found["words"]
        found["words"] = words
        return replace(self.weights, name=name, tensors=found)

    def _names(self) -> list[tuple[str, str]]:
        """Transformers' name of each canonical tensor."""
        pairs = [
            (_WORDS, "words"),
            ("embeddings.position_embeddings.weight", "positions"),
            ("embeddings.LayerNorm.weight", "norm.weight"),
            ("embeddings.LayerNorm.bias", "norm.bias"),
        ]
        for layer in range(self.weights.architecture.layers):
            pairs += [
                (f"encoder.layer.{layer}.{theirs}.{kind}", f"{layer}.{ours}.{kind}")
                for ours, theirs in _PARTS.items()
                for kind in ("weight", "bias")
            ]
        return pairs


def token_ids(weights: EncoderWeights, texts: Sequence[str], *, max_tokens: int) -> list[list[int]]:
    """Ids of each text as the encoder reads it: prefix, special pieces, cut at `max_tokens`."""
    limit = min(max_tokens, weights.recipe.max_tokens)
    tokenizer = load_tokenizer(weights.tokenizer, prefix=weights.recipe.prefix, max_tokens=limit)
    return tokenizer.encode(texts)


def base_for(weights: EncoderWeights, ids: Iterable[Sequence[int]]) -> Base:
    """The encoder with the pieces that `ids` use."""
    used = {weights.pad_id}
    for row in ids:
        used.update(row)
    return Base(weights, np.array(sorted(used), np.int64))
