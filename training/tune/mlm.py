"""Continued pre-training: pieces of a site's own texts are hidden, and the encoder guesses them.

The decoder is the table of word vectors itself, over the pieces that the texts use. Before it
stands a layer that the encoder came without: it learns alone first. The loss before is that of
this layer after as many epochs more alone, which are then undone: so the loss after says what the
encoder learned, and not that a new layer found its way.

After Gururangan et al., "Don't stop pretraining" (ACL 2020). Whole words hide together where
pieces say where a word begins (Cui et al., "Pre-training with whole word masking", 2021); Chinese,
which has no such marks, hides piece by piece.

Shape suffixes: N = texts, B = texts of a batch, L = tokens, D = embedding dimension, V = kept
pieces, M = hidden pieces of a batch.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clickwise.encoder.weights import EncoderWeights
from clickwise.vectors.port import Int64Array
from training.devices import auto_device, seeded
from training.tune.anchors import Anchors
from training.tune.base import Base
from training.tune.batches import Row, by_length, lengths, padded, shuffled

_BEGINS = "\u2581"  # a SentencePiece that begins a word
_GOES_ON = "##"  # a WordPiece that goes on with one
_KEPT, _RANDOM = 0.1, 0.1  # of the chosen pieces: as they are; another; the rest is hidden


@dataclass(frozen=True, slots=True)
class MlmCourse:
    """`hidden`: share of a text's pieces. `head_epochs`: those of the new layer alone.

    `anchor`: the weight of how far texts stray from where they lay (`training.tune.anchors`); 0:
    let them. Without it an encoder that `rate` moves for two epochs has an int8 form that is
    refused (docs/lab.md, "Words: tuning").
    """

    epochs: int = 2
    anchor: float = 1.0
    head_epochs: int = 1
    rate: float = 2e-5
    head_rate: float = 2e-3
    hidden: float = 0.15
    whole_words: bool = True
    batch: int = 32
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 1
    bf16: bool = False
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class MlmEpoch:
    """`held_loss`: nats a hidden piece, on texts that are not learned from. `stage`: head, control
    (the new layer alone, undone afterwards) or encoder.
    """

    stage: str
    number: int
    loss: float
    held_loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class MlmStory:
    """The encoder that came of it, and the held-out loss: `before` with the new layer alone
    learning for as long, `after` with the encoder learning too.
    """

    weights: EncoderWeights
    before: float
    after: float
    epochs: tuple[MlmEpoch, ...]

    @property
    def seconds(self) -> float:
        """Processor time of all epochs."""
        return sum(epoch.seconds for epoch in self.epochs)


class Guesser(nn.Module):
    """A BertModel, the new layer, and the tied decoder."""

    def __init__(self, model: nn.Module, dimension: int, pieces: int) -> None:
        super().__init__()
        self.model = model
        self.layer = nn.Linear(dimension, dimension)
        self.norm = nn.LayerNorm(dimension)
        self.bias_V = nn.Parameter(torch.zeros(pieces))
        nn.init.eye_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, ids_BL: Tensor, mask_BL: Tensor, chosen_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (M, V) of the chosen places, and the last layer (B, L, D). What is given may come
        from another device.
        """
        ids_BL, mask_BL = ids_BL.to(self.bias_V.device), mask_BL.to(self.bias_V.device)
        hidden_BLD = self.model(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state
        guessed_MD = self.norm(
            functional.gelu(self.layer(hidden_BLD[chosen_BL.to(hidden_BLD.device)]))
        )
        words_VD = self.model.get_input_embeddings().weight  # type: ignore[operator]
        found: Tensor = guessed_MD @ words_VD.T + self.bias_V
        return found.float(), hidden_BLD


def pretrained(
    base: Base,
    rows: Sequence[Row],
    held_rows: Sequence[Row],
    course: MlmCourse,
    *,
    fixed: int,
    watch: Callable[[MlmEpoch], None],
) -> MlmStory:
    """Learn `rows`; word vectors stay as they are, so that pieces that no text has still fit.

    Raises:
        ValueError: nothing to learn from, or nothing held back.
    """
    if not rows or not held_rows:
        raise ValueError("masked-language pre-training needs texts, and some held back")
    device = auto_device(course.device)
    with seeded(course.seed, device):
        model = base.model()
        guesser = Guesser(model, base.weights.architecture.hidden, len(base.kept_V)).to(device)
    anchors = Anchors.of(base, model, rows) if course.anchor else None
    words = model.get_input_embeddings()
    hider = Hider.of(base, course, fixed=fixed)
    held = _hidden(hider, held_rows, base.pad, course, np.random.default_rng((course.seed, 0)))
    epochs: list[MlmEpoch] = []
    begun: dict[str, Tensor] = {}
    for stage, number in (
        ("head", course.head_epochs),
        ("control", course.epochs),
        ("encoder", course.epochs),
    ):
        model.requires_grad_(requires_grad=stage == "encoder")
        words.requires_grad_(requires_grad=False)
        if stage == "control":
            begun = {name: value.clone() for name, value in guesser.state_dict().items()}
        elif stage == "encoder":
            guesser.load_state_dict(begun)
        kept = anchors if stage == "encoder" else None
        epochs += _learn(guesser, hider, rows, kept, held, base.pad, course, stage, number, watch)
    before = [epoch.held_loss for epoch in epochs if epoch.stage == "control"]
    return MlmStory(
        weights=base.tuned(model, name=f"{base.weights.name}-mlm"),
        before=before[-1] if before else float("nan"),
        after=epochs[-1].held_loss,
        epochs=tuple(epochs),
    )


@dataclass(frozen=True, slots=True)
class Hider:
    """Chooses pieces of a text and hides them. `begins_V`: whether a piece begins a word."""

    mask: int
    pieces: int
    begins_V: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    share: float
    fixed: int

    @classmethod
    def of(cls, base: Base, course: MlmCourse, *, fixed: int) -> "Hider":
        """For the texts of `base`. Where the vocabulary has no mask, padding stands for it."""
        names = _pieces(base.weights.tokenizer)
        kept = [names.get(piece, "") for piece in base.kept_V.tolist()]
        sentence = any(name.startswith(_BEGINS) for name in kept)
        begins = [
            not course.whole_words
            or (name.startswith(_BEGINS) if sentence else not name.startswith(_GOES_ON))
            or (not name.isascii() and not name.startswith(_BEGINS) and _is_ideographic(name))
            for name in kept
        ]
        return cls(base.pad, len(kept), np.array(begins, np.bool_), course.hidden, fixed)

    def hide(self, row: Row, rng: np.random.Generator) -> tuple[Row, Int64Array]:
        """The row with pieces hidden, and the places of those to guess."""
        own = np.arange(self.fixed, len(row) - 1)
        if not len(own):
            return row, own
        words_L = np.cumsum(self.begins_V[row[own]])
        words = np.unique(words_L)
        number = max(1, round(self.share * len(words)))
        chosen = own[np.isin(words_L, rng.choice(words, number, replace=False))]
        found = row.copy()
        draws = rng.random(len(chosen))
        found[chosen[draws >= _KEPT + _RANDOM]] = self.mask
        other = chosen[(draws >= _KEPT) & (draws < _KEPT + _RANDOM)]
        found[other] = rng.integers(self.pieces, size=len(other))
        return found, chosen


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def _batch(hider: Hider, rows: Sequence[Row], pad: int, rng: np.random.Generator) -> Batch:
    """Ids, mask, chosen places (B, L), and what they hide (M,)."""
    hidden = [hider.hide(row, rng) for row in rows]
    ids_BL, mask_BL = padded([row for row, _ in hidden], pad=pad)
    whole_BL, _ = padded(rows, pad=pad)
    chosen_BL = torch.zeros_like(mask_BL, dtype=torch.bool)
    for place, (_, chosen) in enumerate(hidden):
        chosen_BL[place, torch.from_numpy(chosen)] = True
    return ids_BL, mask_BL, chosen_BL, whole_BL[chosen_BL]


def _hidden(
    hider: Hider, rows: Sequence[Row], pad: int, course: MlmCourse, rng: np.random.Generator
) -> list[Batch]:
    """Held-back texts, hidden once: every look asks the same."""
    return [
        _batch(hider, [rows[row] for row in chosen.tolist()], pad, rng)
        for chosen in by_length(lengths(rows), size=course.batch)
    ]


@torch.inference_mode()
def _held_loss(guesser: Guesser, held: Sequence[Batch], course: MlmCourse) -> float:
    guesser.eval()
    total, count = 0.0, 0
    for ids_BL, mask_BL, chosen_BL, wanted_M in held:
        with casting(guesser, course):
            found_MV, _ = guesser(ids_BL, mask_BL, chosen_BL)
        found_MV = found_MV.cpu()
        total += float(functional.cross_entropy(found_MV, wanted_M, reduction="sum"))
        count += len(wanted_M)
    return total / max(1, count)


def _learn(
    guesser: Guesser,
    hider: Hider,
    rows: Sequence[Row],
    anchors: Anchors | None,
    held: Sequence[Batch],
    pad: int,
    course: MlmCourse,
    stage: str,
    number: int,
    watch: Callable[[MlmEpoch], None],
) -> list[MlmEpoch]:
    optimizer = _optimizer(guesser, course, stage)
    rates = [group["lr"] for group in optimizer.param_groups]
    steps = number * -(-len(rows) // course.batch)
    warm = max(1, round(course.warmup * steps))
    found, step = [], 0
    for epoch in range(1, number + 1):
        begun = time.process_time()
        rng = np.random.default_rng((course.seed, len(stage), epoch))
        guesser.train()
        losses = []
        for chosen in shuffled(lengths(rows), size=course.batch, rng=rng):
            part = [rows[row] for row in chosen.tolist()]
            ids_BL, mask_BL, chosen_BL, wanted_M = _batch(hider, part, pad, rng)
            factor = min(1.0, (step + 1) / warm) * (1.0 - step / steps)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            with casting(guesser, course):
                found_MV, hidden_BLD = guesser(ids_BL, mask_BL, chosen_BL)
            loss = functional.cross_entropy(found_MV, wanted_M.to(found_MV.device))
            whole = loss
            if anchors is not None:
                whole = loss + course.anchor * anchors.strayed(hidden_BLD, mask_BL, chosen)
            whole.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(guesser.parameters(), course.clip)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
            step += 1
        seconds = time.process_time() - begun
        made = MlmEpoch(
            stage, epoch, float(np.mean(losses)), _held_loss(guesser, held, course), seconds
        )
        found.append(made)
        watch(made)
    return found


def casting(guesser: Guesser, course: MlmCourse) -> torch.autocast:
    """Products in bfloat16 where the course says so."""
    where = guesser.bias_V.device.type
    return torch.autocast(where, dtype=torch.bfloat16, enabled=course.bf16)


def _optimizer(guesser: Guesser, course: MlmCourse, stage: str) -> torch.optim.Optimizer:
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in guesser.named_parameters():
        if parameter.requires_grad:
            slow = name.startswith("model.") or stage == "encoder"
            rate = course.rate if slow else course.head_rate
            decay = course.weight_decay if parameter.ndim >= 2 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


def _pieces(tokenizer: bytes) -> dict[int, str]:
    """The vocabulary by id."""
    vocabulary = json.loads(tokenizer)["model"]["vocab"]
    if isinstance(vocabulary, dict):
        return {int(place): str(name) for name, place in vocabulary.items()}
    return {place: str(entry[0]) for place, entry in enumerate(vocabulary)}


def _is_ideographic(name: str) -> bool:
    """Whether a piece is of a script that does not part words: it is a word of its own."""
    return any("\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" for letter in name)
