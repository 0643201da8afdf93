"""torchrun: two processes train one network."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.unit.training.networks import TINY, two_tastes
from training.distributed import SharedHistories, World, joined
from training.fit import FitConfig
from training.lessons import lessons_of
from training.train import TrainOptions, fitted

COURSE = FitConfig(epochs=2, batch=8, warmup=5, learning_rate=0.01)
TRAINS = """
import sys
from tests.integration.test_train_distributed import train_in
train_in(sys.argv[1])
"""


def train_in(folder):
    """Train as torchrun's process, and keep the weights."""
    seen = []
    with joined("cpu") as world:
        made = fitted(
            two_tastes(users=24, events=12),
            TrainOptions(TINY, COURSE, checkpoint_every=1),
            work=Path(folder) / "work",
            watch=lambda epoch: seen.append(epoch.number),
            world=world,
        )
        tensors = {name: one.numpy() for name, one in made.network.state_dict().items()}
        np.savez(Path(folder) / f"{world.rank}.npz", watched=np.array(seen), **tensors)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_two_processes_end_with_the_same_weights_and_one_of_them_writes(tmp_path):
    port = str(free_port())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINS, str(tmp_path)],
            env={
                **os.environ,
                "PYTHONPATH": str(Path.cwd()),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "OMP_NUM_THREADS": "1",
            },
        )
        for rank in range(2)
    ]
    assert [process.wait(300) for process in processes] == [0, 0]

    first, second = (dict(np.load(tmp_path / f"{rank}.npz")) for rank in range(2))
    assert first.pop("watched").tolist() == [1, 2]
    assert second.pop("watched").tolist() == []
    for name, weights in first.items():
        assert np.array_equal(weights, second[name]), name
    alone = fitted(
        two_tastes(users=24, events=12),
        TrainOptions(TINY, COURSE),
        work=tmp_path / "alone",
        watch=lambda _: None,
    )
    start = np.abs(first["user.item.weight"] - alone.network.user.item.weight.detach().numpy())
    assert 0.0 < start.max() < 0.1  # half the steps, each on twice the rows


def test_each_process_learns_its_share_of_the_rows():
    lessons = lessons_of(two_tastes(users=24, events=12), seed=1, device="cpu")
    histories = lessons.histories

    def places(world):
        shared = SharedHistories.__new__(SharedHistories)
        shared.__dict__.update(histories.__dict__)
        shared._world = world
        rng = np.random.default_rng(1)
        return shared.rows(shared.windows(4, rng=rng), 4, rng=rng).places_RT

    every = {tuple(row) for row in places(World()).tolist()}
    shares = [{tuple(row) for row in places(World(rank, 2)).tolist()} for rank in range(2)]

    assert not shares[0] & shares[1]
    assert len(shares[0]) == len(shares[1])
    assert len(every - shares[0] - shares[1]) <= 1
