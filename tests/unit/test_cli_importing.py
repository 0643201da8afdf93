"""Imports over HTTP: what is too large, who does not answer, where refused rows go."""

import json
import stat
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clickwise.cli.http import HttpSite
from clickwise.cli.importing import RefusedFile
from clickwise.cli.named_items import NamedItems, Unknown, in_words
from clickwise.cli.sinks import HttpSink, Result, cut_by_bytes
from clickwise.codec import encode
from clickwise.errors import (
    ConfigurationError,
    InvalidInputError,
    UnauthorizedError,
    UnavailableError,
)
from clickwise.imports.feed import Row
from clickwise.settings import Settings
from clickwise.testing.kafka import free_ports


@contextmanager
def answering(reply, has=None):
    """A server whose POST answers `reply(body)`, a status and an object, and whose GET `has(path)`,
    a status; its address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            status, data = reply(body)
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self.send_response(has(self.path))
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_a_server_finds_too_large_is_halved_and_one_row_is_refused():
    sizes = []

    def reply(body):
        sizes.append(len(body))
        if len(body) > 300:
            return 413, {"message": "expected a body of at most 300 bytes"}
        return 200, {"results": [{"verdict": "applied"}] * len(json.loads(body)["items"])}

    rows = [{"id": str(n), "title": "x" * (400 if n == 2 else 50)} for n in range(6)]
    with answering(reply) as address, HttpSite(address, Settings()) as site:
        results = HttpSink(site).items(rows)

    refused = Result("refused", "expected a body of at most 300 bytes")
    assert results == [refused if n == 2 else Result("applied") for n in range(6)]


def test_items_that_a_server_lacks_are_told_unless_it_does_not_say():
    there = {"/v1/items/a%2Fb": 200, "/v1/items/c": 404}

    with answering(None, there.get) as address, HttpSite(address, Settings()) as site:
        assert HttpSink(site).unknown(["a/b", "c"]) == ["c"]
    with answering(None, lambda _: 403) as address, HttpSite(address, Settings()) as site:
        assert named([("e", "c", "applied")]).unknown(HttpSink(site)) is None


class Shop:
    """A sink with an item "old" and no other."""

    asked_at_most = 2

    def unknown(self, items):
        assert len(items) <= self.asked_at_most
        return [item for item in items if item != "old"]


def named(events, items=()):
    """Of events (id, item, verdict) after items (id, verdict)."""
    counted = NamedItems()
    for rows, of_items in ((items, True), (events, False)):
        sent = [Row("f", {"id": row[0], "item": row[1], "user": "ann"}) for row in rows]
        counted.count(sent, [Result(row[-1]) for row in rows], items=of_items)
    return counted


def test_events_of_items_that_are_nowhere_are_counted_with_examples():
    items = [("new", "applied"), ("bad", "refused")]
    events = [
        ("1", "new", "applied"), ("2", "old", "applied"), ("3", "bad", "applied"),
        ("4", "bad", "duplicate"), ("5", "gone", "refused"),
    ]  # fmt: skip

    found = named(events, items).unknown(Shop())

    assert found == Unknown(events=2, items=1, examples=["bad"], complete=True)
    assert in_words(found).startswith("2 events named 1 unknown item, such as bad: ")
    assert in_words(named(events[:2], items).unknown(Shop())) == ""


def test_where_too_many_are_named_those_named_most_are_looked_for():
    events = [(str(n), f"i{n % 3}", "applied") for n in range(7)]

    found = named(events).unknown(Shop())

    assert found == Unknown(events=5, items=2, examples=["i0", "i1"], complete=False)
    assert in_words(found).startswith("at least 5 events named 2 unknown items")


def test_rows_are_cut_by_bytes_and_none_is_lost():
    rows = [{"text": "x" * length} for length in (10, 10, 500, 10, 10, 10)]

    parts = list(cut_by_bytes(rows, 60))

    assert [row for part in parts for row in part] == rows
    assert all(len(part) == 1 or sum(len(encode(row)) for row in part) <= 60 for part in parts)
    assert [len(part) for part in parts] == [2, 1, 2, 1]
    assert list(cut_by_bytes([], 60)) == []


@pytest.mark.parametrize(
    ("status", "fault"),
    [(500, UnavailableError), (401, UnauthorizedError), (422, InvalidInputError)],
)
def test_each_status_has_its_fault(status, fault):
    with (
        answering(lambda _: (status, {"message": "why"})) as address,
        HttpSite(address, Settings()) as site,
        pytest.raises(fault, match="why"),
    ):
        site.post("/v1/items", "items", [{}])


def test_who_has_no_key_hears_which_and_how_to_make_one():
    with (
        answering(lambda _: (401, {"message": "no"})) as address,
        HttpSite(address, Settings()) as site,
        pytest.raises(UnauthorizedError, match="keys create import --scope items --scope events"),
    ):
        site.post("/v1/items", "items", [{}])


def test_something_else_that_answers_is_told():
    with (
        answering(lambda _: (200, {"hello": "world"})) as address,
        HttpSite(address, Settings()) as site,
        pytest.raises(InvalidInputError, match="not of Clickwise"),
    ):
        site.post("/v1/items", "items", [{}])


def test_a_wrong_address_fails_at_the_first_call(monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))

    with (
        HttpSite(f"http://127.0.0.1:{port}", Settings()) as site,
        pytest.raises(UnavailableError, match=f"no server answers at http://127.0.0.1:{port}"),
    ):
        site.get("/v1/items")
    with pytest.raises(ConfigurationError, match="expected an address"):
        HttpSite("127.0.0.1:8000", Settings())


class TestRefusedFile:
    def test_earlier_files_are_left_alone(self, tmp_path):
        for name in ("refused.jsonl", "refused-2.jsonl"):
            (tmp_path / name).write_text("earlier")
        aside = RefusedFile(tmp_path / "refused.jsonl")

        aside.add(Row("a.csv:1", {"id": "a"}), "why")
        aside.close()

        assert aside.path == tmp_path / "refused-3.jsonl"
        assert json.loads(aside.path.read_bytes())["place"] == "a.csv:1"
        assert stat.S_IMODE(aside.path.stat().st_mode) == 0o600
        assert (tmp_path / "refused.jsonl").read_text() == "earlier"
        assert (tmp_path / "refused-2.jsonl").read_text() == "earlier"

    def test_one_that_cannot_be_made_is_told(self, tmp_path):
        aside = RefusedFile(tmp_path / "nowhere" / "refused.jsonl")

        with pytest.raises(ConfigurationError, match=r"refused\.jsonl: No such file"):
            aside.add(Row("a.csv:1", {}), "why")
