"""Brings a model of the Hugging Face hub to this machine: data files only."""

from pathlib import Path

from clickwise.errors import ConfigurationError, UnavailableError

# No `*.bin` (pickle), no `*.py` (remote code), no other frameworks' weights.
_WANTED = (
    "config.json",
    "tokenizer.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "modules.json",
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
)


def download(model: str, *, cache: Path) -> Path:
    """The folder of `model` (`owner/name`), from `cache` or from the hub.

    Without a connection, what was brought before is used.

    Raises:
        ConfigurationError: no such model, or no right to it.
        UnavailableError: it is not here yet and the hub does not answer.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            RepositoryNotFoundError,
        )
    except ImportError as error:
        raise ConfigurationError(
            f"CLICKWISE_ENCODER_MODEL={model}: fetching it needs the package huggingface_hub;"
            " install it, or name a folder"
        ) from error
    try:
        return Path(snapshot_download(model, allow_patterns=list(_WANTED), cache_dir=str(cache)))
    except (RepositoryNotFoundError, GatedRepoError, HFValidationError) as error:
        raise ConfigurationError(
            f"CLICKWISE_ENCODER_MODEL={model} is neither a folder here nor a model of the hub"
            f" that may be read: {_first_line(error)}"
        ) from error
    except (OSError, ValueError) as error:  # the hub's other errors are OSErrors
        raise UnavailableError(
            f"CLICKWISE_ENCODER_MODEL={model} is not on this machine and the hub does not"
            f" answer: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
