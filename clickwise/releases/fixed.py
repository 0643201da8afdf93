"""One model for everybody and for good: benches, tools and tests."""

from clickwise.releases.release import Release
from clickwise.types import UserId


class FixedReleases:
    """Implements `Releases`."""

    def __init__(self, release: Release) -> None:
        self._release = release

    @property
    def live(self) -> Release:
        """See Releases."""
        return self._release

    def of(self, user: UserId | None) -> Release:
        """See Releases."""
        del user
        return self._release

    def every(self) -> tuple[Release, ...]:
        """See Releases."""
        return (self._release,)

    def refresh(self) -> None:
        """See Releases."""

    def rest(self) -> None:
        """See Releases."""

    @property
    def on_trial(self) -> bool:
        """See Releases."""
        return False
