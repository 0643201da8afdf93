"""One server per home, and looks at who it is."""

import fcntl
import os
from pathlib import Path
from typing import IO

import pytest

from clickwise.cli import homes
from clickwise.errors import ConflictError
from clickwise.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path))


class Looked(homes.ServerLock):
    """A server's lock that somebody else looks at, until its holder was asked for once."""

    def __init__(self, settings: Settings, look: IO[str]) -> None:
        super().__init__(settings)
        self._look = look
        fcntl.flock(look, fcntl.LOCK_SH)

    def address(self) -> str:
        said = super().address()
        fcntl.flock(self._look, fcntl.LOCK_UN)
        return said


def test_a_look_keeps_no_server_from_starting(settings: Settings) -> None:
    path = settings.folder / "server.lock"
    path.write_text("http://one-that-was-killed\n1\n")
    with path.open() as look:
        server = Looked(settings, look)

        server.take("http://here")

        assert server.address() == "http://here"
        assert server.process() == os.getpid()
        server.release()
        assert server.address() == ""


def test_a_second_server_hears_where_the_first_is(settings: Settings) -> None:
    first = homes.ServerLock(settings)
    first.take("http://here")

    with pytest.raises(ConflictError, match="already, at http://here"):
        homes.ServerLock(settings).take("http://there")

    first.release()
