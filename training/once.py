"""One training from events to a model that serves, or to a reason why not.

    fit -> export -> play on later events -> gate -> bundle -> register -> promote

Every step leaves either nothing or something whole, and a run that was killed goes on from there:
checkpoints while it fits, a folder of its own until the gate has spoken, and a promotion that is
one transaction. Until then the live model is untouched.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from clickwise.bundle import Bundle
from training.candidate import Candidate, Trainer
from training.card import model_card
from training.contest import Played, contest_of
from training.curves import curves_png
from training.evaluation.lived import LivedPlan
from training.export import write_learned
from training.gate import GateRules, Verdict, judge
from training.parts import Parts, lived_after
from training.registry import BUNDLE, CARD, Registry, Run

VERDICT, CURVES = "gate.json", "curves.png"

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Live:
    """What serves now; `folder` of its bundle. `encoder` is what the text encoder was named by when
    it was promoted (empty: what the setting names).
    """

    bundle: Bundle
    folder: Path
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class Ports:
    """What a training needs of the rest of the system.

    `play` lives a plan through the rules that serve; `promote` makes the bundle at a path live
    (None: never). `told` hears of each step once it is done: `fitted`, `played`, `written`,
    `registered`, `promoted`; what it raises stops the training there.
    """

    play: Callable[[Bundle, LivedPlan], Played]
    promote: Callable[[Path], None] | None
    registry: Registry | None
    told: Told


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a training. `number` is that of the registry, 0 without one; `fit_seconds` are
    those of its epochs alone, before an interruption too.
    """

    version: str
    kind: str
    verdict: Verdict
    promoted: bool
    number: int
    folder: str
    fit_seconds: float
    epochs: int
    quality: float | None


def train_once(
    trainer: Trainer,
    parts: Parts,
    live: Live,
    ports: Ports,
    *,
    bundles: Path,
    rules: GateRules,
    now: datetime,
    sheet: str = "",
    incremental: Path | None = None,
) -> Outcome | None:
    """Train, judge, and release what passes; None in processes that do not write.

    `bundles` is the home's folder of bundles, `sheet` the data sheet for people, `incremental`
    the bundle to go on from.

    Raises:
        ClickwiseError: a part fails; calling again goes on where it stopped.
        ValueError: nothing to learn from.
    """
    candidate = (
        trainer.full(parts, now=now)
        if incremental is None
        else trainer.incremental(parts, incremental, now=now)
    )
    if candidate is None:
        return None
    ports.told("fitted")
    verdict = _noted(trainer.work, candidate, live)
    if verdict is None:
        lived = lived_after(parts.data, parts.cut)
        sides = (ports.play(candidate.bundle, lived), ports.play(live.bundle, lived))
        verdict = judge(contest_of(lived.plan, *sides), rules)
        _note(trainer.work, candidate, live, verdict)
    ports.told("played")
    released = write_learned(
        bundles,
        candidate.network,
        candidate.files,
        trainer.site,
        created=now,
        extras={**candidate.extras, **_papers(candidate, verdict, sheet)},
    )
    folder = bundles / released.version
    ports.told("written")
    number = _registered(ports.registry, candidate, verdict, folder, trainer)
    ports.told("registered")
    promotes = verdict.passed and ports.promote is not None
    if promotes and ports.promote is not None and released.version != live.bundle.version:
        ports.promote(folder)
    ports.told("promoted")
    shutil.rmtree(trainer.work, ignore_errors=True)
    return Outcome(
        version=released.version,
        kind=candidate.story.kind,
        verdict=verdict,
        promoted=promotes,
        number=number,
        folder=str(folder),
        fit_seconds=candidate.story.seconds,
        epochs=candidate.story.epochs,
        quality=candidate.story.quality,
    )


class _Note(msgspec.Struct, frozen=True):
    """What the gate said of a version against the one that was live: a run that was killed later
    does not ask again, when the candidate may be live already.
    """

    version: str
    against: str
    verdict: Verdict


def _noted(work: Path, candidate: Candidate, live: Live) -> Verdict | None:
    """What was said, if it still holds: nothing else has gone live in between."""
    try:
        note = msgspec.json.decode((work / VERDICT).read_bytes(), type=_Note)
    except (OSError, msgspec.DecodeError):
        return None
    own = candidate.bundle.version
    holds = note.version == own and live.bundle.version in {note.against, own}
    return note.verdict if holds else None


def _note(work: Path, candidate: Candidate, live: Live, verdict: Verdict) -> None:
    part = work / f"{VERDICT}.part"
    note = _Note(candidate.bundle.version, live.bundle.version, verdict)
    part.write_bytes(msgspec.json.encode(note))
    part.replace(work / VERDICT)


def _papers(candidate: Candidate, verdict: Verdict, sheet: str) -> dict[str, bytes]:
    """What people read, beside the graphs."""
    card = model_card(candidate.bundle.version, candidate.story, verdict, candidate.table)
    papers = {
        CARD: card.encode(),
        VERDICT: msgspec.json.format(msgspec.json.encode(verdict), indent=2),
        CURVES: curves_png(candidate.epochs),
    }
    return {**papers, "data-sheet.md": sheet.encode()} if sheet else papers


def _registered(
    registry: Registry | None,
    candidate: Candidate,
    verdict: Verdict,
    folder: Path,
    trainer: Trainer,
) -> int:
    """Its number; a version that is registered already keeps the one that it has."""
    if registry is None:
        return 0
    version = candidate.bundle.version
    for one in registry.models():
        if one.version == version and one.gate == verdict.outcome:
            return one.number
    story = candidate.story
    with registry.run(version, tags={"kind": story.kind, "base": story.base}) as run:
        run.params({"kind": story.kind, **story.model, **trainer.course_values()})
        _log_figures(run, candidate, verdict)
        run.file(folder, BUNDLE)
        made = registry.register(
            run,
            version=version,
            vectors=candidate.bundle.vectors,
            gate=verdict.outcome,
            quality=story.quality,
            precision=trainer.precision,
        )
    return made.number


def _log_figures(run: Run, candidate: Candidate, verdict: Verdict) -> None:
    for step, epoch in enumerate(candidate.epochs, 1):
        quality = {} if epoch.quality is None else {"quality": epoch.quality}
        run.figures({"loss": epoch.loss, "epoch_seconds": epoch.seconds, **quality}, step=step)
    for condition in verdict.conditions:
        run.figures({f"gate_{condition.name}_{k}": v for k, v in condition.figures.items()})
    if candidate.table is not None:
        for form in candidate.table.forms:
            run.figures(
                {
                    f"{form.precision}_quality": form.quality,
                    f"{form.precision}_size_bytes": float(form.size_bytes),
                    f"{form.precision}_time_ratio": form.time_ratio,
                }
            )
    if candidate.ranker is not None:
        run.figures(
            {
                "ranker_quality": candidate.ranker.quality,
                "ranker_base_quality": candidate.ranker.base_quality,
                "ranker_requests": float(candidate.ranker.requests),
            }
        )
