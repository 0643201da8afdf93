"""Which words a reader is shown, and how a serving process comes to know them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from clickwise.errors import UnavailableError
from clickwise.state.text_port import ALL, Decision, StoredText
from clickwise.types import ItemId, item_key, topic_code
from clickwise.writing.comparison import Tally, compare, wilson
from clickwise.writing.overlay import Entry, words_of
from clickwise.writing.segments import (
    EVERYBODY,
    OWN,
    Segment,
    Shares,
    looked_up,
    main_topic,
    segments_of,
)
from clickwise.writing.shelf import DecidedAlone, Shelf

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OWN_TITLE = "Own title"
FOR_ALL = Segment(OWN).key
TRAMS = Segment(OWN, topic_code("trams")).key


def text(words="Written", *, field="title", segment=FOR_ALL, item="a", number=1, title=OWN_TITLE):
    return StoredText(
        key=item_key(item), segment=segment, field=field, item=ItemId(item), topic="", text=words,
        title=title, change=1, prompt="p", model="m", number=number, made=NOW,
    )  # fmt: skip


def decision(action, words="By hand", *, field=ALL, segment=ALL, title=OWN_TITLE, item="a"):
    return Decision(
        key=item_key(item), segment=segment, field=field, item=ItemId(item), action=action,
        text=words, title=title, number=9, at=NOW,
    )  # fmt: skip


def words(texts=(), decisions=(), *, title=OWN_TITLE, segments=(FOR_ALL,), held=False):
    entry = Entry().changed(texts, decisions)
    return words_of(entry, title, segments, held=held)


class TestWords:
    def test_without_a_text_an_item_speaks_for_itself(self):
        found = words()

        assert (found.shown, found.title, found.version) == ("own", OWN_TITLE, 0)

    def test_all_fields_that_are_ready_are_shown(self):
        found = words(
            [text(), text("Sum", field="summary"), text("One\nTwo", field="key_points", number=4)]
        )

        assert (found.shown, found.title, found.summary) == ("written", "Written", "Sum")
        assert found.key_points == ("One", "Two")
        assert (found.segment, found.version) == (FOR_ALL, 4)

    def test_the_readers_own_topic_goes_before_everybody(self):
        texts = [text(), text("For riders", segment=TRAMS)]

        assert words(texts, segments=(TRAMS, FOR_ALL)).title == "For riders"
        assert words(texts).title == "Written"

    def test_a_text_from_another_title_is_not_shown(self):
        assert words([text()], title="A new title").shown == "own"

    def test_a_held_out_reader_sees_the_items_own_words(self):
        found = words([text(), text("Sum", field="summary")], held=True)

        assert (found.shown, found.title, found.summary) == ("held", OWN_TITLE, "")

    def test_a_held_out_reader_counts_only_where_a_text_is_ready(self):
        assert words(held=True).shown == "own"


class TestDecisions:
    def test_blocked_words_are_not_shown(self):
        assert words([text()], [decision("block")]).shown == "own"

    def test_a_blocked_field_leaves_the_others(self):
        texts = [text(), text("Sum", field="summary")]

        found = words(texts, [decision("block", field="title")])

        assert (found.title, found.summary) == (OWN_TITLE, "Sum")

    def test_edited_words_go_before_written_ones_for_everybody(self):
        for held in (False, True):
            found = words([text()], [decision("edit", field="title")], held=held)

            assert (found.shown, found.title) == ("edited", "By hand")

    def test_an_edit_ends_with_the_items_title_and_a_pin_does_not(self):
        edited = words([], [decision("edit", field="title")], title="A new title")
        pinned = words([], [decision("pin", field="title")], title="A new title")

        assert edited.shown == "own"
        assert (pinned.shown, pinned.title) == ("edited", "By hand")

    def test_an_edit_that_has_ended_does_not_hide_a_block_of_all_fields(self):
        decisions = [decision("edit", field="title", title="Before"), decision("block")]

        assert words([text()], decisions).shown == "own"

    def test_what_is_taken_back_has_no_effect(self):
        assert words([text()], [decision("block"), decision("none")]).shown == "written"


class Rows:
    """The part of Texts that a shelf reads, in memory."""

    def __init__(self):
        self.rows = []
        self.decided = []
        self.reads = 0

    def newest_number(self):
        return max((one.number for one in (*self.rows, *self.decided)), default=0)

    def texts_changed(self, *, after, limit):
        self.reads += 1
        return sorted((r for r in self.rows if r.number > after), key=lambda r: r.number)[:limit]

    def decisions_changed(self, *, after, limit):
        return [one for one in self.decided if one.number > after][:limit]

    def texts_of(self, key):
        return [one for one in self.rows if one.key == key and one.text is not None]

    def decisions_of(self, key):
        return [one for one in self.decided if one.key == key]


class TestShelf:
    def shown(self, shelf, item="a"):
        return shelf.of(item_key(item), OWN_TITLE, (FOR_ALL,), held=False).shown

    def test_what_changed_is_seen_after_a_refresh(self):
        rows = Rows()
        shelf = Shelf(rows, holdout=0.0)
        rows.rows.append(text())

        before = self.shown(shelf)
        shelf.refresh()

        assert (before, self.shown(shelf)) == ("own", "written")

    def test_where_no_model_writes_a_persons_word_is_shown_and_a_models_is_not(self):
        rows = Rows()
        rows.rows = [text(), text(item="b", number=2)]
        rows.decided = [decision("edit", field="title", item="b")]
        shelf = Shelf(DecidedAlone(rows), holdout=0.0, most=1)

        shelf.refresh()

        assert [self.shown(shelf, item) for item in "ab"] == ["own", "edited"]

    def test_withdrawn_texts_go(self):
        rows = Rows()
        rows.rows = [text()]
        shelf = Shelf(rows, holdout=0.0)
        shelf.refresh()

        rows.rows = [replace(text(), text=None, number=2)]
        shelf.refresh()

        assert self.shown(shelf) == "own"

    def test_what_is_blocked_is_not_shown_while_the_decisions_cannot_be_read(self):
        class Failing(Rows):
            def decisions_changed(self, *, after, limit):
                del after, limit
                raise UnavailableError("the database does not answer")

        rows = Failing()
        rows.rows, rows.decided = [text()], [decision("block")]
        shelf = Shelf(rows, holdout=0.0)

        with pytest.raises(UnavailableError):
            shelf.refresh()

        assert self.shown(shelf) == "own"

    def test_items_that_are_asked_for_meanwhile_wait_for_the_next_refresh(self):
        class Busy(Rows):
            fetched: ClassVar = []

            def texts_of(self, key):
                self.fetched.append(key)
                shelf.of(item_key(f"i{len(self.fetched)}"), OWN_TITLE, (FOR_ALL,), held=False)
                return super().texts_of(key)

        rows = Busy()
        shelf = Shelf(rows, holdout=0.0, most=1)
        rows.rows = [text(item=f"i{number}", number=number + 1) for number in range(30)]
        shelf.refresh()
        self.shown(shelf, "i0")

        shelf.refresh()

        assert rows.fetched == [item_key("i0")]

    def test_a_look_never_reads_the_database(self):
        rows = Rows()
        shelf = Shelf(rows, holdout=0.0)
        rows.rows.append(text())

        self.shown(shelf)

        assert rows.reads == 0

    def test_over_its_bound_the_unused_go_first_and_come_back_when_asked_for(self):
        rows = Rows()
        shelf = Shelf(rows, holdout=0.0, most=2)
        rows.rows = [text(item="a", number=1), text(item="b", number=2)]
        shelf.refresh()
        self.shown(shelf, "a")

        rows.rows.append(text(item="c", number=3))
        shelf.refresh()

        assert [self.shown(shelf, name) for name in "abc"] == ["written", "own", "written"]
        shelf.refresh()
        assert self.shown(shelf, "b") == "written"

    def test_the_same_share_of_readers_is_always_held_out(self):
        shelf = Shelf(Rows(), holdout=0.2)
        readers = [f"user-{number}" for number in range(2_000)]

        held = [reader for reader in readers if shelf.is_held(reader)]

        assert 0.16 < len(held) / len(readers) < 0.24
        assert held == [reader for reader in readers if Shelf(Rows(), holdout=0.2).is_held(reader)]
        assert not any(Shelf(Rows(), holdout=0.0).is_held(reader) for reader in readers)


class TestSegments:
    def test_a_key_reads_back(self):
        segment = Segment("pt", topic_code("trams"))

        assert Segment.parse(segment.key) == segment

    @pytest.mark.parametrize(
        "key",
        [
            "", "en", "en:12", "en:zzzzzzzz", ":00000000", "en-US:00000000", "EN:00000000",
            "en:0000_001", "en:ffffffff", "en:5F3A0C11", " en:00000000", "en:00000000\n",
        ],
    )  # fmt: skip
    def test_what_no_reader_is_in_is_refused(self, key):
        with pytest.raises(ValueError, match="segment such as own:00000000"):
            Segment.parse(key)

    def test_a_reader_is_looked_up_from_the_nearest_to_everybody(self):
        code = topic_code("trams")

        assert looked_up("pt", code) == (
            Segment("pt", code).key, Segment("pt").key, TRAMS, FOR_ALL,
        )  # fmt: skip
        assert looked_up("", EVERYBODY) == (FOR_ALL,)

    def test_the_main_topic_is_what_weighs_most_and_enough(self):
        assert main_topic({1: 3.0, 2: 1.0, 3: -9.0}) == 1
        assert main_topic(dict.fromkeys(range(1, 9), 1.0)) == EVERYBODY
        assert main_topic({1: -1.0}) == EVERYBODY
        assert main_topic({5: 1.0, 2: 1.0}) == main_topic({2: 1.0, 5: 1.0})

    def test_an_item_is_written_for_the_topics_with_most_readers(self):
        shares = Shares({topic_code("a"): 0.1, topic_code("b"): 0.5}, 10)

        chosen = segments_of(["a", "b", "c"], shares=shares, most=3)

        assert [(one.segment.language, one.topic) for one in chosen] == [
            ("own", ""), ("own", "b"), ("own", "a"),
        ]  # fmt: skip


class TestComparison:
    def test_a_difference_has_an_interval_that_holds_it(self):
        written, held = Tally(), Tally()
        for number in range(400):
            written.add(f"w{number}", [number % 4 == 0, False])
            held.add(f"h{number}", [number % 8 == 0, False])

        found = compare({"written": written, "held": held})

        assert found.written.rate == 0.125
        assert found.held.rate == 0.0625
        assert found.difference == 0.0625
        assert 0.0 < found.low < found.difference < found.high

    def test_a_reader_who_clicks_much_widens_the_interval(self):
        def interval(written):
            held = Tally()
            for number in range(100):
                held.add(f"h{number}", [number % 10 == 0])
            found = compare({"written": written, "held": held})
            return found.high - found.low

        spread, together = Tally(), Tally()
        for number in range(100):
            spread.add(f"w{number}", [number % 10 == 0] * 10)
            together.add("one" if number % 10 == 0 else f"w{number}", [number % 10 == 0] * 10)

        assert interval(together) > interval(spread)

    def test_an_arm_without_readers_is_not_compared(self):
        written = Tally()
        written.add("w", [True])

        found = compare({"written": written, "held": Tally()})

        assert found.difference is None
        assert (found.held.low, found.held.high) == (0.0, 1.0)

    def test_wilsons_interval_is_the_published_one(self):
        low, high = wilson(10, 100)

        assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)
