"""Which parameters learn: all, the head alone, or a few beside frozen ones.

full      everything but the word vectors of pieces that no text uses
head      the classifier alone
lora      matrices of low rank beside each of the layers' (Hu et al., ICLR 2022), through peft
adalora   the same with the rank shared out by importance while it learns (Zhang et al., ICLR 2023)
adapter   a bottleneck after each feed-forward part (`training.tune.adapters`)
prefix    learned keys and values before each layer's own (Li and Liang, ACL 2021), through peft

`full`, `head`, `lora` and `adalora` fold into plain weights, so what was tuned is an encoder like
any other. Adapters and prefixes are parts that the encoder's format does not have.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from clickwise.errors import ConfigurationError
from training.tune.adapters import add_adapters
from training.tune.ways import Matrices, Method

if TYPE_CHECKING:
    from transformers import BertModel

_LEFT = 2 / 3  # AdaLoRA: the share of ranks that are left at its end


_MATRICES = {  # by BertModel's names
    Matrices.ATTENTION: ["query", "value"],
    Matrices.ALL: ["query", "key", "value", "dense"],
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much learns: LoRA's rank and matrices, the adapters' width, and tokens of the prefix."""

    rank: int = 16
    matrices: Matrices = Matrices.ATTENTION
    width: int = 24
    prefix: int = 16


def applied(model: "BertModel", method: Method, sizes: Sizes, *, steps: int) -> nn.Module:
    """`model` so changed that what learns in it requires a gradient; it is changed in place.

    `steps` are those of the whole training: AdaLoRA plans with them.
    """
    module: nn.Module = model
    match method:
        case Method.FULL:
            module.requires_grad_(requires_grad=True)
        case Method.HEAD:
            module.requires_grad_(requires_grad=False)
        case Method.ADAPTER:
            add_adapters(model, sizes.width)
        case _:
            with _quiet():
                return _peft(model, method, sizes, steps)
    return module


def folded(encoder: nn.Module, method: Method) -> "BertModel":
    """The tuned encoder as a plain BertModel.

    Raises:
        ConfigurationError: the method's parts do not fold into plain weights.
    """
    if not method.folds:
        raise ConfigurationError(
            f"what {method} learns does not fold into an encoder's weights: tune with lora,"
            " adalora or full to get one"
        )
    if method in {Method.LORA, Method.ADALORA}:
        with _quiet():
            plain: BertModel = encoder.merge_and_unload()  # type: ignore[operator]
            return plain
    return encoder


def trained(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that learn, and of buffers, by name."""
    learns = {name for name, one in module.named_parameters() if one.requires_grad}
    held = {name for name, _ in module.named_buffers()}
    # AdaLoRA's masks of ranks do not learn by gradient, but they are a part of what was learned.
    held |= {name for name, _ in module.named_parameters() if "ranknum" in name}
    state = module.state_dict()
    return {name: state[name].clone() for name in state if name in learns | held}


def num_trained(module: nn.Module) -> int:
    """Parameters that learn."""
    return sum(one.numel() for one in module.parameters() if one.requires_grad)


def _peft(model: "BertModel", method: Method, sizes: Sizes, steps: int) -> nn.Module:
    from peft import (
        AdaLoraConfig,
        LoraConfig,
        PrefixTuningConfig,
        TaskType,
        get_peft_model,
    )

    kind = TaskType.FEATURE_EXTRACTION
    layers = _MATRICES[sizes.matrices]
    match method:
        case Method.LORA:
            config = LoraConfig(
                task_type=kind, r=sizes.rank, lora_alpha=2 * sizes.rank, target_modules=layers
            )
        case Method.ADALORA:
            config = AdaLoraConfig(
                task_type=kind,
                init_r=sizes.rank,
                target_r=max(1, round(sizes.rank * _LEFT)),
                lora_alpha=2 * sizes.rank,
                target_modules=layers,
                total_step=steps,
                tinit=steps // 10,
                tfinal=steps // 3,
                deltaT=max(1, steps // 50),
            )
        case _:
            config = PrefixTuningConfig(task_type=kind, num_virtual_tokens=sizes.prefix)
    made: nn.Module = get_peft_model(model, config)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of their own dependencies
        yield
