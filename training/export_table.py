"""What each precision costs and loses: size, speed and quality, side by side.

Every form of a bundle's graphs is run as it is served: event by event through `step.onnx`, then
read, then scored. fp32 is what torch computes (to 1e-5); int8 is for CPUs, fp16 for GPUs.

Shape suffixes: I = items, U = histories, K = interests, D = embedding dimension, C = dimension of
the text vectors, M = memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from torch import Tensor

from clickwise.bundle import FACTS, RECENTS, Scorer, ScorerInput
from clickwise.bundle.folder import READ, SCORER, STEP, TOWER
from clickwise.bundle.recurrence import OnnxRecurrence
from clickwise.bundle.tower import LearnedTower
from clickwise.types import ModelVersion, item_key
from clickwise.vectors.port import Float32Array, Int64Array, Picture
from training.data import History, Pictures
from training.export import keys_of
from training.export_half import halved
from training.export_quantized import quantized
from training.export_timing import seconds_of
from training.network import Network
from training.quality import Validation, ranks_of, score_all
from training.ranker import BaseScorer, scorer_graph
from training.sequences import Histories

MAX_QUALITY_LOSS = 0.01  # share of NDCG@10 that int8 may lose
_GRAPHS = (TOWER, STEP, READ, SCORER)
_ASKED = 200  # histories
_CANDIDATES = 200
_DRAWN = 10  # requests


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One precision. Times are of one call on one CPU thread: an event, a read-out, 200 candidates
    scored; `time_ratio` is their sum to that of fp32 in the same run, `quality` NDCG@10 of the
    graphs, `max_difference` the largest of a score of the network to torch's, `ranker_difference`
    that of the whole scorer to fp32's.
    """

    precision: str
    size_bytes: int
    step_seconds: float
    read_seconds: float
    score_seconds: float
    time_ratio: float
    max_difference: float
    ranker_difference: float
    quality: float
    quality_loss: float

    @property
    def seconds(self) -> float:
        """Of an event and a request."""
        return self.step_seconds + self.read_seconds + self.score_seconds


class ExportTable(msgspec.Struct, frozen=True, kw_only=True):
    """All forms, measured on so many `histories` of the validation part."""

    histories: int
    torch_quality: float
    forms: tuple[Form, ...]

    def form(self, precision: str) -> Form:
        """The figures of one.

        Raises:
            KeyError: it was not measured.
        """
        for one in self.forms:
            if one.precision == precision:
                return one
        raise KeyError(precision)

    @property
    def best(self) -> str:
        """int8 where it is faster and loses at most a hundredth of the quality, else fp32."""
        int8 = self.form("int8")
        good = int8.time_ratio < 1.0 and int8.quality_loss <= MAX_QUALITY_LOSS
        return "int8" if good else "fp32"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A form as serving opens it, with the vectors of all items. `base` scores by the network
    alone, as torch does; the ranker's corrections need a request.
    """

    base: Scorer
    recurrence: OnnxRecurrence
    scorer: Scorer
    vectors_ID: Float32Array


def forms_of(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """The files of a bundle in every precision, from those in fp32.

    In int8 the item tower stays as it is, for its vectors are computed once for each item, and the
    scorer, whose weights are few.
    """
    int8 = {name: quantized(files[name]) for name in (STEP, READ)}
    fp16 = {name: halved(files[name]) for name in _GRAPHS}
    return {"fp32": dict(files), "int8": {**files, **int8}, "fp16": {**files, **fp16}}


def measured(
    forms: Mapping[str, Mapping[str, bytes]],
    network: Network,
    ids: Sequence[str],
    text_IC: Float32Array,
    validation: Validation,
    pictures: Pictures | None = None,
) -> ExportTable:
    """Run every form on 200 histories of the validation part; the first of `forms` is fp32.

    `ids`, `text_IC` and `pictures` are those of the network's items, the latter two as the site has
    them.
    """
    length = network.config.length  # what torch looks back
    asked = [newest(one, length) for one in validation.histories[:_ASKED]]
    targets_U = validation.targets_U[:_ASKED]
    seen = Histories(asked, device="cpu")
    expected_UI = torch.cat(list(score_all(network, seen)))
    width = network.config.dimension + 1
    base = Scorer(scorer_graph(BaseScorer(), dimension=width), dimension=width)
    first: Scorer | None = None
    found: list[Form] = []
    for precision, files in forms.items():
        tower = LearnedTower(
            files[TOWER],
            keys_of(files),
            dimension=width,
            pictures=None if pictures is None else ModelVersion(pictures.model),
            picture_dimension=0 if pictures is None else pictures.vectors_IP.shape[1],
        )
        loaded = _Loaded(
            base,
            OnnxRecurrence(files[STEP], files[READ], memory=network.user.memory),
            Scorer(files[SCORER], dimension=width),
            tower.vectors([item_key(item) for item in ids], text_IC, _each(pictures)),
        )
        scores_UI = torch.from_numpy(np.stack([_scores(loaded, one) for one in asked]))
        quality = _quality(scores_UI, seen, targets_U)
        first = first if first is not None else loaded.scorer
        step, read, score = _times(loaded)
        found.append(
            Form(
                precision=precision,
                size_bytes=sum(len(files[name]) for name in _GRAPHS),
                step_seconds=step,
                read_seconds=read,
                score_seconds=score,
                time_ratio=(step + read + score) / found[0].seconds if found else 1.0,
                max_difference=float((scores_UI - expected_UI).abs().max()),
                ranker_difference=_difference(loaded.scorer, first, width),
                quality=quality,
                quality_loss=1.0 - quality / found[0].quality
                if found and found[0].quality
                else 0.0,
            )
        )
    return ExportTable(
        histories=len(asked),
        torch_quality=_quality(expected_UI, seen, targets_U),
        forms=tuple(found),
    )


def newest(one: History, steps: int) -> History:
    """The last steps of a history."""
    return History(
        one.items_T[-steps:],
        one.types_T[-steps:],
        one.weights_T[-steps:],
        one.times_T[-steps:],
        one.now,
    )


def memories(
    recurrence: OnnxRecurrence, vectors_ID: Float32Array, one: History
) -> Iterator[Float32Array]:
    """The memory (M,) after each event of a history, one at a time."""
    memory_M = np.zeros(recurrence.memory, np.float32)
    gaps_T = np.diff(one.times_T, prepend=one.times_T[:1])
    for item, kind, weight, gap in zip(
        one.items_T.tolist(), one.types_T.tolist(), one.weights_T.tolist(), gaps_T.tolist(),
        strict=True,
    ):  # fmt: skip
        memory_M = recurrence.step(
            memory_M, vectors_ID[item], event_type=kind, weight=weight, gap_seconds=gap
        )
        yield memory_M


def known_interests(read_KD: Float32Array, candidates_ND: Float32Array) -> ScorerInput:
    """What the scorer is given of a user of whom only the read-out is known."""
    dimension = read_KD.shape[1]
    lengths_K = np.sqrt(np.einsum("kd,kd->k", read_KD, read_KD))
    return ScorerInput(
        interests_KD=read_KD / np.maximum(lengths_K, np.float32(1e-9))[:, None],
        interest_gains_K=lengths_K,
        recents_RD=np.zeros((RECENTS, dimension), np.float32),
        recent_weights_R=np.zeros(RECENTS, np.float32),
        aversion_D=np.zeros(dimension, np.float32),
        candidates_ND=candidates_ND,
        facts_NF=np.zeros((len(candidates_ND), len(FACTS)), np.float32),
    )


def _each(pictures: Pictures | None) -> list[Picture | None]:
    """The picture of each item, as an index has it."""
    if pictures is None:
        return []
    model = ModelVersion(pictures.model)
    return [Picture(model, row) if row.any() else None for row in pictures.vectors_IP]


def _scores(loaded: _Loaded, one: History) -> Float32Array:
    """Scores (I,) after a history."""
    memory_M = np.zeros(loaded.recurrence.memory, np.float32)
    for memory_M in memories(loaded.recurrence, loaded.vectors_ID, one):  # noqa: B007  # the last
        pass
    read_KD = loaded.recurrence.read(memory_M)
    return loaded.base.score(known_interests(read_KD, loaded.vectors_ID))


def _difference(scorer: Scorer, other: Scorer, dimension: int) -> float:
    """The largest between two scorers on a few drawn requests."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(_DRAWN):
        rows = rng.standard_normal((_CANDIDATES + RECENTS + 2, dimension)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        given = ScorerInput(
            interests_KD=rows[:1],
            interest_gains_K=np.array([4.0], np.float32),
            recents_RD=rows[1 : 1 + RECENTS],
            recent_weights_R=np.full(RECENTS, 1.0 / RECENTS, np.float32),
            aversion_D=rows[-1],
            candidates_ND=rows[1 + RECENTS : -1],
            facts_NF=rng.uniform(0.0, 1.0, (_CANDIDATES, len(FACTS))).astype(np.float32),
        )
        gap = np.abs(scorer.score(given) - other.score(given)).max()
        worst = max(worst, float(gap))
    return worst


def _times(loaded: _Loaded) -> tuple[float, float, float]:
    """Seconds of one event, of one read-out, and of 200 candidates scored."""
    recurrence, vectors_ID = loaded.recurrence, loaded.vectors_ID
    memory_M = np.zeros(recurrence.memory, np.float32)
    candidates_ND = vectors_ID[np.arange(_CANDIDATES) % len(vectors_ID)]
    given = known_interests(recurrence.read(memory_M), candidates_ND)
    return (
        seconds_of(
            lambda: recurrence.step(
                memory_M, vectors_ID[0], event_type=1, weight=1.0, gap_seconds=60.0
            )
        ),
        seconds_of(lambda: recurrence.read(memory_M)),
        seconds_of(lambda: loaded.scorer.score(given)),
    )


def _quality(scores_UI: Tensor, seen: Histories, targets_U: Int64Array) -> float:
    ranks_U = ranks_of(scores_UI, seen, np.arange(len(scores_UI)), targets_U)
    return float(torch.where(ranks_U < 10, 1.0 / torch.log2(ranks_U + 2.0), 0.0).mean())
