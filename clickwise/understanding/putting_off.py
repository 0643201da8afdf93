"""Items whose topics could not be told, and when they are tried again.

Such a fault may be one item's own, or that of all (a model whose files are damaged). So after each
there is a rest, in which items are put off untried, and then those are tried one at a time: those
that can be told are, and what goes on failing costs one try per rest.
"""

from dataclasses import dataclass

from clickwise.clock import Clock

REST_SECONDS = 30.0


@dataclass(slots=True)
class Window:
    """Items with `change` above `after` and at most `until`."""

    after: int
    until: int


class PutOff:
    """Owned by one thread. Tries go in rounds: each over what the one before it left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rests_until = float("-inf")
        self._round: Window | None = None
        self._left: Window | None = None

    @property
    def rests(self) -> bool:
        """Whether nothing is to be tried now."""
        return self._clock.monotonic() < self._rests_until

    @property
    def is_empty(self) -> bool:
        """Whether nothing is put off."""
        return self._round is None and self._left is None

    def rest(self) -> None:
        """A try has failed: nothing is tried for a while."""
        self._rests_until = self._clock.monotonic() + REST_SECONDS

    def add(self, change: int) -> None:
        """Put off the item that has this `change`; the next round tries it."""
        left = self._left
        if left is None:
            self._left = Window(change - 1, change)
        else:
            left.after, left.until = min(left.after, change - 1), max(left.until, change)

    def window(self) -> Window | None:
        """Where one item is to be tried now, the newest; None: nowhere now.

        Whoever tries it lowers `until`, and ends the round where nothing is due any more.
        """
        if self.rests:
            return None
        if self._round is None:
            self._round, self._left = self._left, None
        return self._round

    def end_round(self) -> None:
        """The window holds nothing more that is due."""
        self._round = None
