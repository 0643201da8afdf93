"""An encoder with fewer layers, or fewer pieces in its vocabulary: smaller and faster, less exact.

`default:layers=6` keeps the first six layers: without further training the last ones are missed
least (Sajjad et al., "On the effect of dropping layers of pre-trained transformer models", 2023).
`default:pieces=60000` keeps the most frequent pieces; words of others are spelled from shorter
ones. Both can be given: `default:layers=6,pieces=60000`. A pruned encoder is another encoder, with
a version of its own. What each costs: `python -m training.pruning`, docs/lab.md.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Protocol

from clickwise.encoder.weights import EncoderWeights
from clickwise.errors import ConfigurationError

_SPEC = re.compile(r"(?P<base>.+?):(?P<pruning>(?:layers|pieces)=\d+(?:,(?:layers|pieces)=\d+)?)\Z")
_FEWEST_PIECES = 1_000


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is kept; 0: everything."""

    layers: int = 0
    pieces: int = 0

    @property
    def name(self) -> str:
        """Short, fit for a file name."""
        return "".join(
            f"-{number}{what}"
            for what, number in (("layers", self.layers), ("pieces", self.pieces))
            if number
        )


class Weights(Protocol):
    """See `clickwise.encoder.sources.WeightSource`."""

    @property
    def name(self) -> str:
        """Short, fit for a file name."""
        ...

    @property
    def checksum(self) -> str:
        """SHA-256 over the source's files."""
        ...

    def load(self) -> EncoderWeights:
        """Read and check everything."""
        ...


class PrunedSource:
    """Another source with less in it."""

    def __init__(self, source: Weights, pruning: Pruning) -> None:
        self._source = source
        self._pruning = pruning
        self.name = f"{source.name}{pruning.name}"
        told = f"{source.checksum}\n{pruning.name}\n"
        self.checksum = hashlib.sha256(told.encode()).hexdigest()

    def load(self) -> EncoderWeights:
        """See WeightSource.

        Raises:
            ConfigurationError: it has no more layers or pieces than that, or its vocabulary has
                no order by frequency.
        """
        weights = self._source.load()
        if self._pruning.layers:
            weights = with_layers(weights, self._pruning.layers)
        if self._pruning.pieces:
            weights = with_pieces(weights, self._pruning.pieces)
        return replace(weights, name=self.name, checksum=self.checksum)


def parsed(model: str) -> tuple[str, Pruning]:
    """The setting `encoder_model` as the model and what is kept of it.

    Raises:
        ConfigurationError: a number that cannot be.
    """
    match = _SPEC.match(model)
    if match is None:
        return model, Pruning()
    given = [one.split("=") for one in match["pruning"].split(",")]
    numbers = {what: int(number) for what, number in given}
    if len(numbers) < len(given) or not all(numbers.values()):
        raise ConfigurationError(f"CLICKWISE_ENCODER_MODEL={model}: each once, and above zero")
    return match["base"], Pruning(**numbers)


def with_layers(weights: EncoderWeights, layers: int) -> EncoderWeights:
    """The first so many layers.

    Raises:
        ConfigurationError: there are fewer.
    """
    own = weights.architecture.layers
    if layers >= own:
        raise ConfigurationError(f"encoder {weights.name} has {own} layers: keep fewer than that")
    dropped = tuple(f"{layer}." for layer in range(layers, own))
    kept = {name: one for name, one in weights.tensors.items() if not name.startswith(dropped)}
    return replace(weights, architecture=replace(weights.architecture, layers=layers), tensors=kept)


def with_pieces(weights: EncoderWeights, pieces: int) -> EncoderWeights:
    """The first so many pieces: a Unigram vocabulary has the most frequent ones first.

    Raises:
        ConfigurationError: the tokenizer is no Unigram model, or it has fewer pieces.
    """
    tokenizer = json.loads(weights.tokenizer)
    model = tokenizer.get("model", {})
    if model.get("type") != "Unigram":
        raise ConfigurationError(
            f"encoder {weights.name}: only a Unigram vocabulary is ordered by frequency, this is"
            f" {model.get('type')}"
        )
    own = len(model["vocab"])
    if not _FEWEST_PIECES <= pieces < own:
        raise ConfigurationError(
            f"encoder {weights.name} has {own} pieces: keep from {_FEWEST_PIECES} to {own - 1}"
        )
    model["vocab"] = model["vocab"][:pieces]
    tokenizer["added_tokens"] = [
        one for one in tokenizer.get("added_tokens", []) if one["id"] < pieces
    ]
    return replace(
        weights,
        architecture=replace(weights.architecture, vocabulary=pieces),
        tokenizer=json.dumps(tokenizer, ensure_ascii=False).encode(),
        tensors={**weights.tensors, "words": weights.tensors["words"][:pieces]},
    )
