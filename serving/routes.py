"""The one table of the interface: every address, method, scope, type and status.

The application is built from it and so is the OpenAPI document; a test compares both.
"""

from clickwise.access import Scope
from clickwise.items import Item
from clickwise.privacy import Receipt
from clickwise.recommend.answers import Answer, ProfileView, RecommendRequest
from clickwise.recommend.why import Why
from clickwise.understanding import ItemUnderstanding
from serving.asking import PARAMETERS
from serving.operation import Operation
from serving.routes_events import post_events
from serving.routes_items import (
    SIMILAR_PARAMETERS,
    delete_item,
    get_item,
    post_items,
    put_item,
    similar_items,
    understood_item,
)
from serving.routes_people import export_user, forget_user, merge_user
from serving.routes_site import docs_page, healthz, home, openapi_document, readyz, show_metrics
from serving.routes_users import (
    post_recommendations,
    user_profile,
    user_recommendations,
    user_stream,
)
from serving.routes_why import WHY_PARAMETERS, why_recommended
from serving.schemas import (
    Alive,
    Merged,
    Readiness,
    Refusal,
    Result,
    Results,
    SimilarItems,
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/users/{id}/recommendations", user_recommendations, "recommendations",
        "A page of a user's list",
        answers={200: Answer}, scope=Scope.READ, parameters=PARAMETERS, faults=(429,),
        description=(
            "Rests on every event acknowledged before. Page on with `cursor` (no repeats even"
            " if events come in) or `offset`."
        ),
    ),
    Operation(
        "POST", "/v1/recommendations", post_recommendations, "recommendations",
        "A page of a list, asked for in a body",
        answers={200: Answer}, scope=Scope.READ, request=RecommendRequest, faults=(429,),
        description="For many exclusions, and for guests: `context` tells their visit.",
    ),
    Operation(
        "GET", "/v1/users/{id}/stream", user_stream, "recommendations",
        "A user's list, and a new one after each change",
        answers={200: "text/event-stream"}, scope=Scope.READ, parameters=PARAMETERS, faults=(429,),
        unbounded=True,
        description=(
            "Server-sent events of type `recommendations`: `data` is an Answer, `id` the profile"
            " version. A comment every 15 s keeps the connection."
        ),
    ),
    Operation(
        "GET", "/v1/recommendations/{id}/why", why_recommended, "recommendations",
        "Why a list was as it was",
        answers={200: Why}, scope=Scope.READ, parameters=WHY_PARAMETERS, faults=(404, 429),
        description=(
            "`id` is the `request_id` of an answer that was given, for as long as exposures are"
            " kept; it can be asked for a moment after the answer. Effects are measured: the"
            " score is made again without each event. A guest's `context` is not kept."
        ),
    ),
    Operation(
        "GET", "/v1/users/{id}/profile", user_profile, "recommendations",
        "What is known of a user",
        answers={200: ProfileView}, scope=Scope.READ, faults=(404,),
    ),
    Operation(
        "GET", "/v1/users/{id}/export", export_user, "users",
        "Everything that is known of a user",
        answers={200: "application/x-ndjson"}, scope=Scope.ADMIN, faults=(404, 429), unbounded=True,
        description=(
            "A JSON object on each line; `store` says where it lies, and the first line what all of"
            " them are. One at a time."
        ),
    ),
    Operation(
        "POST", "/v1/users/{id}/merge", merge_user, "users",
        "A guest turns out to be this user",
        answers={200: Merged, 202: Merged}, scope=Scope.EVENTS, also=(Scope.READ,), request="Guest",
        faults=(409, 429),
        description=(
            "What the guest did, and whatever comes under the guest's id later, is the user's."
            " Lists are asked for by the user's id from then on: the guest's has none. The same"
            " again is no fault; 409 where the guest is another user's, or a user itself. It needs"
            " both scopes, `events` and `read`: a page's own key must not take anybody's history."
        ),
    ),
    Operation(
        "DELETE", "/v1/users/{id}", forget_user, "users",
        "Erase a user from every store",
        answers={200: Receipt}, scope=Scope.ADMIN, faults=(409, 429), unbounded=True,
        description=(
            "Answers with a receipt, which `clickwise forget --verify` takes: keep it. Events"
            " from before are not taken again; later ones begin a new profile. Nobody with this"
            " id is no fault. One at a time; it takes seconds and more."
        ),
    ),
    Operation(
        "GET", "/v1/items/{id}/similar", similar_items, "items",
        "Items near one item",
        answers={200: SimilarItems}, scope=Scope.READ, parameters=SIMILAR_PARAMETERS, faults=(404,),
    ),
    Operation(
        "GET", "/v1/items/{id}/understanding", understood_item, "items",
        "What is understood of an item",
        answers={200: ItemUnderstanding}, scope=Scope.READ, faults=(404,),
        description=(
            "Language, keywords, an extractive summary, topics and near-duplicates. It is made a"
            " moment after the item came, off the request path: until then `status` is `pending`."
        ),
    ),
    Operation(
        "POST", "/v1/events", post_events, "events",
        "Send one event or many",
        answers={200: Results, 202: Results, 422: Refusal}, scope=Scope.EVENTS,
        request="EventOrEvents", faults=(429,),
        description=(
            "A verdict for each event, in order: applied (it is in the profile), accepted (it is"
            " durable and will be applied), duplicate (its id was seen before), refused (with"
            " why). Refused events cost the others nothing. 200: all done; 202: some of it is"
            " durable but not applied yet; 422: nothing was taken. A missing `id` is made, and"
            " then a repetition cannot be told."
        ),
    ),
    Operation(
        "PUT", "/v1/items/{id}", put_item, "items",
        "Create or replace an item",
        answers={200: Result, 202: Result}, scope=Scope.ITEMS, request="ItemPut", faults=(409, 429),
        description="Send `/` in an id as `%2F`. 200: it can be found now; 202: soon.",
    ),
    Operation(
        "GET", "/v1/items/{id}", get_item, "items",
        "An item as it was last put", answers={200: Item}, scope=Scope.READ, faults=(404,),
    ),
    Operation(
        "DELETE", "/v1/items/{id}", delete_item, "items",
        "Delete an item",
        answers={200: Result, 202: Result}, scope=Scope.ITEMS, faults=(409, 429),
        description="It leaves every source of candidates. Deleting what is not there is fine.",
    ),
    Operation(
        "POST", "/v1/items", post_items, "items",
        "Create or replace many items",
        answers={200: Results, 202: Results, 422: Refusal}, scope=Scope.ITEMS, request="ItemBatch",
        faults=(409, 429),
        description="A verdict for each item, in order; refused ones cost the others nothing.",
    ),
    Operation(
        "GET", "/healthz", healthz, "service", "This process answers",
        answers={200: Alive}, scope=None, unbounded=True,
    ),
    Operation(
        "GET", "/readyz", readyz, "service", "Whether this process can serve",
        answers={200: Readiness, 503: Readiness}, scope=None, unbounded=True,
    ),
    Operation(
        "GET", "/metrics", show_metrics, "service", "Figures in the Prometheus text format",
        answers={200: "text/plain"}, scope=Scope.OPERATE, unbounded=True,
    ),
    Operation(
        "GET", "/openapi.json", openapi_document, "service", "This document",
        answers={200: "application/json"}, scope=None, unbounded=True,
    ),
    Operation(
        "GET", "/docs", docs_page, "service", "This document as a page to read and try",
        answers={200: "text/html"}, scope=None, unbounded=True,
    ),
    Operation(
        "GET", "/", home, "service", "The way to /docs",
        answers={307: ""}, scope=None, unbounded=True,
    ),
)  # fmt: skip
