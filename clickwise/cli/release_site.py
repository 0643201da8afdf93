"""What the steps of a release stand on, and how they change which models are in use."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from clickwise.cli import homes
from clickwise.cli.wiring import state_of
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ConflictError
from clickwise.releases import roles
from clickwise.releases.roles import Published
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease, Pointer, Role, State

# Told what was done: `checked`, `named`, `indexed`, `warmed`, `live`, `announced`, `swapped`.
Told = Callable[[str], None]


def silent(step: str) -> None:
    """Told, and told nobody."""
    del step


@dataclass(frozen=True, slots=True)
class Site:
    """What the steps stand on."""

    settings: Settings
    state: State
    clock: Clock


@contextmanager
def opened_site(settings: Settings) -> Iterator[Site]:
    """The site with its database migrated; both are let go of at the end."""
    homes.make_home(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        yield Site(settings, state, SystemClock())


def give_role(site: Site, role: Role, published: Published, *, share: float) -> None:
    """Let `role` name the bundle."""
    since = site.state.newest_change()
    change(
        site,
        lambda now: roles.with_role(
            now, role, published, now=site.clock.now(), since=since, share=share
        ),
    )


def change(site: Site, rule: Callable[[Pointer], list[NamedRelease]]) -> Pointer:
    """Apply a rule to the pointer, again where somebody else was first; what came of it."""
    for _ in range(4):
        pointer = site.state.pointer()
        named = rule(pointer)
        try:
            with site.state.write() as write:
                write.put_pointer(named, expected=pointer.sequence)
        except ConflictError:
            continue
        return site.state.pointer()
    raise ConflictError("other commands keep changing the models in use; try again")
