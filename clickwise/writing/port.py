"""The port to a language model that writes: one call, bounded in time and length.

What comes back is a draft that nobody has read yet: whoever shows it asks the gate first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation with the model."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model answered, as it came. Tokens as the endpoint counts them, else estimated.

    `unfinished`: the bound on its tokens ended it, not the model.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    model: str
    unfinished: bool = False

    @property
    def tokens(self) -> int:
        """All tokens that the call cost."""
        return self.prompt_tokens + self.completion_tokens


class Writer(Protocol):
    """A language model. Owned by one thread."""

    @property
    def model(self) -> str:
        """Name of the model that is asked: part of what a text's freshness is told by."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        deadline_seconds: float,
    ) -> Completion:
        """The model's answer to `messages`.

        Raises:
            UnavailableError: no answer before the deadline, a fault of the endpoint's, or an answer
                that is none: trying again later may help.
            ConfigurationError: the endpoint refuses the call: wrong key, model or request.
        """
        ...

    def close(self) -> None:
        """Let go of the endpoint, or end the process that was started for it."""
        ...


def estimated_tokens(text: str) -> int:
    """About as many tokens as `text` has, rather more: a letter of Chinese is one or two."""
    wide = sum(character > "\u2e7f" for character in text)
    return (len(text) - wide + 2) // 3 + 2 * wide
