"""A headline in capitals says in few words what an item says: each of them must be the item's.

In a sentence one word that the item lacks is let through as a paraphrase, unless it describes a
noun. In a headline where every word has a capital no noun can be told from a name, and a single
word makes another claim of it ("Unreliable", "Protesting"), whatever its ending. The short words
that headlines have for longer ones ("halt" for "suspend") are the item's here and nowhere else:
many have a second meaning.
"""

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence
from clickwise.writing.gate.support import content


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A word of content of a `sentence` in capitals that the item has in no form."""
    if not sentence.titled:
        return None
    for word in content(sentence.words, evidence):
        if not word.capital or evidence.says_exactly(word):
            continue
        told = evidence.where(word) - evidence.under(word, evidence.denied)
        if not told and not evidence.where_brief(word):
            return Finding(Reason.SUPPORT, f"{word.text[:40]}: not in the item")
    return None
