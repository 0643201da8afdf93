"""How a tuning goes: rates, schedule, regularization, what disturbs it, and when it stops."""

import enum
import math
from dataclasses import dataclass, field

import torch
from torch import nn

from training.tune.methods import Sizes
from training.tune.ways import Augmentation, Method


class Optimizer(enum.StrEnum):
    """AdamW keeps two numbers a parameter, Adafactor a few a row."""

    ADAMW = "adamw"
    ADAFACTOR = "adafactor"


class Schedule(enum.StrEnum):
    """How the rate falls after the warm-up, to zero."""

    COSINE = "cosine"
    LINEAR = "linear"


# A frozen encoder's few parameters bear, and need, a higher rate than all of its weights.
_RATES = {
    Method.FULL: 1e-4,
    Method.HEAD: 1e-3,
    Method.LORA: 2e-3,
    Method.ADALORA: 4e-3,
    Method.ADAPTER: 2e-3,
    Method.PREFIX: 5e-3,
}


@dataclass(frozen=True, slots=True)
class Course:
    """One tuning. `rate` 0: the method's own. `warmup` is a share of all steps; `smoothing` of a
    label goes to all classes alike; `patience` in epochs without a better dev macro F1.

    `average` is how much the running mean of the weights keeps of itself in a step: about
    1 / (1 - average) steps count, the mean is what is kept, and 0 keeps the last weights.

    `attack` is the length of FGM's step against the word vectors, of their own; 0: none. With
    `attack_steps` above 1 it is the radius of FreeLB's ball, in which so many are taken.
    `bf16`: frozen weights in bfloat16, the rest computed in it: twice as fast where the processor
    has it, and slower where not. `device`: cpu, cuda, or auto, which takes cuda where it is there.
    """

    method: Method = Method.LORA
    sizes: Sizes = field(default_factory=Sizes)
    rate: float = 0.0
    head_rate: float = 3e-4
    optimizer: Optimizer = Optimizer.ADAMW
    schedule: Schedule = Schedule.COSINE
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.2  # before the head
    inner_dropout: float = 0.0  # in the layers
    smoothing: float = 0.1
    clip: float = 1.0
    attack: float = 0.0
    attack_steps: int = 1
    augmentation: Augmentation = Augmentation.NONE
    average: float = 0.997
    batch: int = 32
    epochs: int = 4
    patience: int = 3
    max_tokens: int = 32
    seed: int = 1
    bf16: bool = False
    device: str = "auto"

    @property
    def encoder_rate(self) -> float:
        """Of what learns in the encoder."""
        return self.rate or _RATES[self.method]


def optimizer_of(network: nn.Module, course: Course) -> torch.optim.Optimizer:
    """Weight decay on matrices alone; norms, biases and word vectors are left as they are."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = course.head_rate if name.startswith("head.") else course.encoder_rate
        decays = parameter.ndim >= 2 and "embedding" not in name
        groups.setdefault((rate, course.weight_decay if decays else 0.0), []).append(parameter)
    given = [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    if course.optimizer is Optimizer.ADAFACTOR:
        return torch.optim.Adafactor(given)
    return torch.optim.AdamW(given)


def rate_at(course: Course, step: int, steps: int) -> float:
    """The factor of all rates at `step` (from 0) of `steps`."""
    warm = max(1, round(course.warmup * steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    if course.schedule is Schedule.LINEAR:
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))


def bf16_is_fast() -> bool:
    """Whether this processor multiplies bfloat16 matrices itself."""
    import torch.backends.cpu

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001
