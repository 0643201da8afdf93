"""A language model that does as it is told: what it answers depends on its mode alone.

`good` copies sentences of the item, so its texts are faithful. `nonsense` shares no word with it,
`echo` gives the prompt back, `obedient` does what an item orders. `hung`, `error` and `slow` are
for the server over it (`clickwise.testing.language_model`); here `hung` and `error` fail at once.
"""

import re
from collections.abc import Sequence
from typing import Literal

from clickwise.errors import UnavailableError
from clickwise.writing.port import Completion, Message, estimated_tokens

Mode = Literal["good", "slow", "hung", "error", "nonsense", "echo", "obedient"]
MODEL = "scripted-1"
_FENCED = re.compile(r"(=== [0-9a-f]{16} ===)\n(.*?)\n\1", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s*")
_ORDER = re.compile(
    r"(?:reply only with|answer with|\u8bf7\u53ea\u56de\u590d|responda apenas com)\s*[:\uff1a]?\s*"
    r"([^.\u3002]+)",
    re.IGNORECASE,
)


def reply_to(messages: Sequence[Message], mode: Mode) -> str:
    """What the model says in a mode that answers at all."""
    prompt = "\n".join(message.content for message in messages)
    if mode == "echo":
        return prompt
    if mode == "nonsense":
        return "xqzv bnrtk wvlpz qqrst zzkvb"
    found = _FENCED.search(messages[-1].content)
    if found is None:
        return messages[-1].content
    lines = found.group(2).splitlines()
    data = dict(line.split(": ", 1) for line in lines if ": " in line)
    said = data.get("TEXT", "")
    if mode == "obedient" and (order := _ORDER.search(f"{data.get('TITLE', '')}. {said}")):
        return order.group(1).strip()
    sentences = [one for one in _SENTENCE.split(said) if one.strip()] or [data.get("TITLE", "")]
    asked = messages[-1].content.rpartition("\n")[2].lower()
    if any(word in asked for word in ("list", "liste", "\u5217\u51fa")):
        return "\n".join(f"- {one}" for one in sentences[:3])
    if any(
        word in asked for word in ("title", "headline", "t\u00edtulo", "manchete", "\u6807\u9898")
    ):
        return data.get("TITLE", "") if "\u6807\u9898" in asked else sentences[0].rstrip(".")
    return " ".join(sentences[:2])


def within(text: str, max_tokens: int) -> str:
    """As much of `text` as a model says before `max_tokens` end it."""
    while estimated_tokens(text) > max_tokens:
        text = text[: len(text) * max_tokens // estimated_tokens(text)]
    return text


class ScriptedWriter:
    """See Writer; in process. `mode` may be changed at any time; `asked` holds every call."""

    def __init__(self, mode: Mode = "good") -> None:
        self.mode: Mode = mode
        self.asked: list[list[Message]] = []
        self.temperatures: list[float] = []

    @property
    def model(self) -> str:
        """See Writer."""
        return MODEL

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        deadline_seconds: float,
    ) -> Completion:
        """See Writer."""
        self.asked.append(list(messages))
        self.temperatures.append(temperature)
        if self.mode in ("hung", "error"):
            raise UnavailableError(
                f"the language model did not answer within {deadline_seconds:g} s"
            )
        text = reply_to(messages, self.mode)
        prompt = sum(estimated_tokens(message.content) for message in messages)
        kept = within(text, max_tokens)
        return Completion(kept, prompt, estimated_tokens(kept), MODEL, kept != text)

    def close(self) -> None:
        """See Writer."""
