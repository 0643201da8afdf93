"""Attacks on a small site in process: its bounds hold them back."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from clickwise.bundle import day0_bundle
from clickwise.cli import run
from clickwise.cli.attacking import Scene, bounds_of, simulate_attacks
from clickwise.cli.exits import Exit
from clickwise.events import parse_event
from clickwise.items import parse_item
from clickwise.profile import Rules
from clickwise.settings import Settings
from clickwise.testing.encoder import HashingEncoder
from tests.site import FILM, MONEY, SPORT, stories

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """By the beginning of the attack's name and by bounds."""
    rng = random.Random(1)
    made = [*stories("sport", SPORT, 20), *stories("money", MONEY, 20), *stories("film", FILM, 20)]
    items = [parse_item({"kind": "news", **one}, received=NOW)[0] for one in made]
    events = [
        parse_event(
            {
                "id": f"e{user}-{n}", "user": f"u{user}", "type": "click",
                "item": items[int(rng.betavariate(1, 3) * len(items))].id,
                "time": (NOW - timedelta(hours=60 - user / 2 - n / 60)).isoformat(),
            },
            received=NOW,
        )[0]
        for user in range(100)
        for n in range(8)
    ]  # fmt: skip
    encoder = HashingEncoder(dimension=64)
    bundle = day0_bundle(
        tmp_path_factory.mktemp("bundles"), encoder_version=encoder.version, dimension=64,
        rules=Rules(),
    )  # fmt: skip
    scene = Scene(items, events, encoder, bundle, Settings())
    report = simulate_attacks(scene, bounds_of(scene.settings), num_honest=20, clicks=1_000)
    return {(one.attack, one.bounds): one for one in report.outcomes}


def found(outcomes, attack, bounds):
    (one,) = (o for (name, under), o in outcomes.items() if attack in name and under == bounds)
    return one


@pytest.mark.case(19)
@pytest.mark.parametrize("attack", ["1 fake users", "one user"])
def test_who_pushes_an_item_is_first_without_the_bounds_and_far_behind_with_them(outcomes, attack):
    unbounded = found(outcomes, attack, "unbounded")
    bounded = found(outcomes, attack, "bounded")

    assert unbounded.after.trending == 1
    assert bounded.after.trending > 10


@pytest.mark.case(19)
def test_of_copies_one_at_most_is_on_a_list(outcomes):
    aimed = {bounds: [o for (name, b), o in outcomes.items() if "copies" in name and b == bounds]
             for bounds in ("bounded", "unbounded")}  # fmt: skip

    assert max(one.after.most for one in aimed["unbounded"]) > 1
    assert max(one.after.most for one in aimed["bounded"]) <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{}"], "attacks are played on ml-100k, not on walks"),
        (["ml-100k", "--systems", "popularity"], "leave --systems out"),
    ],
)
def test_what_cannot_be_attacked_is_one_line_and_code_2(
    tmp_path, monkeypatch, capsys, arguments, words
):
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")
    log = tmp_path / "walks.jsonl"
    log.write_text('{"id": "e", "user": "u", "item": "i", "type": "click", "time": 1400000000}\n')

    code = run(["evaluate", *(word.format(log) for word in arguments), "--protocol", "attacks"])

    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("clickwise: ")]
    assert code == Exit.USAGE
    assert len(lines) == 1
    assert "Traceback" not in said
    assert words in lines[0]
