"""Words cut to what their forms share: light rules, no dictionary.

Over-cutting is safe here: a stem is only ever compared with stems of one item's words.
"""

_ENGLISH = (
    *("ations", "ation", "ingly", "edly", "ments", "ment", "ness", "ings", "ions", "ing", "ion"),
    *("ies", "ied", "ers", "ors", "als", "al", "er", "or", "ed", "es", "ly", "s", "e", "y"),
)
_PORTUGUESE = (
    *("amentos", "imentos", "amento", "imento", "adores", "adoras", "mente", "acoes", "icoes"),
    *("acao", "icao", "coes", "adora", "ador", "aram", "eram", "iram", "avam", "ando", "endo"),
    *("indo", "ados", "adas", "idos", "idas", "ado", "ada", "ido", "ida", "ava", "cao", "ais"),
    *("ara", "era", "ira", "ou", "eu", "iu", "am", "em", "ar", "er", "ir", "al", "as", "os"),
    *("es", "a", "o", "e", "s", "i"),
)
_SUFFIXES = {"en": _ENGLISH, "pt": _PORTUGUESE, "es": _PORTUGUESE, "zh": ()}
_SHORTEST = 3


def stem(word: str, language: str) -> str:
    """`word`, folded, without its ending; at least three letters stay."""
    word = word.removesuffix("'s").replace("'", "")
    for suffix in _SUFFIXES.get(language, ("s",)):
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST:
            word = word[: -len(suffix)]
            break
    if language != "en" or len(word) <= _SHORTEST:
        return word
    if word[-1] == word[-2]:  # stopped, stop
        return word[:-1]
    return word[:-1] if word[-1] in "ei" else word
