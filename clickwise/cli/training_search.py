"""`clickwise train search`: sizes and rates, chosen by the validation part of what is learned.

<home>/training/chosen.json holds the best values; later trainings of this home take them.
"""

from pathlib import Path

import msgspec
from rich.text import Text

from clickwise import logs
from clickwise.bench.report import check_writable, write_json
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.following import Whole, bar
from clickwise.cli.output import console, print_table
from clickwise.cli.stopping import signals_unwind, stop_is_said
from clickwise.cli.training import TrainCommand, leased
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

CHOSEN = "chosen.json"
_PARTS = {
    "encoder": (0.0, 0.02),
    "reading": (0.02, 0.04),
    "encoding texts": (0.04, 0.06),
    "trial": (0.06, 1.0),
}
STOPPED = "stopped; the trials are not kept: the same command begins anew"

Value = str | int | float


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration and the NDCG@10 that it reached on the validation part."""

    values: dict[str, Value]
    quality: float


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """All trials, in order; the first has the default values."""

    seed: int
    best: Tried
    trials: tuple[Tried, ...]


def search(settings: Settings, command: TrainCommand, *, trials: int) -> int:
    """Try configurations, print them, and keep the best for later trainings.

    Raises:
        ConflictError: another trainer is at work, or there is too little to learn from.
        ConfigurationError: the extra `train` is missing.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    if command.json is not None:
        check_writable(command.json)
    folder = settings.folder / "training"
    with train_extra(), signals_unwind(), stop_is_said(STOPPED), leased(settings):
        found = _searched(settings, command, folder, trials)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{CHOSEN}.part"
    part.write_bytes(msgspec.json.encode(found.best.values))
    part.replace(folder / CHOSEN)
    if command.json is not None:
        write_json(command.json, found)
    names = sorted(found.best.values)
    print_table(
        ("NDCG@10", *names),
        [
            (f"{one.quality:.4f}", *(_cell(one.values.get(name)) for name in names))
            for one in sorted(found.trials, key=lambda one: -one.quality)
        ],
    )
    console().print(Text(f"the best values are kept in {folder / CHOSEN} for later trainings"))
    return Exit.DONE


def chosen_values(folder: Path) -> dict[str, Value]:
    """What a search chose for this home; nothing where there was none.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    path = folder / CHOSEN
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Value])
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path} is damaged: delete it, or search again") from error


def _searched(settings: Settings, command: TrainCommand, folder: Path, trials: int) -> Search:
    from clickwise.cli.training_data import source_of
    from training.baselines.tuning import Trial, tune
    from training.distributed import ALONE
    from training.evaluation.candidates import validation_of
    from training.evaluation.forward import plan_from
    from training.evaluation.ours import BASELINE
    from training.parts import parts_of

    with bar() as told:
        follow = Whole(told, _PARTS)
        source = source_of(settings, command, folder, ALONE, follow)
        validation = validation_of(plan_from(source.data, parts_of(source.data).cut))
        tried: list[Trial] = []

        def progress(trial: Trial) -> None:
            tried.append(trial)
            follow(f"trial {len(tried)}: {trial.quality:.4f}", len(tried) / trials)

        found = tune(
            BASELINE,
            validation.train,
            validation.quality,
            trials=trials,
            seed=command.seed,
            fixed={"epochs": command.epochs} if command.epochs else {},
            progress=progress,
        )
        source.done()
    return Search(
        seed=command.seed,
        best=Tried(values=dict(found.values), quality=found.quality),
        trials=tuple(Tried(values=dict(one.values), quality=one.quality) for one in found.trials),
    )


def _cell(value: Value | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
