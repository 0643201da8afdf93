"""The data sheet counts right, and says what to be wary of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from clickwise.errors import ConfigurationError
from clickwise.types import EVENT_CODES, EventType
from tests.unit.training.evaluation_sites import DAY, NOON, log_of
from training.data import Dataset, Items
from training.prepare import Intake, data_sheet, markdown, read_sheet, write_sheet
from training.prepare.drift import kl, psi
from training.prepare.quiet import quiet_days

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CLICK, HIDE = EVENT_CODES[EventType.CLICK], EVENT_CODES[EventType.HIDE]
START = 1.4e9 // DAY * DAY


def catalog(number, **fields):
    return Items(
        ids=tuple(f"i{n}" for n in range(number)),
        titles=("title",) * number,
        topics=((),) * number,
        kinds=("news",) * number,
        languages=("en",) * number,
        published_I=np.zeros(number),
        texts=("text",) * number,
        **fields,
    )


def site(rows, *, items=50, users=400, **fields):
    return Dataset(
        "site", log_of(rows), catalog(items), tuple(f"u{n}" for n in range(users)), **fields
    )


def sheet_of(dataset, *, last=None, **intake):
    return data_sheet(dataset, Intake(**intake), now=NOW, last=last)


def steady(days, *, a_day=40, start=START, seed=1, items=50, users=400):
    """Events of a site on which nothing changes: users and items drawn alike every day."""
    draw = np.random.default_rng(seed)
    days_N = np.repeat(np.arange(days), a_day)
    users_N = draw.integers(users, size=len(days_N))
    items_N = (items * draw.random(len(days_N)) ** 2).astype(int)
    times_N = start + DAY * (days_N + draw.random(len(days_N)))
    return list(zip(users_N.tolist(), items_N.tolist(), times_N.tolist(), strict=True))


def drawn(number, **options):
    return steady(1, a_day=number, **options)


def test_counts_and_span():
    rows = [
        (0, 0, NOON), (0, 1, NOON + 1),
        (1, 0, NOON + 2, CLICK, 0.0), (1, 1, NOON + DAY, HIDE, -1.0),
    ]  # fmt: skip

    sheet = sheet_of(site(rows, items=3), duplicates=4, refused=2)

    assert (sheet.events, sheet.positive, sheet.negative) == (4, 2, 1)
    assert (sheet.users, sheet.items, sheet.items_with_events) == (2, 3, 2)
    assert (sheet.duplicates, sheet.refused) == (4, 2)
    assert sheet.event_types == {EventType.CLICK: 3, EventType.HIDE: 1}
    assert sheet.first == datetime.fromtimestamp(NOON, UTC)
    assert sheet.last - sheet.first == timedelta(days=1)
    assert (sheet.kinds, sheet.languages) == ({"news": 3}, {"en": 3})


def test_users_are_counted_by_the_length_of_their_history():
    rows = [
        (user, 0, NOON + n) for user, number in enumerate((1, 2, 7, 250)) for n in range(number)
    ]

    lengths = {one.least: (one.users, one.events) for one in sheet_of(site(rows)).history_lengths}

    assert {least: pair for least, pair in lengths.items() if pair[0]} == {
        1: (1, 1), 2: (1, 2), 5: (1, 7), 200: (1, 250),
    }  # fmt: skip


def test_a_source_without_times_has_no_span_and_says_so():
    sheet = sheet_of(site([(0, 0, 0.0), (1, 1, 1.0)], timed=False))

    assert (sheet.first, sheet.last, sheet.quiet) == (None, None, ())
    assert "Times are not known: only the order of events is." in sheet.warnings


def test_silent_and_quiet_days_are_found_and_told():
    rows = [row for row in steady(60) if not 20 <= (row[2] - START) // DAY <= 22]
    low = [row for row in rows if (row[2] - START) // DAY == 40]
    for row in low[4:]:
        rows.remove(row)

    sheet = sheet_of(site(rows))

    silent, quiet = sheet.quiet
    day = np.datetime64(int(START), "s").astype("datetime64[D]")
    assert (silent.first, silent.last, silent.events) == (str(day + 20), str(day + 22), 0)
    assert (quiet.first, quiet.days, quiet.events, quiet.usual) == (str(day + 40), 1, 4, 40.0)
    assert any(f"{day + 20} to {day + 22}: no events" in words for words in sheet.warnings)


def test_a_site_with_an_event_now_and_then_has_no_silent_days():
    times = START + DAY * np.arange(0.0, 200.0, 3.0)

    assert quiet_days(times) == ()


def test_the_first_and_the_last_day_may_be_short():
    rows = np.sort([row[2] for row in steady(40)])

    assert quiet_days(rows[(rows > START + 0.95 * DAY) & (rows < START + 39.02 * DAY)]) == ()


@pytest.mark.parametrize(
    ("intake", "words"),
    [
        ({"lost": 7}, "7 events had been forgotten"),
        ({"refused": 3}, "3 messages broke their schema"),
        ({"duplicates": 500}, "500 events came more than once"),
        (
            {"unknown": frozenset(f"i{n}" for n in range(10))},
            "10 items that are not in the catalog",
        ),
    ],
)
def test_what_is_missing_is_said_in_words(intake, words):
    said = sheet_of(site(steady(60)), **intake).warnings

    assert any(words in sentence for sentence in said)


def test_a_flood_of_one_user_is_said():
    rows = steady(60) + [(0, 1, START + n) for n in range(300)]

    assert any("One user made 11%" in words for words in sheet_of(site(rows)).warnings)


def test_items_without_text_are_said():
    dataset = site(steady(60))
    bare = replace(dataset, items=replace(dataset.items, texts=("",) * 20 + ("text",) * 30))

    assert any("20 of 50 items have no text" in words for words in sheet_of(bare).warnings)


def test_ordinary_data_gives_no_warning():
    assert sheet_of(site(steady(60))).warnings == ()


class TestDrift:
    later = START + 60 * DAY

    def before(self):
        return steady(60)

    def sheet(self, since):
        """The sheet of the site after these further events."""
        last = sheet_of(site(self.before()))
        return sheet_of(site(self.before() + since, items=100, users=800), last=last)

    def test_more_of_the_same_is_no_drift(self):
        sheet = self.sheet(drawn(800, start=self.later, seed=2))

        assert sheet.drift.events == 800
        assert sheet.drift.event_types_psi == 0.0
        assert sheet.drift.items_psi < 0.03
        assert sheet.drift.items_kl < 0.03
        assert sheet.warnings == ()

    def test_other_things_done_are_told(self):
        since = [(*row, HIDE, -1.0) for row in drawn(400, start=self.later)]

        sheet = self.sheet(since + drawn(400, start=self.later))

        assert sheet.drift.event_types_psi > 0.25
        assert any("What people do has shifted much" in words for words in sheet.warnings)

    def test_other_items_liked_are_told(self):
        since = [(user, 49 - item, time) for user, item, time in drawn(800, start=self.later)]

        sheet = self.sheet(since)

        assert sheet.drift.items_psi > 0.25
        assert sheet.drift.items_kl > 0.25
        assert any("What people like has shifted much" in words for words in sheet.warnings)

    def test_new_items_and_new_users_are_told(self):
        since = [(user + 400, item + 50, time) for user, item, time in drawn(300, start=self.later)]

        sheet = self.sheet(since + drawn(100, start=self.later))

        assert sheet.drift.new_items_share == 0.75
        assert sheet.drift.new_users_share > 0.5
        assert any("items that it had not seen" in words for words in sheet.warnings)

    def test_a_handful_of_events_is_no_ground_for_a_warning(self):
        since = [(user, 49 - item, time) for user, item, time in drawn(20, start=self.later)]

        assert self.sheet(since).warnings == ()

    def test_without_new_events_there_is_none(self):
        assert self.sheet([]).drift is None

    def test_chance_alone_is_near_zero(self):
        draw = np.random.default_rng(3)
        same = [draw.multinomial(2_000, [0.02] * 50).astype(float) for _ in range(20)]

        assert np.mean([psi(a, b) for a, b in zip(same[::2], same[1::2], strict=True)]) < 0.01
        assert np.mean([kl(a, b) for a, b in zip(same[::2], same[1::2], strict=True)]) < 0.01

    def test_the_index_of_known_shares_is_the_formulas(self):
        before, since = np.array([5e8, 5e8]), np.array([9e8, 1e8])

        assert psi(before, since) == pytest.approx(0.4 * np.log(1.8) - 0.4 * np.log(0.2), rel=1e-6)
        assert kl(before, since) == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2), rel=1e-6)


def test_a_sheet_is_read_as_it_was_written(tmp_path):
    last = sheet_of(site(steady(60)))
    sheet = sheet_of(site(steady(60) + drawn(300, start=START + 60 * DAY)), last=last)

    write_sheet(tmp_path, sheet)

    assert read_sheet(tmp_path) == sheet
    assert (tmp_path / "data-sheet.md").read_text() == markdown(sheet)


def test_no_sheet_is_none_and_a_broken_one_is_said(tmp_path):
    assert read_sheet(tmp_path) is None
    (tmp_path / "data-sheet.json").write_text("{}")

    with pytest.raises(ConfigurationError, match=r"data-sheet\.json"):
        read_sheet(tmp_path)


def test_the_page_holds_warnings_counts_and_drift():
    last = sheet_of(site(steady(60)))
    page = markdown(
        sheet_of(site(steady(60) + drawn(300, start=START + 60 * DAY)), last=last, lost=9)
    )

    assert "- Up to 9 events had been forgotten" in page
    assert "| events | 2,700 |" in page
    assert "| events since | 300 |" in page
    assert "| language: en | 50 | 100.0% |" in page


def test_a_sheet_names_no_user():
    sheet = sheet_of(replace(site(steady(60)), user_ids=tuple(f"secret{n}" for n in range(400))))

    assert "secret" not in markdown(sheet) + repr(sheet)
