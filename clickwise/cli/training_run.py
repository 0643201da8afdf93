"""The wiring of one training: data, the live model, the site that judges, registry, promotion.

<home>/training/trainer.lock   held by the trainer at work
<home>/training/job.json       what the training at work reads, so that a killed one reads the same
<home>/training/jobs/<hash>/   checkpoints and the candidate of the training at work
<home>/mlflow/                 runs and models, where no server is set
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np

from clickwise.bundle import Bundle
from clickwise.cli import homes, releasing
from clickwise.cli.audited import audited
from clickwise.cli.following import Whole
from clickwise.cli.output import plain, progress_console
from clickwise.cli.registry import follow_roles, registry_of
from clickwise.cli.replay import ServedSystem
from clickwise.cli.teaching import requests_after
from clickwise.cli.training import Follow, TrainCommand
from clickwise.cli.training_data import source_of
from clickwise.cli.training_encoder import Text, text_of
from clickwise.cli.training_search import chosen_values
from clickwise.cli.wiring import policy_of
from clickwise.errors import ConflictError
from clickwise.settings import Settings
from training.candidate import Trainer, most_epochs
from training.contest import Played
from training.curves import tensorboard
from training.data import Dataset
from training.devices import auto_device
from training.distributed import joined, meet
from training.evaluation.lived import LivedPlan
from training.evaluation.lived import live as lived_by
from training.fit import Epoch
from training.gate import GateRules
from training.once import Live, Outcome, Ports, train_once
from training.parts import Parts, new_parts_of, parts_of
from training.ranker_fit import Request
from training.train import TrainOptions, with_values
from training.weights import read_story

MOST_REQUESTS = 3_000
STAGES = {
    "early": "learning all but the newest part",
    "first": "exporting what the ranker is taught with",
    "ranker": "serving the newest part, and learning from it what is clicked",
    "late": "learning the newest part too",
    "whole": "learning everything",
    "more": "going on with what is new",
    "export": "writing the ONNX forms, and comparing them",
}


def train(
    settings: Settings,
    command: TrainCommand,
    follow: Follow,
    *,
    told: Callable[[str], None] = lambda _: None,
) -> Outcome | None:
    """One training, by whoever holds the lease; None in torchrun's other processes. `told`: see
    `training.once.Ports`.

    Raises:
        ClickwiseError: see `clickwise.cli.training.once`.
    """
    folder = settings.folder / "training"
    follow = Whole(follow, _PARTS)
    device = auto_device(command.device)
    with ExitStack() as stack:
        world = stack.enter_context(joined(device))
        board = stack.enter_context(tensorboard(command.tensorboard if world.writes else None))
        source = source_of(settings, command, folder, world, follow)
        now = datetime.now(UTC)
        live = source.live
        kind = _kind(command, live, source.data)
        try:
            text = text_of(settings, command, source.data, live, follow)
            parts = _parts(text.data, kind, live)
        except ConflictError:
            source.drop()
            raise
        options = _options(command, folder, device)
        work = folder / "jobs" / _digest(kind, parts, options, live, command, text)
        if world.writes:
            _say_taken_up(work)
            _forget_others(work)
        meet(world)
        stages = _Stages(follow)
        trainer = Trainer(
            site=text.site,
            options=options,
            work=work,
            watch=_watcher(board, stages, options),
            stage=stages.begin,
            requests=lambda bundle, data, begin: _requests(settings, bundle, data, begin, follow),
            precision=command.precision,
            world=world,
        )

        def heard(step: str) -> None:
            if step == "written":
                follow("registering", 0.0)
            told(step)

        outcome = train_once(
            trainer,
            parts,
            live,
            Ports(
                play=lambda bundle, lived: _play(
                    settings,
                    bundle,
                    text.for_bundle(bundle.manifest.encoder, lived),
                    follow,
                    told="judging the live" if bundle is live.bundle else "judging",
                ),
                promote=(lambda path: _promote(settings, path, command.encoder, follow))
                if command.promotes
                else None,
                registry=registry_of(settings),
                told=heard,
            ),
            bundles=homes.bundles_folder(settings),
            rules=gate_rules(settings),
            now=now,
            sheet=source.sheet,
            incremental=live.folder if kind == "incremental" else None,
        )
        source.done()
        return outcome


def gate_rules(settings: Settings) -> GateRules:
    """The gate's constants."""
    return GateRules(
        min_gain=settings.gate_min_gain,
        max_slice_drop=settings.gate_max_slice_drop,
        min_coverage_share=settings.gate_min_coverage_share,
        max_latency_ratio=settings.gate_max_latency_ratio,
    )


def _kind(command: TrainCommand, live: Live, data: Dataset) -> str:
    story = read_story(live.folder)
    learned = live.bundle.manifest.pictures
    other = learned != "" and (data.items.pictures is None or data.items.pictures.model != learned)
    if command.kind == "auto":
        if story is None:
            return "full"
        age = (datetime.now(UTC) - story.full_made).total_seconds()
        return "full" if other or age >= command.full_every_seconds else "incremental"
    if command.kind == "incremental" and story is None:
        raise ConflictError(
            f"{live.bundle.version} was not trained: there is nothing to go on from; train in full"
        )
    if command.kind == "incremental" and other:
        raise ConflictError(
            f"{live.bundle.version} was trained with pictures of {learned}, which the archive's are"
            " not: train in full"
        )
    return command.kind


def _parts(data: Dataset, kind: str, live: Live) -> Parts:
    story = read_story(live.folder)
    if kind == "incremental" and story is not None:
        return new_parts_of(data, learned_until=story.learned_until)
    return parts_of(data)


def _options(command: TrainCommand, folder: Path, device: str) -> TrainOptions:
    """Defaults, then what a search chose for this home, then the command line."""
    model, course = with_values(chosen_values(folder))
    course = replace(course, seed=command.seed)
    if command.dimension:
        model = replace(model, dimension=command.dimension)
    if command.width:
        model = replace(model, width=command.width)
    if command.epochs:
        course = replace(course, epochs=command.epochs)
    return TrainOptions(model, course, device=device)


def _digest(
    kind: str,
    parts: Parts,
    options: TrainOptions,
    live: Live,
    command: TrainCommand,
    text: Text,
) -> str:
    """Names a training: by all that its weights depend on."""
    log = parts.data.log
    digest = blake2b(digest_size=8)
    base = live.bundle.version if kind == "incremental" else ""
    plan = [kind, base, asdict(options.model), asdict(options.course), command.precision]
    if command.encoder:
        plan.append(text.site.encoder)
    if text.site.pictures:
        plan.append(text.site.pictures)
    digest.update(msgspec.json.encode([*plan, parts.cut, parts.learn_from, parts.data.items.ids]))
    for column in (log.users_N, log.items_N, log.types_N, log.weights_N, log.times_N):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _forget_others(work: Path) -> None:
    """A training that nobody goes on with leaves its folder: one trainer is at work at a time."""
    work.mkdir(parents=True, exist_ok=True)
    for other in work.parent.iterdir():
        if other != work:
            shutil.rmtree(other, ignore_errors=True)


# Where each begins and ends in a whole training, by what they take on a site of middling size: what
# is told of them begins with these words.
_PARTS = {
    "encoder": (0.0, 0.02),
    "archiving": (0.02, 0.03),
    "reading": (0.03, 0.04),
    "encoding texts": (0.04, 0.06),
    "early": (0.06, 0.55),
    "first": (0.55, 0.57),
    "ranker": (0.57, 0.7),
    "serving requests": (0.57, 0.68),
    "late": (0.7, 0.75),
    "whole": (0.06, 0.75),
    "more": (0.06, 0.75),
    "export": (0.75, 0.8),
    "judging": (0.8, 0.9),
    "judging the live": (0.9, 0.97),
    "registering": (0.97, 0.99),
    "promoting": (0.99, 1.0),
}


class _Stages:
    """The stages of a training, in words; each names the epochs within it."""

    def __init__(self, follow: Follow) -> None:
        self._follow = follow
        self.name = ""

    def begin(self, name: str) -> None:
        """Say that a stage begins."""
        self.name = name
        self._follow(f"{name}: {STAGES[name]}", 0.0)

    def tell(self, what: str, share: float) -> None:
        """Say how far it is."""
        self._follow(f"{self.name}: {what}", share)


def _watcher(
    board: Callable[[Epoch], None], stages: _Stages, options: TrainOptions
) -> Callable[[Epoch], None]:
    def watch(epoch: Epoch) -> None:
        board(epoch)
        quality = "" if epoch.quality is None else f", NDCG@10 {epoch.quality:.4f}"
        stages.tell(
            f"epoch {epoch.number}: loss {epoch.loss:.4f}{quality}",
            epoch.number / most_epochs(options, stages.name),
        )

    return watch


def _say_taken_up(work: Path) -> None:
    """A training that was stopped is gone on with: say so, and from when its last word is."""
    times = [path.stat().st_mtime for path in work.rglob("*") if path.is_file()]
    if times:
        saved = datetime.fromtimestamp(max(times), UTC)
        progress_console().print(
            plain(f"taking up the job of {saved:%Y-%m-%d %H:%M} UTC ({work.name})"), soft_wrap=True
        )


def _requests(
    settings: Settings, bundle: Bundle, data: Dataset, begin: float, follow: Follow
) -> Sequence[Request]:
    return requests_after(
        bundle,
        data,
        begin,
        settings=settings,
        most=MOST_REQUESTS,
        progress=lambda share: follow("serving requests for the ranker", share),
    )


def _play(
    settings: Settings, bundle: Bundle, lived: LivedPlan, follow: Follow, *, told: str
) -> Played:
    """The plan lived through the rules that serve; nothing is drawn."""
    system = ServedSystem(
        lambda _train, _seed: bundle,
        settings=settings,
        name=bundle.version,
        policy=msgspec.structs.replace(policy_of(settings), exploration=0.0),
    )
    try:
        answers = lived_by(
            system, lived, seed=0, progress=lambda share: follow(f"{told} {bundle.version}", share)
        )
        given = system.site.example() if system.site is not None else None
    finally:
        system.close()
    return Played(bundle, answers, given)


def _promote(settings: Settings, path: Path, encoder: str, follow: Follow) -> None:
    """Live, and named so in the registry; what is live already stays so."""
    follow("promoting", 0.0)
    with audited(settings, "models promote"):
        releasing.promote(settings, path, url=_url(settings, path), encoder=encoder)
    follow_roles(settings)


def _url(settings: Settings, path: Path) -> str:
    """Where other machines find the bundle; empty where there are none."""
    return f"{settings.bundles_url.rstrip('/')}/{path.name}" if settings.bundles_url else ""
