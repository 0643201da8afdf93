"""`clickwise evaluate`: names, files, faults, and equal seeds."""

import json

import pytest

from clickwise import installing
from clickwise.cli import run
from clickwise.cli.exits import Exit
from tests.unit.test_base_install import without_extras
from tests.unit.training.evaluation_sites import DAY, NOON, silent, site
from training.baselines.spaces import Choice
from training.evaluation.candidates import (
    HYBRID,
    INCREMENTAL,
    OURS,
    SYSTEMS,
    candidate,
    chosen,
    quick_values,
    tuned,
    validation_of,
)
from training.evaluation.leave_one_out import plan_leave_one_out
from training.evaluation.protocols import PROTOCOLS, Request, lived


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")


def rows():
    return [
        (user, (3 * user + step) % 100, NOON + DAY * step + user)
        for user in range(30)
        for step in range(90)
    ]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "walks.jsonl"
    events = (
        {
            "id": f"e{n}", "user": f"u{user}", "item": f"i{item}", "type": "click", "time": time,
        }
        for n, (user, item, time) in enumerate(rows())
    )  # fmt: skip
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def figures(path):
    report = json.loads(path.read_text())
    return {
        key: [{k: v for k, v in one.items() if not k.endswith("seconds")} for one in value]
        for key, value in report.items()
        if key in {"systems", "comparisons", "slices"}
    }


def test_a_log_is_evaluated_forward_into_json_page_and_plots(log, tmp_path, capsys):
    json_path, html, png = tmp_path / "o.json", tmp_path / "o.html", tmp_path / "png"

    code = run(
        [
            "evaluate", str(log), "--systems", "popularity,item-knn", "--seed", "3",
            "--json", str(json_path), "--html", str(html), "--png", str(png), "--quick",
        ]
    )  # fmt: skip

    report = json.loads(json_path.read_text())
    assert code == Exit.DONE
    assert report["protocol"] == "forward"
    assert {system["name"] for system in report["systems"]} == {"popularity", "item-knn"}
    assert report["command"].endswith("--systems popularity,item-knn --seed 3 --quick")
    assert html.read_text().startswith("<!doctype html>")
    assert (png / "systems.png").exists()
    assert "item-knn" in capsys.readouterr().out


def test_equal_seeds_give_equal_files(log, tmp_path):
    paths = [tmp_path / "first.json", tmp_path / "again.json"]

    for path in paths:
        run(
            ["evaluate", str(log), "--protocol", "leave-one-out", "--systems", "popularity,ease",
             "--json", str(path), "--quick"]
        )  # fmt: skip

    assert figures(paths[0]) == figures(paths[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--protocol", "backward"], "no protocol 'backward'"),
        (["--systems", "popularity,oracle"], "no system 'oracle'"),
        (["--systems", "popularity", "--protocol", "deskdrop"], "met all but"),
        (["--systems", "popularity", "--protocol", "sessions"], "no part 'train'"),
        (["--systems", "clickwise-incremental"], "it needs --protocol lived"),
        (["--json", "/proc/nowhere/o.json"], "cannot be written"),
        (["--png", "/proc/nowhere"], "cannot be written"),
        (["--trials", "0"], "--trials"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(log, capsys, options, words):
    code = run(["evaluate", str(log), *options])

    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("clickwise: ")]
    assert code == Exit.USAGE
    assert len(lines) == 1
    assert "Traceback" not in said
    assert words in lines[0]


def test_a_dataset_that_there_is_not_is_one_line(capsys):
    assert run(["evaluate", "ml-20m"]) == Exit.USAGE
    assert "no data set 'ml-20m'" in capsys.readouterr().err


SINGLE = [name for name in SYSTEMS if name != HYBRID]


def test_every_system_is_built_under_the_name_it_is_asked_for_by():
    assert [candidate(name).build({}).name for name in SINGLE] == SINGLE


def test_every_system_can_be_built_from_its_own_defaults():
    for name in SINGLE:
        found = candidate(name)
        assert found.defaults.keys() == found.space.keys()
        found.build(found.defaults)
        choices = {n: span.options for n, span in found.space.items() if isinstance(span, Choice)}
        assert all(found.defaults[name] in options for name, options in choices.items()), name


def test_systems_are_named_once_and_all_are_taken_where_none_is_named():
    assert chosen("ease, popularity,ease") == ("ease", "popularity")
    assert chosen("") == SYSTEMS


def test_what_trains_on_while_it_serves_is_taken_only_where_it_is_named():
    assert INCREMENTAL not in SYSTEMS
    assert chosen(INCREMENTAL) == (INCREMENTAL,)


def test_quick_shortens_networks_and_nothing_else():
    assert quick_values("sasrec") == {"epochs": 2}
    assert quick_values("ease") == {}
    for name in SINGLE:
        candidate(name).build(quick_values(name))


def test_tuning_takes_what_is_best_on_the_validation_and_says_so():
    plan = plan_leave_one_out(site(rows(), items=100))

    values, note = tuned(
        "item-knn", validation_of(plan), trials=3, seed=1, fixed={"neighbors": 7}, progress=silent
    )

    assert values["neighbors"] == 7
    assert note.startswith("best of 3 trials: ")
    assert "neighbors 7" in note


def test_tuning_never_sees_the_test():
    plan = plan_leave_one_out(site(rows(), items=100))
    seen = validation_of(plan)

    assert len(seen.train.log) == len(plan.train.log)
    assert seen.train.log.times_N.max() < plan.test.times_N.max()


def test_a_log_is_lived_by_rankers_that_go_on_counting(log, tmp_path):
    path = tmp_path / "o.json"

    code = run(
        ["evaluate", str(log), "--protocol", "lived", "--systems", "popularity,session-knn",
         "--json", str(path), "--quick"]
    )  # fmt: skip

    report = json.loads(path.read_text())
    assert code == Exit.DONE
    assert report["protocol"] == "lived"
    assert {system["name"] for system in report["systems"]} == {"popularity", "session-knn"}
    assert report["data"]["num_cases"] > 0


def test_ours_as_it_serves_takes_the_place_of_the_bare_ranker():
    class Served:
        name = OURS

        def begin(self, *_, **__):
            pass

        def ask(self, *_, depth):
            return range(depth)

        def tell(self, *_):
            pass

        def close(self):
            closed.append(self)

    closed = []
    request = Request(
        data=site(rows(), items=100), systems=(OURS, "popularity"), seed=1, tuning_trials=1,
        quick=True, progress=silent,
    )  # fmt: skip

    report = lived(request, served={OURS: Served})

    assert report.ours == OURS
    assert report.system(OURS).beyond.coverage == pytest.approx(10 / 100)
    assert report.system(OURS).note == "as it serves; not searched here"
    assert len(closed) == 1


def session(part, number, start):
    return [(f"{part}:{number}", (start + step) % 20, number * 10 + step) for step in range(4)]


def test_sessions_are_learned_from_one_part_and_asked_of_another():
    walks = [
        *(row for number in range(40) for row in session("train", number, number % 20)),
        *(row for number in range(40, 50) for row in session("valid", number, number % 20)),
        *(row for number in range(50, 60) for row in session("test", number, number % 20)),
    ]
    users = list(dict.fromkeys(user for user, _, _ in walks))
    data = site([(users.index(user), item, time) for user, item, time in walks], items=20)
    data = type(data)(data.name, data.log, data.items, tuple(users))
    request = Request(
        data=data, systems=("popularity", "session-knn"), seed=1, tuning_trials=1, quick=True,
        progress=silent,
    )  # fmt: skip

    report = PROTOCOLS["sessions"](request)

    assert report.data.num_train_events == 160
    assert report.data.num_cases == 30
    assert report.systems[0].name == "session-knn"
    assert report.systems[0].metrics["MRR@20"].mean > 0.5


def test_a_missing_extra_is_named(log, tmp_path):
    done = without_extras(
        f'sys.exit(run(["evaluate", {str(log)!r}, "--systems", "gru4rec"]))', tmp_path
    )

    assert done.returncode == Exit.USAGE
    assert f"torch is missing; {installing.with_extra('train')}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
