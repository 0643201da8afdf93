"""Text to token ids, with the model's own tokenizer.

The tokenizers library would start a thread per core for a batch; texts are encoded one by one
here, because the cores belong to serving. It releases the interpreter's lock meanwhile.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from clickwise.errors import BundleError

# No text needs more characters for its first tokens; the rest need not be looked at.
_CHARACTERS_PER_TOKEN = 16


@dataclass(frozen=True, slots=True)
class TextTokenizer:
    """Thread-safe; every row has at most `max_tokens` ids, special ones included."""

    tokenizer: Tokenizer
    prefix: str
    max_tokens: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """One row of token ids per text."""
        limit = self.max_tokens * _CHARACTERS_PER_TOKEN
        return [self.tokenizer.encode(self.prefix + _encodable(text[:limit])).ids for text in texts]

    def count(self, text: str) -> int:
        """How many tokens all of `text` has, without special ones."""
        encoding = self.tokenizer.encode(_encodable(text), add_special_tokens=False)
        return len(encoding.ids) + sum(len(more.ids) for more in encoding.overflowing)


def load_tokenizer(definition: bytes, *, prefix: str, max_tokens: int) -> TextTokenizer:
    """From the JSON of the tokenizers library.

    Raises:
        BundleError: not such JSON.
    """
    try:
        tokenizer = Tokenizer.from_buffer(definition)
    except Exception as error:  # the library raises plain Exception
        raise BundleError(f"the encoder's tokenizer cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    # Text is data: "</s>" in an article is four characters, not the end of it.
    tokenizer.encode_special_tokens = True
    return TextTokenizer(tokenizer=tokenizer, prefix=prefix, max_tokens=max_tokens)


def unknown_id(definition: bytes) -> int | None:
    """The id that stands for what the vocabulary does not hold; None if it holds every byte."""
    model = json.loads(definition)["model"]
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    vocabulary, unknown = model.get("vocab"), model.get("unk_token")
    if isinstance(vocabulary, dict) and unknown in vocabulary:
        return int(vocabulary[unknown])
    return None


def _encodable(text: str) -> str:
    """Without lone surrogates, which have no UTF-8 form."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
