"""How far attacks get is read from the lists before and after them."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from clickwise.items import parse_item
from training.evaluation.attacks import (
    AttackOutcome,
    AttackReport,
    Standing,
    attacks,
    copies,
    crowd,
    flood,
    simulate,
    standing,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class CountingSite:
    """Everybody is shown what was posted most often, among the newest items first."""

    def __init__(self, most):
        """An event of one user counts at most `most` times for an item."""
        self.most = most
        self.counts = {f"i{n}": {"honest": 20 - n} for n in range(12)}
        self.new = []

    def put(self, items):
        self.new += [item.id for item in items]

    def post(self, events):
        for event in events:
            users = self.counts.setdefault(event.item, {})
            users[event.user] = users.get(event.user, 0) + 1

    def page(self, user):
        del user  # all get the same
        return [*self.new[: self.most], *self.trending()][:10]

    def trending(self):
        def weight(item):
            users = self.counts[item]
            return sum(n if user == "honest" else min(n, self.most) for user, n in users.items())

        return sorted(self.counts, key=lambda item: (-weight(item), item))


def opened(most):
    @contextmanager
    def one():
        yield CountingSite(most)

    return one


def item(name):
    return parse_item({"id": name, "kind": "video", "title": name}, received=NOW)[0]


def test_an_attack_is_played_on_a_site_of_its_own_under_each_of_the_bounds():
    played = [flood("i11", clicks=500, now=NOW), crowd("i10", fakes=3, now=NOW)]

    report = simulate(played, {"bounded": opened(1), "unbounded": opened(10**6)}, ["anna"])

    assert [(one.attack, one.bounds) for one in report.outcomes] == [
        ("one user, 500 clicks", "bounded"), ("one user, 500 clicks", "unbounded"),
        ("3 fake users", "bounded"), ("3 fake users", "unbounded"),
    ]  # fmt: skip
    bounded, unbounded, *_ = report.outcomes
    assert bounded.before == unbounded.before
    assert (bounded.before.trending, bounded.after.trending) == (12, 12)
    assert (unbounded.after.trending, unbounded.after.unknown, unbounded.after.share) == (1, 1, 1.0)


def test_a_standing_counts_the_pushed_items_in_lists():
    site = CountingSite(3)
    site.put([item("new0"), item("new1")])

    found = standing(site, frozenset({"new0", "new1", "i0"}), ["anna", "ben"])

    assert found == Standing(trending=1, unknown=1, share=1.0, mean=3.0, most=3)


def test_who_pushes_nothing_stands_nowhere():
    found = standing(CountingSite(1), frozenset({"elsewhere"}), ["anna"])

    assert found == Standing(trending=None, unknown=None, share=0.0, mean=0.0, most=0)


def test_copies_have_a_known_text_and_ids_of_their_own_and_aim_at_a_reader():
    attack = copies(item("original"), number=3, now=NOW)

    assert {one.title for one in attack.items} == {"original"}
    assert {one.id for one in attack.items} == attack.pushed
    assert len(attack.pushed) == 3
    assert [(event.user, event.item) for event in attack.events] == [("reader", "original")]


def test_a_disguised_user_looks_at_popular_items_first():
    attack = crowd("i9", fakes=2, now=NOW, disguise=["i0", "i1", "i2"])

    first = [event.item for event in attack.events if event.user == "disguised-1"]
    assert first[:6] == ["i1", "i2", "i0", "i1", "i2", "i9"]
    assert len({event.id for event in attack.events}) == len(attack.events)


@pytest.mark.case(19)
def test_the_usual_attacks_fit_into_the_last_hour_and_grow_with_the_site():
    trending = [f"i{n}" for n in range(12)]
    items = {name: item(name) for name in trending}

    played = attacks(users=900, trending=trending, items=items, now=NOW)

    events = [event for attack in played for event in attack.events]
    assert all(NOW - timedelta(hours=1) <= event.time <= NOW for event in events)
    assert len({event.user for event in played[0].events}) == 9
    assert played[0].pushed == {"i6"}


def test_the_report_is_a_table_with_a_row_for_each_outcome():
    none = Standing(trending=None, unknown=None, share=0.0, mean=0.0, most=0)
    outcome = AttackOutcome(attack="a", bounds="b", before=none, after=none)

    table = AttackReport(num_honest=5, outcomes=(outcome, outcome)).table()

    assert len(table.rows) == 2
    assert all(len(row) == len(table.columns) for row in table.rows)
