"""What libraries raise over a damaged or misshapen file, told as ours with the file's name."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from clickwise.errors import ConfigurationError

# Of a file that ends early or is no gzip at all; BadGzipFile is an OSError.
BROKEN = (OSError, EOFError, zlib.error)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Faults of the block become ConfigurationError.

    Raises:
        ConfigurationError: a column is missing, or the file is not what it seems.
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        # The lines after the first one are polars' plan of the query.
        raise ConfigurationError(f"{path}: {str(error).partition(chr(10))[0]}") from error
    except BROKEN as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
