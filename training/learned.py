"""Our model as a ranker: trained on a dataset, asked about histories.

Shape suffixes: B = histories asked about, I = items of the catalogue.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from clickwise.vectors.port import Float32Array
from training.data import Dataset, History
from training.devices import auto_device
from training.fit import Epoch, FitConfig, fit
from training.lessons import lessons_of, over_catalogue, without_impressions
from training.model import ModelConfig
from training.network import Network
from training.quality import score_all
from training.sequences import Histories

_MODEL, _COURSE = ModelConfig(), FitConfig()


class LearnedRanker:
    """Implements `training.data.Ranker` with the network as it is trained for a bundle.

    Scores are logits. Without text vectors in the dataset it goes by ids alone. Whoever has no
    history gets what is popular. `watch` hears of each epoch.
    """

    def __init__(
        self,
        model: ModelConfig | None = None,
        course: FitConfig | None = None,
        *,
        name: str = "clickwise",
        device: str = "auto",
        watch: Callable[[Epoch], None] | None = None,
    ) -> None:
        self._model = model if model is not None else _MODEL
        self._course = course if course is not None else _COURSE
        self._name = name
        self._device = auto_device(device)
        self._watch = watch
        self.network: Network | None = None
        self._popular_I = np.zeros(0, np.float32)
        self._unknown_I = np.zeros(0, np.bool_)

    @property
    def name(self) -> str:
        """See Ranker."""
        return self._name

    def fit(self, data: Dataset, *, seed: int) -> None:
        """See Ranker.

        Raises:
            ValueError: no user has two events.
        """
        lessons = lessons_of(data, seed=seed, device=self._device)
        torch.manual_seed(seed)
        network = Network(
            self._model,
            items=len(lessons.known_N),
            text_ID=lessons.text_ND,
            pictures_IP=lessons.pictures_NP,
        ).to(self._device)
        course = replace(self._course, seed=seed)
        for epoch in fit(network, lessons.histories, lessons.validation, course):
            if self._watch is not None:
                self._watch(epoch)
        over_catalogue(network, data, lessons.known_N)
        self._take(network.eval(), data)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        network = self.network
        if network is None:
            raise ValueError(f"{self._name} has not been fitted")
        kept = [without_impressions(history) for history in histories]
        told = [row for row, history in enumerate(kept) if len(history)]
        scores_BI = np.tile(self._popular_I, (len(kept), 1))
        if told:
            asked = Histories([kept[row] for row in told], device=self._device)
            scores_BI[told] = torch.cat(list(score_all(network, asked))).cpu().numpy()
            # Of these there is neither an event nor a text: a zero says nothing for them.
            lowest_B1 = scores_BI.min(axis=1, keepdims=True)
            scores_BI = np.where(self._unknown_I[None, :], lowest_B1, scores_BI)
        return scores_BI

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker: between trainings nothing but histories moves."""
        del user, item, event_type, weight, time

    @torch.no_grad()
    def _take(self, network: Network, data: Dataset) -> None:
        self.network = network
        self._unknown_I = (network.vectors() == 0.0).all(dim=1).cpu().numpy()
        liked = data.log.items_N[data.log.weights_N > 0.0]
        counts_I = np.bincount(liked, minlength=len(data.items))
        self._popular_I = np.log1p(counts_I).astype(np.float32)
