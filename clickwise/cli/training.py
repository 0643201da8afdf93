"""`clickwise train once|loop`: from the log to a model that serves, or to a reason why not."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from clickwise import logs, metrics, usage
from clickwise.bench.report import check_writable, write_json
from clickwise.cli import homes
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.following import Follow, Lines, bar
from clickwise.cli.output import console
from clickwise.cli.stopping import signals_unwind, stop_is_said
from clickwise.errors import ClickwiseError, ConfigurationError, ConflictError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.once import Outcome

__all__ = [
    "Follow",
    "TrainCommand",
    "bar",
    "be_quiet",
    "leased",
    "loop",
    "once",
    "run_once",
    "seconds_of",
]

GOES_ON = "stopped; the same command goes on from its last checkpoint"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainCommand:
    """What the command line says. Empty `dataset`: the archive; `archive` names another one than
    the settings'; `encoder` another text encoder than the live model's, as CLICKWISE_ENCODER_MODEL
    names it. Zero sizes are the defaults. `kind` is full, incremental, or auto: incremental
    where the live model was trained in full within `full_every_seconds`.
    """

    dataset: str = ""
    data: Path | None = None
    archive: str = ""
    encoder: str = ""
    kind: str = "full"
    seed: int = 1
    promotes: bool = True
    tensorboard: Path | None = None
    json: Path | None = None
    device: str = "auto"
    precision: str = "fp32"
    epochs: int = 0
    dimension: int = 0
    width: int = 0
    full_every_seconds: float = float("inf")


def once(settings: Settings, command: TrainCommand) -> int:
    """Train once; exit code 0 when a model passed the gate, 1 when it was refused.

    Raises:
        ConflictError: another trainer is at work, or there is too little to learn from.
        ConfigurationError: the extra `train` is missing.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    if command.json is not None:
        check_writable(command.json)
    with train_extra(), signals_unwind(), stop_is_said(GOES_ON), bar() as follow:
        begun = time.monotonic()
        outcome = run_once(settings, command, follow)
        taken = time.monotonic() - begun
    if outcome is None:  # torchrun's other processes
        return Exit.DONE
    if command.json is not None:
        write_json(command.json, outcome)
    _print(outcome, taken)
    return Exit.DONE if outcome.verdict.passed else Exit.FAILED


def loop(settings: Settings, command: TrainCommand, *, every_seconds: float) -> int:
    """Train again and again; what cannot be had now is waited for."""
    logs.configure(level=settings.log_level, output=settings.log_format)
    metrics.listen(
        settings.train_metrics_port, settings.host, setting="CLICKWISE_TRAIN_METRICS_PORT"
    )
    usage.report("train", settings.folder)
    with train_extra(), signals_unwind(), stop_is_said(GOES_ON):
        while True:
            begun = time.monotonic()
            try:
                outcome = run_once(settings, command, Lines(_logged))
            except ConflictError as error:  # nothing new, or somebody else is at it
                log.info("training_put_off", reason=str(error))
            except ClickwiseError as error:
                if not error.retryable:
                    raise
                log.warning("training_put_off", kind=error.kind, reason=str(error))
            else:
                if outcome is not None:
                    log.info(
                        "trained", version=outcome.version, kind=outcome.kind,
                        gate=outcome.verdict.outcome, promoted=outcome.promoted,
                        seconds=round(time.monotonic() - begun, 1),
                    )  # fmt: skip
            time.sleep(max(0.0, every_seconds - (time.monotonic() - begun)))


def run_once(settings: Settings, command: TrainCommand, follow: Follow) -> "Outcome | None":
    """One training, and what came of it; the figures count it.

    Raises:
        ClickwiseError: see `once`.
    """
    with leased(settings):  # before torch is loaded, which can take a minute
        follow("loading what learns", 0.0)
        from clickwise.cli.training_run import train

        be_quiet(settings)
        begun = time.perf_counter()
        outcome = train(settings, command, follow)
    if outcome is not None:
        metrics.training_seconds.labels(outcome.kind).observe(time.perf_counter() - begun)
        metrics.gate_outcomes.labels(outcome.verdict.outcome).inc()
    return outcome


@contextmanager
def leased(settings: Settings) -> Iterator[None]:
    """The right to train on this home, for the block; of torchrun's processes the first holds it.

    Raises:
        ConflictError: another trainer is at work.
        UnavailableError: the database does not answer.
    """
    from training.lease import lease

    homes.make_home(settings)
    if int(os.environ.get("RANK", "0")):
        yield
        return
    with lease(settings.folder / "training", database_url=homes.database_url(settings)):
        yield


def seconds_of(text: str) -> float:
    """`90s`, `10m`, `2h`, `1d`, or seconds.

    Raises:
        ConfigurationError: it is none of these.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no duration: 90s, 10m, 2h, 1d") from error
    if not 0.0 < seconds < float("inf"):
        raise ConfigurationError(f"{text!r}: expected a duration above zero")
    return seconds


def be_quiet(settings: Settings) -> None:
    """Serving goes first: a lower priority, few threads."""
    from training.train import use_threads

    use_threads(settings.train_threads)
    missing = settings.train_niceness - os.nice(0)
    if missing > 0:
        os.nice(missing)


def _print(outcome: "Outcome", taken: float) -> None:
    """`taken`: seconds of this call, which may have gone on with the epochs of another."""
    out = console()
    quality = "" if outcome.quality is None else f", NDCG@10 {outcome.quality:.4f} on validation"
    out.print(
        Text(
            f"{outcome.version}: {outcome.kind}, {outcome.epochs} epochs{quality}; learning took"
            f" {outcome.fit_seconds:.1f} s, this call {taken:.1f} s in all"
        )
    )
    for condition in outcome.verdict.conditions:
        out.print(Text(f"  {'holds ' if condition.passed else 'FAILED'}  {condition.text}"))
    released = "live" if outcome.promoted else "not promoted"
    out.print(Text(f"{outcome.verdict.outcome}; {released}; {outcome.folder}"))


def _logged(what: str, share: float) -> None:
    log.info("training", doing=what, share=round(share, 3))
