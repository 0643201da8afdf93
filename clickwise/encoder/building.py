"""Makes an encoder's files from its weights: graph, alignment, check, in that order."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from clickwise.encoder import alignment as alignments
from clickwise.encoder.check import check_agreement
from clickwise.encoder.graph import Precision, build_graph
from clickwise.encoder.runner import Runner
from clickwise.encoder.sources import WeightSource
from clickwise.encoder.store import FORMAT, MODEL, TOKENIZER, Manifest, file_checksum
from clickwise.encoder.tokens import load_tokenizer, unknown_id
from clickwise.encoder.weights import EncoderWeights
from clickwise.errors import BundleError
from clickwise.onnx_runtime import Device, open_session

# `progress(stage, done)`: what is being done, and the share of the whole that is behind us.
Progress = Callable[[str, float], None]

_WEIGHTS_FILE = "weights.bin"
# protobuf ends at 2 GB; above this the tensors go beside the graph.
_LARGEST_SINGLE_FILE_BYTES = 1_500_000_000


def build_encoder(
    source: WeightSource,
    precision: Precision,
    *,
    device: Device,
    folder: Path,
    identity: str,
    progress: Progress,
    largest_file_bytes: int = _LARGEST_SINGLE_FILE_BYTES,
) -> Manifest:
    """Write the files of `source`'s encoder into `folder`; return their manifest, unwritten.

    Raises:
        BundleError: the result does not agree with its weights, or cannot be checked.
    """
    progress("reading weights", 0.0)
    weights = source.load()
    (folder / TOKENIZER).write_bytes(weights.tokenizer)
    tokenizer = load_tokenizer(
        weights.tokenizer, prefix=weights.recipe.prefix, max_tokens=weights.recipe.max_tokens
    )
    progress("building the graph", 0.3)
    path = folder / MODEL
    sample = alignments.neutral_sample()
    plain = alignments.identity(weights.architecture.hidden)
    _save(weights, plain, precision, path, largest_file_bytes)
    progress("comparing languages", 0.5)
    rows = tokenizer.encode(sample.texts)
    chosen = alignments.readable(rows, sample, unknown_id(weights.tokenizer))
    if not chosen:
        raise BundleError(
            f"encoder {weights.name}: its tokenizer knows none of the languages"
            f" {', '.join(dict.fromkeys(sample.languages))}, so it cannot be checked"
        )
    unaligned_ND = _runner(path, weights, device).encode([rows[at] for at in chosen])
    if not np.isfinite(unaligned_ND).all():
        raise BundleError(f"encoder {weights.name}: its weights give vectors that are not numbers")
    alignment = alignments.fit(unaligned_ND, [sample.languages[at] for at in chosen])
    progress("building the graph", 0.7)
    _save(weights, alignment, precision, path, largest_file_bytes)
    progress("checking against the weights", 0.8)
    agreement = check_agreement(
        _runner(path, weights, device),
        tokenizer,
        weights,
        alignment,
        precision,
        [sample.texts[at] for at in chosen],
    )
    progress("writing", 0.95)
    manifest = Manifest(
        format=FORMAT,
        name=weights.name,
        precision=precision,
        identity=identity,
        source_checksum=weights.checksum,
        dimension=weights.architecture.hidden,
        pooling=weights.recipe.pooling.value,
        prefix=weights.recipe.prefix,
        max_tokens=weights.recipe.max_tokens,
        pad_id=weights.pad_id,
        removed_directions=len(alignment.basis),
        checked_texts=agreement.texts,
        max_difference=agreement.max_difference,
        min_cosine=agreement.min_cosine,
        files={file.name: file_checksum(file) for file in sorted(folder.iterdir())},
    )
    progress("done", 1.0)
    return manifest


def _runner(path: Path, weights: EncoderWeights, device: Device) -> Runner:
    return Runner(
        session=open_session(path, device=device.value, threads=1),
        device=device,
        dimension=weights.architecture.hidden,
        pad_id=weights.pad_id,
        batch=32,
    )


def _save(
    weights: EncoderWeights,
    alignment: alignments.Alignment,
    precision: Precision,
    path: Path,
    largest_file_bytes: int,
) -> None:
    model = build_graph(weights, alignment, precision)
    beside = path.parent / _WEIGHTS_FILE
    beside.unlink(missing_ok=True)  # onnx appends to it
    if model.ByteSize() <= largest_file_bytes:
        onnx.save(model, path)
        return
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=_WEIGHTS_FILE,
        size_threshold=1024,
    )
