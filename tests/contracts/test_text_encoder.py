"""What every TextEncoder does, whichever model is behind it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from clickwise.encoder import open_encoder
from clickwise.encoder.batching import BatchingEncoder
from clickwise.encoder.port import TextEncoder
from clickwise.testing.encoder import HashingEncoder, default_encoder
from clickwise.testing.tiny_bert import write_tiny_bert

TEXTS = (
    "The home team wins",
    "主队赢得决赛",
    "الفريق المضيف يفوز بالنهائي",
    "🎉👩‍👧 yes!",
    "Mixed 混合 смесь مزيج",
    "a",
    "Rain at the coast, and then again rain at the coast all through the long weekend",
)


@pytest.fixture(scope="module", params=["hashing", "tiny", "batching", "default"])
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TextEncoder]:
    match request.param:
        case "hashing":
            yield HashingEncoder()
        case "default":
            yield default_encoder()
        case "tiny":
            yield tiny(tmp_path_factory.mktemp("tiny"))
        case "batching":
            batching = BatchingEncoder(tiny(tmp_path_factory.mktemp("tiny")), batch=4)
            yield batching
            batching.close()


def tiny(folder: Path) -> TextEncoder:
    model = write_tiny_bert(folder / "tiny")
    return open_encoder(model=str(model), device="cpu", batch=4, cache=folder / "cache")


class TestTextEncoder:
    @pytest.mark.case(8)
    def test_vectors_are_float32_of_unit_length_in_every_script(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode(TEXTS)

        assert vectors.shape == (len(TEXTS), encoder.dimension)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_no_text_gives_no_vector(self, encoder: TextEncoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dimension)

    def test_order_is_kept(self, encoder: TextEncoder) -> None:
        forward = encoder.encode(TEXTS)
        backward = encoder.encode(TEXTS[::-1])

        assert np.allclose(forward, backward[::-1], atol=1e-4)

    def test_a_vector_does_not_depend_on_its_batch(self, encoder: TextEncoder) -> None:
        together = encoder.encode(TEXTS)
        alone = np.concatenate([encoder.encode([text]) for text in TEXTS])

        assert (together * alone).sum(axis=1).min() > 0.9999

    def test_different_texts_get_different_vectors(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode(TEXTS)

        similar = vectors @ vectors.T - 2 * np.eye(len(TEXTS))
        assert similar.max() < 0.999

    @pytest.mark.case(8)
    @pytest.mark.parametrize(
        "text",
        ["", " \n", "x" * 200_000, "word " * 40_000, "字" * 200_000, "\ud800", "\x00</s>[SEP]"],
        ids=["empty", "blank", "one long word", "long", "long Chinese", "surrogate", "control"],
    )
    def test_odd_texts_get_a_vector(self, encoder: TextEncoder, text: str) -> None:
        (vector,) = encoder.encode([text])

        assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)

    def test_threads_get_their_own_vectors(self, encoder: TextEncoder) -> None:
        expected = encoder.encode(TEXTS)

        def one(index: int) -> bool:
            (vector,) = encoder.encode([TEXTS[index]])
            return bool(vector @ expected[index] > 0.9999)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(one, [index % len(TEXTS) for index in range(56)]))

    def test_version_and_dimension_are_stated(self, encoder: TextEncoder) -> None:
        assert encoder.version
        assert encoder.dimension > 0
