"""Every statement on the state, built once and compiled once per connection's engine.

Names of bound values are the columns' own, except `expected` (a version read before), `of_...`
(which row to change), `after`, `before`, `limit`, `by`, `to`, and `keys` (a list, for
`Bulk.among`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Integer,
    LargeBinary,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningDelete

from clickwise.state.bulk import Bulk, Insert
from clickwise.state.port import LogName
from clickwise.state.tables import (
    bands,
    counters,
    dead_letters,
    events,
    exposures,
    item_activity,
    item_vectors,
    items,
    offsets,
    profiles,
    rebuilds,
    releases,
    understandings,
)

Query = Select[*tuple[Any, ...]]
Forget = ReturningDelete[tuple[int]]


def _counter(name: str) -> Query:
    # The name is written out: a constant, and one bound value less on the hot path.
    return select(counters.c.value).where(counters.c.name == literal_column(f"'{name}'"))


_one_row = select(literal_column("1").label("one")).subquery()
profile: Query = select(
    profiles.c.version, profiles.c.body, _counter("change").scalar_subquery().label("change")
).select_from(_one_row.outerjoin(profiles, profiles.c.user == bindparam("user")))
drop_profile: Delete = delete(profiles).where(
    profiles.c.user == bindparam("of_user"), profiles.c.version == bindparam("expected")
)
drop_unchanged: Delete = delete(profiles).where(
    profiles.c.user == bindparam("of_user"),
    profiles.c.version == bindparam("expected"),
    profiles.c.body == bindparam("body"),
)
_beginning = func.substr(
    profiles.c.body, 1, bindparam("length", type_=Integer), type_=LargeBinary
).label("beginning")
profile_beginnings: Query = (
    select(profiles.c.user, profiles.c.version, _beginning)
    .where(profiles.c.user > bindparam("after"))
    .order_by(profiles.c.user)
    .limit(bindparam("limit"))
)
users: Query = (
    select(profiles.c.user)
    .where(profiles.c.user > bindparam("after"))
    .order_by(profiles.c.user)
    .limit(bindparam("limit"))
)

_item_columns = (
    items.c.key,
    items.c.id,
    items.c.body,
    items.c.change,
    items.c.model,
    item_vectors.c.vector,
)
_with_vector = items.outerjoin(
    item_vectors,
    and_(item_vectors.c.key == items.c.key, item_vectors.c.model == items.c.model),
)
item: Query = (
    select(*_item_columns).select_from(_with_vector).where(items.c.key == bindparam("key"))
)
items_changed: Query = (
    select(*_item_columns)
    .select_from(_with_vector)
    .where(items.c.change > bindparam("after"))
    .order_by(items.c.change)
    .limit(bindparam("limit"))
)
# The same with the vectors of one text encoder.
_model = bindparam("model", type_=items.c.model.type)
_columns_of_model = (
    items.c.key,
    items.c.id,
    items.c.body,
    items.c.change,
    _model.label("model"),
    item_vectors.c.vector,
)
_with_vector_of_model = items.outerjoin(
    item_vectors, and_(item_vectors.c.key == items.c.key, item_vectors.c.model == _model)
)
item_of_model: Query = (
    select(*_columns_of_model)
    .select_from(_with_vector_of_model)
    .where(items.c.key == bindparam("key"))
)
items_changed_of_model: Query = (
    select(*_columns_of_model)
    .select_from(_with_vector_of_model)
    .where(items.c.change > bindparam("after"))
    .order_by(items.c.change)
    .limit(bindparam("limit"))
)
items_without: Query = (
    select(*_columns_of_model)
    .select_from(_with_vector_of_model)
    .where(
        items.c.key > bindparam("after"),
        items.c.body.is_not(None),
        item_vectors.c.vector.is_(None),
    )
    .order_by(items.c.key)
    .limit(bindparam("limit"))
)
newest_change: Query = _counter("change")
hold_changes: Query = _counter("change").with_for_update()
count_items: Query = _counter("items")
advance_counter: Update = (
    update(counters)
    .where(counters.c.name == bindparam("of_name"))
    .values(value=counters.c.value + bindparam("by"))
)

# Held until the transaction ends, so that sequence numbers become visible in order.
# (SQLite has no FOR UPDATE and needs none: it has one writer.)
hold_events: Query = _counter("events").with_for_update()
hold_exposures: Query = _counter("exposures").with_for_update()
events_after: Query = (
    select(events.c.seq, events.c.body)
    .where(events.c.seq > bindparam("after"), events.c.body.is_not(None))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)
exposures_after: Query = (
    select(exposures.c.seq, exposures.c.body)
    .where(exposures.c.seq > bindparam("after"))
    .order_by(exposures.c.seq)
    .limit(bindparam("limit"))
)


def _log_rows(number: Column[int], received: Column[datetime], body: Column[bytes]) -> Query:
    return (
        select(number, received, body)
        .where(number > bindparam("after"), body.is_not(None))
        .order_by(number)
        .limit(bindparam("limit"))
    )


log_rows: dict[LogName, Query] = {
    "events": _log_rows(events.c.seq, events.c.received, events.c.body),
    "exposures": _log_rows(exposures.c.seq, exposures.c.received, exposures.c.body),
}
exposures_received: Query = (
    select(exposures.c.seq, exposures.c.received, exposures.c.body)
    .where(
        exposures.c.received >= bindparam("begin"),
        exposures.c.received < bindparam("end"),
        exposures.c.seq > bindparam("after"),
    )
    .order_by(exposures.c.seq)
    .limit(bindparam("limit"))
)
# The rows that writers of the log hold keep the greatest number that was forgotten.
hold_log: dict[LogName, Query] = {"events": hold_events, "exposures": hold_exposures}
forgotten: dict[LogName, Query] = {"events": _counter("events"), "exposures": _counter("exposures")}
raise_counter: Update = (
    update(counters)
    .where(counters.c.name == bindparam("of_name"), counters.c.value < bindparam("to"))
    .values(value=bindparam("to"))
)


def _forget(number: Column[int], at: Column[datetime]) -> Forget:
    """DELETE of the oldest rows, at most `limit`, of those that are older than `before`.

    It returns their numbers.
    """
    oldest = select(number).where(at < bindparam("before")).order_by(at).limit(bindparam("limit"))
    return delete(number.table).where(number.in_(oldest)).returning(number)


forget_logged: dict[LogName, Forget] = {
    "events": _forget(events.c.seq, events.c.received),
    "exposures": _forget(exposures.c.seq, exposures.c.received),
}
forget_letters: Forget = _forget(dead_letters.c.id, dead_letters.c.at)

offsets_of: Query = select(offsets).where(offsets.c.consumer == bindparam("consumer"))
trending: Query = (
    select(item_activity.c.key, item_activity.c.log_score)
    .order_by(item_activity.c.log_score.desc(), item_activity.c.key.desc())
    .limit(bindparam("limit"))
)

dead_letter: Query = select(dead_letters).where(dead_letters.c.id == bindparam("id"))
_older = dead_letters.c.id < bindparam("before")
_newest_letters = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(bindparam("limit"))
letters: Query = _newest_letters.where(_older)
pending_letters: Query = _newest_letters.where(_older, dead_letters.c.replayed.is_(None))
mark_replayed: Update = (
    update(dead_letters)
    .where(dead_letters.c.id == bindparam("of_id"))
    .values(replayed=bindparam("replayed"))
)
# One statement, so that sequence and rows belong together; a row of nothing where none is named.
pointer: Query = (
    select(counters.c.value.label("sequence"), *releases.c)
    .select_from(counters.outerjoin(releases, true()))
    .where(counters.c.name == literal_column("'releases'"))
)
hold_releases: Query = _counter("releases").with_for_update()
delete_releases: Delete = delete(releases)
rebuild: Query = select(*rebuilds.c)
delete_rebuilds: Delete = delete(rebuilds)
ping: Query = select(literal_column("1"))


class BulkStatements:
    """The statements over many rows or keys, built for one database."""

    def __init__(self, bulk: Bulk) -> None:
        self.bulk = bulk
        user_given = bulk.among(profiles.c.user, "keys")
        self.profiles: Query = select(profiles.c.user, profiles.c.version, profiles.c.body).where(
            user_given
        )
        self.profile_versions: Query = select(profiles.c.user, profiles.c.version).where(user_given)
        self.event_bodies: Query = select(events.c.key, events.c.body).where(
            bulk.among(events.c.key, "keys")
        )
        self.known_events: Query = select(events.c.key).where(bulk.among(events.c.key, "keys"))
        self.count_live: Query = select(func.count()).where(
            bulk.among(items.c.key, "keys"), items.c.body.is_not(None)
        )
        self.changes: Query = select(items.c.key, items.c.change).where(
            bulk.among(items.c.key, "keys"), items.c.body.is_not(None)
        )
        self.item_bodies: Query = select(items.c.key, items.c.id, items.c.body).where(
            bulk.among(items.c.key, "keys"), items.c.body.is_not(None)
        )
        self.activity: Query = select(item_activity).where(bulk.among(item_activity.c.key, "keys"))
        self.delete_vectors: Delete = delete(item_vectors).where(
            bulk.among(item_vectors.c.key, "keys")
        )
        self.forget_understandings: tuple[Delete, ...] = tuple(
            delete(table).where(bulk.among(table.c.key, "keys"))
            for table in (bands, understandings)
        )

        given = bulk.source(
            user=profiles.c.user,
            expected=profiles.c.version,
            version=profiles.c.version,
            body=profiles.c.body,
        )
        self.replace_profile: Update = (
            update(profiles)
            .values(version=given.c.version, body=given.c.body)
            .where(profiles.c.user == given.c.user, profiles.c.version == given.c.expected)
        )
        self.add_profile = self._insert(profiles).on_conflict_do_nothing()
        self.add_event = self._insert(events).on_conflict_do_nothing(index_elements=["key"])
        self.add_exposure = self._insert(exposures)
        self.add_release = self._insert(releases)
        self.add_rebuild = self._insert(rebuilds)
        self.add_dead_letter = self._insert(dead_letters).on_conflict_do_nothing(
            index_elements=["topic", "partition", "offset"]
        )
        self.put_vector = _replacing(self._insert(item_vectors), "vector")
        stamped = bulk.source(
            key=item_vectors.c.key,
            model=item_vectors.c.model,
            vector=item_vectors.c.vector,
            change=items.c.change,
        )
        as_it_was = and_(items.c.key == stamped.c.key, items.c.change == stamped.c.change)
        self.add_vector = _replacing(
            bulk.insert(item_vectors).from_select(
                ["key", "model", "vector"],
                select(stamped.c.key, stamped.c.model, stamped.c.vector).where(
                    select(items.c.key).where(as_it_was).exists()
                ),
            ),
            "vector",
        )
        made = bulk.source(key=items.c.key, body=items.c.body, change=items.c.change)
        self.replace_body: Update = (
            update(items)
            .values(body=made.c.body, change=made.c.change)
            .where(items.c.key == made.c.key)
        )
        moved = bulk.source(
            key=understandings.c.key,
            expected=understandings.c.change,
            change=understandings.c.change,
        )
        self.move_understanding: Update = (
            update(understandings)
            .values(change=moved.c.change)
            .where(understandings.c.key == moved.c.key, understandings.c.change == moved.c.expected)
        )
        self.put_activity = _replacing(self._insert(item_activity), "log_score", "body")
        item = self._insert(items)
        self.put_item = _replacing(
            item, "body", "change", "model", where=items.c.id == item.excluded.id
        )
        offset = self._insert(offsets)
        self.put_offset = _replacing(offset, "next", where=offsets.c.next <= offset.excluded.next)

    def _insert(self, table: Table) -> Insert:
        """INSERT of rows with every column but those that the database numbers itself."""
        columns = {c.name: c for c in table.columns if c is not table.autoincrement_column}
        given = self.bulk.source(**columns)
        # WHERE, because SQLite would read the ON of ON CONFLICT as a join's.
        rows = select(*given.c).where(true())
        return self.bulk.insert(table).from_select(list(columns), rows)


def _replacing(insert: Insert, *columns: str, where: ColumnElement[bool] | None = None) -> Insert:
    """INSERT that replaces these columns of a row that is there (if `where` holds for it)."""
    return insert.on_conflict_do_update(
        index_elements=list(insert.table.primary_key),
        set_={name: insert.excluded[name] for name in columns},
        where=where,
    )
