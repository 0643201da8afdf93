"""docs/text-examples.md says of each text what the gate, as it is now, says of it."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from clickwise.writing.gate import METHOD, Draft, Field, Source, TextGate
from clickwise.writing.replies import is_nonsense
from tests.gate_pairs import FOLDER, read_pairs

PAGE = (Path(__file__).parents[2] / "docs" / "text-examples.md").read_text("utf-8")
FENCE = "=== 4353642442ac0aae ==="  # of the call whose answer has it
ARTICLES = {pair.article.id: pair.article for pair in read_pairs(FOLDER / "en.jsonl")}
_EXAMPLE = re.compile(r"^(\d+)\. (en-\d+), (\w+), try [12]: (.+)\n\n   > (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """One text of the page, under the heading of its `section`."""

    number: int
    article: str
    field: Field
    section: str
    said: str
    text: str


def examples() -> list[Example]:
    _, accepted, refused = re.split(r"^## (?:Accepted|Refused)$", PAGE, flags=re.MULTILINE)
    return [
        Example(int(number), article, Field(field), section, said, text)
        for section, part in (("accepted", accepted), ("refused", refused))
        for number, article, field, said, text in _EXAMPLE.findall(part)
    ]


EXAMPLES = examples()


def told(example: Example) -> str:
    """What is said of a text today, as the page writes it."""
    article = ARTICLES[example.article]
    source = Source(article.title, article.body, article.language)
    if is_nonsense(example.text, source, language=source.language, fence=FENCE):
        return "`nonsense`"
    found = TextGate().judge(Draft(example.field, source.language, example.text), source)
    return "accepted" if found.accepted else f"`{found.reason}` ({found.detail})"


def test_the_page_has_twenty_and_names_the_gate_that_is() -> None:
    assert [one.number for one in EXAMPLES] == list(range(1, 21))
    assert f"The verdicts are those of `{METHOD}`" in PAGE


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: str(one.number))
def test_a_verdict_is_the_gates(example: Example) -> None:
    assert example.said == told(example)
    assert (example.said == "accepted") == (example.section == "accepted")
