"""docs/lists.md names every field and every word that a list can have, and none besides."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

import clickwise.recommend
from clickwise.recommend.answers import Answer, Because, Reason, Recommended
from clickwise.recommend.candidates import SOURCES, Barred, allowed, showable
from clickwise.recommend.why_words import ENGLISH
from clickwise.vectors.port import ItemTable, Where
from clickwise.writing.shown import ItemText

PAGE = (Path(__file__).parents[2] / "docs" / "lists.md").read_text()
CODE = Path(clickwise.recommend.__file__).parent


def rows(heading: str) -> set[str]:
    """The words in the first column of the table that begins with that heading."""
    table = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    firsts = (line.split("|")[1] for line in table.splitlines()[2:])
    return {word for first in firsts for word in re.findall(r"`(\w+)`", first)}


def causes() -> Iterator[str]:
    """What the request path names when a stage falls back."""
    for file in CODE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("fall_back", "attempt")
                and isinstance(node.args[0], ast.Constant)
            ):
                yield str(node.args[0].value)


@pytest.mark.parametrize("shape", [Answer, Recommended, Reason, Because, ItemText])
def test_every_field_is_told(shape: type[msgspec.Struct]) -> None:
    untold = {name for name in shape.__struct_fields__ if f"`{name}`" not in PAGE}

    assert untold == set()


def test_sources_and_reasons_are_those_of_the_code() -> None:
    assert rows("source") == set(SOURCES)
    assert rows("reason") == set(ENGLISH.codes)


def test_what_fell_back_is_what_the_code_names() -> None:
    assert rows("`degraded` | what is missing") == set(causes())


def test_what_was_left_out_is_what_is_counted() -> None:
    nobody = Barred(frozenset(), b"", frozenset(), delivered=np.zeros(0, np.uint32))
    _, of_the_reader = allowed(ItemTable.empty(4).keys_N, nobody)
    _, of_the_item = showable(ItemTable.empty(4), Where(now=0.0))

    assert rows("`left_out` | these candidates") == {*of_the_reader, *of_the_item, "gone"}
