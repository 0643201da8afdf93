"""Runs the encoder's graph over rows of token ids, in batches of similar length.

Shape suffixes: N = texts, B = texts in one run, L = tokens, D = embedding dimension.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clickwise.onnx_runtime import Device, Session, place
from clickwise.vectors.port import Float32Array

Int64Array = NDArray[np.int64]

# Tokens in one run. On a CPU a larger run is slower (it leaves the cache: 32 x 128 tokens took
# 1.2 times as long per text as 8 x 128); on a GPU the bound is memory for attention.
_TOKENS_PER_RUN = {Device.CPU: 2_048, Device.CUDA: 65_536}


@dataclass(frozen=True, slots=True)
class Runner:
    """A session with what it needs to be fed. Thread-safe."""

    session: Session
    device: Device
    dimension: int
    pad_id: int
    batch: int

    def encode(self, rows: Sequence[Sequence[int]]) -> Float32Array:
        """Vectors (N, D) in the order of `rows`."""
        out_ND = np.empty((len(rows), self.dimension), np.float32)
        for chosen in self._batches(rows):
            ids_BL, mask_BL = self._padded([rows[index] for index in chosen])
            out_ND[chosen] = self._run(ids_BL, mask_BL)
        return out_ND

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Indices of rows to run together: shortest first, so little is padding."""
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        chosen: list[int] = []
        for index in order:
            tokens = len(rows[index]) * (len(chosen) + 1)
            if chosen and (len(chosen) == self.batch or tokens > _TOKENS_PER_RUN[self.device]):
                yield chosen
                chosen = []
            chosen.append(index)
        if chosen:
            yield chosen

    def _padded(self, rows: list[Sequence[int]]) -> tuple[Int64Array, Int64Array]:
        length = max(len(row) for row in rows)
        ids_BL = np.full((len(rows), length), self.pad_id, np.int64)
        mask_BL = np.zeros((len(rows), length), np.int64)
        for place_in_batch, row in enumerate(rows):
            ids_BL[place_in_batch, : len(row)] = row
            mask_BL[place_in_batch, : len(row)] = 1
        return ids_BL, mask_BL

    def _run(self, ids_BL: Int64Array, mask_BL: Int64Array) -> Float32Array:
        if self.device is Device.CUDA:
            return run_bound(self.session, ids_BL, mask_BL, self.device)
        (vectors,) = self.session.run(
            ["embedding"], {"input_ids": ids_BL, "attention_mask": mask_BL}
        )
        return np.asarray(vectors, np.float32)


def run_bound(
    session: Session, ids_BL: Int64Array, mask_BL: Int64Array, device: Device
) -> Float32Array:
    """One run with I/O binding: inputs are placed once, and only the vectors come back."""
    binding = session.io_binding()
    binding.bind_ortvalue_input("input_ids", place(ids_BL, device))
    binding.bind_ortvalue_input("attention_mask", place(mask_BL, device))
    binding.bind_output("embedding", device.value, 0)
    session.run_with_iobinding(binding)
    return np.asarray(binding.copy_outputs_to_cpu()[0], np.float32)
