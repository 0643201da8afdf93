"""Why a list was as it was: measured on the events of then, told in words."""

import dataclasses
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from sqlalchemy import update

from clickwise.merges import Merge
from clickwise.profile import from_stored
from clickwise.recommend.answers import Because, RecommendRequest
from clickwise.recommend.exposures import ExposureMessage, exposure_of
from clickwise.recommend.grounds import Grounds
from clickwise.recommend.leaving_out import LeavingOut
from clickwise.recommend.reasons import reason
from clickwise.recommend.why import Influence
from clickwise.recommend.why_words import LANGUAGES, sentence
from clickwise.state.port import Partition
from clickwise.state.tables import aliases
from clickwise.types import EventId, EventType, ItemId, ItemKind, UserId, item_key
from streams.handlers import EventHandler
from streams.merging import MergeArrival
from tests.site import FILM, MONEY, NOW, SPORT, Site, stories


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.put(*stories("sport", SPORT, 8), *stories("money", MONEY, 8), *stories("film", FILM, 8))
    yield made
    made.state.close()


def shown(site, user):
    """The list that a user is given now, as it is logged."""
    request = RecommendRequest(user=user)
    answer = site.recommender.recommend(request)
    return msgspec.json.decode(exposure_of(answer, request).body, type=ExposureMessage)


def why(site, exposure, language="en"):
    grounds = Grounds(state=site.state, release=site.releases.live, clock=site.clock)
    return grounds.why(exposure, language=language)


def test_the_events_that_moved_the_score_most_are_named(site):
    site.did("ada", "sport0")
    site.did("ada", "money1", "like")
    exposure = shown(site, "ada")

    grounds = why(site, exposure)

    by_item = {one.item: one for one in grounds.items}
    sport = next(one for name, one in by_item.items() if name.startswith("sport"))
    money = next(one for name, one in by_item.items() if name.startswith("money"))
    assert sport.influences[0].item == "sport0"
    assert money.influences[0].item == "money1"
    assert sport.influences[0].effect > 0.0
    assert list(sport.topics) == ["sport"]
    assert 0.0 < sport.topics["sport"] <= 1.0 == money.topics["money"]
    assert sport.text.startswith('Because you clicked "football')
    assert [one.item for one in grounds.items] == [one.item for one in exposure.items]


def test_an_effect_is_the_score_with_all_events_less_the_score_without_this_one(site):
    for item in ("sport0", "sport1", "money2"):
        site.did("ada", item)
    release = site.releases.live
    profile = from_stored(site.state.profile("ada")[0].body)[0]
    table = site.index.lookup([item_key(f"sport{number}") for number in range(2, 7)])
    leaving_out = LeavingOut(state=site.state, release=release, clock=site.clock)
    now = site.clock.now().timestamp()

    all_of_them = leaving_out.effects(profile, table, lists=None, now=now)

    for place in range(3):
        kept = np.delete(profile.history, place)
        fewer = release.rebuilt(dataclasses.replace(profile, history=kept))
        without = leaving_out.effects(fewer, table, lists=None, now=now).scores_N
        row = [int(e["event"]) for e in all_of_them.events].index(
            int(profile.history[place]["event"])
        )
        assert all_of_them.effects_EN[row] == pytest.approx(all_of_them.scores_N - without)


def test_what_came_after_the_list_does_not_explain_it(site):
    site.did("ada", "sport0")
    exposure = shown(site, "ada")
    before = why(site, exposure)
    site.did("ada", exposure.items[0].item)
    site.did("ada", "film3", "like")

    later = why(site, exposure)

    assert later.events_kept == before.events_kept == 1
    assert {event.item for one in later.items for event in one.influences} == {"sport0"}
    assert [one.score for one in later.items] == [one.score for one in exposure.items]


def test_the_score_made_again_at_once_is_the_one_that_was_logged(site):
    site.did("ada", "sport0")
    site.did("ada", "sport1", "like")

    grounds = why(site, shown(site, "ada"))

    assert [one.score_now for one in grounds.items] == pytest.approx(
        [one.score for one in grounds.items], abs=1e-5
    )


def test_a_dislike_is_told_as_what_lowered_the_score(site):
    site.did("ada", "sport0")
    site.did("ada", "sport1", "dislike")

    grounds = why(site, shown(site, "ada"))

    sport = next(one for one in grounds.items if one.item.startswith("sport"))
    effects = {one.item: one.effect for one in sport.influences}
    assert effects["sport0"] > 0.0 > effects["sport1"]
    assert "dislike" not in sport.text


def test_guests_and_forgotten_items_get_what_is_left_of_the_grounds(site):
    site.did("ada", "sport0")
    guest, known = shown(site, None), shown(site, "ada")
    gone = known.items[0].item
    site.delete(gone)

    assert all(not one.influences and one.text for one in why(site, guest).items)
    first = why(site, known).items[0]
    assert (first.item, first.title, first.score_now) == (gone, "", None)
    assert first.score == known.items[0].score


def merged(site, guest, user, *, keep_bodies, asked=None):
    """The guest becomes the user, on an embedded site, or where Kafka is the log; the merge was
    `asked` for now, or then.
    """
    handler = EventHandler(
        state=site.state, releases=site.releases, clock=site.clock, keep_bodies=keep_bodies
    )
    now = site.clock.now()
    merge = Merge(
        id=EventId(f"merge-{guest}"), user=UserId(guest), into=UserId(user), time=asked or now
    )
    place = None if keep_bodies else Partition("workers", "events", 0)
    assert handler.merges.apply(MergeArrival(merge, now, place, 7)).outcome == "applied"
    site.clock.advance(seconds=1)


def told(grounds):
    """What of people's doings an answer tells."""
    influences = {event.item for one in grounds.items for event in one.influences}
    return influences, {name for one in grounds.items for name in one.topics}


@pytest.mark.parametrize("keep_bodies", [True, False], ids=["embedded", "kafka"])
def test_a_guests_list_is_explained_after_a_merge_as_before_it(site, keep_bodies):
    site.did("anna", "money0")
    for item in ("sport0", "sport1"):
        site.did("g1", item)
    exposure = shown(site, "g1")
    site.clock.advance(seconds=1)
    site.did("g1", "film0")
    site.did("anna", "film1")
    before = why(site, exposure)

    merged(site, "g1", "anna", keep_bodies=keep_bodies)
    after = why(site, exposure)
    site.did("g1", "sport4")
    site.did("anna", "sport5")
    later = why(site, exposure)

    assert (before.events_kept, told(before)[0]) == (2, {"sport0", "sport1"})
    assert after == before
    assert (later.events_kept, later.user, told(later)) == (2, "g1", told(before))


def test_a_guests_list_tells_nothing_of_the_user_that_it_did_not_know(site):
    site.did("anna", "money0")
    site.did("g0", "film0")
    site.did("g1", "sport0")
    exposure = shown(site, "g1")
    merged(site, "g0", "anna", keep_bodies=True)

    merged(site, "g1", "anna", keep_bodies=True)

    assert told(why(site, exposure)) == ({"sport0"}, {"sport"})


def test_a_list_of_the_guests_id_after_the_merge_was_nobodys_and_tells_of_nobody(site):
    site.did("anna", "money0")
    site.did("g1", "sport0")
    merged(site, "g1", "anna", keep_bodies=True)

    grounds = why(site, shown(site, "g1"))

    assert grounds.events_kept == 0
    assert told(grounds) == (set(), set())


def test_a_users_list_from_before_a_merge_tells_nothing_of_the_guest(site):
    site.did("anna", "money0")
    site.did("g1", "sport0")
    before = shown(site, "anna")
    site.clock.advance(seconds=1)

    merged(site, "g1", "anna", keep_bodies=True)
    after = shown(site, "anna")

    assert why(site, before).events_kept == 1
    assert told(why(site, before)) == ({"money0"}, {"money"})
    assert why(site, after).events_kept == 2


@pytest.mark.parametrize("keep_bodies", [True, False], ids=["embedded", "kafka"])
def test_a_merge_that_waited_is_known_to_the_users_lists_once_it_is_applied(site, keep_bodies):
    site.did("anna", "money0")
    site.did("g1", "sport0")
    site.clock.advance(seconds=1)
    asked = site.clock.now()
    site.clock.advance(seconds=60)
    meanwhile, guests = shown(site, "anna"), shown(site, "g1")
    site.clock.advance(seconds=60)

    merged(site, "g1", "anna", keep_bodies=keep_bodies, asked=asked)
    after = shown(site, "anna")

    assert told(why(site, meanwhile)) == ({"money0"}, {"money"})
    assert told(why(site, guests)) == ({"sport0"}, {"sport"})
    assert (why(site, meanwhile).events_kept, why(site, after).events_kept) == (1, 2)


def test_where_an_earlier_program_merged_a_guests_list_has_what_is_left(site):
    site.did("anna", "money0")
    site.did("g1", "sport0")
    exposure = shown(site, "g1")
    merged(site, "g1", "anna", keep_bodies=True)
    with site.state.write() as write:
        write._run(update(aliases).values(moved=None), {})

    grounds = why(site, exposure)

    assert grounds.events_kept == 0
    assert all(one.text for one in grounds.items)


@pytest.mark.parametrize(
    ("language", "followed", "done"),
    [
        ("en", "You watch film.", "watched"),
        ("zh", "您常看：film。", "看过"),
        ("pt", "Você assiste a film.", "assistiu a"),
    ],
)
def test_films_are_watched_in_every_language(site, language, followed, done):
    site.put(*({**one, "kind": "video"} for one in stories("film", FILM, 8)))
    site.did("ada", "film0", "view", dwell_seconds=60.0)

    items = why(site, shown(site, "ada"), language).items

    films = [one.text for one in items if one.item.startswith("film")]
    assert films
    assert all(followed in text and done in text for text in films)


@pytest.mark.parametrize(
    ("languages", "told"),
    [
        ((), 'Close to what you engaged with: you clicked "football match goal number0".'),
        (("en",), 'Close to what you engaged with: you clicked "football match goal number0".'),
        (("xx",), 'Close to what you engaged with: you clicked "football match goal number0".'),
        (("pt-BR",), 'Parecido com o que lhe interessou: você clicou em "football'),
        (("xx", "ZH-Hant"), "与您关注过的内容相近：您点击了“football match goal number0”。"),
        (("zh", "pt"), "与您关注过的内容相近：您点击了“football match goal number0”。"),
    ],
)
def test_a_lists_reasons_are_told_in_the_first_of_the_readers_languages_that_we_write(
    site, languages, told
):
    for language in languages:
        site.put(
            *(
                {**one, "id": f"{language}{one['id']}", "language": language}
                for one in stories("sport", SPORT, 8)
            )
        )
    site.did("ada", "sport0")

    answer = site.ask("ada", languages=languages)

    near = [one.reason.text for one in answer.items if one.reason.because]
    assert near
    assert all(text.startswith(told) for text in near)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", 'People who watched "A film", which you liked, went on to this.'),
        ("zh", "您喜欢“A film”；看过它的人接着打开了本条。"),
        ("pt", 'Você gostou de "A film"; quem assistiu a esse conteúdo seguiu para este.'),
    ],
)
def test_what_others_went_on_to_is_told_in_every_language(language, told):
    liked = Because(type=EventType.LIKE, item=ItemId("f"), title="A film", time=NOW)

    said = reason(
        code="co_clicked", events=[(liked, ItemKind.VIDEO)], topics=(), followed=None,
        language=language,
    )  # fmt: skip

    assert said.text == told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "code", ["interest", "co_clicked", "topic", "trending", "fresh", "exploration"]
)
def test_no_reason_is_in_another_language(code, language):
    said = reason(code=code, events=(), topics=("t",), followed=None, language=language).text

    others = [
        reason(code=code, events=(), topics=("t",), followed=None, language=other).text
        for other in LANGUAGES
        if other != language
    ]
    assert said
    assert said not in others


def test_what_is_followed_in_several_kinds_is_neither_read_nor_watched(site):
    site.put({**stories("film", FILM, 1)[0], "kind": "video"})
    site.did("ada", "film0")
    site.did("ada", "film1")

    told = why(site, shown(site, "ada")).items

    films = [one.text for one in told if one.item.startswith("film")]
    assert films
    assert all("You follow film." in text for text in films)


@pytest.mark.parametrize("language", [*LANGUAGES, "zh-Hant", "xx", ""])
def test_every_code_has_a_sentence_in_every_language(site, language):
    site.did("ada", "sport0")

    texts = {one.text for one in why(site, shown(site, "ada"), language).items}

    assert all(texts)
    for code in ("interest", "co_clicked", "topic", "trending", "fresh", "exploration"):
        assert sentence(code, (), ("sport",), score=1.0, language=language, kinds={}, followed=None)
    if language.startswith("zh"):
        assert any("因为您点击了" in text for text in texts)


@pytest.mark.parametrize(("effect", "because"), [(0.099, False), (0.101, True)])
def test_what_hardly_moved_the_score_is_no_because(effect, because):
    event = Influence(
        type=EventType.CLICK, item="a", title="Bread", time=datetime(2026, 11, 25, tzinfo=UTC),
        effect=effect,
    )  # fmt: skip

    text = sentence("trending", (event,), (), score=1.0, language="en", kinds={}, followed=None)

    assert ("Because" in text) is because
    assert ("Opened often" in text) is not because
