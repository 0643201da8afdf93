"""How a Hugging Face encoder wants its text: pooling, prefix and length.

Taken from the files that sentence-transformers writes beside the weights; without them, mean
pooling and no prefix. Items are compared with items, a symmetric task, so of several prompts
the one for such tasks is chosen.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from clickwise.encoder.weights import Pooling, Recipe
from clickwise.errors import ConfigurationError

Json = Mapping[str, object]

_MODULES = "modules.json"
_POOLING = "1_Pooling/config.json"
_PROMPTS = "config_sentence_transformers.json"
_LENGTH = "sentence_bert_config.json"
RECIPE_FILES = (_MODULES, _POOLING, _PROMPTS, _LENGTH)
# The E5 cards ask for this prefix on symmetric tasks; their folders do not say so.
E5_PREFIX = "query: "
_E5_NAME = re.compile(r"(^|[-_/])e5([-_]|$)")
_PROMPTS_BY_FITNESS = ("clustering", "Clustering", "STS", "sts", "document", "passage")


def read_recipe(folder: Path, *, name: str, positions: int) -> Recipe:
    """The recipe in `folder` for the model `name`, which knows `positions` positions.

    Raises:
        ConfigurationError: it asks for a step that is not supported.
    """
    _check_modules(folder, name)
    return Recipe(
        pooling=_pooling(folder, name),
        prefix=_prefix(folder, name),
        max_tokens=_max_tokens(folder, positions),
    )


def read_json(path: Path) -> Json:
    """The JSON object in a file.

    Raises:
        ConfigurationError: no such file, not JSON, or not an object.
    """
    content = _read(path)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} is not a JSON object")
    return content


def _read(path: Path) -> object:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    return content


def _check_modules(folder: Path, name: str) -> None:
    if not (folder / _MODULES).is_file():
        return
    modules = _read(folder / _MODULES)
    for module in modules if isinstance(modules, list) else []:
        kind = str(module.get("type", "")) if isinstance(module, dict) else ""
        if kind.rsplit(".", 1)[-1] not in {"Transformer", "Pooling", "Normalize"}:
            raise ConfigurationError(
                f"encoder {name}: its step {kind} in {_MODULES} is not supported"
            )


def _pooling(folder: Path, name: str) -> Pooling:
    if not (folder / _POOLING).is_file():
        return Pooling.MEAN
    config = read_json(folder / _POOLING)
    modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    match modes:
        case [] | ["pooling_mode_mean_tokens"]:
            return Pooling.MEAN
        case ["pooling_mode_cls_token"]:
            return Pooling.CLS
        case _:
            raise ConfigurationError(
                f"encoder {name}: pooling {', '.join(modes)} is not supported, only mean or cls"
            )


def _prefix(folder: Path, name: str) -> str:
    config = read_json(folder / _PROMPTS) if (folder / _PROMPTS).is_file() else {}
    prompts = config.get("prompts")
    texts = prompts if isinstance(prompts, dict) else {}
    e5 = _E5_NAME.search(name.lower()) and "instruct" not in name.lower()
    if e5 or texts.get("query") == E5_PREFIX:
        return E5_PREFIX
    default = config.get("default_prompt_name")
    for key in (default, *_PROMPTS_BY_FITNESS):
        if isinstance(texts.get(key), str):
            return str(texts[key])
    return ""


def _max_tokens(folder: Path, positions: int) -> int:
    if not (folder / _LENGTH).is_file():
        return positions
    stated = read_json(folder / _LENGTH).get("max_seq_length")
    return min(stated, positions) if isinstance(stated, int) and stated > 2 else positions
