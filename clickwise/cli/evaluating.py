"""`clickwise evaluate`: systems on a data set by a protocol, as table, JSON, page and plots."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from clickwise.bench.report import check_writable, write_json
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.following import bar
from clickwise.cli.output import print_table
from clickwise.cli.stopping import signals_unwind, stop_is_said
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.data import Dataset
    from training.evaluation.cases import Progress as Follow
    from training.evaluation.protocols import Protocol
    from training.evaluation.report import Report
    from training.evaluation.statistics import Interval

ATTACKS = "attacks"
STOPPED = "stopped; nothing is kept: the same command begins anew"
_PACKAGES = ("clickwise", "numpy", "scipy", "torch", "implicit", "optuna")


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What the command line says; "" stands for the usual protocol, or all systems."""

    dataset: str
    protocol: str
    systems: str
    json: Path | None
    html: Path | None
    png: Path | None
    seed: int
    trials: int
    data: Path | None
    quick: bool

    @property
    def command(self) -> str:
        """The command line that gives the same figures."""
        given = {
            "--protocol": self.protocol,
            "--systems": self.systems,
            "--seed": str(self.seed),
            "--trials": str(self.trials) if self.trials != 1 else "",
            "--data": str(self.data or ""),
        }
        options = [word for name, value in given.items() if value for word in (name, value)]
        quick = ["--quick"] if self.quick else []
        return join(["clickwise", "evaluate", self.dataset, *options, *quick])


def evaluate(settings: Settings, options: EvaluateOptions) -> int:
    """Evaluate, print the table, and write what was asked for.

    Raises:
        ConfigurationError: an unknown name, a data set that does not suit the protocol, a file
            that cannot be written, or the extra `train` missing.
    """
    # Asked now, not after hours of work.
    plots = options.png / "systems.png" if options.png is not None else None
    for path in (options.json, options.html, plots):
        if path is not None:
            check_writable(path)
    with train_extra(), signals_unwind(), stop_is_said(STOPPED), bar() as follow:
        report = _report(settings, options, follow)
        _write(report, options)
    _print(report)
    return Exit.DONE


def protocols(settings: Settings) -> "Mapping[str, Protocol]":
    """Every protocol by name: each takes a request and gives a report.

    What is lived or attacked is so through the rules that serve.
    """
    from clickwise.cli.attacking import attacked
    from clickwise.cli.evaluated import lived_as_served
    from training.evaluation.protocols import PROTOCOLS

    return {
        **PROTOCOLS,
        "lived": partial(lived_as_served, settings),
        ATTACKS: partial(attacked, settings),
    }


def _report(settings: Settings, options: EvaluateOptions, follow: "Follow") -> "Report":
    from training.datasets import load_dataset
    from training.evaluation.candidates import HYBRID, INCREMENTAL, OURS, chosen
    from training.evaluation.protocols import USUAL, Request

    known = protocols(settings)
    protocol = options.protocol or USUAL.get(options.dataset, "forward")
    if protocol not in known:
        raise ConfigurationError(
            f"no protocol {protocol!r}: expected one of {', '.join(sorted(known))}"
        )
    systems = chosen(options.systems)
    follow(f"reading {options.dataset}", 0.0)
    data = load_dataset(options.dataset, folder=options.data)
    if protocol == ATTACKS or {OURS, HYBRID, INCREMENTAL} & set(systems):
        data = _with_text(data, settings, follow)
    return known[protocol](
        Request(
            data=data,
            systems=systems,
            seed=options.seed,
            tuning_trials=options.trials,
            quick=options.quick,
            progress=follow,
            command=options.command,
            versions=_versions(),
        )
    )


def _with_text(data: "Dataset", settings: Settings, follow: "Follow") -> "Dataset":
    """Text vectors by the encoder of the settings, kept in the home from one run to the next."""
    from clickwise.cli.homes import make_home
    from clickwise.cli.wiring import encoder_of
    from training.datasets.text_vectors import with_text_vectors

    if not any(data.items.texts):
        return data
    make_home(settings)
    encoder = encoder_of(settings, progress=lambda stage, done: follow(f"encoder: {stage}", done))
    return with_text_vectors(
        data,
        encoder,
        settings.folder / "models" / "text-vectors",
        progress=lambda done, total: follow("encoding texts", done / total),
    )


def _write(report: "Report", options: EvaluateOptions) -> None:
    if options.json is not None:
        write_json(options.json, report)
    if options.html is not None:
        from training.evaluation.page import render

        try:
            options.html.write_text(render(report), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"{options.html} cannot be written: {error.strerror}"
            ) from error
    if options.png is not None:
        from training.evaluation.plots import write_pngs

        write_pngs(report, options.png)


def _print(report: "Report") -> None:
    from training.evaluation.page import tables, verdict

    title = f"{report.data.name}, {report.protocol}: {report.description}"
    if report.systems:
        metrics = tuple(report.systems[0].metrics)
        print_table(
            ("system", *metrics),
            [
                (system.name, *(_shown(system.metrics[metric]) for metric in metrics))
                for system in report.systems
            ],
            title=title,
        )
        print(verdict(report))
    else:
        print(title)
    for one in report.hybrids:
        print(f"{one.system} minus {one.other}: {one.metric} {_shown(one.difference)}")
    for table in tables(report):
        print_table(
            table.columns,
            [[f"{c:.3f}" if isinstance(c, float) else str(c) for c in row] for row in table.rows],
            title=table.title if not table.note else f"{table.title}: {table.note}",
        )
    for leak in report.leaks:
        print(f"leak: {leak.kind}: {leak.number}")


def _shown(interval: "Interval") -> str:
    return f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})"


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
