"""Built encoders on disk: made once, verified, rebuilt when damaged, never half there."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models

from clickwise.encoder import open_encoder
from clickwise.encoder.alignment import Alignment, fit, identity, neutral_sample
from clickwise.encoder.building import build_encoder
from clickwise.encoder.check import check_agreement
from clickwise.encoder.graph import Precision, build_graph
from clickwise.encoder.runner import Runner
from clickwise.encoder.sources import FolderSource
from clickwise.encoder.store import Manifest
from clickwise.encoder.tokens import load_tokenizer
from clickwise.encoder.weights import EncoderWeights
from clickwise.errors import BundleError, ConfigurationError
from clickwise.onnx_runtime import Device, choose_device, open_session
from clickwise.testing.tiny_bert import write_tiny_bert

TEXTS = ("the home team wins", "rain")


class Watched:
    """Opens the tiny encoder and counts how often it had to be built."""

    def __init__(self, folder: Path) -> None:
        self.model = write_tiny_bert(folder / "tiny")
        self.cache = folder / "cache"
        self.built = 0

    def open(self) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
        encoder = open_encoder(
            model=str(self.model), device="cpu", cache=self.cache, progress=self._progress
        )
        return encoder.encode(TEXTS)

    def folder(self) -> Path:
        (found,) = (self.cache / "encoders").glob("tiny-int8-*")
        return found

    def _progress(self, _stage: str, done: float) -> None:
        self.built += done == 1.0


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_it_is_built_once_and_then_opened(watched: Watched) -> None:
    first = watched.open()
    second = watched.open()

    assert watched.built == 1
    assert np.array_equal(first, second)


def test_the_manifest_says_what_it_is_and_how_it_was_checked(watched: Watched) -> None:
    watched.open()

    manifest = msgspec.json.decode((watched.folder() / "manifest.json").read_bytes(), type=Manifest)
    assert manifest.source_checksum == FolderSource(watched.model, "tiny").checksum
    assert manifest.min_cosine >= 0.98
    assert set(manifest.files) == {"model.onnx", "tokenizer.json"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.onnx").write_bytes(b"x"),
        lambda folder: (folder / "model.onnx").unlink(),
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{}"),
    ],
    ids=["other bytes", "no model", "other tokenizer", "no manifest", "empty manifest"],
)
def test_a_damaged_encoder_is_rebuilt(watched: Watched, damage: Callable[[Path], object]) -> None:
    before = watched.open()
    damage(watched.folder())

    after = watched.open()

    assert watched.built == 2
    assert np.array_equal(before, after)


def test_other_weights_get_another_folder_and_another_version(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    versions = set()
    for seed in (0, 1):
        model = write_tiny_bert(tmp_path / "tiny", seed=seed)
        versions.add(open_encoder(model=str(model), device="cpu", cache=cache).version)

    assert len(versions) == 2
    assert len(list((cache / "encoders").glob("tiny-int8-*"))) == 2


def test_another_length_is_another_version_of_the_same_files(watched: Watched) -> None:
    def version(max_tokens: int) -> str:
        return open_encoder(
            model=str(watched.model), device="cpu", cache=watched.cache, max_tokens=max_tokens
        ).version

    assert version(16) != version(32)
    assert watched.folder().exists()


def test_nothing_is_kept_of_a_build_that_fails(watched: Watched) -> None:
    stored = load_file(watched.model / "model.safetensors")
    stored["embeddings.LayerNorm.bias"][0] = np.nan
    save_file(stored, watched.model / "model.safetensors")

    with pytest.raises(BundleError, match="not numbers"):
        watched.open()

    assert [p.name for p in (watched.cache / "encoders").iterdir() if p.is_dir()] == []


def test_what_a_dead_process_left_is_cleared(watched: Watched) -> None:
    watched.open()
    folder = watched.folder()
    left_over = folder.rename(folder.with_name(f".{folder.name}.dead.part"))

    watched.open()

    assert not left_over.exists()
    assert watched.folder() == folder


def _open_in_process(model: str, cache: str) -> int:
    built: list[float] = []
    encoder = open_encoder(
        model=model, device="cpu", cache=Path(cache), progress=lambda _, done: built.append(done)
    )
    encoder.encode(TEXTS)
    return built.count(1.0)


def test_processes_that_start_together_build_once(watched: Watched) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        arguments = [(str(watched.model), str(watched.cache))] * 3
        built = pool.starmap(_open_in_process, arguments)

    assert sum(built) == 1


def test_a_folder_that_cannot_be_written_is_a_clear_error(watched: Watched) -> None:
    watched.cache.write_text("a file, not a folder")

    with pytest.raises(ConfigurationError, match="cannot be built in"):
        watched.open()


def test_large_weights_lie_beside_the_graph_and_are_verified_too(tmp_path: Path) -> None:
    source = FolderSource(write_tiny_bert(tmp_path / "tiny"), "tiny")
    folder = tmp_path / "built"
    folder.mkdir()

    manifest = build_encoder(
        source,
        Precision.FP32,
        device=Device.CPU,
        folder=folder,
        identity="0",
        progress=lambda _stage, _done: None,
        largest_file_bytes=1_000,
    )

    assert set(manifest.files) == {"model.onnx", "tokenizer.json", "weights.bin"}
    assert manifest.max_difference < 1e-5
    assert open_session(folder / "model.onnx", device="cpu", threads=1).get_inputs()


def test_a_model_whose_tokenizer_reads_no_known_language_is_refused(tmp_path: Path) -> None:
    model = write_tiny_bert(tmp_path / "tiny")
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.model = models.WordPiece({"[UNK]": 1, "[CLS]": 2, "[SEP]": 3}, unk_token="[UNK]")
    tokenizer.save(str(model / "tokenizer.json"))

    with pytest.raises(BundleError, match="knows none of the languages"):
        open_encoder(model=str(model), device="cpu", cache=tmp_path / "cache")


@pytest.mark.parametrize("precision", list(Precision))
def test_a_wrong_graph_does_not_pass_the_check(tmp_path: Path, precision: Precision) -> None:
    right = FolderSource(write_tiny_bert(tmp_path / "right"), "right").load()
    wrong = FolderSource(write_tiny_bert(tmp_path / "wrong", activation="relu"), "wrong").load()
    tokenizer = load_tokenizer(right.tokenizer, prefix="", max_tokens=64)
    sample = neutral_sample()
    # The languages that the tiny vocabulary holds.
    chosen = [at for at, name in enumerate(sample.languages) if name in {"en", "es", "fr", "ru"}]
    texts = [sample.texts[at] for at in chosen]

    def runner(weights: EncoderWeights, alignment: Alignment) -> Runner:
        model = build_graph(weights, alignment, precision).SerializeToString()
        session = open_session(model, device="cpu", threads=1)
        return Runner(session, Device.CPU, dimension=32, pad_id=0, batch=4)

    plain_ND = runner(right, identity(32)).encode(tokenizer.encode(texts))
    alignment = fit(plain_ND, [sample.languages[at] for at in chosen])

    check_agreement(runner(right, alignment), tokenizer, right, alignment, precision, texts)
    with pytest.raises(BundleError, match="weights' own output"):
        check_agreement(runner(wrong, alignment), tokenizer, right, alignment, precision, texts)


def test_cuda_without_its_provider_is_a_clear_error() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert choose_device("cuda") is Device.CUDA
        return
    with pytest.raises(ConfigurationError, match="CLICKWISE_ENCODER_DEVICE=cpu"):
        choose_device("cuda")
    assert choose_device("auto") is Device.CPU


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected auto, cpu or cuda"):
        choose_device("tpu")


def test_a_file_that_is_no_model_is_a_bundle_error(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")

    with pytest.raises(BundleError, match=r"cannot open model\.onnx"):
        open_session(path, device="cpu", threads=1)
