"""Parts of a clause in groups that the item links, for `links` and `links_han`.

Each part comes once, however often the clause repeats it. The stretches that have a part are walked
once in order, and each part is joined to what the stretch links it with, so that the work grows
with the places of the parts and not with their pairs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from clickwise.writing.gate.evidence import Evidence, Stretch


@dataclass(frozen=True, slots=True)
class Part:
    """A word or run of a clause, and the stretches of the item that have it; `places` not empty."""

    text: str  # as it is compared
    first: int  # where the clause has it first
    last: int  # and last
    places: frozenset[int]


Carried = Callable[[Stretch, Iterable[Part]], Iterable[Part]]


def together(parts: Sequence[Part], evidence: Evidence, carried: Carried) -> list[list[Part]]:
    """`parts`, each of another text, in groups: those that some stretch has, and on from there.

    Of the parts of a stretch, `carried` returns those that are said of what stands before it: each
    is joined to any part in an earlier stretch of the sentence that begins before it in the clause.
    """
    if len(parts) < 2:
        return [[part] for part in parts]
    groups = _Groups(len(parts))
    held: dict[int, list[int]] = {}
    for number, part in enumerate(parts):
        for place in part.places:
            held.setdefault(place, []).append(number)
    numbers = {part.text: number for number, part in enumerate(parts)}
    sentence = -1
    before: list[tuple[int, int]] = []  # heap: where the clause has it first, a part or its group
    seen: set[int] = set()
    for place in sorted(held):
        if groups.left == 1:
            break
        stretch, here = evidence.stretches[place], held[place]
        if stretch.sentence != sentence:
            sentence, before, seen = stretch.sentence, [], set()
        for number in here:
            groups.join(here[0], number)
        if before:
            for part in carried(stretch, [parts[number] for number in here]):
                _carry(part, numbers[part.text], before, groups)
        for number in here:
            if number not in seen:
                seen.add(number)
                heappush(before, (parts[number].first, number))
    return [[parts[number] for number in group] for group in groups.all()]


def _carry(part: Part, number: int, before: list[tuple[int, int]], groups: "_Groups") -> None:
    """Join `part` to what of `before` the clause has before it, and leave one entry of those."""
    if not before or before[0][0] >= part.last:
        return
    first = before[0]
    while before and before[0][0] < part.last:
        groups.join(heappop(before)[1], number)
    heappush(before, first)


class _Groups:
    """Numbers from 0, each alone until joined."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))
        self.left = size

    def join(self, one: int, two: int) -> None:
        """Make one group of those of `one` and `two`."""
        one, two = self._top(one), self._top(two)
        if one != two:
            self._above[one] = two
            self.left -= 1

    def all(self) -> list[list[int]]:
        """The groups, each in order."""
        found: dict[int, list[int]] = {}
        for number in range(len(self._above)):
            found.setdefault(self._top(number), []).append(number)
        return list(found.values())

    def _top(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number
