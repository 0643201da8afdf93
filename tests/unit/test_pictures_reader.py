"""What an item brings of its picture, what is stored of it, and what is refused."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

from clickwise.cli.pictures import pictures_of
from clickwise.codec import encode
from clickwise.doors import Verdict
from clickwise.errors import ConfigurationError, InvalidInputError, TooLargeError
from clickwise.items import Item, parse_item
from clickwise.pictures.encoder import open_pictures
from clickwise.pictures.reader import NO_PICTURES, SentVectors
from clickwise.settings import Settings
from clickwise.types import ItemId, ModelVersion
from clickwise.vectors.rows import indexed, picture_of
from streams.embedded import EmbeddedEngine
from streams.flows import ItemFlow, SetAside
from streams.items import ItemHandler
from streams.records import Record
from tests.pictures import color_encoder, file_of, picture
from tests.site import NOW, Site

RED, BLUE = (255, 0, 0), (0, 0, 255)


def colored(color):
    return base64.b64encode(file_of(np.full((20, 20, 3), color, np.uint8), "JPEG")).decode()


def parsed(**fields):
    return parse_item({"id": "a", "kind": "news", "title": "t", **fields}, received=NOW)[0]


@pytest.fixture
def colors(tmp_path):
    return open_pictures(color_encoder(tmp_path / "colors"), device="cpu", threads=1)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


def handler_of(site, pictures):
    return ItemHandler(
        state=site.state, releases=site.releases, encoder=site.encoder, pictures=pictures
    )


def stored(site, name):
    return msgspec.json.decode(site.state.item(ItemId(name)).body, type=Item)


def test_a_file_becomes_a_unit_vector_of_the_encoder_and_is_not_kept(site, colors):
    handler_of(site, colors).apply([(ItemId("a"), parsed(image_data=colored(RED)))])

    item = stored(site, "a")
    assert item.image_data is None
    assert item.image_model == colors.version
    assert np.allclose(item.image_vector, [1.0, 0.0, 0.0], atol=0.02)
    assert np.linalg.norm(item.image_vector) == pytest.approx(1.0, abs=1e-5)


def test_what_is_stored_is_what_an_index_is_given(site, colors):
    handler_of(site, colors).apply([(ItemId("a"), parsed(image_data=colored(BLUE)))])

    entry = indexed(site.state.item(ItemId("a")))

    assert entry.picture.model == colors.version
    assert np.allclose(entry.picture.vector_P, [0.0, 0.0, 1.0], atol=0.02)


def test_an_item_as_it_is_shown_can_be_sent_again(site, colors):
    handler = handler_of(site, colors)
    handler.apply([(ItemId("a"), parsed(image_data=colored(RED)))])
    shown = msgspec.json.decode(site.state.item(ItemId("a")).body)

    handler.apply([(ItemId("a"), parsed(**{**shown, "title": "another title"}))])

    again = stored(site, "a")
    assert again.title == "another title"
    assert np.allclose(again.image_vector, shown["image_vector"], atol=2e-6)


def test_an_item_without_a_picture_is_stored_as_before(site, colors):
    handler_of(site, colors).apply([(ItemId("a"), parsed())])

    body = site.state.item(ItemId("a")).body
    assert b"image" not in body
    assert indexed(site.state.item(ItemId("a"))).picture is None


def test_an_item_stored_before_there_were_pictures_is_read():
    old = msgspec.json.decode(b'{"id":"a","kind":"news","title":"t"}', type=Item)

    assert picture_of(old) is None


def test_a_sent_vector_is_scaled_and_named():
    item = SentVectors(ModelVersion("vectors-2"), 2).read(parsed(image_vector=[3.0, 4.0]))

    assert (item.image_vector, item.image_model) == ((0.6, 0.8), "vectors-2")


@pytest.mark.parametrize(
    ("brought", "field", "reason"),
    [
        ({"image_vector": [1.0]}, "image_vector", "expected 2 numbers, those of vectors-2, got 1"),
        ({"image_vector": [0, 0]}, "image_vector", "expected a vector that has a direction"),
        (
            {"image_vector": [1, 2], "image_model": "clip"},
            "image_model",
            "expected vectors-2, this site's, got 'clip'",
        ),
        ({"image_data": colored(RED)}, "image_data", "expected image_vector of 2 numbers"),
    ],
)
def test_a_picture_that_does_not_fit_the_site_is_refused_by_name(brought, field, reason):
    reader = SentVectors(ModelVersion("vectors-2"), 2)

    with pytest.raises(InvalidInputError, match=reason) as refused:
        reader.read(parsed(**brought))

    assert refused.value.field == field


@pytest.mark.parametrize("brought", [{"image_data": colored(RED)}, {"image_vector": [1.0]}])
def test_a_site_that_reads_no_pictures_says_so_instead_of_losing_one(brought):
    with pytest.raises(InvalidInputError, match="expected CLICKWISE_IMAGE_ENCODER to be set"):
        NO_PICTURES.read(parsed(**brought))


@pytest.mark.parametrize(
    ("brought", "fault", "field"),
    [
        ({"image_data": "no base64!"}, InvalidInputError, "image_data"),
        ({"image_data": "bm8gcGljdHVyZQ=="}, InvalidInputError, "image_data"),
        ({"image_data": "A" * 400_000}, TooLargeError, "image_data"),
        ({"image_data": 7}, InvalidInputError, "image_data"),
        ({"image_vector": []}, InvalidInputError, "image_vector"),
        ({"image_vector": ["x"]}, InvalidInputError, "image_vector[0]"),
        ({"image_vector": [0.1] * 2_049}, InvalidInputError, "image_vector"),
        ({"image_data": colored(RED), "image_vector": [1]}, InvalidInputError, "image_vector"),
    ],
)
def test_the_door_refuses_what_is_no_picture_with_the_field(brought, fault, field):
    with pytest.raises(fault) as refused:
        parsed(**brought)

    assert refused.value.field.replace("[...]", "[0]") == field


def test_a_picture_survives_the_log(colors):
    sent = parsed(image_data=colored(RED))

    again = parse_item(msgspec.json.decode(encode(sent)), received=NOW)[0]

    assert again == sent
    assert colors.read(again) == colors.read(sent)


async def test_a_picture_that_cannot_be_decoded_costs_its_neighbors_nothing(site, colors):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    whole = file_of(noise, "JPEG")
    torn = base64.b64encode(whole[: len(whole) // 2]).decode()
    engine = EmbeddedEngine(
        events=site.events, items=handler_of(site, colors), clock=site.clock, max_queued_events=100
    )
    await engine.start()

    items = [parsed(id="good", image_data=colored(RED)), parsed(id="torn", image_data=torn)]
    first, second = await engine.put([*items])
    await engine.stop()

    assert first is Verdict.APPLIED
    assert isinstance(second, InvalidInputError)
    assert second.field == "image_data"
    assert stored(site, "good").image_model == colors.version
    assert site.state.item(ItemId("torn")) is None


def test_over_kafka_it_becomes_a_dead_letter_and_the_rest_is_applied(site, colors):
    class Outlet:
        async def write(self, messages):
            del messages

    def record(offset, name, item):
        return Record("items", 0, offset, name.encode(), encode(item), NOW.timestamp())

    whole = picture(np.random.default_rng(0), lying=True)
    torn = base64.b64encode(whole[: len(whole) // 2]).decode()
    aside = SetAside(state=site.state, outlet=Outlet(), topic="dead", clock=site.clock)
    with ThreadPoolExecutor(1) as thread:
        flow = ItemFlow(handler_of(site, colors), aside=aside, thread=thread, consumer="workers")
        asyncio.run(
            flow.take(
                [
                    record(0, "torn", parsed(id="torn", image_data=torn)),
                    record(1, "good", parsed(id="good", image_data=colored(RED))),
                ]
            )
        )

    (letter,) = site.state.dead_letters(limit=10)
    assert (letter.offset, letter.reason) == (0, "invalid")
    assert letter.detail.startswith("image_data: expected a JPEG, PNG or WebP file that is whole")
    assert stored(site, "good").image_model == colors.version


def test_the_setting_chooses_nothing_vectors_or_a_folder(tmp_path):
    folder = color_encoder(tmp_path / "colors")

    assert pictures_of(Settings()) is NO_PICTURES
    sent = pictures_of(Settings(image_encoder="vectors:2"))
    named = pictures_of(Settings(image_encoder="vectors:clip-b32:2"))
    assert sent.read(parsed(image_vector=[1, 0])).image_model == "vectors-2"
    assert named.read(parsed(image_vector=[1, 0])).image_model == "clip-b32-2"
    assert pictures_of(Settings(image_encoder=str(folder))).dimension == 3


@pytest.mark.parametrize(
    "chosen", ["vectors", "vectors:", "vectors:0", "vectors:4096", "vectors:x"]
)
def test_a_dimension_that_cannot_be_is_refused(chosen):
    with pytest.raises(ConfigurationError, match=r"expected vectors:<dimension>, from 1 to 2048"):
        pictures_of(Settings(image_encoder=chosen))


def test_a_folder_without_an_encoder_is_refused_with_what_is_missing(tmp_path):
    with pytest.raises(ConfigurationError, match=r"expected a folder with encoder.json and model"):
        pictures_of(Settings(image_encoder=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dimension": 4}, "encoder.json says 4 numbers, and means of model.onnx has 3"),
        ({"output": "other"}, "failed"),
        ({"size": "large"}, "size"),
        ({"std": [0, 1, 1]}, "std"),
        ({"colour": "rgb"}, "colour"),
        ({"name": "colors\n"}, "name"),
    ],
)
def test_a_note_that_does_not_fit_its_graph_is_refused(tmp_path, changes, reason):
    folder = color_encoder(tmp_path / "colors")
    note = msgspec.json.decode((folder / "encoder.json").read_bytes())
    (folder / "encoder.json").write_bytes(msgspec.json.encode({**note, **changes}))

    with pytest.raises(ConfigurationError, match=reason):
        open_pictures(folder, device="cpu", threads=1)


def test_another_note_or_graph_is_another_version(tmp_path):
    def version(name, **changes):
        folder = color_encoder(tmp_path / name, **changes)
        return open_pictures(folder, device="cpu", threads=1).version

    first = version("first")

    assert version("same") == first
    assert len({first, version("mean", mean=[0.1] * 3), version("size", size=32)}) == 3
