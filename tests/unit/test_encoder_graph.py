"""The built graph against the numpy reference, and the alignment's own laws."""

from pathlib import Path

import numpy as np
import pytest

from clickwise.encoder import alignment as alignments
from clickwise.encoder.alignment import Alignment, Sample, neutral_sample
from clickwise.encoder.graph import Precision, build_graph
from clickwise.encoder.reference import reference_embedding
from clickwise.encoder.runner import Runner, run_bound
from clickwise.encoder.sources import FolderSource
from clickwise.encoder.tokens import load_tokenizer
from clickwise.encoder.weights import EncoderWeights
from clickwise.onnx_runtime import Device, open_session
from clickwise.testing.tiny_bert import HIDDEN, write_tiny_bert
from clickwise.vectors.port import Float32Array

TEXTS = ("the home team wins", "новости дня", "a", "rain at the coast and then again rain")


def weights(folder: Path, **options: object) -> EncoderWeights:
    return FolderSource(write_tiny_bert(folder, **options), "tiny").load()  # type: ignore[arg-type]


def some_alignment() -> Alignment:
    random = np.random.default_rng(1)
    basis, _ = np.linalg.qr(random.normal(size=(HIDDEN, 3)))
    return Alignment(
        mean=random.normal(0, 0.05, HIDDEN).astype(np.float32), basis=basis.T.astype(np.float32)
    )


def runner(built: EncoderWeights, alignment: Alignment, precision: Precision) -> Runner:
    model = build_graph(built, alignment, precision).SerializeToString()
    session = open_session(model, device="cpu", threads=1)
    return Runner(session, Device.CPU, dimension=HIDDEN, pad_id=built.pad_id, batch=3)


def rows(built: EncoderWeights) -> list[list[int]]:
    return load_tokenizer(built.tokenizer, prefix="", max_tokens=64).encode(TEXTS)


def reference(built: EncoderWeights, alignment: Alignment) -> Float32Array:
    return np.stack([reference_embedding(built, alignment, row) for row in rows(built)])


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_the_float_graph_equals_the_reference(tmp_path: Path, activation: str) -> None:
    built = weights(tmp_path, activation=activation)
    alignment = some_alignment()

    ours = runner(built, alignment, Precision.FP32).encode(rows(built))

    assert np.abs(ours - reference(built, alignment)).max() < 1e-5


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_the_integer_graph_is_near_the_reference(tmp_path: Path, activation: str) -> None:
    built = weights(tmp_path, activation=activation)
    plain = alignments.identity(HIDDEN)

    ours = runner(built, plain, Precision.INT8).encode(rows(built))

    assert (ours * reference(built, plain)).sum(axis=1).min() > 0.995


def test_padding_and_batch_mates_change_no_integer_vector(tmp_path: Path) -> None:
    built = weights(tmp_path)
    running = runner(built, some_alignment(), Precision.INT8)

    together = running.encode(rows(built))
    alone = np.concatenate([running.encode([row]) for row in rows(built)])

    assert np.abs(together - alone).max() < 1e-5


def test_bound_inputs_give_the_same_vectors(tmp_path: Path) -> None:
    built = weights(tmp_path)
    running = runner(built, some_alignment(), Precision.FP32)
    (row, *_) = rows(built)
    ids = np.array([row], np.int64)

    bound = run_bound(running.session, ids, np.ones_like(ids), Device.CPU)

    assert np.array_equal(bound, running.encode([row]))


def test_integers_stay_in_seven_bits_so_that_no_cpu_saturates(tmp_path: Path) -> None:
    graph = build_graph(weights(tmp_path), some_alignment(), Precision.INT8).graph

    levels = [tensor for tensor in graph.initializer if tensor.name.endswith(".levels")]
    values = np.concatenate([np.frombuffer(tensor.raw_data, np.int8) for tensor in levels])

    assert len(levels) == 8
    assert np.abs(values.astype(int)).max() == 63


def test_only_standard_operators_are_used(tmp_path: Path) -> None:
    for precision in Precision:
        graph = build_graph(weights(tmp_path), some_alignment(), precision).graph
        assert {node.domain for node in graph.node} == {""}


def test_alignment_removes_what_tells_languages_apart() -> None:
    random = np.random.default_rng(0)
    meaning = random.normal(size=(20, 48))
    offsets = 3 * random.normal(size=(4, 48))
    vectors = np.concatenate([meaning + offset for offset in offsets]).astype(np.float32)
    languages = [language for language in "abcd" for _ in range(20)]

    aligned = alignments.fit(vectors, languages).apply(vectors).reshape(4, 20, 48)

    assert np.allclose(aligned[0], aligned[3], atol=1e-3)
    assert np.allclose(np.linalg.norm(aligned, axis=-1), 1, atol=1e-5)


def test_alignment_of_one_language_only_centers() -> None:
    vectors = np.random.default_rng(0).normal(2, 1, (30, 16)).astype(np.float32)

    alignment = alignments.fit(vectors, ["en"] * 30)

    assert not alignment.basis.any()
    assert np.allclose(alignment.mean, vectors.mean(axis=0), atol=1e-5)


def test_languages_that_the_vocabulary_does_not_hold_take_no_part() -> None:
    sample = Sample(languages=("en", "en", "zh"), texts=("a", "b", "c"))

    assert alignments.readable([[5, 6], [5, 1], [1, 1, 7]], sample, 1) == [0, 1]
    assert alignments.readable([[5, 6], [5, 1], [1, 1, 7]], sample, None) == [0, 1, 2]


def test_the_neutral_sample_says_the_same_in_every_language() -> None:
    sample = neutral_sample()

    counts = {language: sample.languages.count(language) for language in sample.languages}
    assert set(counts.values()) == {20}
    assert len(set(sample.texts)) == len(sample.texts)
