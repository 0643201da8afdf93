"""What each precision costs and loses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clickwise.bundle.folder import STEP
from clickwise.onnx_runtime import open_session
from tests.unit.training.networks import TEXT, TINY, history, ids, network, text_vectors
from training.export import exported_files
from training.export_table import ExportTable, Form, forms_of, measured
from training.quality import Validation
from training.ranker import Ranker, RankerConfig


@pytest.fixture(scope="module")
def made():
    return network()


@pytest.fixture(scope="module")
def forms(made):
    ranker = Ranker(RankerConfig(), dimension=TINY.dimension + 1)
    with torch.no_grad():
        for weights in ranker.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    return forms_of(exported_files(made, ids(), text=TEXT, scorer=ranker))


@pytest.fixture(scope="module")
def table(made, forms):
    asked = Validation(
        tuple(history(events=6 + seed, seed=seed) for seed in range(12)),
        np.arange(12, dtype=np.int64),
    )
    return measured(forms, made, ids(), text_vectors(30), asked)


def test_fp32_is_what_torch_computes(table):
    fp32 = table.form("fp32")

    assert fp32.max_difference < 1e-5
    assert fp32.quality == table.torch_quality
    assert (fp32.time_ratio, fp32.quality_loss, fp32.ranker_difference) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_fewer_bits_are_near_what_torch_computes_and_not_equal(table, precision):
    form = table.form(precision)

    assert 1e-5 < form.max_difference < 2.0
    assert form.step_seconds > 0.0


def test_a_ranker_is_the_same_in_int8_and_near_in_fp16(table):
    assert table.form("int8").ranker_difference == 0.0
    assert 0.0 < table.form("fp16").ranker_difference < 0.05


def test_fewer_bits_take_less_space_where_weights_are_many():
    wide = network(config=replace(TINY, dimension=32, width=128))

    forms = forms_of(exported_files(wide, ids(), text=TEXT))

    size = {precision: len(files[STEP]) for precision, files in forms.items()}
    assert size["int8"] < 0.35 * size["fp32"]
    assert size["fp16"] < 0.6 * size["fp32"]


@pytest.mark.parametrize(
    ("time_ratio", "quality_loss", "best"),
    [(0.8, 0.005, "int8"), (0.8, 0.011, "fp32"), (1.1, 0.0, "fp32"), (0.8, -0.01, "int8")],
)
def test_int8_is_chosen_only_if_faster_and_nearly_as_good(time_ratio, quality_loss, best):
    form = Form(
        precision="int8", size_bytes=1, step_seconds=1e-5, read_seconds=1e-5, score_seconds=1e-5,
        time_ratio=time_ratio, max_difference=0.1, ranker_difference=0.0, quality=0.2,
        quality_loss=quality_loss,
    )  # fmt: skip

    table = ExportTable(histories=10, torch_quality=0.2, forms=(form,))

    assert table.best == best


def test_seconds_between_events_do_not_overflow_sixteen_bits(forms):
    session = open_session(forms["fp16"][STEP], device="cpu", threads=1)
    feeds = {
        "memory": np.zeros(3 * TINY.width, np.float32),
        "vector": np.zeros(TINY.dimension + 1, np.float32),
        "type": np.array(1, np.int64),
        "weight": np.array(1.0, np.float32),
        "gap": np.array(1e9, np.float32),
    }

    (after,) = session.run(["after"], feeds)

    assert np.isfinite(after).all()
