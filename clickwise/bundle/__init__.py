"""A model version on disk: manifest, checksums, scorer; and the day-0 one, made on the spot."""

from clickwise.bundle.day0 import day0_bundle
from clickwise.bundle.folder import Bundle, Manifest, load_bundle, write_bundle
from clickwise.bundle.scorer import FACTS, RECENTS, Scorer, ScorerInput
from clickwise.bundle.tower import TextTower, Tower

__all__ = [
    "FACTS",
    "RECENTS",
    "Bundle",
    "Manifest",
    "Scorer",
    "ScorerInput",
    "TextTower",
    "Tower",
    "day0_bundle",
    "load_bundle",
    "write_bundle",
]
