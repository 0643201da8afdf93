"""The one door to onnxruntime: which device runs a model, and with how many threads.

`onnxruntime` and `onnxruntime-gpu` install the same module, so what a machine can do shows
only at run time, and onnxruntime falls back to the CPU without saying so. Here the choice is
checked: `cuda` means CUDA or an error, `auto` means CUDA where it really works.
"""

import enum
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from clickwise.errors import BundleError, ConfigurationError

Array = NDArray[np.generic]
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
# TF32 would round matrix products to 10 bits; the encoder's check against the weights' own
# output could not tell it from a wrong graph.
_CUDA_OPTIONS = {"device_id": "0", "use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}


class Device(enum.StrEnum):
    """Where a session computes."""

    CPU = "cpu"
    CUDA = "cuda"


class Binding(Protocol):
    """onnxruntime's IOBinding: inputs and outputs that stay on the device."""

    def bind_ortvalue_input(self, name: str, ortvalue: object) -> None:
        """Use a value that lies on the device already."""
        ...

    def bind_output(self, name: str, device_type: str, device_id: int) -> None:
        """Leave an output on the device."""
        ...

    def copy_outputs_to_cpu(self) -> list[Array]:
        """All outputs as arrays."""
        ...


class Value(Protocol):
    """An input or output of a model, as it is declared."""

    name: str


class Session(Protocol):
    """The part of onnxruntime.InferenceSession that Clickwise uses; `run` is thread-safe."""

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Compute the named outputs (None: all)."""
        ...

    def run_with_iobinding(self, binding: Binding) -> None:
        """Compute what `binding` names."""
        ...

    def io_binding(self) -> Binding:
        """A new, empty binding."""
        ...

    def get_inputs(self) -> Sequence[Value]:
        """The model's inputs, in order."""
        ...

    def get_providers(self) -> list[str]:
        """Providers in use, the preferred one first."""
        ...


def choose_device(wanted: str) -> Device:
    """The device that `auto`, `cpu` or `cuda` means on this machine.

    Raises:
        ConfigurationError: `cuda` where the provider is missing or does not start.
    """
    if wanted == "cpu":
        return Device.CPU
    if wanted not in {"auto", "cuda"}:
        raise ConfigurationError(f"unknown device {wanted!r}: expected auto, cpu or cuda")
    fault = _cuda_fault()
    if fault is None:
        return Device.CUDA
    if wanted == "cuda":
        raise ConfigurationError(fault)
    return Device.CPU


def open_session(model: bytes | Path, *, device: str, threads: int) -> Session:
    """A session for `model` on `device` (`auto`, `cpu`, `cuda`).

    `threads` compute one call on a CPU. They do not spin while they wait: the cores belong to
    serving.

    Raises:
        ConfigurationError: the device cannot be had.
        BundleError: the model cannot be read or run by this onnxruntime.
    """
    return _open(model, choose_device(device), threads)


def place(array: Array, device: Device) -> object:
    """`array` as an onnxruntime value in the device's memory."""
    value: object = ort.OrtValue.ortvalue_from_numpy(array, device.value, 0)
    return value


def _open(model: bytes | Path, device: Device, threads: int) -> Session:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only: they come back as exceptions too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[object] = [_CPU]
    if device is Device.CUDA:
        providers.insert(0, (_CUDA, _CUDA_OPTIONS))
    source = model if isinstance(model, bytes) else str(model)
    name = "the model" if isinstance(model, bytes) else model.name
    try:
        # enable_fallback=0: without it a provider that fails is replaced in silence.
        session: Session = ort.InferenceSession(
            source, options, providers=providers, enable_fallback=0
        )
    except Exception as error:  # onnxruntime's exceptions share no root but Exception
        raise BundleError(f"onnxruntime {ort.__version__} cannot open {name}: {error}") from error
    return session


@cache
def _cuda_fault() -> str | None:
    """Why CUDA cannot be used here, or None when it can."""
    providers = ort.get_available_providers()
    if _CUDA not in providers:
        return (
            "the CUDA execution provider is not in this onnxruntime (providers:"
            f" {', '.join(providers)}): install the gpu extra in place of onnxruntime, or set"
            " CLICKWISE_ENCODER_DEVICE=cpu"
        )
    try:
        session = _open(_identity(), Device.CUDA, 1)
        if session.get_providers()[0] == _CUDA:
            session.run(None, {"x": np.zeros(1, np.float32)})
            return None
        reason = "onnxruntime fell back to the CPU, its CUDA libraries do not load"
    except Exception as error:  # noqa: BLE001  # whatever the driver answers is the reason
        reason = str(error)
    return (
        f"the CUDA execution provider is installed but does not start: {reason[:300]}; check the"
        " driver (nvidia-smi) and the CUDA and cuDNN libraries, or set"
        " CLICKWISE_ENCODER_DEVICE=cpu"
    )


def _identity() -> bytes:
    """The smallest model there is."""
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "probe", value[:1], value[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    serialized: bytes = model.SerializeToString()
    return serialized
