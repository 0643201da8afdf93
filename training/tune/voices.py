"""What each network of a comparison thinks of the texts, kept in files beside it: for the ensembles
of its members, and for whoever learns from them.

Shape suffixes: N = texts, C = classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clickwise.vectors.port import Float32Array
from training.tune.ways import is_member

_COUNTED = "tfidf"


@dataclass(frozen=True, slots=True)
class Voice:
    """Logits (N, C) of dev, test and, of networks, of what was learned."""

    dev_NC: Float32Array
    test_NC: Float32Array
    train_NC: Float32Array | None = None


@dataclass(frozen=True, slots=True)
class Voices:
    """A folder of them, those of one task."""

    folder: Path

    def keep(self, name: str, voice: Voice) -> None:
        """`voice` for later; all of it or, if this is interrupted, nothing."""
        parts = {"dev": voice.dev_NC, "test": voice.test_NC}
        if voice.train_NC is not None:
            parts["train"] = voice.train_NC
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        with part.open("wb") as file:
            np.savez(file, **parts)  # type: ignore[arg-type]
        part.replace(self._file(name))

    def members(self, names: Iterable[str], *, counted: bool = False) -> dict[str, Voice]:
        """All of `names` that are kept here and are members; `counted`: TF-IDF with them."""
        wanted = [name for name in names if is_member(name) or (counted and name == _COUNTED)]
        return {name: self._read(name) for name in wanted if self._file(name).exists()}

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _read(self, name: str) -> Voice:
        with np.load(self._file(name)) as kept:
            return Voice(kept["dev"], kept["test"], kept.get("train"))
