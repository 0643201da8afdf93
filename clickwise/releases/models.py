"""The models in use at one moment, and who gets which. Never changed: a swap puts another one
in its place.
"""

from dataclasses import dataclass
from hashlib import blake2b

from clickwise.releases.release import Release
from clickwise.types import ModelVersion, UserId

_WHOLE = float(1 << 64)


@dataclass(frozen=True, slots=True)
class Trial:
    """A model that is tried on a share of users (canary) or of requests (shadow)."""

    release: Release
    share: float


@dataclass(frozen=True, slots=True)
class Models:
    """`standby` answers nobody and is kept up to date: the one before, the one to come."""

    live: Release
    canary: Trial | None = None
    shadow: Trial | None = None
    standby: tuple[Release, ...] = ()

    def of(self, user: UserId | None) -> Release:
        """What this user gets; guests, who have no history to be tried on, the live one."""
        trial = self.canary
        if trial is None or user is None:
            return self.live
        return trial.release if is_in_share(user, trial.release.version, trial.share) else self.live

    def every(self) -> tuple[Release, ...]:
        """All of them, each once, the live one first."""
        trials = [trial.release for trial in (self.canary, self.shadow) if trial is not None]
        found: list[Release] = []
        for release in (self.live, *trials, *self.standby):
            if not any(release is known for known in found):
                found.append(release)
        return tuple(found)


def is_in_share(user: UserId, version: ModelVersion, share: float) -> bool:
    """Whether a user is among the `share` that try this version: other users for each version."""
    digest = blake2b(f"{version}\0{user}".encode(), digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest) / _WHOLE < share
