"""Items that the model answered nonsense to, or not at all: is it the model, or the item?

An item is to blame when the model failed with it again although it had made sense of another text
in between. Until then it is tried again after all others, however long the model is down.
"""

from clickwise.types import ItemKey

Place = tuple[ItemKey, str]
MOST = 10_000


class Suspects:
    """Bounded: the longest suspected are forgotten first, and so tried again as if for the first
    time.
    """

    def __init__(self) -> None:
        self._sensible = 0
        self._since: dict[Place, int] = {}

    def clear(self, place: Place) -> None:
        """The model made sense of this one."""
        self.model_made_sense()
        self._since.pop(place, None)

    def model_made_sense(self) -> None:
        """Of something else."""
        self._sensible += 1

    def has(self, place: Place) -> bool:
        """Whether this one is suspected."""
        return place in self._since

    def is_to_blame(self, place: Place) -> bool:
        """Note a failure with this one; whether it is the cause."""
        since = self._since.pop(place, None)
        if since is not None and since < self._sensible:
            return True
        if len(self._since) >= MOST:
            del self._since[next(iter(self._since))]
        self._since[place] = self._sensible if since is None else since
        return False
