"""Ways of tuning by name, known without torch: what cannot be is refused before it is loaded.

A way is a method, `-all` behind it for LoRA beside all matrices, `+fgm`, `+freelb` or an
augmentation, and `@2` for a seed of its own. Beside ways, a comparison has rows that need no tuning
and rows made of others.
"""

import enum
from dataclasses import dataclass


class Matrices(enum.StrEnum):
    """Beside which of a layer's six matrices LoRA learns: query and value, as in its paper, or all;
    a step takes nearly twice as long then.
    """

    ATTENTION = "attention"
    ALL = "all"


class Method(enum.StrEnum):
    """See `training.tune.methods`."""

    FULL = "full"
    HEAD = "head"
    LORA = "lora"
    ADALORA = "adalora"
    ADAPTER = "adapter"
    PREFIX = "prefix"

    @property
    def folds(self) -> bool:
        """Whether the tuned encoder is one of plain weights."""
        return self not in {Method.ADAPTER, Method.PREFIX}


class Augmentation(enum.StrEnum):
    """See `training.tune.augment`."""

    NONE = "none"
    DELETE = "delete"
    SWAP = "swap"
    SPAN = "span"
    CUTOFF = "cutoff"
    MIXUP = "mixup"


class Attack(enum.StrEnum):
    """See `training.tune.adversarial`."""

    FGM = "fgm"
    FREELB = "freelb"


ROWS = (
    "tfidf", "knn", "probe", "lora", "lora+fgm", "lora+freelb", "lora+span", "adapter", "prefix",
    "adalora", "full", "ensemble", "ensemble+tfidf", "distilled", "mlm+lora", "lora-all",
)  # fmt: skip
MEMBERS = ("lora", "lora+fgm", "lora+span", "adapter")
_NO_WAYS = {"tfidf", "knn", "probe", "ensemble", "ensemble+tfidf", "distilled", "mlm+lora"}
_WIDE = "-all"
_SEED = "@"


@dataclass(frozen=True, slots=True)
class Way:
    """What a name says; None: as the course has it (its augmentation), or no attack."""

    method: Method
    matrices: Matrices | None
    attack: Attack | None
    augmentation: Augmentation | None
    seed: int | None = None


def is_row(name: str) -> bool:
    """Whether a comparison has such a row: one of `ROWS`, and a way also with a seed."""
    way, at, seed = name.partition(_SEED)
    return way in ROWS and (not at or (seed.isdecimal() and way not in _NO_WAYS))


def is_member(name: str) -> bool:
    """Whether an ensemble has this row's network in it: some ways, and all with a seed."""
    return name in MEMBERS or _SEED in name


def way_named(name: str) -> Way:
    """What `name` stands for.

    Raises:
        ValueError: there is no such way.
    """
    way, at, seed = name.partition(_SEED)
    if at and not seed.isdecimal():
        raise ValueError(f"{name!r}: expected a number behind {_SEED}, such as lora{_SEED}2")
    method, _, extra = way.partition("+")
    attacked = extra in set(Attack)
    return Way(
        method=Method(method.removesuffix(_WIDE)),
        matrices=Matrices.ALL if method.endswith(_WIDE) else None,
        attack=Attack(extra) if attacked else None,
        augmentation=Augmentation(extra) if extra and not attacked else None,
        seed=int(seed) if at else None,
    )
