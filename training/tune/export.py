"""A tuned encoder and classifier as files that the rest of the program opens, without torch.

DIR/config.json, model.safetensors, tokenizer.json, ...   a Hugging Face folder of a BERT:
    CLICKWISE_ENCODER_MODEL=DIR opens it, and `clickwise.encoder` builds fp32 or int8 from it
DIR/classifier.json, classifier.safetensors               a linear layer on that encoder's vectors
DIR/report.json                                           what came of it on dev and test

The head that was tuned sees vectors as they leave the pooling; those that serve are aligned and
mostly int8. So the layer is fitted anew on the vectors that serve, and what is reported is what
will be answered.

Shape suffixes: N = texts, D = embedding dimension, C = classes.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import save_file

from clickwise.encoder.alignment import identity as unaligned
from clickwise.encoder.building import build_encoder
from clickwise.encoder.graph import Precision
from clickwise.encoder.port import TextEncoder
from clickwise.encoder.reference import reference_embedding
from clickwise.encoder.sources import FolderSource
from clickwise.encoder.weights import Activation, EncoderWeights, Pooling
from clickwise.errors import BundleError
from clickwise.onnx_runtime import Device
from clickwise.understanding.classifier import ClassifierCard, write_classifier
from clickwise.vectors.port import Float32Array, Int64Array
from training.tune.base import Base, token_ids
from training.tune.classify import Tuned, network_for
from training.tune.methods import folded, trained
from training.tune.network import vectors
from training.tune.parts import Parts
from training.tune.report import Scores, macro_f1, scores_of

_BERT = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_in": "intermediate.dense",
    "feed_out": "output.dense",
    "feed_norm": "output.LayerNorm",
}
_ACTIVATIONS = {
    Activation.GELU: "gelu",
    Activation.GELU_TANH: "gelu_pytorch_tanh",
    Activation.RELU: "relu",
}
_STRENGTHS = (0.003, 0.01, 0.03, 0.1, 1.0)
_ALLOWED = 1e-4  # between torch's vectors and those of the weights that are written
_CHECKED = 16


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How near the written encoder is to torch: `difference` of its weights, the largest of any
    number; `fp32_difference` and `int8_cosine` of the graphs made of them, at worst.
    """

    difference: float
    fp32_difference: float
    int8_cosine: float


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The classifier as it will answer. `agreement`: share of the test texts (without them, dev)
    for which it says what the tuned network says.
    """

    encoder: str
    dev: Scores
    test: Scores | None
    agreement: float


def plain_weights(base: Base, tuned: Tuned, *, name: str) -> EncoderWeights:
    """The tuned encoder in full precision, whatever it was tuned in.

    Raises:
        ConfigurationError: its method does not fold into plain weights.
    """
    course = replace(tuned.course, bf16=False, device="cpu")
    network = network_for(base, course, classes=tuned.network.head.out_features)
    network.load_state_dict(trained(tuned.network), strict=False)
    return base.tuned(folded(network.encoder, course.method), name=name)


def write_encoder(weights: EncoderWeights, folder: Path) -> None:
    """A Hugging Face folder that holds `weights`; what was in its place is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes, recipe = weights.architecture, weights.recipe
    _write(
        folder / "config.json",
        {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": sizes.vocabulary,
            "hidden_size": sizes.hidden,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "intermediate_size": sizes.feed_forward,
            "hidden_act": _ACTIVATIONS[sizes.activation],
            "max_position_embeddings": sizes.positions,
            "type_vocab_size": 1,
            "layer_norm_eps": sizes.norm_epsilon,
            "pad_token_id": weights.pad_id,
        },
    )
    cls = recipe.pooling is Pooling.CLS
    _write(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": sizes.hidden,
            "pooling_mode_cls_token": cls,
            "pooling_mode_mean_tokens": not cls,
        },
    )
    _write(
        folder / "config_sentence_transformers.json",
        {"prompts": {"clustering": recipe.prefix}, "default_prompt_name": "clustering"},
    )
    _write(folder / "sentence_bert_config.json", {"max_seq_length": recipe.max_tokens})
    (folder / "tokenizer.json").write_bytes(weights.tokenizer)
    part = folder / "model.safetensors.part"
    save_file(_tensors(weights), part, metadata={"format": "pt"})
    part.replace(folder / "model.safetensors")


def checked(base: Base, tuned: Tuned, folder: Path, texts: Sequence[str]) -> Agreement:
    """Hold what was written against torch.

    Raises:
        BundleError: it gives other vectors.
    """
    source = FolderSource(folder, folder.resolve().name)
    weights = source.load()
    ids = token_ids(weights, texts[:_CHECKED], max_tokens=tuned.course.max_tokens)
    network = network_for(
        base,
        replace(tuned.course, bf16=False, device="cpu"),
        classes=tuned.network.head.out_features,
    )
    network.load_state_dict(trained(tuned.network), strict=False)
    torch_ND = vectors(network, base.rows(ids))
    plain = unaligned(weights.architecture.hidden)
    written_ND = np.stack([reference_embedding(weights, plain, row) for row in ids])
    difference = float(np.abs(torch_ND - written_ND).max())
    if not difference <= _ALLOWED:
        raise BundleError(
            f"the written encoder's vectors differ from torch's by {difference:.2g}, allowed are"
            f" {_ALLOWED}"
        )
    fp32_difference, int8_cosine = servable(folder)
    return Agreement(
        difference=difference, fp32_difference=fp32_difference, int8_cosine=int8_cosine
    )


def servable(folder: Path) -> tuple[float, float]:
    """Make the graphs of the encoder in `folder` as they would serve: the largest difference of
    the fp32 one from the weights, and the least cosine of the int8 one.

    Raises:
        BundleError: one of them is too far from the weights to serve.
    """
    source = FolderSource(folder, folder.resolve().name)
    found = {}
    for precision in (Precision.FP32, Precision.INT8):
        with tempfile.TemporaryDirectory() as made:
            found[precision] = build_encoder(
                source,
                precision,
                device=Device.CPU,
                folder=Path(made),
                identity="",
                progress=lambda _stage, _done: None,
            )
    return found[Precision.FP32].max_difference, found[Precision.INT8].min_cosine


def write_served_classifier(
    folder: Path, encoder: TextEncoder, parts: Parts, tuned_says_N: Int64Array
) -> Served:
    """Fit the linear layer on `encoder`'s vectors and write it; `tuned_says_N` are the tuned
    network's answers to the test texts, or to dev where there is no test.
    """
    train_ND = encoder.encode(parts.train.texts)
    dev_ND = encoder.encode(parts.dev.texts)
    weight_CD, bias_C = _fitted(train_ND, parts, dev_ND)
    classes = parts.train.classes
    write_classifier(
        folder,
        ClassifierCard(classes=classes, encoder=encoder.version, dimension=encoder.dimension),
        weight_CD,
        bias_C,
    )
    dev_says = (dev_ND @ weight_CD.T + bias_C).argmax(axis=1)
    test, says = None, dev_says
    if len(parts.test):
        says = (encoder.encode(parts.test.texts) @ weight_CD.T + bias_C).argmax(axis=1)
        test = scores_of(parts.test.labels_N, says, classes)
    return Served(
        encoder=encoder.version,
        dev=scores_of(parts.dev.labels_N, dev_says, classes),
        test=test,
        agreement=float((says == tuned_says_N).mean()),
    )


def _fitted(
    train_ND: Float32Array, parts: Parts, dev_ND: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Weights (C, D) and biases (C,); how strongly they are held back is chosen on dev."""
    from sklearn.linear_model import LogisticRegression

    mean_D, scale_D = train_ND.mean(axis=0), train_ND.std(axis=0) + 1e-6
    classes = len(parts.train.classes)
    best, chosen = -1.0, None
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=500)
        model.fit((train_ND - mean_D) / scale_D, parts.train.labels_N)
        says = model.predict((dev_ND - mean_D) / scale_D)
        quality = macro_f1(parts.dev.labels_N, says, classes=classes)
        if quality > best:
            best, chosen = quality, model
    assert chosen is not None  # noqa: S101
    weight_CD = np.zeros((classes, train_ND.shape[1]))
    bias_C = np.full(classes, -1e3)  # a class without a text to learn from is never answered
    if len(chosen.classes_) == 2 and len(chosen.coef_) == 1:
        own, offset = np.vstack([-chosen.coef_, chosen.coef_]) / 2, chosen.intercept_[0] / 2
        weight_CD[chosen.classes_], bias_C[chosen.classes_] = own, [-offset, offset]
    else:
        weight_CD[chosen.classes_], bias_C[chosen.classes_] = chosen.coef_, chosen.intercept_
    weight_CD /= scale_D
    bias_C -= weight_CD @ mean_D
    return weight_CD.astype(np.float32), bias_C.astype(np.float32)


def _tensors(weights: EncoderWeights) -> dict[str, Float32Array]:
    own = weights.tensors
    found = {
        "embeddings.word_embeddings.weight": own["words"],
        "embeddings.position_embeddings.weight": own["positions"],
        "embeddings.token_type_embeddings.weight": np.zeros(
            (1, weights.architecture.hidden), np.float32
        ),
        "embeddings.LayerNorm.weight": own["norm.weight"],
        "embeddings.LayerNorm.bias": own["norm.bias"],
    }
    for layer in range(weights.architecture.layers):
        for ours, theirs in _BERT.items():
            for kind in ("weight", "bias"):
                name = f"encoder.layer.{layer}.{theirs}.{kind}"
                found[name] = own[f"{layer}.{ours}.{kind}"]
    return {name: np.ascontiguousarray(tensor) for name, tensor in found.items()}


def _write(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
