"""A pronoun points to somebody: "she" needs a she in the item, "we" an item that speaks of itself.

Looked at is what a language marks on persons alone: "they" and "you" may be anybody, and Portuguese
has "ela" for things too. A word of the item that says as much ("his mother": she) will do.
"""

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.persons import meant, pronouns_in
from clickwise.writing.gate.reading import Sentence


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A pronoun of `sentence` for somebody whom the item does not have."""
    known = evidence.lexicon
    if known.language == "zh":
        found = pronouns_in(sentence.folded, known)
    else:
        found = (
            (number, word.text)
            for number, (pronouns, _) in enumerate(known.pronouns)
            for word in meant(sentence, evidence.names, known)
            if word.folded in pronouns
        )
    for number, shown in found:
        if number not in evidence.persons:
            return Finding(Reason.NAME, f"{shown}: nobody in the item")
    return None
