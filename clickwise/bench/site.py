"""A made-up site on disk, ready to serve: items and their index, readers with folded histories.

Everything goes through the program's own rules and ports; only the vectors are made up, since
encoding 100,000 texts takes minutes and adds nothing to what is measured.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.progress import Progress

from clickwise.activity import Activity, increments
from clickwise.bench.synthetic import Made, make_events, make_items, user_id
from clickwise.bundle import Bundle
from clickwise.cli import homes, wiring
from clickwise.influence import Influence, voices
from clickwise.profile import (
    Interaction,
    ItemFacts,
    Profile,
    Rules,
    fold,
    interaction_of,
    stored_body,
)
from clickwise.secret import Secret
from clickwise.settings import Settings
from clickwise.state.port import ProfileWrite, State
from clickwise.types import ItemKey, UserId, item_key
from clickwise.vectors.builder import Batch, ChangesAfter, build_generation
from clickwise.vectors.rows import indexed_item, item_write, topic_codes

ROWS_AT_ONCE = 1_000
EVENTS_AT_ONCE = 500
PATIENT_SECONDS = 60.0


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How large a site is."""

    items: int
    users: int
    events_per_user: int
    dimension: int

    def user_ids(self) -> list[UserId]:
        """Readers that have a profile."""
        return [user_id(number) for number in range(self.users)]


def settings_for(
    home: Path, *, dimension: int, database_url: str = "", kafka_bootstrap: str = ""
) -> Settings:
    """Settings as they come, with an encoder that needs no model.

    Items are not understood meanwhile: that work would be measured too. Requests wait for their
    turn as long as it takes: clients that wait for each answer are to be served, not turned away.
    """
    return Settings(
        home=str(home),
        encoder_model=f"hashing:{dimension}",
        log_level="warning",
        understand=False,
        max_wait_seconds=PATIENT_SECONDS,
        database_url=Secret(database_url),
        kafka_bootstrap=kafka_bootstrap,
    )


def make_site(settings: Settings, shape: Shape, *, progress: Progress) -> Made:
    """Write a site into the home and database of `settings`, which are new; what it holds."""
    now = datetime.now(UTC)
    with ExitStack() as stack:
        homes.make_home(settings)
        state = wiring.state_of(settings, stack)
        state.migrate()
        bundle = wiring.bundle_of(settings, wiring.encoder_of(settings))
        task = progress.add_task("make items", total=None)
        made = make_items(shape.items, dimension=shape.dimension, now=now)
        progress.remove_task(task)
        change = write_items(state, made, bundle, progress=progress)
        half_life_seconds = settings.trending_half_life_hours * 3600.0
        write_users(
            state, made, bundle, shape, now=now, half_life_seconds=half_life_seconds,
            progress=progress,
        )  # fmt: skip
        task = progress.add_task("index items", total=None)
        index_items(settings, made, bundle, change=change)
        progress.remove_task(task)
    _note(settings).write_bytes(msgspec.json.encode(shape))
    return made


def is_made(settings: Settings, shape: Shape) -> bool:
    """Whether the home holds a site of this shape, whole."""
    try:
        return msgspec.json.decode(_note(settings).read_bytes(), type=Shape) == shape
    except (OSError, msgspec.MsgspecError):
        return False


def _note(settings: Settings) -> Path:
    return settings.folder / "bench-site.json"


def write_items(state: State, made: Made, bundle: Bundle, *, progress: Progress) -> int:
    """Store all items; the `change` of the last one."""
    task = progress.add_task("store items", total=len(made.items))
    change = 0
    for start in range(0, len(made.items), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows = [
            item_write(item, vector_D, bundle.vectors)
            for item, vector_D in zip(made.items[part], made.vectors_ND[part], strict=True)
        ]
        with state.write() as write:
            change = write.put_items(rows)
        progress.advance(task, len(rows))
    progress.remove_task(task)
    return change


def index_items(settings: Settings, made: Made, bundle: Bundle, *, change: int) -> None:
    """Build the generation that a server of these settings opens."""
    build_generation(
        homes.vectors_folder(settings),
        bundle.vectors,
        bundle.manifest.dimension,
        _changes_of(made, change),
    )


def _changes_of(made: Made, last: int) -> ChangesAfter:
    """The items as the builder asks for them; the newest change is `last`."""
    first = last - len(made.items) + 1

    def changes_after(after: int) -> Iterable[Batch]:
        for start in range(0, len(made.items), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, len(made.items))
            rows = range(start, stop)
            batch = [
                (first + row, indexed_item(made.items[row], made.vectors_ND[row]))
                for row in rows
                if first + row > after
            ]
            if batch:
                yield batch

    return changes_after


class MadeItems:
    """The items as the profile rule asks for them; see profile.ItemSource."""

    def __init__(self, made: Made) -> None:
        self._made = made
        self._rows = {item_key(item.id): row for row, item in enumerate(made.items)}

    def facts(self, keys: Sequence[int]) -> Mapping[int, ItemFacts]:
        """See ItemSource."""
        rows = ((key, self._rows.get(ItemKey(key))) for key in keys)
        return {
            key: ItemFacts(self._made.vectors_ND[row], topic_codes(self._made.items[row].topics))
            for key, row in rows
            if row is not None
        }


def write_users(
    state: State,
    made: Made,
    bundle: Bundle,
    shape: Shape,
    *,
    now: datetime,
    half_life_seconds: float,
    progress: Progress,
) -> None:
    """Fold every reader's events, and store profiles and what the events do to their items."""
    task = progress.add_task("fold events", total=shape.users * shape.events_per_user)
    source = MadeItems(made)
    activity: dict[ItemKey, Activity] = {}
    writes = []
    for number in range(shape.users):
        events = make_events(made, number, shape.events_per_user, until=now)
        interactions = [interaction_of(event) for event in events]
        profile = folded_in_turns(interactions, source, bundle=bundle)
        body = stored_body(profile, received=now.timestamp())
        writes.append(ProfileWrite(user=user_id(number), expected=0, body=body))
        _count(activity, interactions, half_life_seconds, bundle)
        progress.advance(task, len(interactions))
    for start in range(0, len(writes), ROWS_AT_ONCE):
        with state.write() as write:
            write.put_profiles(writes[start : start + ROWS_AT_ONCE])
    with state.write() as write:
        write.put_activity({key: row.store() for key, row in activity.items()})
    progress.remove_task(task)


def folded_in_turns(
    interactions: Sequence[Interaction], source: MadeItems, *, bundle: Bundle
) -> Profile:
    """The profile of somebody who did this and nothing else, folded some events at a time."""
    rules: Rules = bundle.manifest.rules
    profile = bundle.empty_profile()
    for start in range(0, len(interactions), EVENTS_AT_ONCE):
        part = interactions[start : start + EVENTS_AT_ONCE]
        profile = fold(profile, part, source, rules).profile
    return profile


def _count(
    activity: dict[ItemKey, Activity],
    interactions: Sequence[Interaction],
    half_life_seconds: float,
    bundle: Bundle,
) -> None:
    """Add one reader's events to the rows of their items, as the event handler does."""
    heard = voices(
        bundle.empty_profile(),
        interactions,
        kept=bundle.manifest.rules.history,
        influence=Influence(half_life_seconds=half_life_seconds),
    )
    for one, voice in zip(interactions, heard, strict=True):
        for effect in increments(
            item=one.item,
            event_type=one.type,
            popularity=voice.popularity,
            following=voice.following,
            time=one.time / 1e6,
            before=voice.before,
        ):
            row = activity.setdefault(ItemKey(effect.item), Activity())
            row.add(effect, half_life_seconds=half_life_seconds)
