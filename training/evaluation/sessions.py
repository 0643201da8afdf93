"""Next items within a session: the protocol that Serenade's figures were published with.

For each session of the test part and each of its beginnings (one item, two, ... all but the
last), the items still to come are to be found among the `length` best. The definitions are
those of the evaluator at https://github.com/bolcom/serenade, where they depart from the usual
ones too:

- MRR, hit rate: of the next item alone;
- NDCG: every item still to come is relevant; gains are 1, 1, 1/log2(3), 1/log2(4) ... (the
  second place costs nothing), the ideal being all of them first, repeats included;
- precision: distinct items found / length; recall: distinct items found / items to come,
  repeats included; coverage: distinct items ever listed / items of the training part.

The newest item is never listed. `python -m training.evaluation.sessions FOLDER` runs session
kNN as published and prints JSON.

Shape suffixes: N = evaluations, B = those of a batch, I = items.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clickwise.errors import ClickwiseError
from clickwise.vectors.port import Float32Array, Float64Array, Int32Array
from training.data import Dataset, History, Ranker

LENGTH = 20
_BATCH = 128


@dataclass(frozen=True, slots=True)
class SessionOutcomes:
    """What each evaluation gave; rows of one session follow each other (`sessions_N`)."""

    sessions_N: Int32Array
    reciprocal_ranks_N: Float64Array
    ndcg_N: Float64Array
    hits_N: Float64Array
    precision_N: Float64Array
    recall_N: Float64Array
    coverage: float

    def __len__(self) -> int:
        return len(self.sessions_N)

    def figures(self) -> dict[str, float]:
        """The means, by name."""
        return {
            "mrr": float(self.reciprocal_ranks_N.mean()),
            "ndcg": float(self.ndcg_N.mean()),
            "hit_rate": float(self.hits_N.mean()),
            "precision": float(self.precision_N.mean()),
            "recall": float(self.recall_N.mean()),
            "coverage": self.coverage,
        }


@dataclass(frozen=True, slots=True)
class Beginning:
    """A session so far, and the items that came then."""

    session: int
    seen: History
    coming: Int32Array


def evaluate_sessions(
    ranker: Ranker, *, train: Dataset, test: Dataset, length: int = LENGTH
) -> SessionOutcomes:
    """Ask `ranker`, which was fitted on `train`, about every beginning of `test`'s sessions.

    Both have the same catalogue; a user is a session. Items with score -inf are not listed.
    """
    rows: list[tuple[float, ...]] = []
    sessions: list[int] = []
    listed: set[int] = set()
    questions = beginnings(test)
    while batch := list(islice(questions, _BATCH)):
        scores_BI = ranker.score([one.session for one in batch], [one.seen for one in batch])
        for one, scores_I in zip(batch, scores_BI, strict=True):
            best = _best(scores_I, length, without=int(one.seen.items_T[-1]))
            listed.update(best)
            sessions.append(one.session)
            rows.append(outcome(best, one.coming.tolist(), length))
    ranks_N, ndcg_N, hits_N, precision_N, recall_N = np.array(rows, np.float64).reshape(-1, 5).T
    return SessionOutcomes(
        sessions_N=np.array(sessions, np.int32),
        reciprocal_ranks_N=ranks_N,
        ndcg_N=ndcg_N,
        hits_N=hits_N,
        precision_N=precision_N,
        recall_N=recall_N,
        coverage=len(listed) / max(1, len(np.unique(train.log.items_N))),
    )


def outcome(
    best: Sequence[int], coming: Sequence[int], length: int
) -> tuple[float, float, float, float, float]:
    """Reciprocal rank, NDCG, hit, precision and recall of one list."""
    rank = next((place for place, item in enumerate(best, 1) if item == coming[0]), 0)
    wanted = set(coming)
    found = len(wanted.intersection(best))
    gained = sum(_gain(place) for place, item in enumerate(best) if item in wanted)
    ideal = sum(_gain(place) for place in range(min(len(coming), length)))
    return (
        1.0 / rank if rank else 0.0,
        gained / ideal,
        1.0 if rank else 0.0,
        found / length,
        found / len(coming),
    )


def _gain(place: int) -> float:
    return 1.0 if place == 0 else float(1.0 / np.log2(place + 1.0))


def beginnings(test: Dataset) -> Iterator[Beginning]:
    """Each session's, shortest first."""
    for session, history in test.histories():
        for step in range(1, len(history)):
            seen = History(
                history.items_T[:step],
                history.types_T[:step],
                history.weights_T[:step],
                history.times_T[:step],
                now=float(history.times_T[step - 1]),
            )
            yield Beginning(session, seen, history.items_T[step:])


def _best(scores_I: Float32Array, length: int, *, without: int) -> list[int]:
    barred_I = scores_I.copy()
    barred_I[without] = -inf
    order: NDArray[np.intp] = np.argsort(-barred_I, kind="stable")[:length]
    best: list[int] = order[barred_I[order] > -inf].tolist()
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of session kNN with the published settings."""
    from training.baselines.session_knn import SessionKnn, SessionKnnConfig
    from training.datasets.serenade import read_session_parts

    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.sessions",
        description="Session kNN with the settings of Serenade's example, as JSON.",
    )
    parser.add_argument("folder", type=Path, help="has train.txt, valid.txt and test.txt")
    parser.add_argument("--length", type=int, default=LENGTH, help="items listed")
    options = parser.parse_args(arguments)
    published = SessionKnnConfig(
        most_recent=500,
        neighbors=50,
        last_items=2,
        idf_weight=1.0,
        gap_seconds=inf,
        session_steps=1_000_000,
        fallback="none",
    )
    try:
        parts = read_session_parts(options.folder)
    except ClickwiseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    ranker = SessionKnn(published)
    ranker.fit(parts.train, seed=1)
    outcomes = evaluate_sessions(ranker, train=parts.train, test=parts.test, length=options.length)
    figures = {name: round(value, 4) for name, value in outcomes.figures().items()}
    told = {"evaluations": len(outcomes), "length": options.length} | figures
    sys.stdout.write(f"{json.dumps(told)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
