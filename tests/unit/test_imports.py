"""Readers of other people's files: order, mapping, and what is wrong with a line."""

import gzip
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import polars as pl
import pytest

from clickwise.errors import ConfigurationError, InvalidInputError
from clickwise.events import parse_event
from clickwise.imports.feed import Row
from clickwise.imports.layouts import Layout, open_feed, recognized
from clickwise.imports.tables import TableOptions
from clickwise.imports.times import moved
from clickwise.items import parse_item
from clickwise.testing.services import missing

NOW = datetime(2026, 11, 25, tzinfo=UTC)
T = 1_700_000_000


def feed_of(path, layout=Layout.AUTO, **options):
    return open_feed(path, layout, TableOptions(**options))


def events_of(feed):
    return [parse_event(row.data, received=NOW)[0] for row in feed.events()]


def items_of(feed):
    return [parse_item(row.data, received=NOW)[0] for row in feed.items()]


class TestJsonLines:
    LINES = (
        f'{{"id": "e2", "user": "u", "item": "a", "type": "click", "time": {T + 2}}}\n'
        '{"id": "a", "kind": "news", "title": "A"}\n'
        "\n"
        f'{{"id": "e1", "user": "u", "item": "a", "type": "click", "time": {T + 1}}}\n'
        "not json\n"
    )

    def test_items_and_events_are_told_apart_and_events_come_in_order(self, tmp_path):
        path = tmp_path / "site.jsonl"
        path.write_text(self.LINES)

        feed = feed_of(path)

        assert [row.data["id"] for row in feed.items() if not row.fault] == ["a"]
        assert [row.data["id"] for row in feed.events()] == ["e1", "e2"]
        assert (feed.num_items, feed.num_events, feed.newest) == (2, 2, T + 2)

    @pytest.mark.case(7)
    def test_a_line_that_is_no_json_is_a_fault_with_its_place(self, tmp_path):
        path = tmp_path / "site.jsonl"
        path.write_text(self.LINES)

        (bad,) = [row for row in feed_of(path).items() if row.fault]

        assert bad.place == "site.jsonl:5"
        assert "not valid JSON" in bad.fault

    def test_gzip_reads_the_same(self, tmp_path):
        path = tmp_path / "site.jsonl.gz"
        path.write_bytes(gzip.compress(self.LINES.encode()))

        assert [row.data["id"] for row in feed_of(path).events()] == ["e1", "e2"]

    def test_times_of_both_forms_are_ordered_together(self, tmp_path):
        path = tmp_path / "e.jsonl"
        path.write_text(
            '{"id": "b", "user": "u", "item": "a", "type": "click",'
            ' "time": "2026-01-01T00:00:01+01:00"}\n'
            '{"id": "a", "user": "u", "item": "a", "type": "click",'
            ' "time": "2025-12-31T23:00:00Z"}\n'
        )

        assert [event.id for event in events_of(feed_of(path))] == ["a", "b"]


class TestTables:
    def test_columns_are_mapped_and_ids_made_of_the_row(self, tmp_path):
        path = tmp_path / "clicks.csv"
        path.write_text(f"user_id,article,at\nu2,a,{T + 5}\nu1,007,{T}\n")
        mapping = {"user": "user_id", "item": "article", "time": "at"}

        first = events_of(feed_of(path, mapping=mapping, event_type="click"))
        again = events_of(feed_of(path, mapping=mapping, event_type="click"))

        assert [(event.user, event.item) for event in first] == [("u1", "007"), ("u2", "a")]
        assert [event.id for event in first] == [event.id for event in again]
        assert len({event.id for event in first}) == 2

    def test_items_have_lists_flags_and_times(self, tmp_path):
        path = tmp_path / "items.tsv"
        path.write_text(
            "id\tkind\ttitle\ttopics\thidden\tpublished\n"
            "1\tvideo\tA, b\tx|y z\ttrue\t2026-01-02T03:04:05Z\n"
        )

        (item,) = items_of(feed_of(path))

        assert item.topics == ("x", "y z")
        assert item.hidden
        assert item.published == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def test_a_short_row_lacks_what_it_lacks(self, tmp_path):
        path = tmp_path / "e.csv"
        path.write_text(f"id,user,item,type,time\ne1,u,a,click,{T}\ne2,u\n")

        faults = []
        for row in feed_of(path).events():
            try:
                parse_event(row.data, received=NOW)
            except InvalidInputError as error:
                faults.append((row.place, error.field))

        assert faults == [("e.csv:3", "item")]

    def test_parquet_keeps_types_and_a_time_without_zone_is_refused(self, tmp_path):
        path = tmp_path / "e.parquet"
        naive = datetime(2026, 1, 1)  # noqa: DTZ001  # the point
        pl.DataFrame(
            {
                "id": ["e1", "e2"],
                "user": [1, 2],
                "item": [7, 8],
                "type": ["rating", "rating"],
                "value": [4.0, 2.0],
                "time": [naive, naive],
            }
        ).write_parquet(path)

        rows = list(feed_of(path).events())

        assert rows[0].data["user"] == "1"
        with pytest.raises(InvalidInputError, match="no UTC offset"):
            parse_event(rows[0].data, received=NOW)

    def test_parquet_with_zoned_times_is_taken(self, tmp_path):
        path = tmp_path / "e.parquet"
        pl.DataFrame(
            {"id": ["e1"], "user": ["u"], "item": ["a"], "type": ["click"], "time": [NOW]}
        ).write_parquet(path)

        (event,) = events_of(feed_of(path))

        assert event.time == NOW

    def test_a_column_that_is_not_there_is_told(self, tmp_path):
        path = tmp_path / "e.csv"
        path.write_text("a,b\n1,2\n")

        with pytest.raises(ConfigurationError, match=r"no column 'who'.*'a', 'b'"):
            feed_of(path, mapping={"user": "who"})

    def test_a_table_without_kind_or_type_wants_one(self, tmp_path):
        items, events = tmp_path / "i.csv", tmp_path / "e.csv"
        items.write_text("id,title\n1,A\n")
        events.write_text("user,item\nu,a\n")

        with pytest.raises(ConfigurationError, match="--kind"):
            feed_of(items)
        with pytest.raises(ConfigurationError, match="--type"):
            feed_of(events)
        assert items_of(feed_of(items, kind="course"))[0].kind == "course"


class TestMovieLens:
    def test_the_layout_of_100k(self, tmp_path):
        (tmp_path / "u.data").write_text(f"1\t10\t4\t{T + 1}\n2\t10\t1\t{T}\n")
        genres = ["0"] * 19
        genres[1] = genres[16] = "1"
        film = "10|Caf\xe9, Le (1996)|01-Jan-1996||http://x|" + "|".join(genres) + "\n"
        (tmp_path / "u.item").write_bytes(film.encode("latin-1"))

        feed = feed_of(tmp_path)

        (item,), events = items_of(feed), events_of(feed)
        assert (item.title, item.topics) == ("Caf\xe9, Le", ("Action", "Thriller"))
        assert item.published == datetime(1996, 1, 1, tzinfo=UTC)
        assert [(e.user, e.value) for e in events] == [("2", 1.0), ("1", 4.0)]
        assert feed.newest == T + 1

    def test_the_layout_of_1m(self, tmp_path):
        (tmp_path / "ratings.dat").write_text(f"1::10::5::{T}\n")
        (tmp_path / "movies.dat").write_text("10::A: B (2000)::Drama|War\n")

        feed = feed_of(tmp_path)

        assert items_of(feed)[0].title == "A: B"
        assert events_of(feed)[0].id == "ml-1-10"

    def test_the_latest_layout_and_its_half_stars(self, tmp_path):
        (tmp_path / "ratings.csv").write_text(
            f"userId,movieId,rating,timestamp\n1,10,0.5,{T}\n1,11,3.5,{T}\n"
        )
        (tmp_path / "movies.csv").write_text(
            'movieId,title,genres\n10,"A, The (2000)",Drama\n11,B,(no genres listed)\n'
        )

        feed = feed_of(tmp_path)

        assert [event.value for event in events_of(feed)] == [1.0, 3.5]
        assert [(i.title, i.topics) for i in items_of(feed)] == [
            ("A, The", ("Drama",)),
            ("B", ()),
        ]


class TestDeskdrop:
    def test_kaggle_files(self, tmp_path):
        (tmp_path / "shared_articles.csv").write_text(
            "timestamp,eventType,contentId,authorPersonId,contentType,url,title,text,lang\n"
            f'{T},CONTENT SHARED,-5,9,HTML,http://x/1,"A, b","Two\nlines",en\n'
            f"{T},CONTENT SHARED,6,9,HTML,http://x/2,C,D,pt\n"
            f"{T + 9},CONTENT REMOVED,6,9,HTML,http://x/2,C,D,pt\n"
        )
        (tmp_path / "users_interactions.csv").write_text(
            "timestamp,eventType,contentId,personId,sessionId\n"
            f"{T + 2},COMMENT CREATED,-5,-1,3\n{T + 1},VIEW,-5,-1,3\n"
        )

        feed = feed_of(tmp_path)

        assert [(i.id, i.hidden, i.language) for i in items_of(feed)] == [
            ("-5", False, "en"),
            ("6", True, "pt"),
        ]
        assert [event.type for event in events_of(feed)] == ["view", "share"]

    def test_an_unknown_type_keeps_its_name_to_be_refused_with(self, tmp_path):
        (tmp_path / "articles.csv.gz").write_bytes(
            gzip.compress(
                b"contentId,sharedAt,eventType,authorPersonId,contentType,url,title,lang\n"
                b"5,1700000000,CONTENT SHARED,9,HTML,http://x/1,A,en\n"
            )
        )
        (tmp_path / "interactions.csv.gz").write_bytes(
            gzip.compress(
                b"timestamp,eventType,contentId,personId,sessionId\n1700000001,SNEEZE,5,1,3\n"
            )
        )

        (row,) = feed_of(tmp_path).events()

        with pytest.raises(InvalidInputError, match="SNEEZE"):
            parse_event(row.data, received=NOW)


class TestMind:
    def write(self, folder):
        (folder / "news.tsv").write_text(
            'N1\tsports\tsoccer\tA "quote\tAbstract\thttps://x/1\t[]\t[]\n'
            "N2\tnews\tworld\tB\t\thttps://x/2\t[]\t[]\n"
        )
        (folder / "behaviors.tsv").write_text(
            "2\tU1\t11/11/2025 9:05:58 PM\tN1\tN1-0 N2-1\n"
            "1\tU2\t11/11/2025 9:05:58 AM\t\tN2-0\n"
            "3\tU3\tyesterday\t\tN2-0\n"
        )

    def test_impressions_then_clicks_in_order_of_time(self, tmp_path):
        self.write(tmp_path)

        feed = feed_of(tmp_path)

        rows = [row for row in feed.events() if not row.fault]
        events = [parse_event(row.data, received=NOW)[0] for row in rows]
        assert [(e.user, e.item, e.type) for e in events] == [
            ("U2", "N2", "impression"),
            ("U1", "N1", "impression"),
            ("U1", "N2", "impression"),
            ("U1", "N2", "click"),
        ]
        assert [e.position for e in events] == [0, 0, 1, 1]
        assert items_of(feed)[0].topics == ("sports", "soccer")

    def test_a_visit_without_a_time_is_a_fault(self, tmp_path):
        self.write(tmp_path)

        (bad,) = [row for row in feed_of(tmp_path).events() if row.fault]

        assert bad.place == "behaviors.tsv:3"
        assert "yesterday" in bad.fault


class TestAtomicFiles:
    def write(self, folder, name="films"):
        (folder / f"{name}.inter").write_text(
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
            f"u2\t7\t4\t{T + 1}\nu1\t8\t1.0\t{T}\n"
        )
        (folder / f"{name}.item").write_text(
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
            '7\tThe "Heat"\t1995\tAction Crime\n8\t\t\t\n'
        )

    def test_a_folder_is_known_by_its_files(self, tmp_path):
        self.write(tmp_path)

        feed = feed_of(tmp_path)

        assert recognized(tmp_path) is Layout.RECBOLE
        assert [(one.user, one.item, one.type, one.value) for one in events_of(feed)] == [
            ("u1", "8", "rating", 1.0),
            ("u2", "7", "rating", 4.0),
        ]
        heat, unnamed = items_of(feed)
        assert (heat.title, heat.kind, heat.topics) == ('The "Heat"', "video", ("Action", "Crime"))
        assert heat.published == datetime(1995, 1, 1, tzinfo=UTC)
        assert (unnamed.title, unnamed.topics) == ("(untitled)", ())
        assert (feed.num_items, feed.num_events, feed.newest) == (2, 2, T + 1)

    def test_a_file_brings_what_is_named_like_it(self, tmp_path):
        self.write(tmp_path, "films")
        self.write(tmp_path, "books")

        assert feed_of(tmp_path / "films.item").num_events == 2
        with pytest.raises(ConfigurationError, match="books, films: name a file"):
            feed_of(tmp_path, Layout.RECBOLE)

    def test_what_has_no_rating_is_a_click_and_columns_can_be_mapped(self, tmp_path):
        path = tmp_path / "news.inter"
        path.write_text(f"session_id:token\tarticle:token\ttimestamp:float\ns\ta\t{T}\n")

        (event,) = events_of(feed_of(path, mapping={"item": "article:token"}))

        assert (event.user, event.item, event.type) == ("s", "a", "click")
        with pytest.raises(ConfigurationError, match="no column 'story'; there are: 'session_id'"):
            feed_of(path, mapping={"item": "story"})

    def test_tabs_are_seen_whatever_the_name_says(self, tmp_path):
        self.write(tmp_path)
        mapping = {"item": "item_id:token", "user": "user_id:token", "time": "timestamp:float"}

        feed = feed_of(tmp_path / "films.inter", Layout.CSV, mapping=mapping, event_type="click")

        assert [event.item for event in events_of(feed)] == ["8", "7"]

    def test_another_separator_is_hinted_at(self, tmp_path):
        (tmp_path / "a.csv").write_text("user;item\nu;a\n")

        with pytest.raises(ConfigurationError, match="'user;item'; is it separated by commas"):
            feed_of(tmp_path / "a.csv", mapping={"user": "user"})


def test_a_data_set_is_known_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        metadata.distribution("recbole")
    except metadata.PackageNotFoundError:
        missing("recbole is not installed: it carries MovieLens-100k")

    feed = feed_of(Path("ml-100k"))

    assert (feed.num_items, feed.num_events) == (1_682, 100_000)
    assert next(feed.items()).data["title"] == "Toy Story"


class TestLayouts:
    def test_names_tell(self, tmp_path):
        for name, layout in (
            ("a.jsonl.gz", Layout.JSONL),
            ("a.CSV", Layout.CSV),
            ("a.parquet", Layout.PARQUET),
        ):
            (tmp_path / name).touch()
            assert recognized(tmp_path / name) is layout

    def test_what_is_not_known_is_told(self, tmp_path):
        (tmp_path / "a.xlsx").touch()

        with pytest.raises(ConfigurationError, match=r"\.parquet.*--format: jsonl.*recbole"):
            recognized(tmp_path / "a.xlsx")
        with pytest.raises(ConfigurationError, match=r"known \(movielens: .*recbole: NAME\.inter"):
            recognized(tmp_path)
        with pytest.raises(ConfigurationError, match=r"no such file.*ml-100k"):
            feed_of(tmp_path / "nothing.csv")
        with pytest.raises(ConfigurationError, match=r"u\.data"):
            feed_of(tmp_path, Layout.MOVIELENS)


class TestDamagedFiles:
    def test_a_column_that_a_known_layout_needs_is_told(self, tmp_path):
        (tmp_path / "ratings.csv").write_text("user,movieId,rating,timestamp\n1,10,0.5,1\n")
        (tmp_path / "movies.csv").write_text("movieId,title,genres\n10,A,B\n")

        with pytest.raises(ConfigurationError, match="userId"):
            feed_of(tmp_path)

    @pytest.mark.parametrize("name", ["e.jsonl.gz", "e.csv.gz"])
    def test_a_gzip_that_ends_early_or_is_damaged_is_told(self, tmp_path, name):
        path = tmp_path / name
        whole = gzip.compress(TestJsonLines.LINES.encode())
        for content in (whole[:-9], whole[:12] + bytes(40), whole[:40]):
            path.write_bytes(content)
            with pytest.raises(ConfigurationError, match=name.replace(".", r"\.")):
                feed_of(path, kind="news")

    @pytest.mark.parametrize(
        "line", [b"nonsense", b'{"contentId": "5"}', b'["5"]', b'{"contentId": 5, "text": 6}']
    )
    def test_a_bad_line_of_texts_is_told_with_its_place(self, tmp_path, line):
        TestDeskdrop().test_an_unknown_type_keeps_its_name_to_be_refused_with(tmp_path)
        good = b'{"contentId": "5", "text": "T"}'
        (tmp_path / "article_text.jsonl.gz").write_bytes(gzip.compress(good + b"\n" + line))

        with pytest.raises(ConfigurationError, match=r"article_text\.jsonl\.gz:2"):
            feed_of(tmp_path)

    def test_a_folder_in_the_place_of_a_file_is_told(self, tmp_path):
        (tmp_path / "movies.dat").write_text("10::A::B\n")
        (tmp_path / "ratings.dat").write_text("1::10::5::1\n")
        feed = feed_of(tmp_path / "movies.dat", Layout.MOVIELENS)

        assert feed.num_items == 1
        (tmp_path / "site.jsonl").mkdir()
        with pytest.raises(ConfigurationError, match="is a folder"):
            feed_of(tmp_path / "site.jsonl", Layout.JSONL)


def test_moving_times_moves_all_of_them_and_leaves_what_cannot_be_read():
    rows = [
        Row("1", {"time": T, "user": "u"}),
        Row("2", {"published": "2026-01-01T00:00:00Z", "expires": T}),
        Row("3", {"time": "yesterday"}),
    ]

    first, second, third = moved(iter(rows), 60.0)

    assert first.data == {"time": T + 60.0, "user": "u"}
    assert second.data["published"] == datetime(2026, 1, 1, 0, 1, tzinfo=UTC).timestamp()
    assert second.data["expires"] == T + 60.0
    assert third.data == {"time": "yesterday"}
