"""MovieLens-100k's real histories: what serving computes is what training computes."""

import numpy as np
import pytest
import torch

from clickwise.bundle.folder import READ, STEP, TOWER
from clickwise.bundle.recurrence import OnnxRecurrence
from clickwise.bundle.tower import LearnedTower
from clickwise.errors import ConfigurationError
from clickwise.types import item_key
from training.data import Dataset
from training.datasets import load_dataset
from training.export import exported_files, keys_of
from training.export_table import known_interests, memories, newest
from training.lessons import lessons_of
from training.model import ModelConfig
from training.network import Network
from training.quality import score_all
from training.sequences import Histories

TEXT = 24
USERS = 25


@pytest.fixture(scope="module")
def films() -> Dataset:
    try:
        return load_dataset("ml-100k")
    except ConfigurationError as error:
        pytest.skip(str(error))


def test_step_by_step_through_onnx_is_the_whole_sequence_in_torch_on_real_histories(films):
    config = ModelConfig()
    lessons = lessons_of(films, seed=1, device="cpu")
    torch.manual_seed(1)
    network = Network(config, items=len(lessons.known_N), text_ID=None).eval()
    histories = sorted(lessons.validation.histories, key=len)[:: -max(1, 94 // USERS)][:USERS]
    histories = [newest(one, config.length) for one in histories]
    assert max(map(len, histories)) == config.length

    ids = [films.items.ids[place] for place in lessons.known_N.tolist()]
    files = exported_files(network, ids, text=TEXT)
    tower = LearnedTower(files[TOWER], keys_of(files), dimension=config.dimension + 1)
    recurrence = OnnxRecurrence(files[STEP], files[READ], memory=network.user.memory)
    vectors = tower.vectors([item_key(one) for one in ids], np.zeros((len(ids), TEXT), np.float32))
    expected = torch.cat(list(score_all(network, Histories(histories, device="cpu")))).numpy()

    for row, one in enumerate(histories):
        *_, memory = memories(recurrence, vectors, one)
        given = known_interests(recurrence.read(memory), vectors)
        scores = (given.candidates_ND @ given.interests_KD.T) @ given.interest_gains_K
        assert np.abs(scores - expected[row]).max() < 1e-5
