"""The contract of written texts, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from clickwise.errors import UnavailableError
from clickwise.state.port import ItemWrite, StoredActivity
from clickwise.state.sql import SqlState, open_state
from clickwise.state.text_port import ALL, Attempt, Decision, Rejection, Spent, StoredText
from clickwise.state.understandings import StoredUnderstanding
from clickwise.types import ItemId, ModelVersion, item_key

NOW = datetime(2026, 11, 25, 8, 30, 0, 123456, tzinfo=UTC)
SEGMENT = "en:00000000"
RECIPE = "recipe-1"
GUESSED = "recipe-1?"


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlState]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'state.db'}"
    else:
        url = str(request.getfixturevalue("postgres_url"))
    state = open_state(url, timeout_seconds=5.0, pool_size=4)
    state.migrate()
    yield state
    state.close()


def put(state: SqlState, *names: str, body: bytes | None = b"{}") -> int:
    rows = [
        ItemWrite(
            key=item_key(name), id=ItemId(name), body=body, model=ModelVersion("m"),
            vector=b"v" if body is not None else None,
        )
        for name in names
    ]  # fmt: skip
    with state.write() as write:
        return write.put_items(rows)


def text(name: str, change: int, field: str = "title", *, segment: str = SEGMENT) -> StoredText:
    return StoredText(
        key=item_key(name), segment=segment, field=field, item=ItemId(name), topic="",
        text=f"{field} of {name}", title=name, change=change, prompt="news/title@1", model="m",
        number=0, made=NOW,
    )  # fmt: skip


def attempt(name: str, change: int, *, segment: str = SEGMENT, recipe: str = RECIPE) -> Attempt:
    return Attempt(
        key=item_key(name), segment=segment, change=change, digest="d", recipe=recipe,
        accepted=1, rejected=0, at=NOW,
    )  # fmt: skip


def rejection(name: str, reason: str = "number") -> Rejection:
    return Rejection(
        key=item_key(name), item=ItemId(name), segment=SEGMENT, field="title", reason=reason,
        detail="7", text="7 robots", prompt="p", model="m", at=NOW,
    )  # fmt: skip


def understood(name: str, change: int) -> StoredUnderstanding:
    return StoredUnderstanding(
        key=item_key(name), change=change, methods="m", reason="", body=b"{}", signature=b"",
        bands=(),
    )  # fmt: skip


def decision(name: str, action: str = "block", *, segment: str = ALL) -> Decision:
    return Decision(
        key=item_key(name), segment=segment, field=ALL, item=ItemId(name), action=action, text="",
        title="", number=0, at=NOW,
    )  # fmt: skip


class TestDue:
    def test_an_item_without_an_attempt_is_due(self, state: SqlState) -> None:
        put(state, "a", "b")

        found = state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=1)

        assert [one.item for one in found] == ["b"]  # the newest first
        assert state.texts.count_due(SEGMENT, RECIPE, guessed=GUESSED) == 2

    def test_the_most_popular_comes_first(self, state: SqlState) -> None:
        put(state, "a", "b")
        with state.write() as write:
            write.put_activity({item_key("a"): StoredActivity(3.0, b"x")})

        found = state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5)

        assert [(one.item, one.log_score) for one in found] == [("a", 3.0), ("b", None)]
        assert [one.item for one in state.texts.popular(5)] == ["a"]

    def test_an_item_that_was_tried_is_not_due(self, state: SqlState) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change), [text("a", change)], [])

        assert state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5) == []
        assert state.texts.count_due(SEGMENT, RECIPE, guessed=GUESSED) == 0

    @pytest.mark.parametrize("what", ["change", "recipe", "segment"])
    def test_another_change_recipe_or_segment_makes_it_due(self, state: SqlState, what) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change), [], [])
        if what == "change":
            put(state, "a", body=b'{"new": 1}')

        segment = "pt:00000000" if what == "segment" else SEGMENT
        recipe = "recipe-2" if what == "recipe" else RECIPE

        due = state.texts.due(segment, recipe, guessed=GUESSED, limit=5)
        assert [one.item for one in due] == ["a"]

    def test_a_guess_is_due_again_once_the_item_is_understood(self, state: SqlState) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change, recipe=GUESSED), [], [])
        before = state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5)

        state.understandings.put([understood("a", change)])

        due = state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5)
        assert (before, [one.item for one in due]) == ([], ["a"])
        assert state.texts.count_due(SEGMENT, RECIPE, guessed=GUESSED) == 1

    def test_bodies_are_read_of_what_is_returned_alone(self, state: SqlState) -> None:
        put(state, *(f"i{number}" for number in range(9)))
        said: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
            del connection, cursor, rest
            said.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            found = state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=2)
        finally:
            event.remove(Engine, "before_cursor_execute", note)

        (sorting,) = [one for one in said if "ORDER BY" in one]
        assert "body" not in sorting.partition("FROM")[0]
        assert [one.body for one in found] == [b"{}"] * 2

    def test_a_deleted_item_is_not_due(self, state: SqlState) -> None:
        put(state, "a")
        put(state, "a", body=None)

        assert state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5) == []
        assert state.texts.count_due(SEGMENT, RECIPE, guessed=GUESSED) == 0


class TestRecord:
    def test_texts_come_back_as_they_were_stored(self, state: SqlState) -> None:
        change = put(state, "a")
        stored = text("a", change)

        assert state.texts.record(attempt("a", change), [stored], [rejection("a")])

        number = state.texts.newest_number()
        assert state.texts.texts_of(item_key("a")) == [replace(stored, number=number)]
        assert state.texts.attempts([item_key("a")]) == [attempt("a", change)]
        assert [one.reason for one in state.texts.rejections(limit=5)] == ["number"]

    def test_nothing_is_stored_for_an_item_that_changed_meanwhile(self, state: SqlState) -> None:
        change = put(state, "a")
        put(state, "a", body=b'{"new": 1}')

        assert not state.texts.record(attempt("a", change), [text("a", change)], [])

        assert state.texts.texts_of(item_key("a")) == []
        assert state.texts.attempts([item_key("a")]) == []

    def test_what_a_segment_had_before_is_withdrawn(self, state: SqlState) -> None:
        change = put(state, "a")
        both = [text("a", change), text("a", change, "summary")]
        state.texts.record(attempt("a", change), both, [])
        seen = state.texts.newest_number()

        state.texts.record(attempt("a", change), [text("a", change)], [])

        changed = state.texts.texts_changed(after=seen, limit=10)
        assert {one.field: one.text for one in changed} == {"title": "title of a", "summary": None}

    def test_numbers_grow_and_commits_are_not_cut(self, state: SqlState) -> None:
        change = put(state, "a", "b")
        first = change - 1
        state.texts.record(attempt("a", first), [text("a", first), text("a", first, "summary")], [])
        state.texts.record(
            attempt("b", change), [text("b", change), text("b", change, "summary")], []
        )

        page = state.texts.texts_changed(after=0, limit=3)
        rest = state.texts.texts_changed(after=page[-1].number, limit=3)

        assert [one.item for one in page] == ["a", "a"]
        assert [one.item for one in rest] == ["b", "b"]
        assert [one.item for one in state.texts.newest_texts(limit=1)] == ["b"]

    def test_kept_texts_belong_to_the_new_change(self, state: SqlState) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change), [text("a", change)], [])
        again = put(state, "a")
        ((candidate, tried),) = state.texts.outdated(after=change, limit=5)
        assert (candidate.change, tried.change) == (again, change)

        state.texts.keep(replace(tried, change=again))

        assert state.texts.outdated(after=0, limit=5) == []
        assert [one.change for one in state.texts.texts_of(item_key("a"))] == [again]

    def test_withdrawn_texts_are_due_again(self, state: SqlState) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change), [text("a", change)], [])

        state.texts.withdraw(attempt("a", change))

        assert state.texts.texts_of(item_key("a")) == []
        assert state.texts.count_due(SEGMENT, RECIPE, guessed=GUESSED) == 1

    def test_texts_that_were_written_anew_since_are_not_withdrawn(self, state: SqlState) -> None:
        change = put(state, "a")
        old = attempt("a", change)
        state.texts.record(old, [text("a", change)], [])
        again = put(state, "a", body=b'{"new": 1}')
        state.texts.record(attempt("a", again), [text("a", again)], [])

        state.texts.withdraw(old)

        assert [one.change for one in state.texts.texts_of(item_key("a"))] == [again]
        assert state.texts.attempts([item_key("a")]) == [attempt("a", again)]


class TestPeople:
    def test_a_decision_replaces_the_one_before_it(self, state: SqlState) -> None:
        state.texts.decide([decision("a")])
        seen = state.texts.newest_number()

        state.texts.decide([decision("a", "none")])

        assert state.texts.decisions_of(item_key("a")) == []
        changed = state.texts.decisions_changed(after=seen, limit=5)
        assert [one.action for one in changed] == ["none"]

    @pytest.mark.parametrize("segment", [ALL, SEGMENT])
    def test_where_a_decision_is_taken_back_texts_are_due_again(
        self, state: SqlState, segment
    ) -> None:
        change = put(state, "a")
        state.texts.decide([decision("a", segment=segment)])
        state.texts.record(attempt("a", change), [], [])
        before = state.texts.count_due(SEGMENT, RECIPE, guessed=GUESSED)

        state.texts.decide([decision("a", "none", segment=segment)])

        due = state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5)
        assert (before, [one.item for one in due]) == (0, ["a"])

    def test_texts_of_others_are_not_due_where_a_decision_is_taken_back(
        self, state: SqlState
    ) -> None:
        change = put(state, "a", "b")
        state.texts.record(attempt("a", change - 1), [], [])
        state.texts.record(attempt("b", change), [], [])

        state.texts.decide([decision("a", "none", segment="own:00000007")])
        state.texts.decide([decision("c", "none")])

        assert state.texts.due(SEGMENT, RECIPE, guessed=GUESSED, limit=5) == []

    def test_what_is_written_stays_where_a_decision_is_taken_back(self, state: SqlState) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change), [text("a", change)], [])

        state.texts.decide([decision("a", "none")])

        assert [one.text for one in state.texts.texts_of(item_key("a"))] == ["title of a"]

    def test_where_a_decision_is_taken_back_texts_still_go_with_the_items_change(
        self, state: SqlState
    ) -> None:
        change = put(state, "a")
        state.texts.record(attempt("a", change), [text("a", change)], [])
        state.texts.decide([decision("a", "none")])
        put(state, "a", body=b'{"new": 1}')

        ((_, tried),) = state.texts.outdated(after=change, limit=5)
        state.texts.withdraw(tried)

        assert state.texts.texts_of(item_key("a")) == []

    def test_what_stands_decided_is_listed_newest_first(self, state: SqlState) -> None:
        for name in ("a", "b", "c"):
            state.texts.decide([decision(name)])
        state.texts.decide([decision("c", "none")])

        found = state.texts.newest_decisions(limit=9)

        assert [one.item for one in found] == ["b", "a"]
        assert state.texts.newest_decisions(limit=1) == found[:1]

    def test_rejections_are_newest_first_and_bounded(self, state: SqlState) -> None:
        for number in range(5):
            state.texts.refuse([rejection(f"i{number}")])

        assert state.texts.prune_rejections(keep=2) == 3

        kept = state.texts.rejections(limit=9)
        assert [one.item for one in kept] == ["i4", "i3"]
        assert state.texts.rejections(limit=9, before=kept[0].id) == kept[1:]
        assert state.texts.rejections(limit=9, key=item_key("i3")) == kept[1:]


class TestTokens:
    def test_a_days_tokens_add_up(self, state: SqlState) -> None:
        state.texts.spend("2026-11-25", Spent(10, 2))
        state.texts.spend("2026-11-25", Spent(5, 1))

        assert state.texts.spent("2026-11-25") == Spent(15, 3)
        assert state.texts.spent("2026-11-26").tokens == 0


class TestPublished:
    def test_what_the_topic_holds_never_goes_back(self, state: SqlState) -> None:
        assert state.texts.published() == 0

        state.texts.note_published(7)
        state.texts.note_published(3)

        assert state.texts.published() == 7

    def test_what_is_noted_while_publishing_is_kept(self, state: SqlState) -> None:
        with state.texts.publishing() as note:
            note(5)

        assert state.texts.published() == 5

    def test_one_machine_publishes_at_a_time(self, postgres_url: str) -> None:
        first = open_state(postgres_url, timeout_seconds=5.0, pool_size=2)
        second = open_state(postgres_url, timeout_seconds=0.3, pool_size=2)
        first.migrate()
        second.newest_change()
        with first.texts.publishing(), pytest.raises(UnavailableError), second.texts.publishing():
            pass

        first.close()
        second.close()
