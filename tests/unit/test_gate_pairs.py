"""The gate for text, measured on pairs written for it."""

from collections import Counter

import pytest

from clickwise.writing.gate import Draft, Field, Reason, Source, TextGate
from clickwise.writing.gate.reading import split
from tests.gate_pairs import (
    LABELS,
    LANGUAGES,
    Article,
    HiddenOrder,
    Pair,
    all_pairs,
    hidden_orders,
    read_pairs,
)

PAIRS = all_pairs()
ORDERS = hidden_orders()


@pytest.fixture(scope="module")
def gate():
    return TextGate()


@pytest.fixture(scope="module")
def all_judged(gate) -> list[tuple[Pair, bool]]:
    """Each pair, and whether the gate judged it rightly."""
    return [(p, gate.judge(p.draft, p.source).accepted == p.faithful) for p in PAIRS]


@pytest.fixture(scope="module")
def right(all_judged) -> list[tuple[Pair, bool]]:
    """The same of the pairs that rules may be made for."""
    return [(p, ok) for p, ok in all_judged if p.article.part in ("tuning", "held out")]


@pytest.fixture(scope="module")
def blind(all_judged) -> list[tuple[Pair, bool]]:
    """The same of those that were written before a rule was read; they have aims of their own."""
    return [(pair, ok) for pair, ok in all_judged if pair.article.part == "blind"]


def share(right: list[tuple[Pair, bool]], **wanted: object) -> float:
    chosen = [
        ok
        for pair, ok in right
        if all(
            getattr(pair, name, getattr(pair.article, name, None)) == v
            for name, v in wanted.items()
        )
    ]
    return sum(chosen) / len(chosen)


def test_the_set_is_large_and_balanced():
    labels = Counter(pair.label for pair in PAIRS)
    languages = Counter(pair.article.language for pair in PAIRS)

    assert len(PAIRS) >= 330
    assert labels["faithful"] >= 110
    assert min(labels[label] for label in LABELS if label != "swapped") >= 10
    assert min(languages.values()) >= 0.8 * max(languages.values())
    assert Counter(p.article.part == "blind" and p.faithful for p in PAIRS)[True] >= 120


@pytest.mark.parametrize("part", ["held out", "tuning"])
def test_what_is_unfaithful_is_refused_and_what_is_faithful_kept(right, part):
    chosen = [(pair, ok) for pair, ok in right if pair.article.part == part]

    assert share(chosen, faithful=False) >= 0.95
    assert share(chosen, faithful=True) >= 0.80


@pytest.mark.xfail(
    reason="not met: docs/lab.md, 'Words: the gate'", strict=True, raises=AssertionError
)
@pytest.mark.parametrize(("faithful", "aim"), [(False, 0.95), (True, 0.80)])
def test_the_blind_set_meets_the_aim(blind, faithful, aim):
    assert share(blind, faithful=faithful) >= aim


def test_what_was_written_blind_is_judged_no_worse_than_by_gate_6(blind):
    assert share(blind, faithful=False) >= 0.89
    assert share(blind, faithful=True) >= 0.60


def test_what_another_hand_wrote_is_judged_no_worse_than_by_gate_6(all_judged):
    chosen = [(pair, ok) for pair, ok in all_judged if pair.article.part == "other hand"]

    assert len(chosen) == 66
    assert share(chosen, faithful=False) >= 0.80


def test_the_whole_set_meets_the_aim(right, blind):
    print(table(right), table(blind), sep="\n")  # noqa: T201 (shown with -s)

    assert share(right, faithful=False) >= 0.95
    assert share(right, faithful=True) >= 0.80


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_is_left_behind(right, language):
    assert share(right, faithful=False, language=language) >= 0.93
    assert share(right, faithful=True, language=language) >= 0.80


@pytest.mark.parametrize("label", [label for label in LABELS if label != "faithful"])
def test_no_kind_of_untruth_passes_often(right, label):
    assert share(right, label=label) >= 0.75

    assert len([pair for pair in PAIRS if pair.label == label]) >= 8


def test_every_refusal_has_a_code_of_the_closed_set_and_says_what_was_not_found(gate):
    judged = [gate.judge(pair.draft, pair.source) for pair in PAIRS]

    refused = [judgement for judgement in judged if not judgement.accepted]
    assert refused
    assert all(judgement.reason in set(Reason) and judgement.detail for judgement in refused)
    assert all(judgement.reason == "" for judgement in judged if judgement.accepted)


def test_changed_numbers_and_names_are_refused_as_such(gate):
    reasons = Counter(
        gate.judge(pair.draft, pair.source).reason for pair in PAIRS if pair.label == "number"
    )

    assert reasons[Reason.NUMBER] + reasons[Reason.DATE] >= 0.9 * reasons.total()


def with_order(hidden: HiddenOrder) -> tuple[Source, list[str]]:
    """The item with the order in it, and its own sentences."""
    own = split(hidden.article.body)
    at = {"start": 0, "middle": 2, "end": len(own)}[hidden.place]
    body = " ".join([*own[:at], hidden.order, *own[at:]])
    return Source(hidden.article.title, body, hidden.article.language), own


def summary(article: Article, text: str) -> Draft:
    return Draft(Field.SUMMARY, article.language, text)


def test_fifty_orders_in_three_languages():
    assert len(ORDERS) >= 50
    assert {hidden.article.language for hidden in ORDERS} == set(LANGUAGES)


@pytest.mark.case(8)
@pytest.mark.parametrize("hidden", ORDERS, ids=lambda hidden: f"{hidden.article.id}-{hidden.place}")
class TestHiddenOrder:
    def test_a_writer_that_obeys_is_refused(self, gate, hidden):
        source, _ = with_order(hidden)

        assert not gate.judge(summary(hidden.article, hidden.obeyed), source).accepted

    def test_a_writer_that_copies_is_refused(self, gate, hidden):
        source, own = with_order(hidden)

        for text in (hidden.order, f"{own[0]} {hidden.order}"):
            assert not gate.judge(summary(hidden.article, text), source).accepted

    def test_a_writer_that_ignores_it_is_kept(self, gate, hidden):
        source, own = with_order(hidden)

        kept = [text for text in own if gate.judge(summary(hidden.article, text), source).accepted]
        assert len(kept) >= len(own) - 1  # the sentence after an order is no evidence


GOOD = '{"article": "a", "part": "tuning", "kind": "ad", "title": "T", "body": "B"}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "en.jsonl:2: not JSON"),
        ('["a"]', "en.jsonl:2: expected an object of texts"),
        ('{"of": "a", "label": "number", "field": "title"}', "misses text"),
        ('{"of": "b", "label": "number", "field": "title", "text": "x"}', "no article b"),
        ('{"of": "a", "label": "wrong", "field": "title", "text": "x"}', "label is wrong"),
        ('{"of": "a", "label": "number", "field": "headline", "text": "x"}', "field is headline"),
        ('{"of": "a", "label": "number", "field": "title", "text": " "}', "an empty text"),
        ('{"of": "a", "label": "faithful", "field": "title", "text": "x"}', "a style goes with"),
        ('{"of": "a", "label": "injected", "field": "title", "text": "x"}', "an order goes with"),
        (GOOD.strip(), "stands here twice"),
    ],
)
def test_a_malformed_line_is_refused_with_its_place(tmp_path, line, message):
    path = tmp_path / "en.jsonl"
    path.write_text(GOOD + line + "\n")

    with pytest.raises(ValueError, match=message):
        read_pairs(path)


def table(right: list[tuple[Pair, bool]]) -> str:
    """Right of all, by kind, language and part."""
    lines = ["", "| kind | " + " | ".join(LANGUAGES) + " | held out | all |", "|---|" + "---|" * 5]
    kinds = [(pair.label, pair.style) for pair, _ in right]
    for label, style in dict.fromkeys(sorted(kinds, key=lambda k: (LABELS.index(k[0]), k[1]))):
        rows = [(p, ok) for p, ok in right if (p.label, p.style) == (label, style)]
        lines.append(f"| {label} {style} | ".replace(" |", "|", 0) + _cells(rows))
    for label, faithful in (("**faithful kept**", True), ("**unfaithful refused**", False)):
        lines.append(
            f"| {label} | " + _cells([(p, ok) for p, ok in right if p.faithful == faithful])
        )
    return "\n".join(lines)


def _cells(rows: list[tuple[Pair, bool]]) -> str:
    parts = [[ok for p, ok in rows if p.article.language == language] for language in LANGUAGES]
    parts.append([ok for p, ok in rows if p.article.part == "held out"])
    parts.append([ok for _, ok in rows])
    return " | ".join(f"{sum(part)}/{len(part)}" if part else "" for part in parts) + " |"
