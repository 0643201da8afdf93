"""Pictures for tests: stripes that lie or stand, in any colors, and an encoder that learned which.

No real image model is at hand here, so the path is tested with a small one, trained on the spot.
"""

import io
import json

import numpy as np
from PIL import Image

SIDE = 16
NUMBERS = 6  # of a vector of the trained encoder
NOTE = {
    "name": "stripes", "size": SIDE, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
    "output": "features", "dimension": NUMBERS,
}  # fmt: skip


def stripes(rng, *, lying):
    """Pixels (S, S, 3) from 0 to 255: two drawn colors in turns, and noise. What tells lying from
    standing stripes is no pixel and no mean.
    """
    period, phase = rng.uniform(3.0, 6.0), rng.uniform(0.0, 6.0)
    wave = np.sin((np.arange(SIDE) + phase) * 2.0 * np.pi / period) > 0.0
    mask = np.tile(wave[:, None] if lying else wave[None, :], (1, SIDE) if lying else (SIDE, 1))
    light, dark = rng.uniform(120, 255, 3), rng.uniform(0, 100, 3)
    pixels = np.where(mask[..., None], light, dark) + rng.normal(0.0, 8.0, (SIDE, SIDE, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def file_of(pixels, kind="PNG", **options):
    """The pixels as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def picture(rng, *, lying):
    """A file of stripes."""
    return file_of(stripes(rng, lying=lying))


def write_encoder(folder, model, **changes):
    """An encoder's folder around an ONNX graph."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "encoder.json").write_text(json.dumps({**NOTE, **changes}))
    (folder / "model.onnx").write_bytes(model)
    return folder


def trained_encoder(folder):
    """A small convolutional network that has learned to tell the two, without its last layer."""
    import torch
    from torch import nn
    from torch.nn import functional

    from training.export_graphs import to_onnx

    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = nn.Sequential(
            nn.Conv2d(3, 12, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(12, NUMBERS),
        )  # fmt: skip
        head = nn.Linear(NUMBERS, 2)
        parameters = [*body.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=0.01)
        for _ in range(200):
            labels = rng.integers(0, 2, 32)
            drawn = np.stack([stripes(rng, lying=bool(one)) for one in labels])
            x = torch.from_numpy((drawn / 255.0 - 0.5) / 0.25).float().permute(0, 3, 1, 2)
            loss = functional.cross_entropy(head(body(x)), torch.from_numpy(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    graph = to_onnx(body, {"pixels": torch.zeros(1, 3, SIDE, SIDE)}, "features")
    return write_encoder(folder, graph)


def color_encoder(folder, **changes):
    """An encoder without weights: the mean red, green and blue."""
    from onnx import TensorProto, helper

    side = changes.get("size", SIDE)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
        ],
        "colors",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("means", TensorProto.FLOAT, [1, 3])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    plain = {"mean": [0.0] * 3, "std": [1.0] * 3, "output": "means", "dimension": 3}
    return write_encoder(folder, made.SerializeToString(), **{**plain, **changes})
