"""A tuned encoder and classifier as files: what serves is what was tuned."""

from dataclasses import replace

import numpy as np
import pytest

from clickwise.encoder import open_encoder
from clickwise.encoder.alignment import identity
from clickwise.encoder.reference import reference_embedding
from clickwise.encoder.sources import FolderSource, find_source
from clickwise.errors import BundleError, ConfigurationError
from clickwise.understanding.classifier import CARD, load_classifier
from tests.unit.training.tuning import QUICK, task, weights
from training.tune.base import base_for, token_ids
from training.tune.classify import tune
from training.tune.export import checked, plain_weights, write_encoder, write_served_classifier
from training.tune.network import logits, vectors
from training.tune.ways import Method


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A task, what was tuned on it, and the folder that it was written to."""
    folder = tmp_path_factory.mktemp("export")
    ready = task(folder, number=80)
    tuned = tune(ready.base, ready.lessons(), replace(QUICK, rate=1e-3, epochs=3))
    out = folder / "out"
    write_encoder(plain_weights(ready.base, tuned, name="out"), out)
    return ready, tuned, out


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "distilbert"])
def test_torch_computes_what_the_weights_say(tmp_path, family):
    own = weights(tmp_path, family=family)
    ids = token_ids(own, ["the team wins", "rain", "a new film: 7"], max_tokens=16)
    base = base_for(own, ids)
    from training.tune.classify import network_for

    network = network_for(base, replace(QUICK, method=Method.HEAD), classes=2)

    plain = identity(own.architecture.hidden)
    expected_ND = np.stack([reference_embedding(own, plain, row) for row in ids])
    assert np.allclose(vectors(network, base.rows(ids)), expected_ND, atol=1e-5)


def test_untouched_weights_come_back_as_they_were(tmp_path):
    own = weights(tmp_path)
    base = base_for(own, token_ids(own, ["the team wins"], max_tokens=16))

    back = base.tuned(base.model(), name="same")

    assert all(np.array_equal(back.tensors[name], own.tensors[name]) for name in own.tensors)


def test_the_written_folder_is_read_as_it_was_written(made, tmp_path):
    ready, _, _ = made
    own = replace(
        ready.base.weights, recipe=replace(ready.base.weights.recipe, prefix="say: ", max_tokens=20)
    )

    write_encoder(own, tmp_path / "again")

    read = find_source(str(tmp_path / "again"), hub_cache=tmp_path).load()
    assert read.recipe == own.recipe
    assert read.architecture == own.architecture
    assert read.tokenizer == own.tokenizer
    assert all(np.array_equal(read.tensors[name], own.tensors[name]) for name in own.tensors)


def test_the_written_encoder_gives_torchs_vectors(made):
    ready, tuned, out = made

    agreement = checked(ready.base, tuned, out, ready.parts.dev.texts)

    assert agreement.difference < 1e-5
    assert agreement.fp32_difference < 1e-4
    assert agreement.int8_cosine > 0.98


def test_another_encoder_in_its_place_is_found_out(made, tmp_path):
    ready, tuned, _ = made
    write_encoder(ready.base.weights, tmp_path / "untuned")

    with pytest.raises(BundleError, match="differ from torch"):
        checked(ready.base, tuned, tmp_path / "untuned", ready.parts.dev.texts)


def test_pieces_that_no_text_used_are_as_they_were(made):
    ready, _, out = made
    written = FolderSource(out, "out").load().tensors["words"]
    others = np.setdiff1d(np.arange(len(written)), ready.base.kept_V)

    assert len(others) > 0
    assert np.array_equal(written[others], ready.base.weights.tensors["words"][others])


def test_the_classifier_answers_what_its_report_says(made, tmp_path):
    ready, tuned, out = made
    encoder = open_encoder(model=str(out), device="cpu", cache=tmp_path)
    says_N = logits(tuned.network, ready.test_rows).argmax(axis=1)

    served = write_served_classifier(out, encoder, ready.parts, says_N)

    topics = load_classifier(out, encoder)
    texts, labels_N = ready.parts.test.texts, ready.parts.test.labels_N
    heaviest = [
        topics.weigh(text, vector)[0].topic
        for text, vector in zip(texts, encoder.encode(texts), strict=True)
    ]
    right = [ready.parts.test.classes[label] for label in labels_N.tolist()]
    share = np.mean([one == other for one, other in zip(heaviest, right, strict=True)])
    assert served.test is not None
    assert share == pytest.approx(served.test.accuracy)
    assert served.test.accuracy > 0.8
    assert served.agreement > 0.7


def test_a_classifier_is_not_read_with_another_encoders_vectors(made, tmp_path):
    ready, tuned, out = made
    encoder = open_encoder(model=str(out), device="cpu", cache=tmp_path)
    write_served_classifier(
        out, encoder, ready.parts, logits(tuned.network, ready.test_rows).argmax(axis=1)
    )
    write_encoder(ready.base.weights, tmp_path / "other")
    other = open_encoder(model=str(tmp_path / "other"), device="cpu", cache=tmp_path)

    with pytest.raises(ConfigurationError, match="of different tunings"):
        load_classifier(out, other)
    (out / CARD).write_text("{}")
    with pytest.raises(BundleError, match="cannot be read"):
        load_classifier(out, encoder)
