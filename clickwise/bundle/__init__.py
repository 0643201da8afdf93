"""A model version on disk: manifest, checksums, scorer; and the day-0 one, made on the spot."""

from clickwise.bundle.day0 import day0_bundle
from clickwise.bundle.folder import Bundle, Manifest, load_bundle, write_bundle
from clickwise.bundle.scorer import FACTS, RECENTS, Scorer, ScorerInput

__all__ = [
    "FACTS",
    "RECENTS",
    "Bundle",
    "Manifest",
    "Scorer",
    "ScorerInput",
    "day0_bundle",
    "load_bundle",
    "write_bundle",
]
