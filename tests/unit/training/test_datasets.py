"""Readers of real data sets, each on a few lines of its own layout."""

import gzip
import json
import pickle
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from clickwise.errors import ConfigurationError
from clickwise.imports.feed import Row
from clickwise.testing.encoder import HashingEncoder
from clickwise.testing.services import missing
from clickwise.types import EVENT_TYPES
from training.datasets import load_dataset
from training.datasets.feeds import read_rows
from training.datasets.ml_1m import read_ml_1m
from training.datasets.serenade import read_session_parts
from training.datasets.snapshot import read_snapshot
from training.datasets.text_vectors import with_text_vectors

FILMS = (
    "1::Toy Story (1995)::Animation|Comedy\n"
    "2::Café (1996)::Drama\n"
    "3::Heat (1995)::Action\n"
    "9::Never Rated (1990)::Drama\n"
)
SNAPSHOT = {
    "train": {1: [2, 1], 2: [3]},
    "val": {1: [3], 2: [1]},
    "test": {1: [1], 2: [2]},
    "umap": {40: 1, 50: 2},
    "smap": {3: 1, 1: 2, 2: 3},
}


def snapshot_folder(folder, content=None):
    (folder / "movies.dat").write_text(FILMS, encoding="latin-1")
    (folder / "dataset.pkl").write_bytes(content or pickle.dumps(SNAPSHOT))
    return folder


def sequences(data):
    return {
        data.user_ids[user]: [data.items.ids[item] for item in history.items_T]
        for user, history in data.histories()
    }


def zipped(path, text):
    path.write_bytes(gzip.compress(text.encode()))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="ml-100k, ml-1m, deskdrop, serenade"):
        load_dataset("movielens-9")


def test_a_name_without_a_folder_says_what_to_give():
    with pytest.raises(ConfigurationError, match="serenade-sessions or serenade"):
        load_dataset("serenade")


def test_a_name_that_is_not_in_the_folder_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(ConfigurationError, match=f"{tmp_path}.*LRURec"):
        load_dataset("ml-1m", folder=tmp_path)


def test_a_name_is_found_below_the_data_folder_and_in_the_folder_itself(tmp_path):
    inside = tmp_path / "lru"
    inside.mkdir()
    snapshot_folder(inside)

    assert load_dataset("ml-1m", folder=tmp_path).name == "ml-1m"
    assert load_dataset("ml-1m", folder=inside).name == "ml-1m"


def test_a_folder_is_recognized_by_its_files(tmp_path):
    assert load_dataset(str(snapshot_folder(tmp_path))).name == "ml-1m"


def test_any_file_that_can_be_imported_is_a_data_set(tmp_path):
    lines = [
        {"id": "n1", "kind": "news", "title": "One", "language": "en"},
        {"id": "e1", "user": "u", "item": "n1", "type": "click", "time": "2026-01-02T00:00:00Z"},
    ]
    (tmp_path / "site.jsonl").write_text("\n".join(map(json.dumps, lines)))

    data = load_dataset(str(tmp_path / "site.jsonl"))

    assert (data.items.titles, data.items.languages) == (("One",), ("en",))
    assert data.log.times_N.tolist() == [1767312000.0]


def test_ml_100k_comes_from_the_installed_wheel():
    try:
        metadata.distribution("recbole")
    except metadata.PackageNotFoundError:
        missing("recbole is not installed: it carries MovieLens-100k")

    data = load_dataset("ml-100k")

    assert (len(data.log), len(data.user_ids), len(data.items)) == (100_000, 943, 1_682)
    assert data.items.texts[0] == "Toy Story. Animation, Children's, Comedy"
    assert data.items.topics[0] == ("Animation", "Children's", "Comedy")
    assert np.allclose(np.unique(data.log.weights_N), [-1.2, -0.6, 0.2, 0.85, 1.5])
    assert (np.diff(data.log.times_N) >= 0).all()


def test_the_snapshot_gives_each_users_films_in_order_under_their_original_ids(tmp_path):
    data = read_ml_1m(snapshot_folder(tmp_path))

    assert sequences(data) == {"40": ["1", "3", "2", "3"], "50": ["2", "3", "1"]}
    assert not data.timed
    assert set(data.log.weights_N.tolist()) == {1.0}
    assert {EVENT_TYPES[code] for code in data.log.types_N.tolist()} == {"click"}


def test_the_snapshots_films_have_titles_years_and_genres(tmp_path):
    items = read_ml_1m(snapshot_folder(tmp_path)).items

    assert items.ids == ("3", "1", "2")
    assert items.titles == ("Heat", "Toy Story", "Café")
    assert items.topics[1] == ("Animation", "Comedy")
    assert items.published_I[2] == 820454400.0


def test_the_snapshot_is_found_where_its_repository_keeps_it(tmp_path):
    name = "ml-1m_min_rating0-min_uc5-min_sc5-leave_one_out"
    preprocessed, films = tmp_path / "data/preprocessed" / name, tmp_path / "data/ml-1m"
    preprocessed.mkdir(parents=True)
    films.mkdir()
    (preprocessed / "dataset.pkl").write_bytes(pickle.dumps(SNAPSHOT))
    (films / "movies.dat").write_text(FILMS, encoding="latin-1")

    assert len(read_ml_1m(tmp_path).log) == 7


def test_a_pickle_that_names_a_function_is_refused_and_nothing_is_called(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "called",)

    path = tmp_path / "dataset.pkl"
    path.write_bytes(pickle.dumps(SNAPSHOT | {"train": Trap()}))

    with pytest.raises(ConfigurationError, match=r"names .*only plain values"):
        read_snapshot(path)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        pickle.dumps(SNAPSHOT)[:-20],
        pickle.dumps([1, 2]),
        pickle.dumps({"train": {}}),
        pickle.dumps(SNAPSHOT | {"test": {1: [4], 2: [2]}}),
        pickle.dumps(SNAPSHOT | {"test": {1: ["1"], 2: [2]}}),
        pickle.dumps(SNAPSHOT | {"smap": {3: 1, 1: 2, 2: 5}}),
    ],
    ids=["empty", "cut", "list", "parts", "unknown item", "text", "gap"],
)
def test_a_pickle_of_another_make_is_refused(tmp_path, content):
    path = tmp_path / "dataset.pkl"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"dataset\.pkl is no snapshot"):
        read_snapshot(path)


def test_a_film_of_the_snapshot_without_a_title_is_a_fault(tmp_path):
    snapshot_folder(tmp_path, pickle.dumps(SNAPSHOT | {"smap": {3: 1, 77: 2, 2: 3}}))

    with pytest.raises(ConfigurationError, match="lacks film 77"):
        read_ml_1m(tmp_path)


def test_the_original_files_have_times_and_stars(tmp_path):
    (tmp_path / "movies.dat").write_text(FILMS, encoding="latin-1")
    (tmp_path / "ratings.dat").write_text("7::1::5::978300900\n7::3::1::978300800\n")

    data = load_dataset(str(tmp_path))

    assert data.timed
    assert len(data.items) == 4
    assert sequences(data) == {"7": ["3", "1"]}
    assert np.allclose(data.log.weights_N, [-1.2, 1.5])


def deskdrop(folder):
    zipped(
        folder / "interactions.csv.gz",
        "timestamp,eventType,contentId,personId,sessionId,userRegion,userCountry\n"
        "1459200000,LIKE,-11,5,s,,\n"
        "1459190000,VIEW,-11,5,s,,\n"
        "1459190000,VIEW,-11,5,s,,\n"
        "1459300000,COMMENT CREATED,22,6,t,,\n"
        "1459300001,FOLLOW,99,6,t,,\n",
    )
    zipped(
        folder / "articles.csv.gz",
        "contentId,sharedAt,eventType,authorPersonId,contentType,url,title,lang\n"
        "-11,1459100000,CONTENT SHARED,1,HTML,http://a.b,Erste,pt\n"
        "22,1459100001,CONTENT SHARED,1,HTML,http://a.c,Second,en\n",
    )
    zipped(folder / "article_text_370.jsonl.gz", '{"contentId": "22", "text": "Its body."}\n')
    return folder


def test_deskdrop_counts_each_event_once_in_order_of_time(tmp_path):
    data = load_dataset(str(deskdrop(tmp_path)))

    kinds = [EVENT_TYPES[code] for code in data.log.types_N.tolist()]
    assert kinds == ["view", "like", "share", "bookmark"]
    assert np.allclose(data.log.weights_N, [0.5, 1.5, 1.8, 1.5])


def test_deskdrops_articles_have_texts_and_those_that_only_events_know_have_none(tmp_path):
    items = load_dataset(str(deskdrop(tmp_path))).items

    assert items.ids == ("-11", "22", "99")
    assert items.texts == ("Erste", "Second. Its body.", "")
    assert items.languages == ("pt", "en", "")
    assert items.published_I.tolist() == [1459100000.0, 1459100001.0, 0.0]


def serenade(folder):
    header = "SessionId\tItemId\tTime\n"
    zipped(folder / "train.txt.gz", header + "1\t70\t20.0\n1\t71\t10.0\n2\t70\t15.0\n")
    zipped(folder / "valid.txt.gz", header + "1\t72\t40.0\n")
    zipped(folder / "test.txt.gz", header + "3\t71\t50.0\n3\t70\t60.0\n")
    return folder


def test_the_parts_of_serenade_share_their_catalogue_and_keep_their_sessions(tmp_path):
    parts = read_session_parts(serenade(tmp_path))

    assert parts.train.items.ids == parts.test.items.ids == ("70", "71", "72")
    assert sequences(parts.train) == {"1": ["71", "70"], "2": ["70"]}
    assert sequences(parts.test) == {"3": ["71", "70"]}


def test_serenade_as_one_log_keeps_sessions_of_equal_number_apart(tmp_path):
    data = load_dataset(str(serenade(tmp_path)))

    assert sequences(data)["train:1"] == ["71", "70"]
    assert sequences(data)["valid:1"] == ["72"]


def test_a_missing_part_of_serenade_is_named(tmp_path):
    serenade(tmp_path)
    (tmp_path / "test.txt.gz").unlink()

    with pytest.raises(ConfigurationError, match=r"test\.txt"):
        read_session_parts(tmp_path)


def test_a_row_that_cannot_be_read_is_named_with_its_place():
    film = Row("films:3", {"id": "1", "kind": "opera", "title": "x"})
    event = Row("clicks:8", {"id": "e", "user": "u", "item": "1", "type": "sneeze", "time": 1.0})

    with pytest.raises(ConfigurationError, match="films:3: kind"):
        read_rows("x", items=[film], events=[])
    with pytest.raises(ConfigurationError, match=r"clicks:8: .*sneeze"):
        read_rows("x", items=[], events=[event])


class CountingEncoder(HashingEncoder):
    def __init__(self, version="v/1"):
        super().__init__(dimension=16)
        self.version = version
        self.texts = 0

    def encode(self, texts):
        self.texts += len(texts)
        return super().encode(texts)


def test_text_vectors_are_those_of_the_encoder_and_zero_without_text(tmp_path):
    data = load_dataset(str(deskdrop(tmp_path)))

    text_ID = with_text_vectors(data, CountingEncoder(), tmp_path / "cache").items.text_ID

    expected = HashingEncoder(dimension=16).encode(["Erste", "Second. Its body."])
    assert np.array_equal(text_ID[:2], expected)
    assert not text_ID[2].any()


def test_texts_are_encoded_once_for_an_encoder(tmp_path):
    data = load_dataset(str(deskdrop(tmp_path)))
    cache = tmp_path / "cache"
    first = with_text_vectors(data, CountingEncoder(), cache)
    again, other = CountingEncoder(), CountingEncoder("v/2")

    second = with_text_vectors(data, again, cache)
    with_text_vectors(data, other, cache)

    assert (again.texts, other.texts) == (0, 2)
    assert np.array_equal(first.items.text_ID, second.items.text_ID)


def titled(*titles, name="x"):
    """A data set of items that have nothing but a title."""
    rows = [Row("f", {"id": str(n), "kind": "ad", "title": t}) for n, t in enumerate(titles)]
    return read_rows(name, items=rows, events=[])


def encoded(*titles):
    return HashingEncoder(dimension=16).encode(titles)


def test_of_a_catalog_that_has_changed_only_the_new_texts_are_encoded(tmp_path):
    with_text_vectors(titled("one", "three", "four"), CountingEncoder(), tmp_path)
    encoder = CountingEncoder()

    text_ID = with_text_vectors(titled("four", "two", "one"), encoder, tmp_path).items.text_ID

    assert encoder.texts == 1
    assert np.array_equal(text_ID, encoded("four", "two", "one"))


def test_texts_that_a_catalog_has_no_more_leave_nothing_behind(tmp_path):
    former, foreign = tmp_path / "v-1-0123456789abcdef.npy", tmp_path / "v-1.npy"
    former.touch()
    foreign.touch()
    with_text_vectors(titled("one", "two"), CountingEncoder(), tmp_path)
    with_text_vectors(titled("two", "three"), CountingEncoder(), tmp_path)
    encoder = CountingEncoder()

    with_text_vectors(titled("one", "two", "three"), encoder, tmp_path)

    assert encoder.texts == 1
    assert len(list(tmp_path.glob("*.npz"))) == 1
    assert (former.exists(), foreign.exists()) == (False, True)


def test_data_sets_and_encoders_of_like_names_keep_their_vectors_apart(tmp_path):
    with_text_vectors(titled("one"), CountingEncoder(), tmp_path)
    with_text_vectors(titled("two", name="y"), CountingEncoder(), tmp_path)
    again, other = CountingEncoder(), CountingEncoder("v-1")

    with_text_vectors(titled("one"), again, tmp_path)
    with_text_vectors(titled("one"), other, tmp_path)

    assert (again.texts, other.texts) == (0, 1)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\3\4junk"])
def test_a_file_of_vectors_that_cannot_be_read_is_made_again(tmp_path, content):
    with_text_vectors(titled("one"), CountingEncoder(), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    again, later = CountingEncoder(), CountingEncoder()

    text_ID = with_text_vectors(titled("one"), again, tmp_path).items.text_ID
    with_text_vectors(titled("one"), later, tmp_path)

    assert (again.texts, later.texts) == (1, 0)
    assert np.array_equal(text_ID, encoded("one"))


@pytest.mark.parametrize(("model", "number"), [("v/1", 1), ("v/2", 2), ("", 2)])
def test_only_vectors_of_the_encoder_that_is_asked_for_stay(tmp_path, model, number):
    data, encoder = titled("one", "two"), CountingEncoder()
    had_ID = np.zeros((2, 16), np.float32)
    had_ID[0] = encoded("one")[0] if model == "v/1" else encoded("other")[0]
    items = replace(data.items, text_ID=had_ID, text_model=model)

    found = with_text_vectors(replace(data, items=items), encoder, tmp_path).items

    assert encoder.texts == number
    assert found.text_model == "v/1"
    assert np.array_equal(found.text_ID, encoded("one", "two"))
    assert not had_ID[1].any()


def test_progress_of_encoding_ends_at_the_number_of_distinct_texts(tmp_path):
    told = []
    rows = [Row("f", {"id": str(n), "kind": "ad", "title": f"t{n % 70}"}) for n in range(90)]

    with_text_vectors(
        read_rows("x", items=rows, events=[]),
        CountingEncoder(),
        tmp_path,
        progress=lambda *one: told.append(one),
    )

    assert told == [(64, 70), (70, 70)]
