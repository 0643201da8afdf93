"""`clickwise tune compare|search`: ways and values of tuning tried beside each other; nothing of
them is written but the figures.
"""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from clickwise.bench.report import check_writable, write_json
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.options import with_home
from clickwise.cli.output import console, print_table
from clickwise.cli.stopping import signals_unwind
from clickwise.cli.training import bar, be_quiet
from clickwise.cli.tuning_course import TuneCommand, begin, course_of, read_parts, ready, weights_of
from clickwise.cli.tuning_runs import TuningRun, figures_of, tracked
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.tune.classify import Epoch
    from training.tune.compare import ComparedRow
    from training.tune.search import Trial


class ComparisonReport(msgspec.Struct, frozen=True, kw_only=True):
    """All rows that the command printed, those of earlier calls too."""

    rows: "tuple[ComparedRow, ...]"


def compare(settings: Settings, command: TuneCommand, *, rows: str) -> int:
    """Make the rows that the file does not have yet, and print them all."""
    begin(settings, command)
    with train_extra(), signals_unwind(), bar() as follow:
        from training.tune.ways import ROWS, is_row

        names = [name.strip() for name in rows.split(",") if name.strip()] or list(ROWS)
        strange = next((name for name in names if not is_row(name)), None)
        if strange is not None:
            raise ConfigurationError(
                f"--rows: no row {strange!r}, only {', '.join(ROWS)}, and a way"
                " with a seed of its own, such as lora@2"
            )
        check_writable(command.out)
        parts, weights = read_parts(command, follow), weights_of(settings)

        from training.tune.compare import compare as run

        be_quiet(settings)
        course = course_of(command)
        cache = command.out.with_suffix(".vectors.npz")
        task = ready(weights, parts, course, follow, cache=cache)

        epochs: dict[str, list[Epoch]] = {}

        def watch(name: str, epoch: "Epoch | None") -> None:
            told = "" if epoch is None else f", epoch {epoch.number}: {epoch.quality:.4f}"
            follow(f"{name}{told}", names.index(name) / len(names))
            epochs.setdefault(name, []).extend([] if epoch is None else [epoch])

        with tracked(settings, "tune-compare", course) as noted:

            def keep(row: "ComparedRow") -> None:
                _note_row(noted, row, epochs.get(row.name, []))

            made = run(task, course, rows=names, file=command.out, watch=watch, keep=keep)
            noted.report(ComparisonReport(rows=tuple(made)), {})
    if command.png is not None:
        from training.tune.pictures import comparison_png

        check_writable(command.png)
        command.png.write_bytes(comparison_png(made))
    _print_comparison(made, leaked=task.parts.leaked)
    return Exit.DONE


class SearchReport(msgspec.Struct, frozen=True, kw_only=True):
    """All trials, in order; the first has the values that are taken without a search. `options`
    are those of `tune classify` that do what the best one did.
    """

    seed: int
    options: str
    best: "Trial"
    trials: "tuple[Trial, ...]"


def search(settings: Settings, command: TuneCommand, *, trials: int) -> int:
    """Try rates and regularization, and print what the dev part says."""
    begin(settings, command)
    with train_extra(), signals_unwind(), bar() as follow:
        parts, weights = read_parts(command, follow), weights_of(settings)

        from training.tune.search import best_of, searched

        be_quiet(settings)
        course = course_of(command)
        task = ready(weights, parts, course, follow)
        tried: list[Trial] = []

        with tracked(settings, "tune-search", course) as noted:

            def watch(trial: "Trial") -> None:
                tried.append(trial)
                follow(f"trial {len(tried)}: {trial.quality:.4f}", len(tried) / trials)
                with noted.within(f"trial-{len(tried)}", trial.values) as part:
                    part.note(0, {"dev_macro_f1": trial.quality, "seconds": trial.seconds})

            found = searched(task, course, trials=trials, watch=watch)
            best = best_of(found)
            report = SearchReport(
                seed=command.seed, options=_options(command, best), best=best, trials=tuple(found)
            )
            noted.report(report, {"dev_macro_f1": best.quality})
    if command.json is not None:
        write_json(command.json, report)
    names = sorted(report.best.values)
    print_table(
        ("dev macro F1", *names, "seconds", ""),
        [
            (
                f"{one.quality:.4f}",
                *(f"{one.values[name]:.4g}" for name in names),
                f"{one.seconds:.0f}",
                "given up" if one.pruned else "",
            )
            for one in sorted(found, key=lambda one: -one.quality)
        ],
    )
    _print_command(settings, command, report.options)
    return Exit.DONE


def _options(command: TuneCommand, best: "Trial") -> str:
    """All that decides how `best` learned, but the file of texts, as `tune classify` takes it."""
    given: dict[str, object] = {
        "method": command.method,
        "epochs": command.epochs,
        "tokens": command.tokens,
        "seed": command.seed,
        "precision": command.precision,
        **({} if command.dev is None else {"dev": command.dev}),
        **({"held": command.held} if command.held else {}),
        **best.values,
    }
    return " ".join(
        f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in given.items()
    )


def _print_command(settings: Settings, command: TuneCommand, options: str) -> None:
    from training.tune.ways import Method

    texts = shlex.quote(str(command.texts))
    if Method(command.method).folds:
        best = f"clickwise tune classify {texts} --out tuned {options}"
    else:
        rest = options.replace("--method", "--rows", 1)
        best = f"clickwise tune compare {texts} --test TEST --out rows.jsonl {rest}"
    told = f"as the best: {with_home(best, settings)}"
    console().print(Text(told), soft_wrap=True)  # a line that is copied has no breaks


def _note_row(noted: TuningRun, row: "ComparedRow", epochs: "Sequence[Epoch]") -> None:
    with noted.within(row.name, {"way": row.name}) as part:
        for epoch in epochs:
            part.note(epoch.number, {"loss": epoch.loss, "epoch_dev_macro_f1": epoch.quality})
        part.report(
            row,
            {
                **figures_of("test", row.test),
                "dev_macro_f1": row.dev_macro_f1,
                "trained": row.trained,
                "seconds": row.seconds,
                "peak_bytes": row.peak_bytes,
            },
        )


def _print_comparison(rows: "Sequence[ComparedRow]", *, leaked: int) -> None:
    print_table(
        ("way", "accuracy", "macro F1", "dev F1", "parameters", "share", "seconds", "MB", ""),
        [
            (
                row.name,
                f"{row.test.accuracy:.4f}",
                f"{row.test.macro_f1:.4f}",
                f"{row.dev_macro_f1:.4f}",
                f"{row.trained:,}",
                f"{100 * row.layer_share:.2f} %",
                f"{row.seconds:.0f}",
                f"{row.peak_bytes / 1e6:.0f}",
                row.note,
            )
            for row in rows
        ],
    )
    if leaked:
        console().print(Text(f"{leaked} texts left out: dev or test hold them too"))
