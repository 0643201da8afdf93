"""Lists over HTTP: paging, filters, refusals, exposures."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import msgspec
import pytest

from clickwise.events import Event
from clickwise.recommend.exposures import ExposureMessage
from clickwise.testing.doors import MemorySite
from clickwise.types import EventId, EventType, ItemId, UserId

PATH = "/v1/users/ann/recommendations"


async def test_a_list_says_what_it_rests_on(client: httpx.AsyncClient) -> None:
    response = await client.get(PATH)

    answer = response.json()
    assert [item["item"] for item in answer["items"]] == ["c", "b", "a"]
    assert (answer["user"], answer["profile_version"]) == ("ann", 0)
    assert answer["request_id"] == response.headers["x-request-id"]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.case(1)
async def test_an_empty_site_answers_an_empty_list_with_its_reason(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    site.items.items.clear()

    response = await client.get(PATH)

    assert response.status_code == 200
    assert response.json()["items"] == []
    assert response.json()["empty_reason"] == "no_items"
    assert site.exposures.exposures == []


async def test_every_parameter_reaches_the_recommender(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    await client.get(
        f"{PATH}?limit=5&offset=2&cursor=x%2By&kind=news&kind=video&topic=a%20b&topic=c"
        "&language=zh&exclude=q%2Fr&explain=1"
    )

    asked = site.recommender.asked[0]
    assert (asked.user, asked.limit, asked.offset, asked.cursor) == ("ann", 5, 2, "x+y")
    assert (asked.kinds, asked.topics) == (("news", "video"), ("a b", "c"))
    assert (asked.languages, asked.exclude, asked.explain) == (("zh",), ("q/r",), True)


@pytest.mark.case(6)
@pytest.mark.parametrize("user", ["a/b", "\U0001f600 {x}", "%2F", "recommendations", ".x"])
async def test_a_user_id_of_any_text_is_read_as_it_was(
    client: httpx.AsyncClient, site: MemorySite, user: str
) -> None:
    response = await client.get(f"/v1/users/{quote(user, safe='')}/recommendations")

    assert response.json()["user"] == user
    assert site.recommender.asked[0].user == user


@pytest.mark.case(11)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("offset=-1", "offset"),
        ("offset=1001", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("kind=news&kind=blog", "kind[1]"),
        ("topic=", "topic[0]"),
        ("exclude=a%00", "exclude[0]"),
        ("explain=yes", "explain"),
        ("cursor=" + "x" * 8193, "cursor"),
    ],
)
async def test_a_value_out_of_bounds_is_refused_by_its_parameter(
    client: httpx.AsyncClient, query: str, field: str
) -> None:
    response = await client.get(f"{PATH}?{query}")

    assert response.status_code == 422
    assert response.json()["field"] == field


async def test_an_unknown_parameter_is_refused_with_a_suggestion(
    client: httpx.AsyncClient,
) -> None:
    close = await client.get(f"{PATH}?limt=3")
    far = await client.get("/v1/users/ann/profile?zzz=1")

    assert close.status_code == far.status_code == 422
    assert "did you mean limit?" in close.json()["message"]
    assert "takes none" in far.json()["message"]


@pytest.mark.parametrize(
    "query", ["%ff=1", "limit=%ff", "&".join("exclude=a" for _ in range(3000))]
)
async def test_a_query_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, query: str
) -> None:
    response = await client.get(f"{PATH}?{query}")

    assert response.status_code in (413, 422)


@pytest.mark.case(11)
async def test_a_thousand_excluded_ids_are_taken_and_one_more_is_refused(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    ids = [f"x{n}" for n in range(1_000)]

    taken = await client.post("/v1/recommendations", json={"user": "ann", "exclude": ids})
    refused = await client.post("/v1/recommendations", json={"user": "ann", "exclude": [*ids, "y"]})

    assert taken.status_code == 200
    assert len(site.recommender.asked[0].exclude) == 1_000
    assert (refused.status_code, refused.json()["field"]) == (422, "exclude")


async def test_a_guest_is_known_by_the_context(client: httpx.AsyncClient, site: MemorySite) -> None:
    context = [{"item": "c"}, {"item": "b", "type": "like", "time": 1_764_059_400}]

    response = await client.post("/v1/recommendations", json={"context": context})

    assert response.json()["user"] is None
    assert [item["item"] for item in response.json()["items"]] == ["a"]
    assert site.recommender.asked[0].context[1].time == datetime.fromtimestamp(1_764_059_400, UTC)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user": ""}, "user"),
        ({"user": "a\n"}, "user"),
        (
            {"context": [{"item": "a"}, {"item": "a", "time": "2026-01-01T00:00:00"}]},
            "context[1].time",
        ),
        ({"context": [{"item": "\u0000"}]}, "context[0].item"),
        ({"context": [{}]}, "context[0].item"),
        ({"context": 3}, "context"),
        ({"limit": "ten"}, "limit"),
        ({"user": "ann", "exclud": ["a"]}, "exclud"),
        ({"context": [{"item": "a", "kind": "news"}]}, "context[0].kind"),
        ({"a\n": 1}, "'a\\n'"),
    ],
)
async def test_a_wrong_body_names_its_field(
    client: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    response = await client.post("/v1/recommendations", json=body)

    assert (response.status_code, response.json()["field"]) == (422, field)


async def test_an_unknown_field_of_a_body_is_refused_with_a_suggestion(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    close = await client.post("/v1/recommendations", json={"user": "ann", "language": ["en"]})
    far = await client.post("/v1/recommendations", json={"user": "ann", "zzz": 1})

    assert close.status_code == far.status_code == 422
    assert close.json()["message"] == "unknown field; did you mean languages?"
    assert "known: user, limit" in far.json()["message"]
    assert site.recommender.asked == []


async def test_what_was_shown_is_logged_with_propensities(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    response = await client.get(f"{PATH}?limit=2&kind=news")

    (exposure,) = site.exposures.exposures
    message = msgspec.json.decode(exposure.body, type=ExposureMessage)
    assert exposure.user == message.user == "ann"
    assert message.request_id == response.json()["request_id"]
    assert [(shown.item, shown.position) for shown in message.items] == [("c", 0), ("b", 1)]
    assert all(0 < shown.propensity <= 1 for shown in message.items)
    assert message.kinds == ("news",)


async def test_guests_do_not_share_one_exposure_key(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    for _ in range(2):
        await client.post("/v1/recommendations", json={})

    assert len({exposure.user for exposure in site.exposures.exposures}) == 2


async def test_a_profile_is_shown_or_404(client: httpx.AsyncClient, site: MemorySite) -> None:
    await site.events.post(
        [
            Event(
                id=EventId("e"),
                user=UserId("ann"),
                item=ItemId("a"),
                type=EventType.LIKE,
                time=site.clock.now(),
            )
        ]
    )

    known = await client.get("/v1/users/ann/profile")
    unknown = await client.get("/v1/users/bob/profile")

    assert known.json()["history"][0]["item"] == "a"
    assert unknown.status_code == 404


async def test_a_list_that_was_logged_says_why(client: httpx.AsyncClient) -> None:
    answer = (await client.get(PATH)).json()

    response = await client.get(f"/v1/recommendations/{answer['request_id']}/why?language=pt")

    assert response.status_code == 200
    why = response.json()
    assert (why["request_id"], why["user"]) == (answer["request_id"], "ann")
    assert [one["item"] for one in why["items"]] == ["c", "b", "a"]
    assert {one["text"] for one in why["items"]} == {"pt"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("?language=xx", "en"),
        ("?language=pt-BR", "pt"),
        ("?language=xx&language=ZH", "zh"),
    ],
)
async def test_why_is_told_in_the_language_of_the_list_unless_asked_otherwise(
    client: httpx.AsyncClient, site: MemorySite, asked: str, language: str
) -> None:
    for item, tongue in zip("abc", ("xx", "pt-BR", "ZH"), strict=True):
        site.items.items[ItemId(item)] = msgspec.structs.replace(
            site.items.items[ItemId(item)], language=tongue
        )
    answer = (await client.get(f"{PATH}{asked}")).json()
    address = f"/v1/recommendations/{answer['request_id']}/why"

    of_the_list = (await client.get(address)).json()
    in_english = (await client.get(f"{address}?language=en")).json()

    assert {one["text"] for one in of_the_list["items"]} == {language}
    assert {one["text"] for one in in_english["items"]} == {"en"}
    (exposure,) = site.exposures.exposures
    # What earlier programs wrote has no such field: neither has a list in English.
    assert json.loads(exposure.body).get("language", "en") == language
    assert (b'"language":' in exposure.body) == (language != "en")


async def test_a_list_that_is_not_in_the_log_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/recommendations/nothing/why")

    assert response.status_code == 404
    assert "no list with request_id 'nothing'" in response.json()["message"]
