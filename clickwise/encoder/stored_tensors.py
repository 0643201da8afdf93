"""Tensors of a model by name, whichever safetensors file holds them."""

from collections.abc import Callable
from pathlib import Path

import ml_dtypes  # noqa: F401  # teaches numpy bfloat16, which many weights are stored in
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from clickwise.encoder.weights import as_float32
from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Float32Array

# Checkpoints converted from TensorFlow call a norm's weight and bias so.
_OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}


class StoredTensors:
    """Tensors by name, whichever file holds them and whatever stands before their names."""

    def __init__(self, name: str, files: list[Path]) -> None:
        self._name = name
        self._readers: dict[str, Callable[[str], NDArray[np.generic]]] = {}
        try:
            for file in files:
                opened = safe_open(file, framework="numpy")
                for key in opened.keys():  # type: ignore[no-untyped-call]  # noqa: SIM118  # not a dict
                    self._readers[key] = opened.get_tensor
        except (SafetensorError, OSError) as error:
            raise ConfigurationError(f"encoder {name}: {file.name} is damaged: {error}") from error
        marker = "embeddings.word_embeddings.weight"
        found = [key for key in self._readers if key.endswith(marker)]
        if not found:
            raise ConfigurationError(f"encoder {name}: tensor {marker} is missing")
        self._prefix = min(found, key=len).removesuffix(marker)

    def find(self, name: str) -> Float32Array | None:
        """The tensor in float32, or None."""
        old = name
        for new, former in _OLD_NAMES.items():
            old = old.replace(new, former)
        for key in (self._prefix + name, self._prefix + old):
            if key in self._readers:
                return self._converted(key)
        return None

    def read(self, name: str) -> Float32Array:
        """The tensor in float32; a missing one is an error that names it."""
        tensor = self.find(name)
        if tensor is None:
            raise ConfigurationError(
                f"encoder {self._name}: tensor {self._prefix}{name} is missing"
            )
        return tensor

    def _converted(self, key: str) -> Float32Array:
        try:
            return as_float32(self._readers[key](key))
        except (SafetensorError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"encoder {self._name}: tensor {key} cannot be read: {error}"
            ) from error
