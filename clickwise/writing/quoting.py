"""An item's text as data in a prompt: between fences that nobody can foresee, and inert in itself.

The fence is drawn anew for each call, so an item cannot close it. What a chat template would read
as the end of a turn (`<|im_end|>`, `[INST]`) loses the brackets that make it one.
"""

import re
import secrets

from clickwise.text import plain
from clickwise.writing.port import estimated_tokens

_ANGLES = str.maketrans({"<": "\u2039", ">": "\u203a"})
_SQUARE = re.compile(r"\[(/?)(INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS|gMASK)\]", re.IGNORECASE)


def new_fence() -> str:
    """64 random bits, as a line that stands before and after what is quoted."""
    return f"=== {secrets.token_hex(8)} ==="


def inert(text: str, *, max_tokens: int) -> str:
    """`text` as plain characters that no chat template takes for its own, cut to about a length."""
    words = _SQUARE.sub(r"(\1\2)", plain(text).translate(_ANGLES))
    if estimated_tokens(words) <= max_tokens:
        return words
    low, high = 0, len(words)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high)
            if estimated_tokens(words[:middle]) <= max_tokens
            else (low, middle - 1)
        )  # fmt: skip
    return words[:low].rstrip()


def fenced(lines: list[tuple[str, str]], fence: str) -> str:
    """(name, inert text) pairs between two fences, one line each; no text holds the fence."""
    said = (f"{name}: {text.replace(fence, '')}" for name, text in lines if text)
    return "\n".join((fence, *said, fence))
