"""The text encoder that production runs: a built graph in onnxruntime.

Shape suffixes: N = texts, D = embedding dimension.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from clickwise import metrics
from clickwise.encoder.building import Progress, build_encoder
from clickwise.encoder.graph import Precision
from clickwise.encoder.runner import Runner
from clickwise.encoder.sources import find_source
from clickwise.encoder.store import MODEL, TOKENIZER, Built, Manifest, open_or_build
from clickwise.encoder.tokens import TextTokenizer, load_tokenizer
from clickwise.onnx_runtime import Device, choose_device, open_session
from clickwise.vectors.port import Float32Array

# Tokens of an item that are read. Cost grows with them (16: 330 texts/s, 128: 30, 512: 5, on
# one core), while the titles of Deskdrop's articles alone ranked as well as 2,000 characters.
MAX_TOKENS = 128


class OnnxEncoder:
    """See `clickwise.encoder.port.TextEncoder`. A text's vector does not depend on its batch."""

    def __init__(self, manifest: Manifest, runner: Runner, tokenizer: TextTokenizer) -> None:
        marks = f"{manifest.identity} {tokenizer.prefix} {tokenizer.max_tokens}"
        mark = hashlib.sha256(marks.encode()).hexdigest()[:8]
        self.version = f"{manifest.name}-{manifest.precision}-{mark}"
        self.dimension = manifest.dimension
        self.device = runner.device
        self.manifest = manifest
        self._runner = runner
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder."""
        started = time.perf_counter()
        rows = self._tokenizer.encode(texts)
        tokenized = time.perf_counter()
        vectors_ND = self._runner.encode(rows)
        metrics.encoder_seconds.labels("tokenize").observe(tokenized - started)
        metrics.encoder_seconds.labels("infer").observe(time.perf_counter() - tokenized)
        metrics.encoded_texts.inc(len(texts))
        return vectors_ND

    def count_tokens(self, text: str) -> int:
        """How many tokens all of `text` has, also beyond those that are read."""
        return self._tokenizer.count(text)


def open_onnx_encoder(
    *,
    model: str,
    device: str,
    threads: int,
    batch: int,
    cache: Path,
    max_tokens: int = MAX_TOKENS,
    progress: Progress | None = None,
) -> OnnxEncoder:
    """See `clickwise.encoder.open_encoder`."""
    chosen = choose_device(device)
    precision = Precision.FP32 if chosen is Device.CUDA else Precision.INT8
    source = find_source(model, hub_cache=cache / "hub")

    def build(folder: Path, identity: str) -> Manifest:
        return build_encoder(
            source,
            precision,
            device=chosen,
            folder=folder,
            identity=identity,
            progress=progress or _silent,
        )

    built = open_or_build(source, precision, root=cache / "encoders", build=build)
    return _open(built, chosen, threads=threads, batch=batch, max_tokens=max_tokens)


def _open(
    built: Built, device: Device, *, threads: int, batch: int, max_tokens: int
) -> OnnxEncoder:
    manifest = built.manifest
    tokenizer = load_tokenizer(
        (built.folder / TOKENIZER).read_bytes(),
        prefix=manifest.prefix,
        max_tokens=min(max_tokens, manifest.max_tokens),
    )
    runner = Runner(
        session=open_session(built.folder / MODEL, device=device.value, threads=threads),
        device=device,
        dimension=manifest.dimension,
        pad_id=manifest.pad_id,
        batch=batch,
    )
    return OnnxEncoder(manifest, runner, tokenizer)


def _silent(_stage: str, _done: float) -> None:
    """Nobody watches."""
