"""Phrases that no text may hold, or only if the item has them: echo, order, insult, promise."""

from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import fold, patterns


def check(text: str, source: str) -> Finding | None:
    """What `text` holds of the lists; both folded. Promises and insults may be the item's own."""
    for section, reason in (("echo", Reason.ECHO), ("order", Reason.INJECTION)):
        for pattern in patterns(section):
            if found := pattern.search(text):
                return Finding(reason, found.group()[:60])
    for section, reason in (("insult", Reason.INSULT), ("promise", Reason.PROMISE)):
        for pattern in patterns(section):
            found = pattern.search(text)
            if found and found.group() not in source:
                return Finding(reason, found.group()[:60])
    return None


def is_order(sentence: str) -> bool:
    """Whether a sentence speaks to a model instead of to a reader."""
    folded = fold(sentence)
    return any(pattern.search(folded) for pattern in patterns("order"))
