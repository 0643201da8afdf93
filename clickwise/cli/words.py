"""The process beside the server that works with words: `python -m clickwise.cli.words`.

Started by `clickwise up` and `clickwise serve`, with the settings in its environment. It
understands items, and writes for their readers where that is asked for, off the request path and
with a low priority: what it has not come to is pending.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event, Thread

from clickwise.cli import homes
from clickwise.cli.opener import HomeOpener
from clickwise.cli.parents import run_child
from clickwise.cli.topic_models import topics_of
from clickwise.cli.wiring import encoder_of, state_of
from clickwise.clock import SystemClock
from clickwise.errors import UnavailableError
from clickwise.releases import SwitchingReleases
from clickwise.settings import Settings
from clickwise.state.port import State
from streams.retelling import Retelling

LOOK_SECONDS = 1.0
STOP_SECONDS = 5.0


def run_quietly(settings: Settings, stop: Event) -> None:
    """The same as `run`, behind everything else on the machine."""
    os.nice(settings.words_niceness)
    run(settings, stop)


def run(settings: Settings, stop: Event) -> None:
    """Understand items, or write, until `stop` is set. Nothing is loaded before there is one."""
    with ExitStack() as stack:
        state = state_of(settings, stack)
        if _wait_for_items(state, stop):
            with beside(settings, state, stop):
                if settings.understand:
                    understand(settings, state, stop)
                stop.wait()


@contextmanager
def beside(settings: Settings, state: State, stop: Event) -> Iterator[None]:
    """Write texts, where that is asked for, and tell Kafka of them and of what people decided, in
    threads of their own, until `stop` is set.
    """
    threads: list[Thread] = []
    if settings.texts != "off":
        from clickwise.cli.writing import write_texts

        threads.append(Thread(target=write_texts, args=(settings, state, stop), daemon=True))
    if not settings.embedded:
        from clickwise.cli.text_topic import follow

        threads.append(Thread(target=follow, args=(settings, state.texts, stop), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)  # a call that hangs is let go of: nothing of it is stored


def understand(settings: Settings, state: State, stop: Event) -> None:
    """Keep what is understood of items in step with them."""
    from clickwise.understanding.keeper import UnderstandingKeeper
    from clickwise.understanding.understander import Understander

    encoder = encoder_of(settings)
    understander = Understander(
        encoder=encoder, topics=topics_of(settings, encoder), clock=SystemClock()
    )
    with ExitStack() as stack:
        topics = _topics_door(settings, state, stack)
        keeper = UnderstandingKeeper(state=state, understander=understander, topics=topics)
        with keeper.lease.beside():
            keeper.run(stop)


def _topics_door(settings: Settings, state: State, stack: ExitStack) -> Retelling:
    """Edge's indexes are read by each process from the database; a Qdrant server is written to."""

    def opened() -> SwitchingReleases:
        releases = SwitchingReleases(
            state=state,
            opener=HomeOpener(settings, state),
            clock=SystemClock(),
            turn=partial(homes.opening_turn, settings),
        )
        stack.callback(releases.close)
        releases.start()
        return releases

    return Retelling(state=state, releases=opened if settings.qdrant_url else None)


def _wait_for_items(state: State, stop: Event) -> bool:
    """True once there was an item; False when it is time to stop."""
    while not stop.is_set():
        try:
            if state.newest_change():
                return True
        except UnavailableError:
            pass  # told by the database's own breaker
        stop.wait(LOOK_SECONDS)
    return False


if __name__ == "__main__":
    sys.exit(run_child("words", run_quietly))
