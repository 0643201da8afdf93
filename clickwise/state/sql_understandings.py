"""What was understood of items, on SQLAlchemy Core: `SqlUnderstandings`."""

from collections.abc import Collection, Sequence

from sqlalchemy import (
    Connection,
    Delete,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.exc import DBAPIError

from clickwise.state.bulk import Bulk, Insert, chunks
from clickwise.state.connections import Connections
from clickwise.state.faults import translate
from clickwise.state.statements import Query
from clickwise.state.tables import bands, item_vectors, items, understandings
from clickwise.state.understandings import DueItem, Neighbor, StoredUnderstanding
from clickwise.types import ItemKey, ModelVersion

_is_due = and_(
    items.c.change > bindparam("after"),
    items.c.change <= bindparam("until"),
    items.c.body.is_not(None),
    or_(
        understandings.c.key.is_(None),
        understandings.c.change != items.c.change,
        understandings.c.methods != bindparam("methods"),
    ),
)
_understood = items.outerjoin(understandings, understandings.c.key == items.c.key)
_due: Query = (
    select(
        items.c.key,
        items.c.id,
        items.c.body,
        items.c.change,
        item_vectors.c.vector,
        understandings.c.change.label("understood"),
        understandings.c.methods,
    )
    .select_from(
        _understood.outerjoin(
            item_vectors,
            and_(
                item_vectors.c.key == items.c.key,
                item_vectors.c.model == bindparam("model", type_=items.c.model.type),
            ),
        )
    )
    .where(_is_due)
    .order_by(items.c.change.desc())
    .limit(bindparam("limit"))
)
_count_due: Query = select(func.count()).select_from(_understood).where(_is_due)
_own = bands.alias("own")
_shared = func.count(literal_column("1"))
_neighbors: Query = (
    select(items.c.id, understandings.c.signature)
    .select_from(
        _own.join(bands, bands.c.band == _own.c.band)
        .join(items, items.c.key == bands.c.key)
        .join(understandings, understandings.c.key == bands.c.key)
    )
    .where(
        _own.c.key == bindparam("key"),
        bands.c.key != bindparam("key"),
        items.c.body.is_not(None),
    )
    .group_by(items.c.id, understandings.c.signature)
    .order_by(_shared.desc(), items.c.id)
    .limit(bindparam("limit"))
)


class SqlUnderstandings:
    """See `clickwise.state.understandings.UnderstandingStore`. Safe from several threads."""

    def __init__(self, connections: Connections, bulk: Bulk) -> None:
        self._connections = connections
        self._rows = connections.rows
        self._bulk = bulk
        # Held until the transaction ends, so that no item is deleted or changed meanwhile.
        self._hold_items: Query = (
            select(items.c.key, items.c.change)
            .where(bulk.among(items.c.key, "keys"), items.c.body.is_not(None))
            .order_by(items.c.key)
            .with_for_update(read=True)
        )
        self._of: Query = select(understandings).where(bulk.among(understandings.c.key, "keys"))
        self._delete_bands: Delete = delete(bands).where(bulk.among(bands.c.key, "keys"))
        self._put = _replacing(bulk.insert(understandings))
        self._add_band = bulk.insert(bands).on_conflict_do_nothing()

    def due(
        self, methods: str, model: ModelVersion, *, after: int, until: int, limit: int
    ) -> list[DueItem]:
        """See UnderstandingStore."""
        window = {"after": after, "until": until, "limit": limit}
        rows = self._rows(_due, {"methods": methods, "model": model, **window})
        return [DueItem(*row) for row in rows]

    def count_due(self, methods: str, *, after: int, until: int) -> int:
        """See UnderstandingStore."""
        values = {"methods": methods, "after": after, "until": until}
        ((number,),) = self._rows(_count_due, values)
        return int(number)

    def put(self, rows: Sequence[StoredUnderstanding]) -> set[ItemKey]:
        """See UnderstandingStore."""
        by_key = {row.key: row for row in rows}
        stored: set[ItemKey] = set()
        with self._connections.transaction() as connection:
            try:
                for keys in chunks(sorted(by_key)):
                    held = connection.execute(self._hold_items, {"keys": self._bulk.keys(keys)})
                    current = [by_key[key] for key, change in held if by_key[key].change == change]
                    self._replace(connection, current)
                    stored.update(row.key for row in current)
            except DBAPIError as error:
                raise translate(error) from error
        return stored

    def of(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredUnderstanding]:
        """See UnderstandingStore."""
        return {
            row.key: StoredUnderstanding(*row)
            for some in chunks(list(keys))
            for row in self._rows(self._of, {"keys": self._bulk.keys(some)})
        }

    def neighbors(self, key: ItemKey, *, limit: int) -> list[Neighbor]:
        """See UnderstandingStore."""
        return [Neighbor(*row) for row in self._rows(_neighbors, {"key": key, "limit": limit})]

    def _replace(self, connection: Connection, rows: Sequence[StoredUnderstanding]) -> None:
        if not rows:
            return
        keys = self._bulk.keys([row.key for row in rows])
        connection.execute(self._delete_bands, {"keys": keys})
        names = [column.name for column in understandings.c]
        connection.execute(
            self._put, [{name: getattr(row, name) for name in names} for row in rows]
        )
        met = [{"band": band, "key": row.key} for row in rows for band in sorted(set(row.bands))]
        if met:
            connection.execute(self._add_band, met)


def _replacing(insert: Insert) -> Insert:
    """INSERT that replaces all of a row that is there."""
    others = [column.name for column in understandings.c if not column.primary_key]
    return insert.on_conflict_do_update(
        index_elements=["key"], set_={name: insert.excluded[name] for name in others}
    )
