"""Written texts on SQLAlchemy Core: `SqlTexts`, beside `SqlState` and on its connections."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from clickwise.state import statements
from clickwise.state.bulk import Bulk, chunks
from clickwise.state.connections import Connections
from clickwise.state.faults import translate
from clickwise.state.tables import (
    counters,
    item_activity,
    items,
    text_attempts,
    text_decisions,
    text_rejections,
    text_tokens,
    texts,
    understandings,
)
from clickwise.state.text_port import (
    ALL,
    Attempt,
    Candidate,
    Decision,
    Rejection,
    Spent,
    StoredText,
)
from clickwise.types import ItemKey

_NO_NUMBER = (1 << 63) - 1
_PUBLISHING = 0x74657874730001  # a number of its own among those that are held
_PLACE = ("key", "segment", "field")

_candidate = (items.c.key, items.c.id, items.c.body, items.c.change, item_activity.c.log_score)
_with_activity = items.outerjoin(item_activity, item_activity.c.key == items.c.key)
_understood = select(literal_column("1")).where(understandings.c.key == items.c.key).exists()
_done = (
    select(literal_column("1"))
    .where(
        text_attempts.c.key == items.c.key,
        text_attempts.c.segment == bindparam("segment"),
        text_attempts.c.change == items.c.change,
        or_(
            text_attempts.c.recipe == bindparam("recipe"),
            and_(text_attempts.c.recipe == bindparam("guessed"), ~_understood),
        ),
    )
    .exists()
)
_is_due = and_(items.c.body.is_not(None), ~_done)
# Keys alone: all that are due are put in order, and bodies are long.
_due: Select[*tuple[Any, ...]] = (
    select(items.c.key)
    .select_from(_with_activity)
    .where(_is_due)
    .order_by(func.coalesce(item_activity.c.log_score, -1e308).desc(), items.c.change.desc())
    .limit(bindparam("limit"))
)
_count_due: Select[*tuple[Any, ...]] = select(func.count()).select_from(items).where(_is_due)
_popular: Select[*tuple[Any, ...]] = (
    select(*_candidate)
    .select_from(item_activity.join(items, item_activity.c.key == items.c.key))
    .where(items.c.body.is_not(None))
    .order_by(item_activity.c.log_score.desc(), item_activity.c.key.desc())
    .limit(bindparam("limit"))
)
_outdated: Select[*tuple[Any, ...]] = (
    select(*_candidate, *text_attempts.c)
    .select_from(
        _with_activity.join(
            text_attempts,
            and_(text_attempts.c.key == items.c.key, text_attempts.c.change != items.c.change),
        )
    )
    .where(items.c.change > bindparam("after"))
    .order_by(items.c.change, text_attempts.c.segment)
    .limit(bindparam("limit"))
)


def _counter(name: str) -> Select[*tuple[Any, ...]]:
    return select(counters.c.value).where(counters.c.name == name)


class SqlTexts:
    """See `clickwise.state.text_port.Texts`. Safe to use from several threads."""

    def __init__(self, connections: Connections, bulk: Bulk) -> None:
        self._connections = connections
        self._rows = connections.rows
        self._bulk = bulk
        self._live = (
            select(*_candidate)
            .select_from(_with_activity)
            .where(bulk.among(items.c.key, "keys"), items.c.body.is_not(None))
        )

    def due(self, segment: str, recipe: str, *, guessed: str, limit: int) -> list[Candidate]:
        """See Texts."""
        values = {"segment": segment, "recipe": recipe, "guessed": guessed, "limit": limit}
        keys = [row.key for row in self._rows(_due, values)]
        found = {
            row.key: Candidate(*row)
            for some in chunks(keys)
            for row in self._rows(self._live, {"keys": self._bulk.keys(some)})
        }
        return [found[key] for key in keys if key in found]

    def count_due(self, segment: str, recipe: str, *, guessed: str) -> int:
        """See Texts."""
        values = {"segment": segment, "recipe": recipe, "guessed": guessed}
        ((number,),) = self._rows(_count_due, values)
        return int(number)

    def popular(self, limit: int) -> list[Candidate]:
        """See Texts."""
        return [Candidate(*row) for row in self._rows(_popular, {"limit": limit})]

    def attempts(self, keys: Collection[ItemKey]) -> list[Attempt]:
        """See Texts."""
        statement = select(text_attempts).where(self._bulk.among(text_attempts.c.key, "keys"))
        return [
            Attempt(*row)
            for some in chunks(list(keys))
            for row in self._rows(statement, {"keys": self._bulk.keys(some)})
        ]

    def outdated(self, *, after: int, limit: int) -> list[tuple[Candidate, Attempt]]:
        """See Texts."""
        rows = self._rows(_outdated, {"after": after, "limit": limit})
        return [(Candidate(*row[:5]), Attempt(*row[5:])) for row in rows]

    def record(
        self,
        attempt: Attempt,
        texts: Sequence[StoredText],
        rejections: Sequence[Rejection],
    ) -> bool:
        """See Texts."""
        with self._write() as connection:
            # Held to the end, so that the item does not change between the look and the commit.
            number = _next_number(connection)
            held = select(items.c.change, items.c.body).where(items.c.key == attempt.key)
            found = connection.execute(held.with_for_update(read=True)).first()
            if found is None or found.body is None or found.change != attempt.change:
                _add_rejections(connection, rejections)
                return False
            _withdraw(connection, attempt.key, attempt.segment, number)
            for text in texts:
                self._put(connection, _dated(text, number), "texts")
            self._put_attempt(connection, attempt)
            _add_rejections(connection, rejections)
        return True

    def refuse(self, rejections: Sequence[Rejection]) -> None:
        """See Texts."""
        with self._write() as connection:
            _add_rejections(connection, rejections)

    def keep(self, attempt: Attempt) -> None:
        """See Texts."""
        with self._write() as connection:
            number = _next_number(connection)
            connection.execute(
                update(texts)
                .where(
                    texts.c.key == attempt.key,
                    texts.c.segment == attempt.segment,
                    texts.c.text.is_not(None),
                )
                .values(change=attempt.change, number=number)
            )
            self._put_attempt(connection, attempt)

    def withdraw(self, attempt: Attempt) -> None:
        """See Texts."""
        with self._write() as connection:
            number = _next_number(connection)
            found = connection.execute(
                delete(text_attempts).where(
                    text_attempts.c.key == attempt.key,
                    text_attempts.c.segment == attempt.segment,
                    text_attempts.c.change == attempt.change,
                )
            )
            if found.rowcount:
                _withdraw(connection, attempt.key, attempt.segment, number)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """See Texts."""
        with self._write() as connection:
            number = _next_number(connection)
            for decision in decisions:
                self._put(connection, _dated(decision, number), "text_decisions")
                if decision.action == "none":
                    _make_due(connection, decision.key, decision.segment)

    def newest_number(self) -> int:
        """See Texts."""
        return self._number(_counter("texts"))

    def texts_changed(self, *, after: int, limit: int) -> list[StoredText]:
        """See Texts."""
        return [_stored_text(row) for row in self._changed(texts, after, limit)]

    def decisions_changed(self, *, after: int, limit: int) -> list[Decision]:
        """See Texts."""
        rows = self._changed(text_decisions, after, limit)
        return [Decision(**row._mapping) for row in rows]  # noqa: SLF001  # SQLAlchemy's name

    def texts_of(self, key: ItemKey) -> list[StoredText]:
        """See Texts."""
        statement = (
            select(texts)
            .where(texts.c.key == key, texts.c.text.is_not(None))
            .order_by(texts.c.segment, texts.c.field)
        )
        return [_stored_text(row) for row in self._rows(statement)]

    def decisions_of(self, key: ItemKey) -> list[Decision]:
        """See Texts."""
        statement = (
            select(text_decisions)
            .where(text_decisions.c.key == key, text_decisions.c.action != "none")
            .order_by(text_decisions.c.segment, text_decisions.c.field)
        )
        return [Decision(**row._mapping) for row in self._rows(statement)]  # noqa: SLF001  # SQLAlchemy's name

    def newest_texts(self, *, limit: int, before: int | None = None) -> list[StoredText]:
        """See Texts."""
        statement = (
            select(texts)
            .where(
                texts.c.text.is_not(None),
                texts.c.number < (_NO_NUMBER if before is None else before),
            )
            .order_by(texts.c.number.desc(), texts.c.key, texts.c.segment, texts.c.field)
            .limit(limit)
        )
        return [_stored_text(row) for row in self._rows(statement)]

    def newest_decisions(self, *, limit: int) -> list[Decision]:
        """See Texts."""
        own = text_decisions.c
        statement = (
            select(text_decisions)
            .where(own.action != "none")
            .order_by(own.number.desc(), own.key, own.segment, own.field)
            .limit(limit)
        )
        return [Decision(**row._mapping) for row in self._rows(statement)]  # noqa: SLF001  # SQLAlchemy's name

    def rejections(
        self, *, limit: int, before: int | None = None, key: ItemKey | None = None
    ) -> list[Rejection]:
        """See Texts."""
        statement = (
            select(text_rejections)
            .where(text_rejections.c.id < (_NO_NUMBER if before is None else before))
            .order_by(text_rejections.c.id.desc())
            .limit(limit)
        )
        if key is not None:
            statement = statement.where(text_rejections.c.key == key)
        return [Rejection(**row._mapping) for row in self._rows(statement)]  # noqa: SLF001  # SQLAlchemy's name

    def prune_rejections(self, *, keep: int) -> int:
        """See Texts."""
        newest = self._number(select(func.coalesce(func.max(text_rejections.c.id), 0)))
        with self._write() as connection:
            found = connection.execute(
                delete(text_rejections).where(text_rejections.c.id <= newest - keep)
            )
            return found.rowcount

    def spend(self, day: str, spent: Spent) -> None:
        """See Texts."""
        insert = self._bulk.insert(text_tokens).values(
            day=day, prompt=spent.prompt, completion=spent.completion
        )
        with self._write() as connection:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["day"],
                    set_={
                        "prompt": text_tokens.c.prompt + insert.excluded.prompt,
                        "completion": text_tokens.c.completion + insert.excluded.completion,
                    },
                )
            )

    def spent(self, day: str) -> Spent:
        """See Texts."""
        for row in self._rows(select(text_tokens).where(text_tokens.c.day == day)):
            return Spent(row.prompt, row.completion)
        return Spent()

    def published(self) -> int:
        """See Texts."""
        return self._number(_counter("texts_published"))

    def note_published(self, number: int) -> None:
        """See Texts."""
        with self._write() as connection:
            _note_published(connection, number)

    @contextmanager
    def publishing(self) -> Iterator[Callable[[int], None]]:
        """See Texts. SQLite is of one machine, and Kafka is not waited for in its one writer."""
        if self._bulk.one_writer:
            yield self.note_published
            return
        with self._write() as connection:
            self._bulk.hold(connection, [_PUBLISHING])
            yield partial(_note_published, connection)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._connections.transaction() as connection:
            try:
                yield connection
            except DBAPIError as error:
                raise translate(error) from error

    def _changed(self, table: Table, after: int, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
        statement = (
            select(table)
            .where(table.c.number > after)
            .order_by(table.c.number, table.c.key, table.c.segment, table.c.field)
            .limit(limit)
        )
        rows = self._rows(statement)
        if len(rows) < limit or rows[0].number == rows[-1].number:
            return rows
        # The last commit may be cut in two: it comes whole with the next call.
        return [row for row in rows if row.number < rows[-1].number]

    def _number(self, statement: Select[*tuple[Any, ...]]) -> int:
        ((number,),) = self._rows(statement)
        return int(number)

    def _put(self, connection: Connection, values: Mapping[str, object], name: str) -> None:
        self._upsert(connection, _TABLES[name], values, _PLACE)

    def _put_attempt(self, connection: Connection, attempt: Attempt) -> None:
        self._upsert(connection, text_attempts, dataclasses.asdict(attempt), ("key", "segment"))

    def _upsert(
        self,
        connection: Connection,
        table: Table,
        values: Mapping[str, object],
        place: Sequence[str],
    ) -> None:
        insert = self._bulk.insert(table).values(**values)
        others = {name: insert.excluded[name] for name in values if name not in place}
        connection.execute(insert.on_conflict_do_update(index_elements=list(place), set_=others))


_TABLES = {"texts": texts, "text_decisions": text_decisions}


def _stored_text(row: Row[*tuple[Any, ...]]) -> StoredText:
    return StoredText(**row._mapping)  # noqa: SLF001  # SQLAlchemy's name


def _dated(row: StoredText | Decision, number: int) -> dict[str, object]:
    return {**cast("dict[str, object]", dataclasses.asdict(row)), "number": number}


def _next_number(connection: Connection) -> int:
    """The next number; the counter's row orders all writers until their transactions end."""
    connection.execute(statements.advance_counter, {"of_name": "texts", "by": 1})
    return int(connection.execute(_counter("texts")).scalar_one())


def _withdraw(connection: Connection, key: ItemKey, segment: str, number: int) -> None:
    connection.execute(
        update(texts)
        .where(texts.c.key == key, texts.c.segment == segment, texts.c.text.is_not(None))
        .values(text=None, number=number)
    )


def _make_due(connection: Connection, key: ItemKey, segment: str) -> None:
    """Have it tried again. The attempts stay, so that the texts go if the item changes before."""
    tried = update(text_attempts).where(text_attempts.c.key == key).values(recipe="")
    if segment != ALL:
        tried = tried.where(text_attempts.c.segment == segment)
    connection.execute(tried)


def _note_published(connection: Connection, number: int) -> None:
    connection.execute(statements.raise_counter, {"of_name": "texts_published", "to": number})


def _add_rejections(connection: Connection, rejections: Sequence[Rejection]) -> None:
    for rejection in rejections:
        values = dataclasses.asdict(rejection)
        del values["id"]
        connection.execute(text_rejections.insert().values(**values))
