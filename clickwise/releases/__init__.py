"""Which models are in use, and what serving and streams do with each."""

from clickwise.releases.fixed import FixedReleases
from clickwise.releases.release import Release, Releases

__all__ = ["FixedReleases", "Release", "Releases"]
