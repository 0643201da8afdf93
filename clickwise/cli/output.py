"""What commands print: tables and lines for people, JSON for machines."""

import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_COLUMNS = 160


def console() -> Console:
    """Standard output; wide where no terminal says how wide it is."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPED_COLUMNS)


def progress_console() -> Console:
    """Standard error, where progress goes so that output can be piped."""
    return Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """One JSON document, indented."""
    encoded = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def print_json_line(value: object) -> None:
    """One JSON document on a line, written at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, title: str = ""
) -> None:
    """A table; cells are text and never markup, whatever brackets a title holds."""
    table = Table(*columns, title=title or None, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    console().print(table)


def plain(text: str) -> Text:
    """Somebody's text, with control characters shown and not obeyed by the terminal."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))
