"""Which models are in use, and what serving and streams do with each."""

from clickwise.releases.fixed import FixedReleases
from clickwise.releases.release import Release, Releases
from clickwise.releases.switching import Opened, Opener, SwitchingReleases

__all__ = ["FixedReleases", "Opened", "Opener", "Release", "Releases", "SwitchingReleases"]
