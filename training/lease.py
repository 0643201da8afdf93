"""One trainer at a time: a lock that its holder's death releases.

On one machine it is a lock on a file of the home, which the operating system lets go when the
process ends, however it ends. Where several machines share a PostgreSQL database there is an
advisory lock in it too, held by a connection: the server lets go when that breaks. Neither has
to expire, so no clock has to be right.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from clickwise.errors import ConflictError, UnavailableError

_KEY = int.from_bytes(b"cw-train")  # any 63 bits that nobody else takes
# Sites that share a database have a schema each (clickwise.sites), and a trainer each.
_TAKE = sqlalchemy.text(
    f"SELECT pg_try_advisory_lock({_KEY} # hashtext(coalesce(current_schema(), '')))"
)

Held = Callable[[], bool]


@contextmanager
def lease(folder: Path, *, database_url: str) -> Iterator[Held]:
    """Hold the right to train; the block is given a question that says whether it still is held.

    `folder` is the trainer's in the home, `database_url` that of the state.

    Raises:
        ConflictError: another trainer is at work.
        UnavailableError: the database does not answer.
    """
    with ExitStack() as stack:
        stack.enter_context(_file_lock(folder))
        held = stack.enter_context(_database_lock(database_url))
        yield held


@contextmanager
def _file_lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "trainer.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "that has not said its number yet"
            raise ConflictError(f"a trainer is at work on {folder}: process {holder}") from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def _database_lock(url: str) -> Iterator[Held]:
    if not url.startswith("postgresql"):
        yield lambda: True
        return
    # A connection of its own: it must stay open and be given to nobody else.
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = connection.scalar(_TAKE)
    except SQLAlchemyError as error:
        raise UnavailableError("the database does not answer, so no lease can be had") from error
    try:
        if not taken:
            raise ConflictError("a trainer is at work on another machine")
        yield lambda: _answers(connection)
    finally:
        connection.close()
        engine.dispose()


def _answers(connection: sqlalchemy.Connection) -> bool:
    try:
        return bool(connection.scalar(sqlalchemy.text("SELECT 1")))
    except SQLAlchemyError:
        return False
