"""Items: what can be recommended, as feeds send it. `parse_item` is the only way in."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.codec import SCHEMA_VERSION, JsonObject, check_schema_version, convert
from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import (
    MAX_BODY_CHARACTERS,
    MAX_IMAGE_BYTES,
    MAX_IMAGE_NUMBERS,
    MAX_LABEL_CHARACTERS,
    MAX_TAGS,
    MAX_TITLE_CHARACTERS,
    MAX_TOPICS,
    MAX_URL_CHARACTERS,
    check_id,
    check_text,
    parse_time,
    shown,
)
from clickwise.pictures.files import check_file
from clickwise.types import ItemId, ItemKind

Address = Annotated[str, Meta(max_length=MAX_URL_CHARACTERS)]
Moment = Annotated[datetime, Meta(tz=True)]
Label = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARACTERS)]
_LANGUAGE = r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*"


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One news story, video, article, ad or course, as it is now."""

    id: Annotated[
        ItemId, Meta(min_length=1, max_length=256, description="Id of the item on the site.")
    ]
    kind: Annotated[ItemKind, Meta(description="What it is.")]
    title: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TITLE_CHARACTERS,
            description="Headline or name, any language. Plain text: escape it in a page.",
        ),
    ]
    body: Annotated[
        str, Meta(max_length=MAX_BODY_CHARACTERS, description="Text or description.")
    ] = ""
    language: Annotated[
        Annotated[str, Meta(pattern=f"^{_LANGUAGE}$")] | None,
        Meta(description="BCP 47 tag: zh, en-GB."),
    ] = None
    topics: Annotated[
        tuple[Label, ...],
        Meta(max_length=MAX_TOPICS, description="Sections or categories, main one first."),
    ] = ()
    inferred_topics: Annotated[
        tuple[Label, ...],
        Meta(
            max_length=MAX_TOPICS,
            description=(
                "Topics of the site's taxonomy that an item without `topics` was given, heaviest"
                " first. Filled in on receipt; what a feed sends here is ignored."
            ),
        ),
    ] = ()
    inferred_language: Annotated[
        Annotated[str, Meta(max_length=MAX_LABEL_CHARACTERS)] | None,
        Meta(
            description=(
                "Language that an item without `language` was understood to be in (BCP 47 primary"
                " tag). Filled in a moment after receipt; what a feed sends here is ignored."
            )
        ),
    ] = None
    tags: Annotated[tuple[Label, ...], Meta(max_length=MAX_TAGS, description="Keywords.")] = ()
    url: Annotated[Address | None, Meta(description="Its page: http or https.")] = None
    image: Annotated[Address | None, Meta(description="A picture: http or https.")] = None
    image_data: Annotated[
        bytes | None,
        Meta(
            description=(
                f"Its picture: a JPEG, PNG or WebP file of at most {MAX_IMAGE_BYTES} bytes, in"
                " base64. Turned into `image_vector` on receipt, and not kept."
            )
        ),
    ] = None
    image_vector: Annotated[
        Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_IMAGE_NUMBERS)] | None,
        Meta(description="Vector of its picture, as long as the site's are. Kept at length 1."),
    ] = None
    image_model: Annotated[
        Label | None,
        Meta(description="What made `image_vector`; missing: the site's. Filled in on receipt."),
    ] = None
    author: Annotated[Label | None, Meta(description="Who made it.")] = None
    published: Annotated[
        Moment | None, Meta(description="When it appeared; missing: when received.")
    ] = None
    expires: Annotated[Moment | None, Meta(description="From then on it is not recommended.")] = (
        None
    )
    hidden: Annotated[bool, Meta(description="True: not recommended, but kept.")] = False
    schema_version: Annotated[int, Meta(ge=1, description="Version of this message's schema.")] = (
        SCHEMA_VERSION
    )

    @property
    def subjects(self) -> tuple[str, ...]:
        """What it is about: its own topics, else those that it was given."""
        return self.topics or self.inferred_topics

    @property
    def written_in(self) -> str | None:
        """Its language: what it says itself, else what was understood."""
        return self.language or self.inferred_language


ITEM_FIELDS = frozenset(Item.__struct_fields__)
_TEXTS = (
    ("title", MAX_TITLE_CHARACTERS),
    ("body", MAX_BODY_CHARACTERS),
    ("language", MAX_LABEL_CHARACTERS),
    ("url", MAX_URL_CHARACTERS),
    ("image", MAX_URL_CHARACTERS),
    ("author", MAX_LABEL_CHARACTERS),
)


def parse_item(
    data: JsonObject, *, received: datetime, item: str | None = None
) -> tuple[Item, int]:
    """The item in `data`, and how many unknown fields it had.

    `item` is the id that the address or the message key gives; a different one inside is
    refused. A missing `published` is the time of receipt.

    Raises:
        InvalidInputError: with the path of the field.
        TooLargeError: a text or list over its limit.
    """
    check_schema_version(data)
    if item is not None:
        check_id(item, "id")
        if data.get("id", item) != item:
            raise InvalidInputError(
                f"{shown(data['id'])} is not the item addressed, {shown(item)}", field="id"
            )
        data = {**data, "id": item}
    if "id" in data:
        check_id(data["id"], "id")
    for name, limit in _TEXTS:
        value = data.get(name)
        if isinstance(value, str):
            check_text(value, name, limit=limit)
    _check_labels(data, "topics", MAX_TOPICS)
    _check_labels(data, "tags", MAX_TAGS)
    for name in ("url", "image"):
        _check_url(data.get(name), name)
    _check_language(data.get("language"))
    published = data.get("published")
    times = {
        "published": received if published is None else parse_time(published, "published"),
        "expires": None if data.get("expires") is None else parse_time(data["expires"], "expires"),
    }
    _check_picture(data)
    parsed = convert({**data, **times, "inferred_topics": (), "inferred_language": None}, Item)
    if parsed.image_data is not None:
        check_file(parsed.image_data)
    if not parsed.title.strip():
        raise InvalidInputError("expected some text, got only white space", field="title")
    return parsed, len(data.keys() - ITEM_FIELDS)


def _check_url(value: object, field: str) -> None:
    """Only http(s): a page that links `javascript:` would run it."""
    if isinstance(value, str) and not value.lower().startswith(("http://", "https://")):
        raise InvalidInputError(
            f"expected an http or https address, got {shown(value)}", field=field
        )


def _check_language(value: object) -> None:
    """The whole of it: the `$` of the field's pattern, which is that of JSON Schema, would let a
    line break at the end through here.
    """
    if isinstance(value, str) and not re.fullmatch(_LANGUAGE, value):
        raise InvalidInputError(
            f"expected a BCP 47 tag such as zh or en-GB, got {shown(value)}", field="language"
        )


def _check_picture(data: JsonObject) -> None:
    """One of the two at most, and no file that is too large to look at."""
    encoded = data.get("image_data")
    if encoded is not None and data.get("image_vector") is not None:
        raise InvalidInputError("expected a file or a vector, got both", field="image_vector")
    if isinstance(encoded, str) and len(encoded) > 4 * (MAX_IMAGE_BYTES // 3 + 1):
        raise TooLargeError(
            f"expected a file of at most {MAX_IMAGE_BYTES} bytes, got {len(encoded) * 3 // 4}",
            field="image_data",
        )


def _check_labels(data: JsonObject, field: str, limit: int) -> None:
    labels = data.get(field)
    if not isinstance(labels, list | tuple):
        return
    if len(labels) > limit:
        raise TooLargeError(f"expected at most {limit}, got {len(labels)}", field=field)
    for index, label in enumerate(labels):
        if isinstance(label, str):
            check_text(label, f"{field}[{index}]", limit=MAX_LABEL_CHARACTERS)
