"""One request followed: profile, candidates, scores, page."""

from clickwise.recommend.recommender import Limits, Recommender

__all__ = ["Limits", "Recommender"]
