"""One of the two pure rules: candidates become a page."""

from clickwise.ranking.policy import Policy, Ranked, rank

__all__ = ["Policy", "Ranked", "rank"]
