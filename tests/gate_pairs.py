"""The pairs of item and text that the gate for text is measured on, and their loader.

tests/data/gate/README.md describes the files. A line that does not fit is refused with its place.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from clickwise.writing.gate import Draft, Field, Source

FOLDER = Path(__file__).parent / "data" / "gate"
LANGUAGES = ("en", "zh", "pt")
LABELS = (
    *("faithful", "number", "name", "entitled", "swapped", "moved", "exchanged"),
    *("pronoun", "negated", "hardened", "added", "other", "injected"),
)
STYLES = (
    *("extractive", "compressed", "paraphrased", "headline"),
    *("reordered", "joined", "synonym", "voice", "spelled"),
)
PARTS = ("tuning", "held out", "blind", "other hand")
KINDS = ("news", "video", "article", "ad", "course")
PLACES = ("start", "middle", "end")


@dataclass(frozen=True, slots=True)
class Article:
    id: str
    part: str
    language: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Pair:
    article: Article
    label: str
    style: str  # of a faithful one
    order: str  # hidden at the end of the item, or empty
    draft: Draft

    @property
    def faithful(self) -> bool:
        return self.label == "faithful"

    @property
    def source(self) -> Source:
        body = f"{self.article.body} {self.order}".strip()
        return Source(self.article.title, body, self.article.language)


@dataclass(frozen=True, slots=True)
class HiddenOrder:
    article: Article
    place: str
    order: str
    obeyed: str  # what a writer that obeys writes


def read_pairs(path: Path) -> list[Pair]:
    """The pairs in `path`, named after their language."""
    articles: dict[str, Article] = {}
    pairs: list[Pair] = []
    for place, row in _rows(path):
        if "article" in row:
            _expect(place, row, {"article", "part", "kind", "title", "body"}, set())
            _one_of(place, row, part=PARTS, kind=KINDS)
            if row["article"] in articles:
                raise ValueError(f"{place}: article {row['article']} stands here twice")
            articles[row["article"]] = Article(
                row["article"], row["part"], path.stem, row["title"], row["body"]
            )
            continue
        _expect(place, row, {"of", "label", "field", "text"}, {"style", "order"})
        _one_of(place, row, label=LABELS, field=tuple(Field))
        if row["of"] not in articles:
            raise ValueError(f"{place}: no article {row['of']} above")
        if (row["label"] == "faithful") != (row.get("style") in STYLES):
            raise ValueError(f"{place}: a style goes with faithful ones: {', '.join(STYLES)}")
        if (row["label"] == "injected") != ("order" in row):
            raise ValueError(f"{place}: an order goes with injected ones, and only with them")
        draft = Draft(Field(row["field"]), path.stem, row["text"])
        pairs.append(
            Pair(
                articles[row["of"]],
                row["label"],
                row.get("style", ""),
                row.get("order", ""),
                draft,
            )
        )
    return pairs


def all_pairs() -> list[Pair]:
    return [pair for language in LANGUAGES for pair in read_pairs(FOLDER / f"{language}.jsonl")]


def hidden_orders() -> list[HiddenOrder]:
    articles = {pair.article.id: pair.article for pair in all_pairs()}
    orders: list[HiddenOrder] = []
    for place, row in _rows(FOLDER / "orders.jsonl"):
        _expect(place, row, {"of", "at", "order", "obeyed"}, set())
        _one_of(place, row, at=PLACES, of=tuple(articles))
        orders.append(HiddenOrder(articles[row["of"]], row["at"], row["order"], row["obeyed"]))
    return orders


def _rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    rows: list[tuple[str, dict[str, str]]] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        place = f"{path.name}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{place}: not JSON: {error}") from error
        if not isinstance(row, dict) or not all(isinstance(v, str) for v in row.values()):
            raise ValueError(f"{place}: expected an object of texts")
        if any(not value.strip() for value in row.values()):
            raise ValueError(f"{place}: an empty text")
        rows.append((place, row))
    return rows


def _expect(place: str, row: dict[str, str], needed: set[str], may: set[str]) -> None:
    if missing := needed - row.keys():
        raise ValueError(f"{place}: misses {', '.join(sorted(missing))}")
    if unknown := row.keys() - needed - may:
        raise ValueError(f"{place}: unknown {', '.join(sorted(unknown))}")


def _one_of(place: str, row: dict[str, str], **allowed: tuple[str, ...]) -> None:
    for name, values in allowed.items():
        if row[name] not in values:
            raise ValueError(f"{place}: {name} is {row[name]}, expected one of {', '.join(values)}")
