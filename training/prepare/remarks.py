"""What to be wary of in a data set, in words: read before its figures are believed."""

from collections.abc import Iterator

from training.prepare.drift import Drift
from training.prepare.sheet import DataSheet

FEW_EVENTS = 1_000
FEW_USERS = 100
# Below this drift cannot be told from chance.
EVENTS_FOR_DRIFT = 200
SHIFTED, SHIFTED_MUCH = 0.1, 0.25


def remarks(sheet: DataSheet) -> tuple[str, ...]:
    """Sentences, the weightiest first."""
    return (*_losses(sheet), *_oddities(sheet), *_drifted(sheet))


def _losses(sheet: DataSheet) -> Iterator[str]:
    if not sheet.events:
        yield "There are no events."
        return
    if sheet.lost:
        yield (
            f"Up to {sheet.lost:,} events had been forgotten by the log before they were archived:"
            " archive more often, or keep the log for longer."
        )
    if sheet.refused:
        yield f"{sheet.refused:,} messages broke their schema; the dead letters hold them."
    for quiet in sheet.quiet:
        days = quiet.first if quiet.days == 1 else f"{quiet.first} to {quiet.last}"
        what = "no events" if not quiet.events else f"only {quiet.events:,} events"
        yield f"{days}: {what}, where {quiet.usual:,.0f} a day are usual."


def _oddities(sheet: DataSheet) -> Iterator[str]:
    if not sheet.events:
        return
    if sheet.events < FEW_EVENTS or sheet.users < FEW_USERS:
        yield (
            f"Little data ({sheet.events:,} events of {sheet.users:,} users): differences between"
            " models will be within chance."
        )
    if sheet.first is None:
        yield "Times are not known: only the order of events is."
    if sheet.duplicates > 0.05 * sheet.events:
        yield f"{sheet.duplicates:,} events came more than once: a producer repeats itself."
    if sheet.events_on_unknown_share > 0.05:
        yield (
            f"{sheet.events_on_unknown_share:.0%} of the events are on {sheet.items_unknown:,}"
            " items that are not in the catalog: their text is not known."
        )
    known = sheet.items - sheet.items_unknown
    without_text = sheet.items_without_text - sheet.items_unknown
    if without_text > 0.2 * known:
        yield f"{without_text:,} of {known:,} items have no text."
    if sheet.largest_user_share > 0.05 and sheet.users >= FEW_USERS:
        yield f"One user made {sheet.largest_user_share:.0%} of the events: a robot?"
    if sheet.last is not None and sheet.last > sheet.made:
        yield f"The last event is in the future ({sheet.last:%Y-%m-%d %H:%M} UTC)."
    if not sheet.positive:
        yield "No event is positive: there is nothing to learn from."


def _drifted(sheet: DataSheet) -> Iterator[str]:
    drift = sheet.drift
    if drift is None or drift.events < EVENTS_FOR_DRIFT:
        return
    yield from _shift("What people do", "event types", drift.event_types_psi)
    yield from _shift("What people like", "items by popularity", drift.items_psi)
    yield from _newcomers(drift)


def _shift(what: str, of: str, index: float) -> Iterator[str]:
    if index > SHIFTED:
        how = "much" if index > SHIFTED_MUCH else "somewhat"
        yield f"{what} has shifted {how} since the last training ({of}: PSI {index:.2f})."


def _newcomers(drift: Drift) -> Iterator[str]:
    if drift.new_items_share > 0.5:
        yield (
            f"{drift.new_items_share:.0%} of the positive events since the last training are on"
            " items that it had not seen."
        )
    if drift.new_users_share > 0.5:
        yield f"{drift.new_users_share:.0%} of the users since the last training are new."
