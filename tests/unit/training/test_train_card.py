"""The model card says what a bundle is, how good it is, and what it is not for."""

from datetime import UTC, datetime

from training.card import model_card
from training.export_table import ExportTable, Form
from training.gate import Condition, Verdict
from training.model import ModelConfig
from training.weights import Story, sizes_of

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
STORY = Story(
    kind="incremental", base="learned-0", seed=7, learned_until=1.7e9, seconds=12.34,
    full_seconds=200.0, full_made=MADE, epochs=3, quality=0.1234, events=5_000, users=321,
    items=654, made=MADE, model=sizes_of(ModelConfig()),
)  # fmt: skip


def condition(name, *, passed, text):
    return Condition(name=name, passed=passed, figures={}, text=text)


def verdict(*, coverage=True):
    return Verdict(
        metric="NDCG@10",
        conditions=(
            condition("gain", passed=True, text="0.2 against 0.1 (+0.05 to +0.15)"),
            condition("coverage", passed=coverage, text="lists cover 10 % of the items"),
        ),
    )


def test_a_card_holds_data_sizes_quality_gate_and_limits():
    card = model_card("learned-1", STORY, verdict(), None)

    for line in (
        "# learned-1",
        "incremental, started from learned-0: 3 epochs in 12.3 s, seed 7",
        "| learned until | 2023-11-14 22:13 UTC |",
        "| events | 5,000 |",
        "| width | 128 |",
        "early stopping: 0.1234",
        "lived as they happened: 0.2 against 0.1 (+0.05 to +0.15)",
        "Passed.",
        "## Intended use",
        "## Limits",
    ):
        assert line in card


def test_the_card_of_a_refused_model_says_which_condition_failed():
    card = model_card("learned-1", STORY, verdict(coverage=False), None)

    assert "Refused: coverage." in card
    assert "| coverage | FAILED | lists cover 10 % of the items |" in card


def test_a_card_shows_what_each_precision_costs():
    form = Form(
        precision="int8", size_bytes=2_500_000, step_seconds=8e-5, read_seconds=1e-5,
        score_seconds=1.2e-4, time_ratio=0.83, max_difference=0.02,
        ranker_difference=0.0, quality=0.12,
        quality_loss=0.01,
    )  # fmt: skip
    table = ExportTable(histories=150, torch_quality=0.12, forms=(form,))

    card = model_card("learned-1", STORY, None, table)

    assert "Not judged." in card
    assert "## Precisions, on 150 histories" in card
    assert "| int8 | 2.50 | 80 | 120 | 0.83 | 2.0e-02 | 0.1200 |" in card
