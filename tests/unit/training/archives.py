"""A log, an archiver and an archive that tests drive by hand."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl

from clickwise.archive import Archive, LocalStore, Names, Stream
from clickwise.archive.columns import frame_of
from clickwise.codec import encode
from clickwise.state.port import EventRow, ItemWrite
from clickwise.state.sql import open_state
from clickwise.types import ItemId, ModelVersion, event_key, item_key
from streams.archive import Archiver
from streams.archive_items import DatabaseItems
from streams.archive_log import DatabaseLog
from tests.site import ManualClock

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MODEL = ModelVersion("m1")


class KilledError(BaseException):
    """The process is gone: nothing catches it."""


class DyingStore:
    """A store whose Nth change does not live: nothing of it, an unfinished file, or all of it."""

    def __init__(self, store, *, dies_at, moment):
        self._store = store
        self._left = dies_at
        self._moment = moment

    def write(self, name, data):
        self._change(name, data, lambda: self._store.write(name, data))

    def create(self, name, data):
        self._change(name, data, lambda: self._store.create(name, data))

    def delete(self, name):
        self._change(name, b"", lambda: self._store.delete(name))

    def _change(self, name, data, change):
        self._left -= 1
        if self._left == 0 and self._moment == "before":
            raise KilledError
        if self._left == 0 and self._moment == "torn":
            folder, _, last = name.rpartition("/")
            self._store.write(f"{folder}/.{last}.torn", data[: len(data) // 2])
            raise KilledError
        change()
        if self._left == 0:
            raise KilledError

    def __getattr__(self, name):
        return getattr(self._store, name)


class Log:
    """The embedded log of a site, and its archive in a folder beside."""

    def __init__(self, folder, *, file_rows=1_000):
        self.clock = ManualClock(START)
        self.state = open_state(f"sqlite:///{folder}/site", timeout_seconds=5.0, pool_size=2)
        self.state.migrate()
        self.store = LocalStore(folder / "archive")
        self.file_rows = file_rows

    @property
    def archive(self):
        return Archive(self.store)

    @property
    def manifest(self):
        return self.archive.newest()

    def happened(self, *names, **fields):
        """Events of these ids, received now."""
        data = {"user": "u1", "item": "i1", "type": "click", "time": self.clock.now(), **fields}
        self.logged(*[(name, encode({"id": name, **data})) for name in names])

    def logged(self, *rows):
        """Rows of the log as they are: (id, body)."""
        now = self.clock.now()
        with self.state.write() as write:
            write.add_events([EventRow(event_key(name), now, body) for name, body in rows])

    def shown(self, *requests):
        """An exposure for each request id."""
        now = self.clock.now()
        with self.state.write() as write:
            write.add_exposures([encode(exposure(one, now)) for one in requests], received=now)

    def put(self, *names, **fields):
        """Items as they are now."""
        self._write_items(
            (name, encode({"id": name, "kind": "news", "title": name, **fields}), b"\0\0\x80?")
            for name in names
        )

    def remove(self, *names):
        self._write_items((name, None, None) for name in names)

    def _write_items(self, rows):
        with self.state.write() as write:
            write.put_items(
                [ItemWrite(item_key(n), ItemId(n), body, MODEL, vector) for n, body, vector in rows]
            )

    def archiver(self, *, store=None, rows_at_once=4, file_rows=None, **options):
        return Archiver(
            Archive(store or self.store),
            [
                DatabaseLog(self.state, "events", rows_at_once=rows_at_once),
                DatabaseLog(self.state, "exposures", rows_at_once=rows_at_once),
                DatabaseItems(self.state, rows_at_once=rows_at_once),
            ],
            names=Names.by(self.state.people.name_of),
            file_rows=file_rows or self.file_rows,
            clock=self.clock,
            **options,
        )

    def archive_now(self, **options):
        return self.archiver(**options).run()

    def frame(self, stream):
        """All rows of a stream that count."""
        files = self.manifest.files_of(Stream(stream))
        frames = [frame_of(self.store.read(file.name), Stream(stream)) for file in files]
        return pl.concat(frames) if frames else pl.DataFrame()

    def ids(self, stream="events"):
        """How often each id is in files that count."""
        frame = self.frame(stream)
        name = "request_id" if stream == "exposures" else "id"
        return Counter(frame[name].to_list() if frame.height else [])

    def date_files(self, moment):
        """Make all files of the archive as old as that."""
        for stream in Stream:
            for file in self.store.files(stream.value):
                os.utime(self.store.fetch(file.name, None), (moment.timestamp(),) * 2)

    def days(self, number, each=3):
        """So many days of events, exposures and items, ending today."""
        for day in range(number):
            self.happened(*[f"e{day}-{n}" for n in range(each)])
            self.shown(*[f"r{day}-{n}" for n in range(each)])
            self.put(f"i{day}", "always", body=f"day {day}")
            if day < number - 1:
                self.clock.advance(days=1)


def exposure(request, time):
    shown = {
        "item": "i1", "kind": "news", "position": 0, "score": 0.5, "propensity": 0.25,
        "sources": ["near", "trending"], "reason": "like",
    }  # fmt: skip
    return {
        "request_id": request, "user": "u1", "time": time, "items": [shown], "model": "m1",
        "policy": "p1", "profile_version": 3, "events_applied": 2, "personalized": True,
    }  # fmt: skip


def once(*names):
    return Counter(dict.fromkeys(names, 1))


def days(number):
    return timedelta(days=number)


def hours(number):
    return timedelta(hours=number)
