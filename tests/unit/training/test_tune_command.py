"""`clickwise tune` and `train once --encoder`: what is written serves, and faults take one line."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from clickwise import installing
from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.cli.training import TrainCommand
from clickwise.cli.training_data import live_model
from clickwise.cli.training_encoder import text_of
from clickwise.cli.tuning_course import TuneCommand, course_of
from clickwise.cli.tuning_written import written
from clickwise.cli.wiring import encoder_of
from clickwise.encoder import open_encoder
from clickwise.errors import ConflictError
from clickwise.settings import load
from clickwise.testing.tiny_bert import write_tiny_bert
from clickwise.understanding.classifier import load_classifier
from tests.unit.test_base_install import without_extras
from tests.unit.training.tuning import QUICK as SHORT
from tests.unit.training.tuning import clicked, headlines, task
from training.evaluation.lived import plan_lived
from training.tune.classify import tune
from training.tune.compare import read_rows
from training.tune.course import Course

QUICK = ("--epochs", "1", "--precision", "fp32")
OTHER_VALUES = {
    "rate": 0.0001, "head_rate": 0.0007, "dropout": 0.35, "weight_decay": 0.07, "smoothing": 0.03,
    "warmup": 0.25,
}  # fmt: skip


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", str(write_tiny_bert(tmp_path / "tiny")))
    monkeypatch.setenv("CLICKWISE_ENCODER_DEVICE", "cpu")


def labelled(path, number, *, seed=0):
    data = headlines(number, seed=seed)
    rows = zip(data.texts, data.labels_N.tolist(), strict=True)
    path.write_text("".join(f"{text}\t{data.classes[label]}\n" for text, label in rows))
    return str(path)


def clicks(path):
    """A file that `clickwise import` reads: six people who took items one after the other."""
    rows = [
        {"id": f"i{place}", "kind": "news", "title": f"game number {place}"} for place in range(12)
    ]
    rows += [
        {
            "id": f"e{user}-{step}",
            "user": f"u{user}",
            "item": f"i{(user + step) % 12}",
            "type": "click",
            "time": f"2026-01-{1 + step:02d}T00:00:{user:02d}Z",
        }
        for step in range(8)
        for user in range(6)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_what_is_tuned_opens_as_an_encoder_with_its_classifier(tmp_path):
    train, test = labelled(tmp_path / "a.tsv", 80), labelled(tmp_path / "b.tsv", 20, seed=1)
    out, report = tmp_path / "out", tmp_path / "report.json"

    # A random encoder bears little change before its integer form is too far off to be let in.
    named = ("--test", test, "--out", str(out), "--json", str(report), "--rate", "1e-4")
    code = run(["tune", "classify", train, *named, *QUICK])

    assert code == Exit.DONE
    encoder = open_encoder(model=str(out), device="cpu", cache=tmp_path / "cache")
    topics = load_classifier(out, encoder)
    (vector,) = encoder.encode(["team wins game news team"])
    assert topics.weigh("", vector)[0].topic == "sport"
    told = json.loads(report.read_text())
    assert told["served"]["encoder"] == encoder.version
    assert {one["name"] for one in told["test"]["classes"]} == {"money", "sport"}
    assert not (out / ".work").exists()


def test_results_whose_writing_is_interrupted_leave_those_before_and_are_made_by_the_next_call(
    tmp_path,
):
    out = tmp_path / "out"
    run(["tune", "classify", labelled(tmp_path / "a.tsv", 60), "--out", str(out), *QUICK])
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    ready = task(tmp_path / "other", number=60)
    course = replace(SHORT, epochs=1, seed=7)
    tuned = tune(ready.base, ready.lessons(), course, work=out / ".work")
    settings = load({"CLICKWISE_HOME": str(tmp_path / "home")})

    def until(what, share):
        del share
        if what == "fitting the classifier that serves":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(settings, TuneCommand(texts=out, out=out), ready, tuned, until)

    encoder = open_encoder(model=str(out), device="cpu", cache=tmp_path / "cache")
    assert load_classifier(out, encoder).card.encoder == encoder.version
    assert before == {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    seen = []
    tune(ready.base, ready.lessons(), course, work=out / ".work", watch=seen.append)
    assert seen == []
    written(settings, TuneCommand(texts=out, out=out), ready, tuned, lambda _what, _share: None)
    encoder = open_encoder(model=str(out), device="cpu", cache=tmp_path / "cache")
    assert load_classifier(out, encoder).card.encoder == encoder.version
    assert before["model.safetensors"] != (out / "model.safetensors").read_bytes()
    assert not (out / ".work").exists()


def test_an_encoder_that_cannot_serve_leaves_the_one_before(tmp_path, capsys):
    texts, out = labelled(tmp_path / "a.tsv", 60), tmp_path / "out"
    run(["tune", "mlm", texts, "--out", str(out), *QUICK])
    before = (out / "model.safetensors").read_bytes()

    code = run(["tune", "mlm", texts, "--out", str(out), "--rate", "3", *QUICK])

    assert code == Exit.FAILED
    assert f"and {out} is as it was" in capsys.readouterr().err
    assert (out / "model.safetensors").read_bytes() == before


def runs(tmp_path):
    """All runs in the registry of the tests' home, newest first."""
    from clickwise.cli.registry import registry_of

    client = registry_of(load({"CLICKWISE_HOME": str(tmp_path / "home")}))._client
    return client.search_runs([client.get_experiment_by_name("clickwise").experiment_id])


def options(values):
    return [part for name, value in values.items()
            for part in (f"--{name.replace('_', '-')}", str(value))]  # fmt: skip


@pytest.mark.parametrize(
    "command", [("classify",), ("distill", "--teachers", "head,lora")], ids=lambda one: one[0]
)
def test_what_a_search_tries_can_be_given_to_a_tuning(tmp_path, command):
    train = labelled(tmp_path / "a.tsv", 60)
    name, *rest = command

    run(["tune", name, train, "--out", str(tmp_path / "out"), *rest, *QUICK,
         *options(OTHER_VALUES)])  # fmt: skip

    params = runs(tmp_path)[-1].data.params
    assert {name: float(params[name]) for name in OTHER_VALUES} == OTHER_VALUES


def test_each_value_makes_another_comparison(tmp_path):
    train, test = labelled(tmp_path / "a.tsv", 60), labelled(tmp_path / "b.tsv", 20, seed=1)
    rows = tmp_path / "rows.jsonl"
    given = ("tune", "compare", train, "--test", test, "--rows", "knn", "--out", str(rows), *QUICK)

    for values in ({}, *({name: value} for name, value in OTHER_VALUES.items())):
        assert run([*given, *options(values)]) == Exit.DONE

    assert len({row.task for row in read_rows(rows)}) == 1 + len(OTHER_VALUES)


def test_a_command_without_values_has_the_courses_own():
    assert course_of(TuneCommand(texts=Path("a.tsv"), precision="fp32")) == Course()


def test_a_search_ends_with_the_command_that_does_what_its_best_trial_did(tmp_path, capsys):
    train, dev = labelled(tmp_path / "a.tsv", 60), labelled(tmp_path / "my dev.tsv", 20, seed=1)
    report = tmp_path / "report.json"
    found = ("--trials", "3", "--dev", dev, "--seed", "5", "--json", str(report))

    code = run(["tune", "search", train, *found, *QUICK, "--home", str(tmp_path / "site")])

    told = json.loads(report.read_text())
    (line,) = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("as the best: clickwise tune classify ")
    ]
    _, _, command = line.partition("as the best: clickwise ")
    assert code == Exit.DONE
    best = f"tune classify {shlex.quote(train)} --out tuned {told['options']}"
    assert command == f"{best} --home {tmp_path / 'site'}"
    given = shlex.split(told["options"])
    named = dict(zip(given[::2], given[1::2], strict=True))
    same = {"--dev": dev, "--seed": "5", "--epochs": "1", "--method": "lora", "--precision": "fp32"}
    assert same.items() <= named.items()
    for name, value in told["best"]["values"].items():
        assert float(named[f"--{name.replace('_', '-')}"]) == value
    assert all(float(f"{value:.4g}") == value
               for one in told["trials"] for value in one["values"].values())  # fmt: skip
    named["--out"] = str(tmp_path / "out")
    run(["tune", "classify", train, *(part for pair in named.items() for part in pair)])
    params = runs(tmp_path)[0].data.params
    assert {name: float(params[name]) for name in OTHER_VALUES} == told["best"]["values"]


def test_a_search_for_what_becomes_no_encoder_ends_with_a_comparison(tmp_path, capsys):
    train = labelled(tmp_path / "a.tsv", 60)

    run(["tune", "search", train, "--trials", "1", "--method", "prefix", *QUICK])

    out = capsys.readouterr().out
    assert "tune classify" not in out
    assert "--test TEST --out rows.jsonl --rows prefix" in out


def report_of(found):
    return json.loads((Path(found.info.artifact_uri) / "report.json").read_text())


def test_a_tuning_is_a_run_beside_the_trainings_with_its_report(tmp_path):
    train, test = labelled(tmp_path / "a.tsv", 60), labelled(tmp_path / "b.tsv", 20, seed=1)
    out = tmp_path / "out"

    run(["tune", "classify", train, "--test", test, "--out", str(out), "--rate", "1e-4", *QUICK])

    (found,) = runs(tmp_path)
    kept, metrics = json.loads((out / "report.json").read_text()), found.data.metrics
    assert found.data.tags["kind"] == "tuning"
    assert found.data.params["method"] == "lora"
    assert report_of(found) == kept
    assert {one["name"] for one in kept["test"]["classes"]} == {"money", "sport"}
    assert metrics["kept_dev_macro_f1"] == kept["dev"]["macro_f1"]
    assert metrics["dev_macro_f1"] > 0.5
    assert metrics["test_accuracy"] == kept["test"]["accuracy"]
    assert metrics["test_macro_f1"] == kept["test"]["macro_f1"]
    assert metrics["served_test_macro_f1"] == kept["served"]["test"]["macro_f1"]


def parts_and_whole(tmp_path):
    """The runs within the only other one, by name, and that one."""
    found = runs(tmp_path)
    (whole,) = (one for one in found if "mlflow.parentRunId" not in one.data.tags)
    parts = {one.info.run_name: one for one in found if one is not whole}
    assert {one.data.tags["mlflow.parentRunId"] for one in parts.values()} == {whole.info.run_id}
    return parts, whole


def test_a_comparison_is_a_run_with_one_for_each_row(tmp_path):
    train, test = labelled(tmp_path / "a.tsv", 60), labelled(tmp_path / "b.tsv", 20, seed=1)
    file = tmp_path / "rows.jsonl"
    named = ("--rows", "knn,adapter", "--out", str(file))

    run(["tune", "compare", train, "--test", test, *named, *QUICK])

    parts, whole = parts_and_whole(tmp_path)
    rows = {row.name: row for row in read_rows(file)}
    assert whole.info.run_name == "tune-compare"
    assert [row["name"] for row in report_of(whole)["rows"]] == ["knn", "adapter"]
    assert set(parts) == {"knn", "adapter"}
    for name, part in parts.items():
        assert part.data.metrics["test_macro_f1"] == rows[name].test.macro_f1
        assert report_of(part)["test"]["classes"][0]["name"] == "money"
    assert parts["adapter"].data.metrics["loss"] > 0.0


def test_a_search_is_a_run_with_one_for_each_trial(tmp_path):
    train = labelled(tmp_path / "a.tsv", 60)

    run(["tune", "search", train, "--trials", "2", *QUICK])

    parts, whole = parts_and_whole(tmp_path)
    told = report_of(whole)
    assert whole.data.metrics["dev_macro_f1"] == told["best"]["quality"]
    assert set(parts) == {"trial-1", "trial-2"}
    for place, trial in enumerate(told["trials"], 1):
        params = parts[f"trial-{place}"].data.params
        assert {name: float(value) for name, value in params.items()} == trial["values"]
        assert parts[f"trial-{place}"].data.metrics["dev_macro_f1"] == trial["quality"]


def test_teachers_are_runs_within_that_of_their_student(tmp_path):
    train = labelled(tmp_path / "a.tsv", 60)
    named = ("--teachers", "head,lora", "--out", str(tmp_path / "out"), "--rate", "1e-4")

    run(["tune", "distill", train, *named, *QUICK])

    parts, whole = parts_and_whole(tmp_path)
    assert {name: one.data.params["method"] for name, one in parts.items()} == {
        "head": "head", "lora": "lora",
    }  # fmt: skip
    assert all("dev_macro_f1" in one.data.metrics for one in parts.values())
    assert report_of(whole) == json.loads((tmp_path / "out" / "report.json").read_text())


def test_what_pre_training_did_is_in_its_run(tmp_path):
    texts = labelled(tmp_path / "a.tsv", 60)

    run(["tune", "mlm", texts, "--out", str(tmp_path / "out"), *QUICK])

    (found,) = runs(tmp_path)
    kept = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report_of(found) == kept
    assert found.data.metrics["held_loss_after"] == kept["after"]


def test_texts_alone_and_events_alone_give_an_encoder_too(tmp_path):
    texts = labelled(tmp_path / "a.tsv", 60)

    code = run(["tune", "mlm", texts, "--out", str(tmp_path / "out"), *QUICK])

    assert code == Exit.DONE
    assert json.loads((tmp_path / "out" / "report.json").read_text())["held"] == 3
    assert open_encoder(model=str(tmp_path / "out"), device="cpu", cache=tmp_path / "c").dimension


@pytest.mark.parametrize("command", ["classify", "mlm", "contrast"])
def test_what_writes_an_encoder_ends_with_its_way_through_the_gate(
    tmp_path, monkeypatch, capsys, command
):
    monkeypatch.chdir(tmp_path)
    labelled(tmp_path / "a.tsv", 60)
    site = clicks(tmp_path / "site.jsonl")
    read, *quick = (str(site), "--epochs", "1") if command == "contrast" else ("a.tsv", *QUICK)

    arguments = ["tune", command, read, "--out", "my out", "--rate", "1e-4", *quick]
    code = run([*arguments, "--home", "my site"])

    out = capsys.readouterr().out
    way = f"clickwise train once --encoder {shlex.quote(str(tmp_path / 'my out'))}"
    way = f"{way} --home 'my site'"
    assert code == Exit.DONE
    assert f"through the gate, with a model: {way}" in out.splitlines()


def test_pre_training_is_as_gentle_as_its_help_says_where_nothing_else_is_asked(tmp_path, capsys):
    texts = labelled(tmp_path / "a.tsv", 60)

    run(["tune", "mlm", "--help"])
    run(["tune", "mlm", texts, "--out", str(tmp_path / "out"), "--precision", "fp32"])

    (found,) = runs(tmp_path)
    params = found.data.params
    assert float(params["rate"]) <= 2e-5
    assert int(params["epochs"]) == 2
    assert f"0: {params['rate']}." in " ".join(capsys.readouterr().out.split())


def test_a_comparison_is_written_row_by_row_and_drawn(tmp_path):
    train, test = labelled(tmp_path / "a.tsv", 60), labelled(tmp_path / "b.tsv", 20, seed=1)
    rows, picture = tmp_path / "rows.jsonl", tmp_path / "rows.png"
    named = ("--rows", "tfidf,knn,probe", "--out", str(rows), "--png", str(picture))

    code = run(["tune", "compare", train, "--test", test, *named, *QUICK])

    assert code == Exit.DONE
    assert [row.name for row in read_rows(rows)] == ["tfidf", "knn", "probe"]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["classify", "nowhere.tsv", "--out", "o"], "nowhere.tsv cannot be read"),
        (["classify", "a.tsv", "--out", "o", "--method", "prefix"], "--method prefix"),
        (["classify", "a.tsv", "--out", "o", "--held", "60"], "cannot be held back"),
        (["compare", "a.tsv", "--test", "a.tsv", "--out", "r", "--rows", "x"], "no row 'x'"),
        (["compare", "a.tsv", "--test", "a.tsv", "--out", "r"], "to learn from"),
        (["distill", "a.tsv", "--out", "o", "--teachers", "lora"], "fewer than two"),
        (["distill", "a.tsv", "--out", "o", "--teachers", "lora,magic"], "no way 'magic'"),
        (["classify", "a.tsv", "--out", "o", "--attack-steps", "3"], "--attack-steps needs"),
        (["mlm", "few.txt", "--out", "o"], "at least 20"),
        (["contrast", "nowhere", "--out", "o"], "no data set"),
    ],
)
def test_a_fault_takes_one_line(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    labelled(tmp_path / "a.tsv", 60)
    (tmp_path / "few.txt").write_text("one\ntwo\n")

    code = run(["tune", *arguments])

    lines = capsys.readouterr().err.strip().splitlines()
    assert code == Exit.USAGE
    assert told in lines[-1]
    assert [line for line in lines if line.startswith("clickwise: ")] == lines[-1:]
    assert not any("Traceback" in line for line in lines)


def test_what_cannot_be_is_told_before_torch_is_loaded(tmp_path):
    labelled(tmp_path / "a.tsv", 60)
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    faults = {
        "classify nowhere.tsv --out o": "nowhere.tsv cannot be read",
        "classify a.tsv --test nowhere.tsv --out o": "nowhere.tsv cannot be read",
        "classify a.tsv --out o --method prefix": "--method prefix adds parts",
        "classify a.tsv --out o --held 60": "cannot be held back",
        "classify a.tsv --out o --attack-steps 3": "--attack-steps needs",
        "compare nowhere.tsv --test a.tsv --out r": "nowhere.tsv cannot be read",
        "compare a.tsv --test a.tsv --out r --rows x": "no row 'x'",
        "compare a.tsv --test a.tsv --out r --rows knn@2": "no row 'knn@2'",
        "distill a.tsv --out o --teachers lora,lora@two": "no way 'lora@two'",
        "distill nowhere.tsv --out o": "nowhere.tsv cannot be read",
        "distill a.tsv --out o --teachers lora,magic": "no way 'magic'",
        "search a.tsv --dev nowhere.tsv": "nowhere.tsv cannot be read",
        "mlm nowhere.txt --out o": "nowhere.txt cannot be read",
        "mlm few.txt --out o": "at least 20",
        "contrast nowhere --out o": "no data set",
    }

    done = without_extras(
        f"""
        for arguments in {list(faults)!r}:
            run(["tune", *arguments.split(), "--home", "h"])
        """,
        tmp_path,
    )

    said = [line for line in done.stderr.splitlines() if line.startswith("clickwise: ")]
    assert len(said) == len(faults), done.stderr
    for line, told in zip(said, faults.values(), strict=True):
        assert told in line


@pytest.mark.parametrize("command", ["classify", "search"])
def test_help_says_which_methods_become_no_encoder(command, capsys):
    run(["tune", command, "--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert "adapter and prefix become no encoder" in told


def test_an_encoder_without_weights_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")

    code = run(["tune", "classify", labelled(tmp_path / "a.tsv", 60), "--out", "o"])

    assert code == Exit.USAGE
    assert "no weights to tune" in capsys.readouterr().err


def test_without_the_extra_the_command_names_it(tmp_path):
    labelled(tmp_path / "a.tsv", 60)

    done = without_extras(
        "sys.exit(run(['tune', 'classify', 'a.tsv', '--out', 'o', '--home', 'h']))", tmp_path
    )

    assert done.returncode == Exit.USAGE
    assert f"is missing; {installing.with_extra('train')}" in done.stderr


def hashing_site(home):
    """Settings of a site with another encoder, and what is live there."""
    settings = load({"CLICKWISE_HOME": str(home), "CLICKWISE_ENCODER_MODEL": "hashing:64"})
    home.mkdir()
    return settings, live_model(settings, encoder_of(settings))


def test_each_side_of_a_training_is_judged_with_its_own_encoders_vectors(tmp_path):
    settings, live = hashing_site(tmp_path / "h")
    command = TrainCommand(encoder=str(tmp_path / "tiny"))

    plain = text_of(settings, TrainCommand(), clicked(users=4), live, lambda _what, _share: None)
    text = text_of(settings, command, clicked(users=4), live, lambda _what, _share: None)
    lived = plan_lived(text.data)

    assert plain.site.encoder == live.bundle.manifest.encoder
    assert text.site.encoder.startswith("tiny-")
    assert text.data.items.text_ID.shape[1] == text.site.text_dimension == 32
    assert text.for_bundle(text.site.encoder, lived) is lived
    served = text.for_bundle(live.bundle.manifest.encoder, lived)
    assert served.plan.train.items is text.served.items
    assert served.plan.test is lived.plan.test


def test_an_incremental_training_keeps_its_encoder(tmp_path):
    settings, live = hashing_site(tmp_path / "h")
    command = TrainCommand(kind="incremental", encoder=str(tmp_path / "tiny"))

    with pytest.raises(ConflictError, match="train in full"):
        text_of(settings, command, clicked(users=4), live, lambda _what, _share: None)
