"""The words that stand for a reader's topics (F_u): keywords of what they engaged with."""

from collections import defaultdict
from collections.abc import Iterable

from clickwise.understanding.understanding import Understanding

MAX_WORDS = 20


def interest_words(engaged: Iterable[tuple[float, Understanding]]) -> dict[str, float]:
    """Words by weight, heaviest first: each keyword's weight times that of the event.

    `engaged` holds decayed event weights; negative ones (a dislike) take away. Spellings that
    differ in case count as one, shown as the heaviest. Words that weigh nothing are left out.
    """
    weights: defaultdict[str, float] = defaultdict(float)
    spellings: dict[str, tuple[float, str]] = {}
    for event_weight, understanding in engaged:
        for keyword in understanding.keywords:
            folded = keyword.word.casefold()
            weight = event_weight * keyword.weight
            heaviest = spellings.get(folded, (weight, keyword.word))
            weights[folded] += weight
            spellings[folded] = max(heaviest, (weight, keyword.word))
    ordered = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_WORDS]
    return {spellings[word][1]: round(weight, 6) for word, weight in ordered if weight > 0.0}
