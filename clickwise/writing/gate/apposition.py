"""Words that stand for a name: what is said of "baker Jonas Velde" is said of the baker."""

from collections.abc import Iterable

from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word


def stand_ins(
    sentences: Iterable[Sentence], names: frozenset[str], known: Lexicon
) -> dict[str, frozenset[str]]:
    """Stem of a word at a name to the stems of that name; a word at several names has none."""
    found: dict[str, set[str]] = {}
    for sentence in sentences:
        words = () if sentence.titled else sentence.words
        for at, word in enumerate(words):
            if word.folded in known.stop or word.stem in names or not _opens(words, at, known):
                continue
            if run := _name_behind(words, at, sentence, names):
                found[word.stem] = found.get(word.stem, run) & run
    return {stem: frozenset(run) for stem, run in found.items()}


def _opens(words: tuple[Word, ...], at: int, known: Lexicon) -> bool:
    """Whether words[at] begins a phrase and no name: not "met" in "a baker met Ana"."""
    if words[at].capital and not words[at].first:
        return False
    return at == 0 or words[at - 1].folded in known.determiners | known.prepositions


def _name_behind(
    words: tuple[Word, ...], at: int, sentence: Sentence, names: frozenset[str]
) -> set[str]:
    """Stems of the name that begins behind words[at], after a space or between two commas."""
    before = _gap(words, at, sentence)
    run: set[str] = set()
    if before not in (" ", ", "):
        return run
    place = at + 1
    while place < len(words) and words[place].capital and words[place].stem in names:
        run.add(words[place].stem)
        if _gap(words, place, sentence) != " ":
            break
        place += 1
    closed = place < len(words) and _gap(words, place, sentence).startswith(",")
    return run if before == " " or closed else set()


def _gap(words: tuple[Word, ...], at: int, sentence: Sentence) -> str:
    """What stands behind words[at], up to the next word."""
    end = words[at].start + len(words[at].text)
    return sentence.text[end : words[at + 1].start] if at + 1 < len(words) else ""
