"""Encoders with fewer layers or pieces: other encoders, made from the same weights."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from clickwise.encoder.pruned import PrunedSource, Pruning, parsed, with_layers, with_pieces
from clickwise.encoder.sources import FolderSource, find_source
from clickwise.errors import ConfigurationError
from clickwise.testing.tiny_bert import LAYERS, write_tiny_bert


@pytest.fixture
def source(tmp_path):
    return FolderSource(write_tiny_bert(tmp_path / "bert"), "tiny")


@pytest.mark.parametrize(
    ("model", "base", "pruning"),
    [
        ("default", "default", Pruning()),
        ("default:layers=6", "default", Pruning(layers=6)),
        ("/models/e5:pieces=60000", "/models/e5", Pruning(pieces=60_000)),
        ("a/b:layers=2,pieces=5000", "a/b", Pruning(layers=2, pieces=5_000)),
        ("folder:with=colon", "folder:with=colon", Pruning()),
    ],
)
def test_a_setting_names_a_model_and_what_is_kept_of_it(model, base, pruning):
    assert parsed(model) == (base, pruning)


@pytest.mark.parametrize("model", ["default:layers=0", "default:layers=2,layers=3"])
def test_what_cannot_be_kept_is_refused(model):
    with pytest.raises(ConfigurationError, match="each once, and above zero"):
        parsed(model)


def test_the_first_layers_stay_and_nothing_else_changes(source):
    whole = source.load()

    pruned = PrunedSource(source, Pruning(layers=1)).load()

    assert pruned.architecture.layers == 1
    assert set(whole.tensors) - set(pruned.tensors) == {
        name for name in whole.tensors if name.startswith("1.")
    }
    assert np.array_equal(pruned.tensors["0.query.weight"], whole.tensors["0.query.weight"])


def test_a_pruned_encoder_has_a_name_and_a_checksum_of_its_own(source):
    pruned = [PrunedSource(source, Pruning(layers=n)) for n in (1, 2)]

    assert [one.name for one in pruned] == ["tiny-1layers", "tiny-2layers"]
    assert len({one.checksum for one in (source, *pruned)}) == 3
    assert pruned[0].load().checksum == pruned[0].checksum


def test_as_many_layers_as_there_are_is_no_pruning(source):
    with pytest.raises(ConfigurationError, match=f"has {LAYERS} layers: keep fewer"):
        with_layers(source.load(), LAYERS)


def test_only_a_vocabulary_ordered_by_frequency_can_be_cut(source):
    with pytest.raises(ConfigurationError, match="only a Unigram vocabulary"):
        with_pieces(source.load(), 1_000)


def test_words_of_dropped_pieces_are_spelled_from_shorter_ones():
    weights = find_source("default", hub_cache=None).load()

    pruned = with_pieces(weights, 40_000)

    assert len(pruned.tensors["words"]) == 40_000
    before = Tokenizer.from_str(weights.tokenizer.decode())
    after = Tokenizer.from_str(pruned.tokenizer.decode())
    assert isinstance(after.model, models.Unigram)
    assert after.get_vocab_size() < before.get_vocab_size()
    for text in ("the film about space", "Nachrichten des Tages", "新闻"):
        ids = after.encode(text).ids
        assert max(ids) < 40_000
        assert after.decode(ids) == before.decode(before.encode(text).ids)
    assert (
        json.loads(pruned.tokenizer)["model"]["unk_id"]
        == json.loads(weights.tokenizer)["model"]["unk_id"]
    )
