"""A summary of sentences that the item itself has: always faithful.

Sentences are told apart by sentencex (Wikimedia; some 300 languages). They are chosen by how near
their vector is to the whole and to the title, by their place, and by how little they repeat each
other (MMR, Carbonell and Goldstein, 1998). An encoder's cosines are squeezed into a narrow band, so
only their differences within this one text count.

Shape suffixes: S = sentences, D = embedding dimension.
"""

import re

import numpy as np
from sentencex import segment

from clickwise.encoder.port import TextEncoder
from clickwise.masking import has_masks
from clickwise.understanding.libraries import released
from clickwise.understanding.reading import Reading
from clickwise.vectors.port import Float32Array

VERSION = f"centrality-2+{released('sentencex')}"
MAX_SENTENCES = 3
MAX_CHARACTERS = 400
# Sentences that are looked at: a text that has not said by then what it is about will not.
_CANDIDATES = 32
# Shorter ones (headings, bylines, "Read more.") say nothing; Han says more with less.
_LEAST_CHARACTERS = 30
_LEAST_HAN = 8
_HAN = re.compile("[\u3041-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_TITLE_WEIGHT = 1.0
_PLACE_WEIGHT = 1.0
_PLACE_SENTENCES = 3.0
_REPETITION_WEIGHT = 1.5
# Sentences that are more alike than this, apart from what all have in common, say the same.
_SAME = 0.8


def sentences_of(text: str, language: str) -> list[str]:
    """The sentences of `text`, in order, as they stand in it."""
    return [sentence.strip() for sentence in segment(language or "en", text) if sentence.strip()]


def summary_of(reading: Reading, language: str, encoder: TextEncoder) -> tuple[str, ...]:
    """Up to three sentences of the body, 400 characters in all; the title where none is fit.

    One with the mask of an address or a number is there only where all that are fit have one.
    """
    fit = dict.fromkeys(s for s in sentences_of(reading.body, language) if _is_fit(s))
    found = ([s for s in fit if not has_masks(s)] or list(fit))[:_CANDIDATES]
    if not found:
        return (reading.title,) if reading.title else ()
    if len(found) == 1:
        return (found[0],)
    vectors_SD = encoder.encode([*found, reading.title or found[0]])
    order = _ranked(vectors_SD[:-1], vectors_SD[-1], [len(sentence) for sentence in found])
    return tuple(found[place] for place in sorted(order))


def _is_fit(sentence: str) -> bool:
    least = _LEAST_HAN if _HAN.search(sentence) else _LEAST_CHARACTERS
    return least <= len(sentence) <= MAX_CHARACTERS and any(map(str.isalpha, sentence))


def _ranked(vectors_SD: Float32Array, title_D: Float32Array, lengths: list[int]) -> list[int]:
    """Places of the chosen sentences, best first."""
    center_D = vectors_SD.mean(axis=0)
    places_S = np.arange(len(lengths))
    scores_S = (
        _standard(vectors_SD @ center_D)
        + _TITLE_WEIGHT * _standard(vectors_SD @ title_D)
        + _PLACE_WEIGHT * np.exp(-places_S / _PLACE_SENTENCES)
    )
    apart_SD = vectors_SD - center_D
    apart_SD = apart_SD / np.maximum(np.linalg.norm(apart_SD, axis=1, keepdims=True), 1e-9)
    chosen: list[int] = []
    left = MAX_CHARACTERS
    repeated_S = np.zeros(len(lengths))
    while len(chosen) < MAX_SENTENCES:
        open_ones = [
            place
            for place, length in enumerate(lengths)
            if place not in chosen and length <= left and repeated_S[place] <= _SAME
        ]
        if not open_ones:
            break
        best = max(open_ones, key=lambda p: scores_S[p] - _REPETITION_WEIGHT * repeated_S[p])
        chosen.append(best)
        left -= lengths[best]
        repeated_S = np.maximum(repeated_S, apart_SD @ apart_SD[best])
    return chosen


def _standard(values_S: Float32Array) -> Float32Array:
    """In standard deviations from the mean."""
    spread = float(values_S.std())
    return (values_S - values_S.mean()) / spread if spread > 1e-9 else np.zeros_like(values_S)
