"""`clickwise archive --once` as a process that may die: `python archive_entry.py`.

Settings come from the environment. CLICKWISE_TEST_DIE=N kills it with SIGKILL at its Nth change
of the store, half way through: an unfinished file is left. CLICKWISE_TEST_ROWS=N: messages of a
reading, and rows of a full file.
"""

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from clickwise.archive import Archive, LocalStore, Names, Stream
from clickwise.clock import SystemClock
from clickwise.settings import load
from streams.archive import Archiver
from streams.kafka_archive import KafkaLog


class DyingStore(LocalStore):
    """The folder; its Nth change does not live."""

    def __init__(self, root: Path, countdown: int) -> None:
        super().__init__(root)
        self._countdown = countdown

    def write(self, name: str, data: bytes) -> None:
        self._live_or_die(name, data)
        super().write(name, data)

    def create(self, name: str, data: bytes) -> None:
        self._live_or_die(name, data)
        super().create(name, data)

    def _live_or_die(self, name: str, data: bytes) -> None:
        self._countdown -= 1
        if not self._countdown:
            folder, _, last = name.rpartition("/")
            super().write(f"{folder}/.{last}.torn", data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    settings = load(os.environ)
    rows = int(os.environ["CLICKWISE_TEST_ROWS"])
    store = DyingStore(Path(settings.archive_url), int(os.environ.get("CLICKWISE_TEST_DIE", "0")))
    with ExitStack() as stack:
        sources = [
            stack.enter_context(KafkaLog(settings, stream, rows_at_once=rows))
            for stream in (Stream.EVENTS, Stream.EXPOSURES)
        ]
        Archiver(
            Archive(store),
            sources,
            names=Names.by("name-of-{}".format),
            file_rows=rows,
            clock=SystemClock(),
        ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
