"""A model in use: its bundle and the items as it sees them. Both move as one, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clickwise.bundle import Bundle
from clickwise.catalog import Catalog
from clickwise.profile import (
    Folded,
    Interaction,
    ItemSource,
    Profile,
    fold,
    has_unknown,
    rebuilt,
    unknown_items,
)
from clickwise.types import ModelVersion, UserId


@dataclass(frozen=True, slots=True)
class Release:
    """One bundle and its catalogue. Profiles of other models are rebuilt before they are used."""

    bundle: Bundle
    catalog: Catalog

    @property
    def version(self) -> ModelVersion:
        """Names the model in answers, exposures and profiles."""
        return self.bundle.version

    def fold(
        self, profile: Profile, interactions: Sequence[Interaction], items: ItemSource | None = None
    ) -> Folded:
        """The profile after more events; rebuilt first where it is another model's."""
        source = items if items is not None else self.catalog
        if profile.model != self.version:
            profile = self.rebuilt(profile, source)
        return fold(
            profile,
            interactions,
            source,
            self.bundle.manifest.rules,
            recurrence=self.bundle.recurrence,
        )

    def present(self, profile: Profile) -> Profile:
        """The profile in this model, with items counted that have arrived since."""
        if profile.model != self.version:
            return self.rebuilt(profile)
        if has_unknown(profile) and self.catalog.facts(unknown_items(profile)):
            return self.rebuilt(profile)
        return profile

    def rebuilt(self, profile: Profile, items: ItemSource | None = None) -> Profile:
        """The profile folded anew from the events that it keeps."""
        anew = profile
        if profile.model != self.version:
            anew = self.bundle.without_state(profile)
        return rebuilt(
            anew,
            items if items is not None else self.catalog,
            self.bundle.manifest.rules,
            recurrence=self.bundle.recurrence,
        )


class Releases(Protocol):
    """The models in use in this process, as the thread that asks sees them.

    From `refresh` to `rest` a thread sees the same models, and none of them is closed: so a batch
    or a request is of one release from its beginning to its end.
    """

    @property
    def live(self) -> Release:
        """What everybody gets who is in no trial."""
        ...

    def of(self, user: UserId | None) -> Release:
        """What this user gets: the same from call to call, until models change."""
        ...

    def every(self) -> tuple[Release, ...]:
        """All that are open, the live one first: also those that answer nobody yet, or any more."""
        ...

    @property
    def on_trial(self) -> bool:
        """Whether some users get another model than the live one."""
        ...

    def refresh(self) -> None:
        """See what was promoted, tried or taken back since; cheap, called for every batch and
        every request.
        """
        ...

    def rest(self) -> None:
        """This thread's batch or request is over: models not in use any more may be closed."""
        ...
