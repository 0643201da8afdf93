"""One request followed: profile, candidates, scores, page."""

from clickwise.recommend.gathering import Limits
from clickwise.recommend.recommender import Recommender

__all__ = ["Limits", "Recommender"]
