"""`clickwise events tail`: the log as it is, embedded or on Kafka."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

import msgspec
from rich.text import Text

from clickwise.cli import homes
from clickwise.cli.exits import Exit
from clickwise.cli.extras import kafka_extra
from clickwise.cli.output import console, plain, print_json_line
from clickwise.cli.wiring import state_of
from clickwise.codec import JsonObject
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.topics import EVENTS

POLL_SECONDS = 0.25
PAGE = 1_000
_objects = msgspec.json.Decoder()

Show = Callable[[bytes], None]


def tail(settings: Settings, *, follow: bool, last: int, user: str, json: bool) -> int:
    """The newest events, then new ones as they come until Ctrl-C.

    Raises:
        NotFoundError: embedded, and there is no such home.
    """
    show = _shower(user=user, json=json)
    if settings.embedded:
        homes.need_home(settings)
        with ExitStack() as stack:
            state = state_of(settings, stack)
            state.migrate()
            after = _newest(state, last, user, show)
            while follow:
                after = _more(state, after, show)
                time.sleep(POLL_SECONDS)
        return Exit.DONE
    with kafka_extra():
        from streams.tail import tail_topic

    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    asyncio.run(
        tail_topic(
            settings,
            topic,
            last=last,
            follow=follow,
            wanted=lambda body: not user or _decoded(body).get("user") == user,
            show=show,
        )
    )
    return Exit.DONE


def _newest(state: State, last: int, user: str, show: Show) -> int:
    """Show the newest `last`; the number of the very last event."""
    kept: deque[bytes] = deque(maxlen=last)
    after = 0
    while rows := state.events(after=after, limit=PAGE):
        for number, body in rows:
            after = number
            if not user or _decoded(body).get("user") == user:
                kept.append(body)
    for body in kept:
        show(body)
    return after


def _more(state: State, after: int, show: Show) -> int:
    while rows := state.events(after=after, limit=PAGE):
        for number, body in rows:
            after = number
            show(body)
    return after


def _shower(*, user: str, json: bool) -> Show:
    out = console()

    def show(body: bytes) -> None:
        event = _decoded(body)
        if user and event.get("user") != user:
            return
        if json:
            print_json_line(event)
            return
        value = event.get("value")
        amount = f" {value:g}" if isinstance(value, int | float) else ""
        out.print(
            Text.assemble(
                (f"{event.get('time', '?')}  ", "dim"),
                plain(str(event.get("user"))), " ",
                (f"{event.get('type')}{amount} ", "bold"),
                plain(str(event.get("item", event.get("into")))),  # of a merge: the user
                (f"  {event.get('id')}", "dim"),
            ),
            soft_wrap=True,
        )  # fmt: skip

    return show


def _decoded(body: bytes) -> JsonObject:
    try:
        data = _objects.decode(body)
    except msgspec.DecodeError:
        return {"type": "not JSON", "item": ascii(body[:80])}
    return data if isinstance(data, dict) else {"type": "no object", "item": ascii(body[:80])}
