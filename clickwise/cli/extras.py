"""Parts that the base install lacks: what is missing is said with the command that adds it."""

from collections.abc import Iterator
from contextlib import contextmanager

from clickwise import installing
from clickwise.errors import ConfigurationError

_KAFKA_CLIENTS = frozenset({"aiokafka", "faust", "mode"})
_TRAINING = frozenset(
    {"implicit", "matplotlib", "mlflow", "optuna", "peft", "scipy", "sklearn", "torch"}
    | {"transformers"}
)


@contextmanager
def kafka_extra() -> Iterator[None]:
    """Around imports of what speaks Kafka.

    Raises:
        ConfigurationError: its client is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _KAFKA_CLIENTS:
            raise
        raise ConfigurationError(
            f"Kafka's client is missing; {installing.with_extra('kafka')}"
        ) from error


@contextmanager
def train_extra() -> Iterator[None]:
    """Around imports of what trains and evaluates.

    Raises:
        ConfigurationError: its libraries are not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _TRAINING:
            raise
        raise ConfigurationError(
            f"{error.name} is missing; {installing.with_extra('train')}"
        ) from error


@contextmanager
def texts_extra() -> Iterator[None]:
    """Around imports of what speaks with a language model.

    Raises:
        ConfigurationError: its client is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "openai":
            raise
        raise ConfigurationError(
            f"the language model's client is missing; {installing.with_extra('texts')}"
        ) from error
