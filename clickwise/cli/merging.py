"""`clickwise merge`: a guest turns out to be a user."""

import asyncio
from contextlib import ExitStack

import msgspec
from rich.text import Text

from clickwise.cli import handlers, homes
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.extras import kafka_extra
from clickwise.cli.output import console, print_json
from clickwise.cli.wiring import open_core, state_of
from clickwise.clock import SystemClock
from clickwise.doors import Verdict
from clickwise.ids import time_ordered_id
from clickwise.limits import check_id
from clickwise.merges import Merge, check_two
from clickwise.settings import Settings
from clickwise.state.alias_port import Alias
from clickwise.types import EventId, UserId
from streams.merging import MergeArrival


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    id: str
    guest: str
    user: str
    verdict: str


def merge(settings: Settings, guest: str, user: str, *, json: bool) -> int:
    """Merge; while the site runs, too.

    Raises:
        ConflictError: another merge stands against it.
        NotFoundError: there is no such home.
    """
    homes.need_home(settings)
    check_two(check_id(guest, "guest"), check_id(user, "user"), field="guest")
    clock = SystemClock()
    with ExitStack() as stack, audited(settings, "merge"):
        state = state_of(settings, stack)
        state.migrate()
        now = clock.now()
        alias = Alias(UserId(guest), UserId(user), time_ordered_id(now), now)
        alias = state.aliases.pair(alias)
        wanted = Merge(id=EventId(alias.merge), user=alias.guest, into=alias.user, time=alias.at)
        if settings.embedded:
            handler = handlers.embedded_event_handler(open_core(settings, stack))
            verdict = handler.merges.apply(MergeArrival(wanted, clock.now())).outcome
        else:
            verdict = asyncio.run(_written(settings, wanted)).value
    if json:
        print_json(Told(id=wanted.id, guest=guest, user=user, verdict=verdict))
    else:
        console().print(Text(verdict))
    return Exit.DONE


async def _written(settings: Settings, wanted: Merge) -> Verdict:
    with kafka_extra():
        from streams.kafka_doors import KafkaEventDoor
    door = KafkaEventDoor(settings)
    await door.start()
    try:
        return await door.merge(wanted)
    finally:
        await door.stop()
