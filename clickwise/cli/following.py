"""How a long command says what it is doing: a bar in a terminal, lines where there is none."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from clickwise.cli.output import progress_console

Follow = Callable[[str, float], None]

SECONDS_BETWEEN_LINES = 5.0


class Lines:
    """Passes on (what, share that is done): a new stage at once, anything else now and then.

    A stage is told by its words: `epoch 7: loss 3.1` is the same as `epoch 8: loss 3.0`.
    """

    def __init__(self, say: Follow, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._last = -SECONDS_BETWEEN_LINES
        self._stages: set[str] = set()

    def __call__(self, what: str, share: float) -> None:
        """Tell, or leave it."""
        stage, now = re.sub(r"[\d.]+", "", what), self._clock()
        if stage in self._stages and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._stages.add(stage)
        self._last = now
        self._say(what, share)


class Whole:
    """Passes on (what, share of the whole) where it is told (what, share of a part): never less
    than before.

    `parts`: what a part's words begin with, and where it begins and ends in the whole. The longest
    that suits counts; without one the share stays.
    """

    def __init__(self, follow: Follow, parts: Mapping[str, tuple[float, float]]) -> None:
        self._follow = follow
        self._parts = parts
        self._share = 0.0

    def __call__(self, what: str, share: float) -> None:
        """Tell."""
        name = max(filter(what.startswith, self._parts), key=len, default="")
        begin, end = self._parts.get(name, (0.0, 0.0))
        self._share = max(self._share, begin + (end - begin) * min(max(share, 0.0), 1.0))
        self._follow(what, self._share)


@contextmanager
def bar() -> Iterator[Follow]:
    """Told (what, share that is done), shows it on standard error: a bar, or lines."""
    out = progress_console()
    if not out.is_terminal:
        yield lines_without_terminal()
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    ) as shown:
        task = shown.add_task("starting", total=1.0)
        yield lambda what, share: shown.update(task, description=what, completed=share)


@contextmanager
def encoder_progress() -> Iterator[Follow]:
    """The same for the making of the encoder, told (stage, share that is done)."""
    with bar() as follow:
        yield lambda stage, share: follow(f"encoder: {stage}", share)


def lines_without_terminal() -> Follow:
    """Lines on standard error; nothing where that is a terminal, which has a bar."""
    out, begun = progress_console(), time.monotonic()

    def say(what: str, share: float) -> None:
        done = f" ({share:.0%})" if share > 0.0 else ""
        line = f"after {time.monotonic() - begun:4.0f} s  {what}{done}"
        out.print(Text(line), soft_wrap=True)

    return Lines(_nothing if out.is_terminal else say)


def _nothing(what: str, share: float) -> None:
    del what, share
