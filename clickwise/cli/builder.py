"""The process beside the server that prepares what models need: `python -m clickwise.cli.builder`.

Started by `clickwise up` and `clickwise serve`, with the settings in its environment. It builds
Edge's next generation for each model in use, folds profiles anew for the one that is live, and
tells Kafka which that is. It does not open the encoder.
"""

import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event

from clickwise import logs
from clickwise.bundle import Bundle
from clickwise.cli import announcing, homes
from clickwise.cli.opener import HomeOpener, open_bundle
from clickwise.cli.parents import run_child
from clickwise.cli.wiring import state_of
from clickwise.clock import SystemClock
from clickwise.errors import (
    BundleError,
    ConfigurationError,
    UnavailableError,
)
from clickwise.releases.rebuilding import Rebuilder
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease, Role, State
from clickwise.types import ModelVersion
from clickwise.vectors.builder import Space, Wanted, build_loop, stored_changes

# Whoever waits for an index comes first.
_ORDER: tuple[Role, ...] = ("candidate", "canary", "shadow", "live", "previous")

_log = logs.get(__name__)


def run(settings: Settings, stop: Event) -> None:
    """Prepare what the models in use need until `stop` is set."""
    with ExitStack() as stack:
        state = state_of(settings, stack)
        rebuilder = Rebuilder(
            state=state, opener=HomeOpener(settings, state), clock=SystemClock()
        )  # fmt: skip
        beside = [threading.Thread(target=rebuilder.run, args=(stop,), name="clickwise-rebuild")]
        if not settings.embedded:
            beside.append(
                threading.Thread(
                    target=announcing.follow, args=(settings, state, stop), name="clickwise-models"
                )
            )
        for thread in beside:
            thread.daemon = True
            thread.start()
        if settings.qdrant_url:
            stop.wait()
        else:
            build(settings, state, stop)
        stop.set()
        for thread in beside:
            thread.join()


def build(settings: Settings, state: State, stop: Event) -> None:
    """Build generations of the home's items until `stop` is set."""
    build_loop(
        state,
        homes.vectors_folder(settings),
        UsedSpaces(settings, state).now,
        build_after=settings.edge_build_after,
        build_interval_seconds=settings.edge_build_interval_seconds,
        stop=stop,
    )


@dataclass(slots=True)
class _Known:
    """Bundles of the models in use, by version and checksum."""

    sequence: int
    bundles: dict[tuple[str, str], Bundle]


class UsedSpaces:
    """The spaces of the models that the pointer names. Their bundles are kept open."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._known = _Known(-1, {})
        self._told: set[tuple[str, str]] = set()

    def now(self) -> Wanted:
        """Each space once, the most urgent first; without those of bundles that cannot be had."""
        pointer = self._state.pointer()
        named = [one for one in map(pointer.role, _ORDER) if one is not None]
        before = self._known.bundles
        bundles: dict[tuple[str, str], Bundle] = {}
        for one in named:
            key = one.version, one.checksum
            bundle = before.get(key) or bundles.get(key) or self._opened(one)
            if bundle is not None:
                bundles[key] = bundle
        self._known = _Known(pointer.sequence, bundles)
        spaces: dict[ModelVersion, Space] = {}
        for one in named:
            bundle = bundles.get((one.version, one.checksum))
            if bundle is None:
                continue  # the others do not wait for it
            if one.role == "candidate" and self._state.items_without(
                ModelVersion(bundle.manifest.encoder), limit=1
            ):
                continue  # its items are being encoded
            spaces.setdefault(
                bundle.vectors, space_of(self._state, bundle, at_once=one.role != "live")
            )
        told = bool(named) and all((one.version, one.checksum) in bundles for one in named)
        kept = frozenset(bundle.vectors for bundle in bundles.values()) if told else None
        return Wanted(list(spaces.values()), kept)

    def _opened(self, named: NamedRelease) -> Bundle | None:
        key = named.version, named.checksum
        try:
            bundle = open_bundle(self._settings, named)
        except (BundleError, ConfigurationError, UnavailableError) as error:
            if key not in self._told:
                _log.error("bundle_not_usable", model=named.version, reason=str(error))
            self._told.add(key)
            return None
        self._told.discard(key)
        return bundle


def space_of(state: State, bundle: Bundle, *, at_once: bool) -> Space:
    """The space of a bundle, made from the stored text vectors."""
    changes = stored_changes(state, ModelVersion(bundle.manifest.encoder), bundle.tower)
    return Space(bundle.vectors, bundle.manifest.dimension, changes, at_once)


if __name__ == "__main__":
    sys.exit(run_child("builder", run))
