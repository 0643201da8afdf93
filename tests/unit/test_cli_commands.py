"""The command line: exit codes, one line for a fault, JSON for machines."""

import json
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata

import pytest

from clickwise.access import new_key
from clickwise.cli import run
from clickwise.cli.exits import Exit, exit_of
from clickwise.cli.homes import ServerLock, make_home
from clickwise.cli.wiring import state_of
from clickwise.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from clickwise.settings import Settings
from clickwise.state.port import Rebuild
from clickwise.testing.kafka import free_ports
from clickwise.testing.services import missing
from clickwise.types import ModelVersion
from clickwise.vectors.generations import Generations, make_live


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")


@pytest.fixture
def free_port():
    (port,) = free_ports(1)
    return port


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly"], "No such command"),
        (["up", "--prot", "1"], "No such option"),
        (["recommend"], "Missing argument"),
        (["up", "--port", "many"], "--port"),
        (["import", "/nowhere.csv"], "no such file"),
        (["import", "/nowhere.csv", "--format", "xml"], "expected one of"),
        (["import", "/nowhere.csv", "--map", "user"], "OURS=THEIRS"),
        (["import", "/nowhere.csv", "--time", "soon"], "shift-to-now"),
        (["serve"], "CLICKWISE_KAFKA_BOOTSTRAP"),
        (["stream"], "CLICKWISE_KAFKA_BOOTSTRAP"),
        (["topics", "create"], "CLICKWISE_KAFKA_BOOTSTRAP"),
        (["dead-letters", "replay", "--all"], "CLICKWISE_KAFKA_BOOTSTRAP"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(capsys, arguments, words):
    code = run(arguments)

    lines = capsys.readouterr().err.splitlines()
    assert code == Exit.USAGE
    assert len(lines) == 1
    assert lines[0].startswith("clickwise: ")
    assert words in lines[0]


def test_an_unknown_variable_is_code_2_with_a_suggestion(capsys, monkeypatch):
    monkeypatch.setenv("CLICKWISE_WORKRES", "2")

    assert run(["events", "tail"]) == Exit.USAGE
    assert "did you mean CLICKWISE_WORKERS?" in capsys.readouterr().err


def test_kafka_and_up_do_not_go_together(capsys, monkeypatch):
    monkeypatch.setenv("CLICKWISE_KAFKA_BOOTSTRAP", "localhost:1")
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", "sqlite:///x")

    assert run(["up"]) == Exit.USAGE
    assert "clickwise serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), 2),
        (UnavailableError("x"), 3),
        (ConflictError("x"), 1),
        (NotFoundError("x"), 1),
        (InvalidInputError("x"), 1),
    ],
)
def test_each_kind_of_fault_has_its_code(error, code):
    assert exit_of(error) == code


def test_help_lists_every_command(capsys):
    assert run(["--help"]) == Exit.DONE

    text = capsys.readouterr().out
    for command in (
        "up", "demo", "serve", "stream", "topics", "import", "events", "recommend",
        "dead-letters", "check", "bench", "version",
    ):  # fmt: skip
        assert command in text


def test_versions_are_told_by_an_option_as_by_the_command(capsys):
    assert run(["version"]) == Exit.DONE
    by_command = capsys.readouterr().out

    assert run(["--version"]) == Exit.DONE

    assert capsys.readouterr().out == by_command
    assert "clickwise" in by_command


def test_versions_are_told_as_json(capsys):
    assert run(["version", "--json"]) == Exit.DONE

    assert {"python", "clickwise", "granian"} <= json.loads(capsys.readouterr().out).keys()


def test_the_table_of_topics_needs_no_kafka(capsys):
    assert run(["topics", "show", "--json"]) == Exit.DONE

    rows = json.loads(capsys.readouterr().out)
    assert "clickwise.events" in [row["name"] for row in rows]


class TestCheck:
    def test_a_sound_machine_passes(self, capsys, free_port):
        code = run(["check", "--json", "--port", str(free_port)])

        found = json.loads(capsys.readouterr().out)
        names = {one["name"] for one in found["findings"]}
        assert (code, found["ok"]) == (Exit.DONE, True)
        assert {"settings", "disk", "clock", "database", "vectors", "encoder", "port"} <= names

    @pytest.mark.parametrize("deep", [(), ("--deep",)])
    def test_a_fresh_site_is_in_order_says_when_things_are_made_and_stays_untouched(
        self, capsys, tmp_path, free_port, deep
    ):
        code = run(["check", *deep, "--json", "--port", str(free_port)])

        findings = json.loads(capsys.readouterr().out)["findings"]
        said = {one["name"]: one["text"] for one in findings}
        assert code == Exit.DONE, findings
        assert len(said) == len(findings)
        assert "made at the first start" in said["vectors"]
        assert not (tmp_path / "home").exists()

    @pytest.mark.parametrize("deep", [(), ("--deep",)])
    def test_each_check_of_a_sound_site_is_one_line(self, capsys, tmp_path, free_port, deep):
        settings = Settings(home=str(tmp_path / "home"))
        make_home(settings)
        with ExitStack() as stack:
            state_of(settings, stack).migrate()

        code = run(["check", *deep, "--json", "--port", str(free_port)])

        findings = json.loads(capsys.readouterr().out)["findings"]
        said = {one["name"]: one["text"] for one in findings}
        assert code == Exit.DONE, findings
        assert len(said) == len(findings)
        assert said["database"] == "SQLite answers, 0 items"

    def test_a_site_that_lost_its_database_is_not_taken_for_a_fresh_one(self, capsys, tmp_path):
        (tmp_path / "home" / "models" / "bundles" / "day0-1").mkdir(parents=True)

        code = run(["check", "--deep", "--json"])

        said = {
            one["name"]: one["level"] for one in json.loads(capsys.readouterr().out)["findings"]
        }
        assert code == Exit.FAILED
        assert said["schema"] == "fail"

    def test_wrong_settings_fail_with_what_to_do(self, capsys, monkeypatch):
        monkeypatch.setenv("CLICKWISE_PORT", "99999999")

        code = run(["check", "--json"])

        (finding,) = json.loads(capsys.readouterr().out)["findings"]
        assert code == Exit.FAILED
        assert finding["level"] == "fail"
        assert "CLICKWISE_PORT" in finding["text"]

    def test_a_service_that_is_away_fails_and_the_rest_is_still_looked_at(
        self, capsys, monkeypatch, free_port
    ):
        monkeypatch.setenv("CLICKWISE_QDRANT_URL", f"http://127.0.0.1:{free_port}")

        code = run(["check", "--json"])

        levels = {
            one["name"]: one["level"] for one in json.loads(capsys.readouterr().out)["findings"]
        }
        assert code == Exit.FAILED
        assert levels["vectors"] == "fail"
        assert levels["encoder"] == "warn"


def test_a_key_to_present_to_another_site_is_told_from_one_that_servers_here_take(
    capsys, monkeypatch, free_port
):
    def told():
        assert run(["check", "--json", "--port", str(free_port)]) == Exit.DONE
        found = json.loads(capsys.readouterr().out)["findings"]
        return next((one["level"], one["text"]) for one in found if one["name"] == "keys")

    key_id, key = new_key()
    none = told()
    monkeypatch.setenv("CLICKWISE_API_KEYS", f"a-word-of-some-length,{key.reveal()}")
    strange = told()
    run(["keys", "create", "shop", "--scope", "events"])
    own = capsys.readouterr().out.strip()
    monkeypatch.setenv("CLICKWISE_API_KEYS", own)
    known = told()

    assert none[0] == known[0] == "ok"
    assert "not set" in none[1]
    assert "holds 1 key:" in known[1]
    assert strange[0] == "warn"
    assert key_id in strange[1]
    assert key.reveal() not in strange[1]


@pytest.mark.parametrize(
    ("body", "level"), [(b'{"status":"ok"}', "warn"), (b"hello", "fail"), (b"[]", "fail")]
)
def test_a_clickwise_on_the_port_is_told_from_something_else(capsys, body, level):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        run(["check", "--json", "--port", str(server.server_port)])
        server.shutdown()
        thread.join()

    found = json.loads(capsys.readouterr().out)["findings"]
    (port,) = [one for one in found if one["name"] == "port"]
    assert port["level"] == level
    assert ("Clickwise answers" in port["text"]) == (level == "warn")
    assert (port["text"] + port["advice"]).count("CLICKWISE_PORT") == 1


def test_an_index_is_found_whatever_its_model_is_called(capsys, tmp_path):
    generations = Generations(tmp_path / "home" / "vectors", ModelVersion("a/model:1"))
    generations.folder.mkdir(parents=True)
    (generations.folder / "CURRENT").write_text("3")

    run(["check"])

    assert "model a/model:1, generation 3" in capsys.readouterr().out


def test_a_site_that_was_started_waits_for_its_index_not_for_its_first_start(capsys, tmp_path):
    make_live(tmp_path / "home" / "vectors", ModelVersion("small"))

    run(["check", "--json"])

    findings = json.loads(capsys.readouterr().out)["findings"]
    (told,) = [one["text"] for one in findings if one["name"] == "vectors"]
    assert "first start" not in told
    assert "model small, no index on disk yet" in told


def test_a_database_without_tables_is_fine(capsys, postgres_url, monkeypatch, free_port):
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", postgres_url)

    code = run(["check", "--json", "--port", str(free_port)])

    found = json.loads(capsys.readouterr().out)["findings"]
    texts = [(one["level"], one["text"]) for one in found if one["name"] == "database"]
    assert code == Exit.DONE
    assert texts == [("ok", "PostgreSQL answers; its tables are made at the first start")]


def test_the_encoder_is_told_to_be_made_only_when_it_is(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("CLICKWISE_ENCODER_MODEL")
    models = tmp_path / "home" / "models"
    (models / "bundles").mkdir(parents=True)

    def told():
        run(["check", "--json"])
        found = json.loads(capsys.readouterr().out)["findings"]
        return [one["text"] for one in found if one["name"] == "encoder"][-1]

    assert "made at the first start" in told()
    (models / "encoders" / "some-int8-0123").mkdir(parents=True)
    assert "made already" in told()


@pytest.mark.parametrize(
    "arguments",
    [
        ["models", "status"],
        ["models", "list"],
        ["models", "show", "1"],
        ["models", "diff", "1", "2"],
        ["dead-letters", "list"],
        ["dead-letters", "show", "1"],
        ["events", "tail"],
        ["recommend", "ada"],
    ],
)
def test_who_only_looks_makes_no_home(capsys, tmp_path, arguments):
    code = run(arguments)

    assert code == Exit.FAILED
    assert f"there is no site in {tmp_path / 'home'}" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("site", ["", "blue"])
def test_a_command_to_run_next_names_the_home_that_was_named(tmp_path, capsys, monkeypatch, site):
    monkeypatch.setenv("CLICKWISE_SITE", site)
    home = ("--home", str(tmp_path / "my site"))
    named = f"--home '{tmp_path / 'my site'}'"

    def told(*arguments):
        assert run([*arguments]) != Exit.DONE
        return capsys.readouterr().err

    assert f"begin one with `clickwise up {named}`" in told("keys", "revoke", "none", *home)
    run(["keys", "create", "shop", "--scope", "read", *home])
    assert f"`clickwise keys list {named}` names them" in told("keys", "revoke", "none", *home)
    assert f"yet: clickwise train once {named}\n" in told("models", "show", "3", *home)


def test_a_command_to_run_next_names_no_home_that_the_environment_names(capsys):
    run(["keys", "create", "shop", "--scope", "read"])
    run(["keys", "revoke", "none"])

    assert "`clickwise keys list` names them" in capsys.readouterr().err


class TestOnAHome:
    LINES = (
        '{"id": "a", "kind": "news", "title": "robot factory"}\n'
        '{"id": "b", "kind": "news", "title": "robot kitchen [red]"}\n'
        '{"id": "e1", "user": "ada", "item": "a", "type": "click"}\n'
        '{"id": "e1", "user": "ada", "item": "a", "type": "click"}\n'
    )

    @pytest.fixture
    def filled(self, tmp_path, capsys):
        path = tmp_path / "site.jsonl"
        path.write_text(self.LINES)
        assert run(["import", str(path), "--json"]) == Exit.DONE
        return json.loads(capsys.readouterr().out)

    def test_an_import_counts_items_events_and_duplicates(self, filled):
        assert filled["items"] == 2
        assert filled["into"].endswith("home")
        assert filled["events_applied"] == 1
        assert filled["duplicates"] == 1
        assert filled["refused"] == 0

    def test_events_of_unknown_items_are_told_without_who_did_them(self, filled, tmp_path, capsys):
        assert filled["unknown_items"]["events"] == 0
        path = tmp_path / "more.jsonl"
        events = [("e2", "a"), ("e3", "nowhere"), ("e4", "nowhere")]
        path.write_text(
            "".join(
                json.dumps({"id": name, "user": "berta", "item": item, "type": "click"}) + "\n"
                for name, item in events
            )
        )

        assert run(["import", str(path)]) == Exit.DONE
        told = capsys.readouterr().out
        assert run(["import", str(path), "--json"]) == Exit.DONE

        summary = json.loads(capsys.readouterr().out)["unknown_items"]
        assert "2 events named 1 unknown item, such as nowhere: " in told
        assert "berta" not in told
        assert summary == {"events": 2, "items": 1, "examples": ["nowhere"], "complete": True}

    def test_refused_rows_are_told_kept_and_code_1(self, tmp_path, capsys):
        path, refused = tmp_path / "site.jsonl", tmp_path / "refused.jsonl"
        path.write_text(self.LINES + '{"id": "e2", "user": "ada", "type": "click"}\nnonsense\n')

        code = run(["import", str(path), "--json", "--refused", str(refused)])

        summary = json.loads(capsys.readouterr().out)
        kept = [json.loads(line) for line in refused.read_text().splitlines()]
        assert code == Exit.FAILED
        assert summary["refused"] == 2
        assert summary["events_applied"] == 1
        assert {one["place"] for one in kept} == {"site.jsonl:5", "site.jsonl:6"}
        assert any("item" in one["reason"] for one in kept)

    @pytest.mark.usefixtures("filled")
    def test_a_list_with_its_reasons(self, capsys):
        assert run(["recommend", "ada", "--explain"]) == Exit.DONE

        text = capsys.readouterr().out
        assert "robot kitchen [red]" in text
        assert "left out: 1 seen" in text

    @pytest.mark.usefixtures("filled")
    def test_words_of_a_person_are_shown_though_no_model_writes(self, capsys):
        assert run(["texts", "edit", "b", "A kitchen of robots"]) == Exit.DONE
        capsys.readouterr()

        assert run(["recommend", "ada", "--json"]) == Exit.DONE

        (shown,) = json.loads(capsys.readouterr().out)["items"]
        assert (shown["text"]["shown"], shown["text"]["title"]) == (
            "edited",
            "A kitchen of robots",
        )

    @pytest.mark.usefixtures("filled")
    def test_the_log_is_shown_as_json_lines(self, capsys):
        assert run(["events", "tail", "--json", "--user", "ada"]) == Exit.DONE

        (event,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert (event["id"], event["item"]) == ("e1", "a")

    @pytest.mark.usefixtures("filled")
    def test_who_forgets_somebody_that_nothing_is_known_of_is_told(self, capsys):
        assert run(["forget", "nobody"]) == Exit.DONE
        told = capsys.readouterr()
        assert "nothing was known of user 'nobody'" in told.err
        assert json.loads(told.out)["seal"]

        assert run(["forget", "ada"]) == Exit.DONE
        assert "nothing was known" not in capsys.readouterr().err

    @pytest.mark.usefixtures("filled")
    def test_no_dead_letters_is_said(self, capsys):
        assert run(["dead-letters", "list"]) == Exit.DONE
        assert "no dead letters" in capsys.readouterr().out

    @pytest.mark.usefixtures("filled")
    def test_a_dead_letter_that_is_not_there_is_code_1(self, capsys):
        assert run(["dead-letters", "show", "7"]) == Exit.FAILED
        assert capsys.readouterr().err == "clickwise: no dead letter 7\n"

    @pytest.mark.usefixtures("filled")
    def test_the_index_is_built_on_request_and_only_when_something_changed(self, capsys):
        assert run(["index", "build"]) == Exit.DONE
        assert "2 items" in capsys.readouterr().out

        assert run(["index", "build"]) == Exit.DONE
        assert "nothing has changed" in capsys.readouterr().out

    def test_a_limit_and_a_shift_to_now(self, tmp_path, capsys):
        path = tmp_path / "old.jsonl"
        lines = [
            f'{{"id": "e{n}", "user": "u", "item": "a", "type": "click", "time": {978307200 + n}}}'
            for n in range(5)
        ]
        path.write_text("\n".join(lines))

        code = run(["import", str(path), "--json", "--limit", "3", "--time", "shift-to-now"])
        capsys.readouterr()
        run(["events", "tail", "--json"])

        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert code == Exit.DONE
        assert [event["id"] for event in events] == ["e0", "e1", "e2"]
        assert all(event["time"] > "2026" for event in events)

    @pytest.mark.usefixtures("filled")
    def test_day_0_is_built_in(self, capsys):
        assert run(["models", "status"]) == Exit.DONE

        text = capsys.readouterr().out
        assert "built in" in text
        assert "day0:" not in text

    @pytest.mark.usefixtures("filled")
    @pytest.mark.parametrize(
        ("seen", "done", "told"),
        [(0, True, "none; nobody had one"), (9, True, "0 of 9 seen, done"), (0, False, None)],
    )
    def test_how_far_profiles_are_rebuilt_is_told_once_it_is_known(
        self, tmp_path, capsys, seen, done, told
    ):
        with ExitStack() as stack:
            state = state_of(Settings(home=str(tmp_path / "home")), stack)
            live = state.pointer().role("live")
            progress = Rebuild(live.version, live.changed, "", seen, 0, done)
            with state.write() as write:
                write.put_rebuild(progress, expected=state.rebuild())

        assert run(["models", "status"]) == Exit.DONE

        text = capsys.readouterr().out
        assert "0 of 0" not in text
        assert ("profiles rebuilt" in text) == (told is not None)
        assert told is None or told in text

    @pytest.mark.usefixtures("filled")
    def test_a_model_cannot_be_shown_before_the_first_training(self, capsys):
        assert run(["models", "show", "3"]) == Exit.FAILED
        assert "none was trained yet: clickwise train once" in capsys.readouterr().err

    def test_events_before_2000_are_refused_with_what_helps(self, tmp_path, capsys):
        path = tmp_path / "old.jsonl"
        path.write_text('{"id": "e", "user": "u", "item": "a", "type": "click", "time": 9e8}')

        code = run(["import", str(path), "--refused", str(tmp_path / "refused.jsonl")])

        assert code == Exit.FAILED
        assert "--time shift-to-now" in capsys.readouterr().out

    def test_movielens_is_imported_by_its_name_and_moved_to_now(
        self, tmp_path, capsys, monkeypatch
    ):
        try:
            metadata.distribution("recbole")
        except metadata.PackageNotFoundError:
            missing("recbole is not installed: it carries MovieLens-100k")
        monkeypatch.chdir(tmp_path)

        code = run(["import", "ml-100k", "--limit", "20"])

        out, err = capsys.readouterr()
        assert code == Exit.DONE
        assert "20 items, 20 events applied, 0 duplicates, 0 refused" in out
        assert "all times are moved" in out
        assert "importing 20 events" in err


def test_a_home_has_one_server(tmp_path):
    settings = Settings(home=str(tmp_path / "h"))
    make_home(settings)
    first, second = ServerLock(settings), ServerLock(settings)

    first.take("http://127.0.0.1:1")

    assert second.address() == "http://127.0.0.1:1"
    with pytest.raises(ConflictError, match=r"127\.0\.0\.1:1"):
        second.take("http://127.0.0.1:2")
    first.release()
    assert second.address() == ""
