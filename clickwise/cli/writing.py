"""Writing for readers: what the process of words runs beside its understanding of items."""

from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event

import msgspec

from clickwise import logs, metrics
from clickwise.cli.extras import texts_extra
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.types import ItemKey
from clickwise.understanding.understanding import Understanding
from clickwise.writing.breaker import Breaker
from clickwise.writing.budget import Budget
from clickwise.writing.calls import Calls, Pause
from clickwise.writing.choosing import Terms
from clickwise.writing.gate import METHOD, Draft, Judgement, Source, TextGate
from clickwise.writing.keeper import TextKeeper, run
from clickwise.writing.port import Writer

AGAIN_SECONDS = 60.0

_understandings = msgspec.json.Decoder(Understanding)
_log = logs.get(__name__)


def check_texts(settings: Settings) -> None:
    """Refuse what could never write, before anything is started.

    Raises:
        ConfigurationError: the extra, or the embedded model, is not installed.
    """
    if settings.texts == "off":
        return
    with texts_extra():
        from clickwise.writing import embedded

    if settings.texts == "embedded":
        embedded.weights()


def writer_of(settings: Settings) -> Writer:
    """The language model of the settings; `texts` is not off.

    Raises:
        ConfigurationError: see `check_texts`.
    """
    with texts_extra():
        from clickwise.writing.embedded import EmbeddedWriter
        from clickwise.writing.endpoint import Endpoint

    if settings.texts == "embedded":
        return EmbeddedWriter(threads=settings.texts_threads)
    return Endpoint(url=settings.texts_url, model=settings.texts_model, key=settings.texts_key)


def keeper_of(
    settings: Settings, state: State, writer: Writer, *, pause: Pause, clock: Clock | None = None
) -> TextKeeper:
    """What keeps this site's texts written. `pause`: see `Calls`."""
    clock = clock if clock is not None else SystemClock()
    calls = Calls(
        writer,
        breaker=Breaker(clock.monotonic),
        budget=Budget(state.texts, clock, tokens_per_day=settings.texts_tokens_per_day),
        clock=clock,
        pause=pause,
        deadline_seconds=settings.texts_deadline_seconds,
    )
    gate = TextGate()

    def judge(draft: Draft, source: Source, others: Sequence[str]) -> Judgement:
        return gate.judge(draft, source, others=others)

    return TextKeeper(
        state=state,
        calls=calls,
        judge=judge,
        clock=clock,
        terms=Terms(
            segments=settings.texts_segments,
            half_life_seconds=settings.trending_half_life_hours * 3600.0,
            rejections=settings.texts_rejections,
            gate=METHOD,
        ),
        language_of=lambda key: language_of(state, key),
    )


def write_texts(settings: Settings, state: State, stop: Event) -> None:
    """Write until `stop`. A setting that cannot work ends the writing, with a line in the log; a
    fault of ours begins it anew, a while later.
    """
    while not stop.is_set():
        try:
            with ExitStack() as stack:
                writer = writer_of(settings)
                stack.callback(writer.close)
                keeper = keeper_of(settings, state, writer, pause=stop.wait)
                stack.enter_context(keeper.settler.beside())
                stack.enter_context(keeper.lease.beside())
                run(keeper, stop.wait)
        except ClickwiseError as error:
            metrics.errors.labels(error.kind, "texts").inc()
            _log.error("texts_failed", kind=error.kind, reason=str(error))
            return
        except Exception as error:  # noqa: BLE001  # the edge of this thread
            metrics.errors.labels("internal", "texts").inc()
            fault = type(error).__name__  # no more of it: it may hold an item's text
            _log.error("texts_failed", fault=fault, again_in_seconds=AGAIN_SECONDS)
            stop.wait(AGAIN_SECONDS)


def language_of(state: State, key: ItemKey) -> str | None:
    """What was understood of an item's language, by this machine or another one; empty: it cannot
    be told, None: not yet.
    """
    for row in state.understandings.of([key]).values():
        return _understandings.decode(row.body).language if row.body else ""
    return None
