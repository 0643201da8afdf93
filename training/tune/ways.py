"""Ways of tuning by name, known without torch: what cannot be is refused before it is loaded.

A way is a method, `-all` behind it for LoRA beside all matrices, and `+fgm`, `+freelb` or an
augmentation. Beside ways, a comparison has rows that need no tuning and rows made of others.
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
_WIDE = "-all"


@dataclass(frozen=True, slots=True)
class Way:
    """What a name says; None: as the course has it (its augmentation), or no attack."""

    method: Method
    matrices: Matrices | None
    attack: Attack | None
    augmentation: Augmentation | None


def way_named(name: str) -> Way:
    """What `name` stands for.

    Raises:
        ValueError: there is no such way.
    """
    method, _, extra = name.partition("+")
    attacked = extra in set(Attack)
    return Way(
        method=Method(method.removesuffix(_WIDE)),
        matrices=Matrices.ALL if method.endswith(_WIDE) else None,
        attack=Attack(extra) if attacked else None,
        augmentation=Augmentation(extra) if extra and not attacked else None,
    )
