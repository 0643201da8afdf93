"""`python -m clickwise.cli.lived`: the demo's loop in one process, to choose ranking weights by.

The same handlers, profile, candidates, scorer and policies as the server's, over a temporary
SQLite database and an exact index; no HTTP and no disk flushes that matter. Vectors of the
films are kept in `--cache` between runs.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from clickwise.bundle import Bundle, day0_bundle
from clickwise.catalog import Catalog
from clickwise.cli.tally import Page, Tally
from clickwise.cli.wiring import policy_of
from clickwise.clock import Clock, SystemClock
from clickwise.encoder.port import TextEncoder
from clickwise.events import Event, parse_event
from clickwise.imports.movielens_wheel import read_movielens
from clickwise.influence import BOUNDED, Influence
from clickwise.items import Item, parse_item
from clickwise.profile import Rules
from clickwise.ranking import Policy
from clickwise.recommend import Limits, Recommender
from clickwise.recommend.answers import RecommendRequest
from clickwise.releases import FixedReleases, Release
from clickwise.settings import Settings
from clickwise.state.sql import open_state
from clickwise.testing.index import ExactIndex
from clickwise.text import item_text
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array
from streams.handlers import ActivityHandler, Arrival, EventHandler
from streams.items import ItemHandler

HISTORY_SHARE = 0.9
BATCH = 1_000
MOST_TRENDING = 100_000


class KeptEncoder:
    """An encoder whose results for known texts lie in a file."""

    def __init__(self, encoder: TextEncoder, texts: Sequence[str], file: Path) -> None:
        self.version = encoder.version
        self.dimension = encoder.dimension
        if file.exists():
            vectors_ND = np.load(file)
        else:
            vectors_ND = np.concatenate(
                [encoder.encode(texts[i : i + 32]) for i in range(0, len(texts), 32)]
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, vectors_ND)
        self._vectors = dict(zip(texts, vectors_ND, strict=True))

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([self._vectors[text] for text in texts])


class Site:
    """One process's worth of Clickwise."""

    def __init__(
        self,
        folder: Path,
        encoder: TextEncoder,
        bundle: Bundle,
        settings: Settings,
        *,
        influence: Influence = BOUNDED,
        policy: Policy | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`policy` None: that of the settings. `clock` None: the machine's."""
        clock = clock if clock is not None else SystemClock()
        state = open_state(f"sqlite:///{folder}/site.sqlite", timeout_seconds=5.0, pool_size=2)
        state.migrate()
        self._state = state
        catalog = Catalog(
            state=state,
            index=ExactIndex(model=bundle.vectors, dimension=bundle.manifest.dimension),
            model=bundle.version,
            tower=bundle.tower,
            text=ModelVersion(encoder.version),
        )
        self._catalog = catalog
        self._clock = clock
        releases = FixedReleases(Release(bundle, catalog))
        self._items = ItemHandler(state=state, releases=releases, encoder=encoder)
        self._events = EventHandler(
            state=state,
            releases=releases,
            clock=clock,
            keep_bodies=True,
            activity=ActivityHandler(
                state=state, half_life_seconds=settings.trending_half_life_hours * 3600.0
            ),
            influence=influence,
        )
        self._recommender = Recommender(
            state=state,
            release=releases.live,
            policy=policy if policy is not None else policy_of(settings),
            limits=Limits(candidates=settings.candidates, deadline_seconds=10.0),
            clock=clock,
        )

    def put(self, items: Sequence[Item]) -> None:
        """Add items."""
        self._items.apply([(item.id, item) for item in items])

    def post(self, events: Sequence[Event]) -> None:
        """Apply events."""
        received = self._clock.now()
        self._events.apply([Arrival(event=event, received=received) for event in events])

    def page(self, user: str) -> Page:
        """Whose list is it now?"""
        return Page.of(self._recommender.recommend(RecommendRequest(user=user)))

    def trending(self) -> list[str]:
        """Items that have activity, most popular first."""
        keys = [key for key, _ in self._state.trending(MOST_TRENDING)]
        labels = self._catalog.index.labels(keys)
        return [labels[key][0] for key in keys if key in labels]

    def close(self) -> None:
        """Let go of the database."""
        self._state.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print hit rates of the present weights."""
    parser = argparse.ArgumentParser(prog="python -m clickwise.cli.lived", description=__doc__)
    parser.add_argument("--events", type=int, default=0, help="live this many; 0: all 10,000")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "clickwise-tune"
    )
    parser.add_argument("--encoder", choices=("default", "hashing"), default="default")
    parser.add_argument("--before-only", action="store_true", help="skip the list after each event")
    options = parser.parse_args(arguments)
    clock = SystemClock()
    data = read_movielens().shifted(clock.now().timestamp())
    items = [parse_item(item, received=clock.now())[0] for item in data.items]
    events = [parse_event(event, received=clock.now())[0] for event in data.events]
    settings = Settings()
    encoder = chosen_encoder(options.encoder, items, options.cache)
    rules = Rules(
        interests=settings.interests,
        history=settings.history,
        half_life_seconds=settings.interest_half_life_days * 86_400.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = day0_bundle(
            Path(folder) / "bundles",
            encoder_version=encoder.version,
            dimension=encoder.dimension,
            rules=rules,
        )
        site = Site(Path(folder), encoder, bundle, settings)
        site.put(items)
        tally = _live(site, items, events, options.events, after=not options.before_only)
    rates = tally.hit_rates
    print(
        msgspec.json.encode(
            {
                "model": bundle.version,
                "lived": tally.lived,
                "positive": tally.positive,
                "next_item_hit_rate_at_10": rates,
                "baselines": [n / max(1, tally.positive) for n in tally.baseline_hits],
                "ratio": round(rates.recommender / max(rates.popularity, 1e-9), 3),
                "changed_after_click": tally.changed_after_click,
                "freshness_seconds": tally.freshness_seconds,
            }
        ).decode()
    )
    return 0


def _live(
    site: Site, items: Sequence[Item], events: Sequence[Event], number: int, *, after: bool
) -> Tally:
    tally = Tally([item.id for item in items])
    begin = int(len(events) * HISTORY_SHARE)
    started = time.perf_counter()
    for at in range(0, begin, BATCH):
        site.post(events[at : min(at + BATCH, begin)])
    for event in events[:begin]:
        tally.remember(event)
    print(f"history: {begin} events, {time.perf_counter() - started:.1f} s", file=sys.stderr)
    lived = events[begin : begin + number] if number else events[begin:]
    started = time.perf_counter()
    for place, event in enumerate(lived, 1):
        before = site.page(event.user)
        tally.before(event, before)
        sent = time.perf_counter()
        site.post([event])
        tally.remember(event)
        if after:
            tally.after(event, before, site.page(event.user), seconds=time.perf_counter() - sent)
        if place % 1_000 == 0:
            rates = tally.hit_rates
            print(
                f"{place}: {rates.recommender:.4f} / {rates.popularity:.4f},"
                f" {time.perf_counter() - started:.1f} s",
                file=sys.stderr,
            )
    return tally


def chosen_encoder(name: str, items: Sequence[Item], cache: Path) -> TextEncoder:
    """`default`, its vectors of `items` kept in `cache`, or `hashing`."""
    if name == "hashing":
        from clickwise.testing.encoder import HashingEncoder

        return HashingEncoder()
    from clickwise.encoder import open_encoder

    encoder = open_encoder(cache=cache / "encoders")
    texts = [item_text(item) for item in items]
    return KeptEncoder(encoder, texts, cache / f"{encoder.version.replace('/', '-')}.npy")


if __name__ == "__main__":
    sys.exit(main())
