"""What gives items their topics: the classifier beside the encoder, wherever items are encoded."""

import numpy as np
import pytest

from clickwise.cli.topic_models import topics_of
from clickwise.encoder import open_encoder
from clickwise.settings import Settings
from clickwise.testing.encoder import HashingEncoder
from clickwise.testing.tiny_bert import write_tiny_bert
from clickwise.understanding.classifier import ClassifierCard, write_classifier
from clickwise.understanding.topics import NO_TAXONOMY, NearestDescriptions

TEXTS = ("the home team wins", "rain", "a new film", "bank news", "query")


@pytest.fixture
def settings(tmp_path):
    folder = write_tiny_bert(tmp_path / "tuned")
    return Settings(home=str(tmp_path), encoder_model=str(folder))


@pytest.fixture
def encoder(settings):
    """The encoder as a CPU runs it."""
    return open_encoder(
        model=settings.encoder_model, device="cpu", cache=settings.folder / "encoder"
    )


def tuned(settings, version, dimension):
    """A classifier of three topics beside the encoder, fitted on the vectors of `version`."""
    weight_CD = np.random.default_rng(1).normal(0, 9, (3, dimension)).astype(np.float32)
    write_classifier(
        settings.folder / "tuned",
        ClassifierCard(classes=("x", "y", "z"), encoder=version, dimension=dimension),
        weight_CD,
        np.zeros(3, np.float32),
    )


def said(model, encoder):
    return [
        model.weigh(text, vector) for text, vector in zip(TEXTS, encoder.encode(TEXTS), strict=True)
    ]


def test_a_classifier_reads_the_vectors_that_items_have(settings, encoder):
    tuned(settings, encoder.version, encoder.dimension)

    model = topics_of(settings, encoder)

    assert model.version.startswith("tuned-1+")
    assert {one.topic for topics in said(model, encoder) for one in topics} <= {"x", "y", "z"}


def test_where_items_are_encoded_in_another_precision_it_says_the_same(settings, encoder):
    tuned(settings, encoder.version, encoder.dimension)
    elsewhere = HashingEncoder(dimension=encoder.dimension)  # in the place of fp32 on CUDA

    model, other = topics_of(settings, encoder), topics_of(settings, elsewhere)

    assert other.version == model.version
    assert said(other, elsewhere) == said(model, encoder)


def test_a_classifier_of_other_weights_leaves_topics_to_the_taxonomy(settings, encoder, tmp_path):
    tuned(settings, "other-int8-12345678", encoder.dimension)
    taxonomy = tmp_path / "taxonomy.toml"
    taxonomy.write_text('[[topic]]\nid = "sport"\n', encoding="utf-8")
    told = Settings(
        home=settings.home, encoder_model=settings.encoder_model, taxonomy=str(taxonomy)
    )

    assert isinstance(topics_of(told, encoder), NearestDescriptions)
    assert topics_of(settings, encoder) is NO_TAXONOMY
