"""`clickwise texts compare`: click-through of written against original titles, from the logs."""

from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
from rich.text import Text

from clickwise.cli.exits import Exit
from clickwise.cli.output import console, print_json, print_table
from clickwise.cli.wiring import state_of
from clickwise.errors import ConfigurationError
from clickwise.recommend.exposures import ExposureMessage
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.types import EventType, ItemId
from clickwise.writing.comparison import Arm, Comparison, Tally, compare

PAGE = 1_000
NOT_A_CLICK = frozenset({EventType.IMPRESSION, EventType.DISLIKE, EventType.HIDE})


class _Click(msgspec.Struct):
    item: ItemId
    type: EventType
    request: str | None = None


_exposures = msgspec.json.Decoder(ExposureMessage)
_clicks = msgspec.json.Decoder(_Click)


def compare_texts(settings: Settings, *, json: bool) -> int:
    """Compare what readers did with both kinds of titles, over all that the logs keep.

    Raises:
        ConfigurationError: the logs are Kafka's.
    """
    if not settings.embedded:
        raise ConfigurationError(
            "`clickwise texts compare` reads the embedded log; with Kafka the archive holds what it"
            " needs (docs/text.md)"
        )
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        found = comparison(state)
    if json:
        print_json(found)
    else:
        _show(found)
    return Exit.DONE


def comparison(state: State) -> Comparison:
    """Places at which a written text was ready, and whether they were clicked."""
    clicked = {
        (event.request, event.item)
        for event in map(_clicks.decode, _bodies(state, "events"))
        if event.request is not None and event.type not in NOT_A_CLICK
    }
    tallies = {"written": Tally(), "held": Tally()}
    for exposure in map(_exposures.decode, _bodies(state, "exposures")):
        if exposure.user is None:
            continue  # guests are not held out
        for kind, tally in tallies.items():
            shown = [one.item for one in exposure.items if one.text == kind]
            if shown:
                tally.add(exposure.user, [(exposure.request_id, item) in clicked for item in shown])
    return compare(tallies)


def _bodies(state: State, log: str) -> Iterator[bytes]:
    after = 0
    read = state.events if log == "events" else state.exposures
    while rows := read(after=after, limit=PAGE):
        for after, body in rows:  # noqa: B007  # the last one is where the next page begins
            yield body


def _show(found: Comparison) -> None:
    print_table(
        ("words", "readers", "shown", "clicked", "rate", "95 % interval"),
        [_row("written", found.written), _row("original", found.held)],
    )
    if found.difference is None:
        said = "nothing to compare yet: both kinds need a reader (CLICKWISE_TEXTS_HOLDOUT)"
    else:
        said = (
            f"difference {found.difference:+.4f}, 95 % interval {found.low:+.4f} to"
            f" {found.high:+.4f} (resampling readers)"
        )
    console().print(Text(said))


def _row(name: str, arm: Arm) -> tuple[str, ...]:
    return (
        name,
        str(arm.readers),
        str(arm.shown),
        str(arm.clicked),
        f"{arm.rate:.4f}",
        f"{arm.low:.4f} to {arm.high:.4f}",
    )
