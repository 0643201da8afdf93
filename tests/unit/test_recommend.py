"""One request followed, on a small site in one process."""

from datetime import timedelta

import pytest

from clickwise.errors import InvalidInputError, NotFoundError, UnavailableError
from clickwise.ranking import Policy
from clickwise.recommend.answers import ContextEvent
from clickwise.types import EventType, ItemKind
from tests.site import FILM, MONEY, NOW, Site, stories, three_topics


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


@pytest.mark.case(1)
def test_an_empty_site_answers_with_an_empty_list_and_why(site):
    answer = site.ask("anna")

    assert answer.items == ()
    assert answer.empty_reason == "no_items"
    assert answer.profile_version == 0
    assert not answer.degraded


@pytest.mark.case(1)
def test_one_user_and_one_item(site):
    site.put(("only", "the only story"))

    assert site.listed("anna") == ["only"]
    site.did("anna", "only")

    answer = site.ask("anna")
    assert answer.items == ()
    assert answer.empty_reason == "all_seen"


@pytest.mark.case(1)
@pytest.mark.parametrize(
    ("user", "seen", "filtered"),
    [("anna", 3, 0), ("carl", 2, 1), ("nobody", 0, 0)],
)
def test_a_filter_that_nothing_passes_is_the_reason_whatever_others_went_on_to(
    site, user, seen, filtered
):
    three_topics(site)
    for item in ("sport0", "sport1", "sport0", "sport1", "sport2"):
        site.did("anna", item)
        site.did("bert", item)
    for item in ("sport0", "sport1"):
        site.did("carl", item)
    site.settle()

    answer = site.ask(user, topics=("chess",), explain=True)

    assert answer.items == ()
    assert answer.empty_reason == "all_filtered"
    assert (answer.left_out["seen"], answer.left_out["filtered"]) == (seen, filtered)


@pytest.mark.case(1)
def test_the_reason_is_of_what_the_request_wants(site):
    three_topics(site, each=2)
    site.did("anna", "sport0")
    site.did("anna", "sport1")

    assert site.ask("anna", topics=("sport",)).empty_reason == "all_seen"
    money = site.ask("anna", topics=("money",), exclude=("money0", "money1"))
    assert money.empty_reason == "all_excluded"
    assert site.ask("anna", topics=("money",), offset=5).empty_reason == "past_the_end"


class Searches:
    """The index's searches, counted; each takes so many seconds."""

    def __init__(self, site, seconds=0.0):
        self._search, self._clock, self._seconds = site.index.search, site.clock, seconds
        self.number = 0
        site.index.search = self

    def __call__(self, *args, **fields):
        self.number += 1
        self._clock.advance(seconds=self._seconds)
        return self._search(*args, **fields)


@pytest.mark.case(1)
@pytest.mark.parametrize(
    ("fields", "seconds", "reason", "number"),
    [
        ({"topics": ("chess",)}, 0.0, "all_filtered", 2),
        ({"topics": ("chess",)}, 1.0, "no_candidates", 1),  # its deadline is past by then
        ({"topics": ("chess",), "offset": 5}, 0.0, "past_the_end", 1),
        ({"topics": ("chess",), "cursor": "AQ"}, 0.0, "past_the_end", 1),
    ],
)
def test_the_index_is_asked_for_the_reason_alone_where_that_is_told_and_in_time(
    site, fields, seconds, reason, number
):
    three_topics(site, each=2)
    site.ask("anna")
    searches = Searches(site, seconds)

    answer = site.ask("anna", **fields)

    assert (answer.items, answer.degraded) == ((), ())
    assert (answer.empty_reason, searches.number) == (reason, number)


@pytest.mark.case(18)
def test_the_index_is_not_asked_for_the_reason_of_a_list_that_fell_back(site):
    three_topics(site, each=2)
    site.ask("anna")
    searches = Searches(site)
    site.index.lookup = unavailable

    answer = site.ask("anna", topics=("chess",))

    assert answer.degraded
    assert (answer.empty_reason, searches.number) == ("unavailable", 1)


@pytest.mark.case(1)
def test_events_without_items_are_kept(site):
    assert site.did("anna", "nowhere") == "applied"

    answer = site.ask("anna")
    assert answer.events_applied == 1
    assert answer.empty_reason == "no_items"


@pytest.mark.case(2)
def test_a_click_on_an_unknown_item_counts_once_the_item_arrives(site):
    three_topics(site)
    site.did("anna", "later")
    assert not site.ask("anna").personalized or site.ask("anna").events_applied == 1

    site.put({"id": "later", "title": "football goal league", "topics": ["sport"]})

    answer = site.ask("anna")
    assert answer.personalized
    assert sum(one.topics == ("sport",) for one in answer.items) >= 5
    assert "later" not in [one.item for one in answer.items]


@pytest.mark.case(9)
def test_a_click_changes_the_next_list_and_the_clicked_item_is_gone(site):
    three_topics(site)
    before = site.listed("anna")

    site.did("anna", before[0])

    after = site.listed("anna")
    assert before[0] not in after
    assert after != before[1:]


@pytest.mark.case(14)
def test_two_tastes_get_two_lists_and_none_gets_what_is_popular(site):
    three_topics(site)
    for n in range(4):
        site.did("anna", f"sport{n}")
        site.did("bert", f"money{n}")

    anna, bert, guest = site.ask("anna"), site.ask("bert"), site.ask("carl")

    assert share(anna, "sport") >= 0.5
    assert share(bert, "money") >= 0.5
    assert [i.item for i in anna.items] != [i.item for i in bert.items]
    assert not guest.personalized
    assert {one.reason.code for one in guest.items} <= {"trending", "fresh"}


def share(answer, topic):
    return sum(topic in one.topics for one in answer.items) / len(answer.items)


@pytest.mark.case(15)
@pytest.mark.parametrize("kind", ["dislike", "hide"])
def test_a_dislike_moves_the_list_away_and_is_no_interest(site, kind):
    three_topics(site)
    site.did("anna", "sport0")
    before = site.ask("anna", limit=20)

    for n in range(1, 4):
        site.did("anna", f"sport{n}", kind)

    after = site.ask("anna", limit=20)
    assert share(after, "sport") < share(before, "sport")
    assert not {"sport1", "sport2", "sport3"} & {one.item for one in after.items}


@pytest.mark.case(15)
def test_only_dislikes_make_no_taste(site):
    three_topics(site)
    for n in range(3):
        site.did("anna", f"sport{n}", "dislike")

    answer = site.ask("anna")

    assert not answer.personalized
    assert share(answer, "sport") < 0.5


@pytest.mark.case(10)
def test_hidden_expired_and_deleted_items_are_gone_from_every_source(site):
    three_topics(site)
    for user in ("u1", "u2", "u3"):
        for n in range(5):
            site.did(user, f"sport{n}")
    site.did("anna", "sport0")
    site.settle()
    victims = [i for i in site.listed("anna", limit=50) if i.startswith("sport")][:3]
    hidden, deleted, expiring = victims

    site.put({**stories("sport", "a b c d e f", 1)[0], "id": hidden, "hidden": True})
    site.delete(deleted)
    site.put(
        {
            "id": expiring, "title": "football goal", "topics": ["sport"],
            "expires": (site.clock.now() + timedelta(seconds=1)).isoformat(),
        }
    )  # fmt: skip
    site.clock.advance(seconds=1.1)

    for fields in ({}, {"limit": 60}, {"topics": ("sport",), "limit": 60}):
        assert not set(victims) & set(site.listed("anna", **fields))
        assert not set(victims) & set(site.listed(None, **fields))
    assert not set(victims) & {one.item for one in site.views.similar("sport0", limit=50)}


@pytest.mark.case(11)
@pytest.mark.parametrize("user", ["anna", None])
def test_offset_pages_neither_repeat_nor_skip(site, user):
    three_topics(site)
    site.did("anna", "sport0")
    everything = site.listed(user, limit=59)

    pages = [site.listed(user, limit=7, offset=offset) for offset in range(0, 63, 7)]

    assert [item for page in pages for item in page][:59] == everything[:59]


@pytest.mark.case(11)
def test_cursor_pages_neither_repeat_nor_skip_while_events_come_in(tmp_path):
    site = Site(tmp_path, policy=Policy(exploration=0.3))
    three_topics(site)
    site.did("anna", "sport0")
    seen, cursor = [], None
    while True:
        answer = site.ask("anna", limit=7, cursor=cursor)
        seen += [one.item for one in answer.items]
        cursor = answer.next_cursor
        if cursor is None:
            break
        site.did("anna", answer.items[0].item, "like")

    assert len(seen) == len(set(seen)) == 59
    site.state.close()


@pytest.mark.case(11)
def test_past_the_end_is_an_empty_list_that_says_so(site):
    three_topics(site, each=5)

    answer = site.ask("anna", offset=900)

    assert answer.items == ()
    assert answer.empty_reason == "past_the_end"
    assert answer.next_cursor is None


@pytest.mark.case(11)
@pytest.mark.parametrize("cursor", ["x", "AAAA", "%%%%", "🦊", "AQ", "AgAAAAA"])
def test_a_cursor_that_is_not_ours_is_refused(site, cursor):
    three_topics(site, each=2)

    if cursor == "AQ":  # the empty cursor
        assert site.ask("anna", cursor=cursor).items
        return
    with pytest.raises(InvalidInputError, match=r"^cursor: "):
        site.ask("anna", cursor=cursor)


@pytest.mark.case(11)
def test_a_cursor_and_an_offset_together_are_refused(site):
    with pytest.raises(InvalidInputError, match=r"^offset: "):
        site.ask("anna", cursor="AQ", offset=3)


@pytest.mark.case(11)
def test_many_excluded_and_seen_items_still_leave_a_full_page(tmp_path):
    site = Site(tmp_path)
    number = 6_100
    site.put(*[{"id": f"i{n}", "title": f"story word{n % 50} number{n}"} for n in range(number)])
    for begin in range(0, 5_000, 500):
        site.clock.advance(seconds=1)
        site.post(*[site.event("anna", f"i{n}") for n in range(begin, begin + 500)])
    excluded = tuple(f"i{n}" for n in range(5_000, 6_000))

    answer = site.ask("anna", limit=50, exclude=excluded)

    left = {f"i{n}" for n in range(6_000, number)}
    assert len(answer.items) == 50
    assert {one.item for one in answer.items} <= left
    site.state.close()


def test_filters_hold_for_kind_topic_and_language(site):
    three_topics(site)
    site.put(*[{"id": f"v{n}", "title": f"film {n}"} for n in range(5)], kind="video")
    site.put(*[{"id": f"z{n}", "title": f"新闻 {n}", "language": "zh"} for n in range(5)])
    site.did("anna", "money0")

    assert set(site.listed("anna", kinds=(ItemKind.VIDEO,))) == {f"v{n}" for n in range(5)}
    assert set(site.listed("anna", languages=("zh",))) == {f"z{n}" for n in range(5)}
    assert {i.rstrip("0123456789") for i in site.listed("anna", topics=("film",))} == {"film"}


def test_explain_counts_what_was_left_out(site):
    three_topics(site)
    site.did("anna", "sport0")

    answer = site.ask("anna", exclude=("sport1",), explain=True)

    assert answer.left_out["seen"] == 1
    assert answer.left_out["excluded"] == 1
    assert site.ask("anna").left_out is None


def test_a_reason_names_the_user_s_own_event(site):
    three_topics(site)
    site.did("anna", "sport0", "like")

    reasons = [one.reason for one in site.ask("anna").items if one.reason.code == "interest"]

    assert reasons
    for reason in reasons:
        assert reason.because[0].item == "sport0"
        assert reason.because[0].type is EventType.LIKE
        assert reason.because[0].time == site.clock.now()
        assert reason.because[0].title in reason.text


def test_a_weak_likeness_is_no_reason(site):
    three_topics(site)
    site.did("anna", "sport0", "like")

    items = site.ask("anna", limit=40).items

    told = {one.item for one in items if one.reason.code == "interest" and one.reason.because}
    assert told
    assert all(item.startswith("sport") for item in told)
    personal = [one for one in items if {"interest", "catalogue"} & set(one.sources)]
    others = [one.reason for one in personal if not one.item.startswith("sport")]
    assert others
    assert not any("Close to" in reason.text for reason in others)


def test_a_reason_says_what_is_done_with_items_of_the_kind(site):
    site.put(*({**one, "kind": "video"} for one in stories("film", FILM, 8)))
    site.put(*stories("money", MONEY, 8))
    for n in range(3):
        site.did("anna", f"film{n}", "view", dwell_seconds=60.0)

    reasons = [one.reason for one in site.ask("anna").items if one.item.startswith("film")]

    assert any("you watched" in reason.text for reason in reasons)
    assert not any(" read" in reason.text for reason in reasons)


def test_co_clicks_are_a_source_with_its_reason(site):
    three_topics(site)
    for user in ("u1", "u2", "u3", "u4"):
        site.did(user, "sport0")
        site.did(user, "money7")
    site.did("anna", "sport0")

    answer = site.ask("anna")

    (found,) = [one for one in answer.items if one.item == "money7"]
    assert "co_clicked" in found.sources
    assert found.reason.code == "co_clicked"
    assert found.reason.because[0].item == "sport0"


def test_an_answer_says_what_it_rests_on(site):
    three_topics(site)
    site.did("anna", "sport0")
    site.did("anna", "sport1")

    answer = site.ask("anna")

    assert answer.model == site.bundle.version
    assert answer.profile_version == 2
    assert answer.events_applied == 2
    assert answer.policy == "mmr2-d0.2-t0.6-e0-c0.97"
    assert all(one.sources for one in answer.items)
    assert [one.position for one in answer.items] == list(range(10))


def test_exploration_is_marked_with_its_propensity(tmp_path):
    site = Site(tmp_path, policy=Policy(exploration=0.5))
    three_topics(site)
    site.did("anna", "sport0")

    items = site.ask("anna", limit=40).items

    explored = [one for one in items if one.reason.code == "exploration"]
    assert explored
    assert all(one.propensity < 0.1 for one in explored)
    assert all(one.propensity >= 0.5 for one in items if one not in explored)
    site.state.close()


def test_a_guest_is_known_by_the_visit_alone(site):
    three_topics(site)
    context = tuple(ContextEvent(item=f"film{n}") for n in range(3))

    answer = site.ask(None, context=context)

    assert answer.personalized
    assert answer.user is None
    assert share(answer, "film") >= 0.5
    assert not {"film0", "film1", "film2"} & {one.item for one in answer.items}
    assert site.state.users() == []


@pytest.mark.case(12)
def test_late_events_give_the_same_list(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ordered, late = Site(tmp_path / "a"), Site(tmp_path / "b")
    times = {n: (NOW - timedelta(hours=10 - n)).isoformat() for n in range(6)}
    for made, order in ((ordered, [0, 1, 2, 3, 4, 5]), (late, [5, 2, 0, 4, 1, 3])):
        three_topics(made)
        for n in order:
            made.did("anna", f"{'sport' if n % 2 else 'film'}{n}", id=f"e-{n}", time=times[n])

    assert ordered.profile("anna").history.tobytes() == late.profile("anna").history.tobytes()
    assert ordered.listed("anna") == late.listed("anna")
    ordered.state.close()
    late.state.close()


@pytest.mark.case(18)
def test_what_a_store_that_is_away_does_not_tell_of_is_not_counted_as_deleted(site):
    three_topics(site)
    for user in ("anna", "bert"):
        site.did(user, "sport0")
        site.did("bert", "film0")
    site.put({"id": "film0", "title": "a film", "hidden": True})
    assert site.ask("anna", explain=True).left_out["hidden"] == 1

    site.index.lookup = unavailable

    left_out = site.ask("anna", explain=True).left_out
    assert (left_out["hidden"], left_out["gone"]) == (0, 0)


@pytest.mark.case(18)
def test_answers_degrade_and_say_so_while_the_vector_store_is_away(site):
    three_topics(site)
    site.did("anna", "sport0")
    site.settle()
    assert site.ask("anna").degraded == ()

    site.index.search = site.index.lookup = site.index.labels = unavailable

    answer = site.ask("anna")
    assert len(answer.items) == 10
    assert "vectors" in answer.degraded
    assert "sport0" not in [one.item for one in answer.items]

    del site.index.search, site.index.lookup, site.index.labels
    assert site.ask("anna").degraded == ()


@pytest.mark.case(18)
def test_answers_degrade_and_say_so_while_the_database_is_away(site):
    three_topics(site)
    site.did("anna", "sport0")
    site.settle()
    site.ask("anna")

    away = _Away(site.state)
    for part in (
        site.recommender._gatherer, site.recommender._readers, site.recommender._lists,
    ):  # fmt: skip
        part._state = away
    site.catalog._state = away
    site.settle()

    answer = site.ask("anna")
    assert len(answer.items) == 10
    assert {"profile", "lists"} <= set(answer.degraded)
    assert not answer.personalized

    away.back = True
    site.settle()
    assert site.ask("anna").degraded == ()


class _Away:
    """A state that does not answer until it is back."""

    def __init__(self, state):
        self.state = state
        self.back = False

    def __getattr__(self, name):
        return getattr(self.state, name) if self.back else unavailable


def unavailable(*_args, **_kwargs):
    raise UnavailableError("away")


def test_a_failing_scorer_is_replaced_and_said(site):
    three_topics(site)
    site.did("anna", "sport0")
    site.bundle.scorer._session = _OtherShape(site.bundle.scorer._session)

    answer = site.ask("anna")

    assert len(answer.items) == 10
    assert answer.degraded == ("score",)


class _OtherShape:
    """The real session, given candidates of another dimension: it fails in its own way."""

    def __init__(self, session):
        self.session = session

    def run(self, names, values):
        return self.session.run(names, {**values, "candidates": values["candidates"][:, :3]})


def test_past_its_deadline_a_request_takes_the_cheap_way(tmp_path):
    site = Site(tmp_path, deadline_seconds=0.0)
    three_topics(site)

    answer = site.ask("anna")

    assert len(answer.items) == 10
    assert "deadline" in answer.degraded
    site.state.close()


def test_similar_items_are_near_and_not_the_item_itself(site):
    three_topics(site)

    similar = site.views.similar("money3", limit=5)

    assert len(similar) == 5
    assert "money3" not in [one.item for one in similar]
    assert all(one.topics == ("money",) for one in similar)


def test_similar_to_an_unknown_item_is_not_found(site):
    with pytest.raises(NotFoundError, match="no item with id 'nothing'"):
        site.views.similar("nothing", limit=5)


def test_a_profile_shows_interests_topics_and_history(site):
    three_topics(site)
    site.did("anna", "sport0")
    site.did("anna", "sport1", "like")
    site.did("anna", "money0", "dislike")

    view = site.views.profile("anna")

    assert view.events_applied == 3
    assert [one.item for one in view.history] == ["money0", "sport1", "sport0"]
    assert view.topics["sport"] > 0 > view.topics["money"]
    assert sum(one.share for one in view.interests) == pytest.approx(1.0, abs=1e-3)
    assert set(view.interests[0].nearest) <= {"sport0", "sport1"}


def test_a_profile_of_nobody_is_not_found(site):
    with pytest.raises(NotFoundError, match="none of their events"):
        site.views.profile("nobody")


@pytest.mark.case(6)
@pytest.mark.parametrize("name", ["a:b", "a/b", "{x}", "with space", "🦊", "שלום", "é", "e\u0301"])
def test_awkward_ids_work_from_event_to_answer(site, name):
    three_topics(site)
    site.put({"id": name, "title": "football goal league striker", "topics": ["sport"]})
    site.did(name, "sport0")

    assert name in site.listed(name, limit=30)
    site.did(name, name)
    assert name not in site.listed(name, limit=30)


@pytest.mark.case(6)
def test_ids_that_differ_in_case_or_marks_are_different_users(site):
    three_topics(site)
    for user, topic in (("A", "sport"), ("a", "money"), ("é", "film"), ("e\u0301", "sport")):
        for n in range(3):
            site.did(user, f"{topic}{n}")

    assert share(site.ask("A"), "sport") >= 0.5
    assert share(site.ask("a"), "money") >= 0.5
    assert share(site.ask("é"), "film") >= 0.5
