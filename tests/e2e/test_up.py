"""`clickwise up` as a user starts it: its own processes, its own home, nothing else running."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
from itertools import count

import httpx
import pytest

from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite

ROBOTS = [
    {"id": f"robot-{n}", "kind": "news", "title": f"robot factory story {n}", "topics": ["tech"]}
    for n in range(12)
]
FOOTBALL = [
    {"id": f"ball-{n}", "kind": "news", "title": f"football match report {n}", "topics": ["sport"]}
    for n in range(12)
]
_numbers = count()


def event(user, item, kind="click", **more):
    return {"id": f"e{next(_numbers)}", "user": user, "item": item, "type": kind, **more}


@pytest.fixture
def site(tmp_path):
    with RunningSite(tmp_path / "home") as running:
        yield running


@pytest.fixture
def stocked(site):
    site.put(ROBOTS + FOOTBALL)
    return site


class TestEmptyAndTiny:
    @pytest.mark.case(1)
    def test_it_starts_with_nothing_and_says_why_the_list_is_empty(self, site):
        answer = site.list_of("ada")

        assert site.get("/readyz")["ready"]
        assert answer["items"] == []
        assert answer["empty_reason"] == "no_items"

    @pytest.mark.case(1)
    def test_one_user_and_one_item_are_enough(self, site):
        site.put([ROBOTS[0]])

        assert site.shown_to("ada") == ["robot-0"]
        assert site.send(event("ada", "robot-0")) == ["applied"]
        assert site.list_of("ada")["empty_reason"] == "all_seen"

    @pytest.mark.case(1)
    def test_events_without_items_are_kept(self, site):
        assert site.send(event("ada", "nowhere")) == ["applied"]

        assert site.list_of("ada")["empty_reason"] == "no_items"
        assert site.get("/v1/users/ada/profile")["events_applied"] == 1

    @pytest.mark.case(2)
    def test_a_click_on_an_item_not_known_yet_counts_once_it_arrives(self, site):
        site.put(FOOTBALL + ROBOTS[1:])
        site.send(event("ada", "robot-0"))
        assert site.get("/v1/users/ada/profile")["interests"] == []

        site.put([ROBOTS[0]])

        assert site.get("/v1/users/ada/profile")["interests"][0]["nearest"] == ["robot-0"]
        assert site.shown_to("ada", limit=3)[0].startswith("robot-")


class TestRightAnswers:
    @pytest.mark.case(9)
    def test_a_click_changes_the_very_next_list_and_the_clicked_item_is_gone(self, stocked):
        stocked.send(event("ada", "ball-3"))
        before = stocked.list_of("ada")
        clicked = "robot-5"

        stocked.send(event("ada", clicked))

        after = stocked.list_of("ada")
        shown = [one["item"] for one in after["items"]]
        left = [one["item"] for one in before["items"] if one["item"] != clicked]
        assert after["profile_version"] == before["profile_version"] + 1
        assert clicked not in shown
        assert shown[: len(left)] != left

    @pytest.mark.case(14)
    def test_two_tastes_get_two_lists_and_a_stranger_gets_what_is_popular(self, stocked):
        for n in range(3):
            stocked.send(event("ada", f"robot-{n}"), event("bob", f"ball-{n}"))

        robots, balls = stocked.shown_to("ada", limit=5), stocked.shown_to("bob", limit=5)
        stranger = stocked.list_of("zoe", limit=5)

        assert robots != balls
        assert robots[0].startswith("robot-")
        assert balls[0].startswith("ball-")
        assert not stranger["personalized"]
        assert {one["reason"]["code"] for one in stranger["items"]} <= {"trending", "fresh"}

    @pytest.mark.case(15)
    @pytest.mark.parametrize("kind", ["dislike", "hide"])
    def test_a_dislike_moves_the_list_away(self, stocked, kind):
        stocked.send(event("ada", "robot-0"), event("ada", "ball-0"))

        stocked.send(event("ada", "robot-1", kind), event("ada", "robot-2", kind))

        profile = stocked.get("/v1/users/ada/profile")
        assert stocked.shown_to("ada", limit=3)[0].startswith("ball-")
        assert profile["topics"]["tech"] < profile["topics"]["sport"]
        assert not {"robot-1", "robot-2"} & set(stocked.shown_to("ada", limit=100))


class TestRestarts:
    def test_a_restart_keeps_everything(self, stocked):
        stocked.send(*(event("ada", f"robot-{n}") for n in range(4)))
        before = stocked.shown_to("ada"), stocked.get("/v1/users/ada/profile")["history"]
        assert stocked.stop() == 0

        stocked.start()

        assert stocked.list_of("ada")["events_applied"] == 4
        assert (stocked.shown_to("ada"), stocked.get("/v1/users/ada/profile")["history"]) == before

    @pytest.mark.case(17)
    def test_a_killed_server_loses_no_acknowledged_event(self, stocked):
        acknowledged = 0
        for n in range(30):
            acknowledged += stocked.send(event("ada", f"robot-{n % 12}")).count("applied")

        stocked.crash()
        stocked.start()

        assert acknowledged == 30
        assert stocked.list_of("ada")["events_applied"] == 30

    @pytest.mark.case(17)
    def test_workers_end_when_their_parent_is_killed(self, site):
        site.program.kill()

        wait_until(lambda: _is_free(site.port), seconds=20, what="the port is free again")


class TestProcesses:
    def test_two_workers_agree_on_what_was_acknowledged(self, tmp_path):
        with RunningSite(tmp_path / "home", workers=2) as site:
            site.put(ROBOTS + FOOTBALL)
            site.send(event("ada", "robot-0"))

            answers = [_once(f"{site.address}/v1/users/ada/recommendations") for _ in range(16)]

            assert {answer["events_applied"] for answer in answers} == {1}
            assert len({tuple(one["item"] for one in a["items"]) for a in answers}) == 1
            assert site.stop() == 0

    def test_ctrl_c_ends_all_of_it_with_code_0(self, site):
        os.killpg(site.program.pid, signal.SIGINT)

        assert site.program.wait() == 0

    def test_a_stop_ends_open_streams_and_no_worker_has_to_be_killed(self, tmp_path):
        with RunningSite(tmp_path / "home", workers=2) as site:
            streams = [_open_stream(site, f"user-{n}") for n in range(8)]
            try:
                code = site.stop()
                rests = [stream.read() for stream in streams]
            finally:
                for stream in streams:
                    stream.close()

        assert code == 0
        assert [rest[-5:] for rest in rests] == [b"0\r\n\r\n"] * 8  # ended, and not cut off
        assert "Killing" not in site.program.output  # granian's word for it

    def test_half_a_request_at_the_end_costs_no_line_of_the_audit_log(self, tmp_path):
        with RunningSite(tmp_path / "home") as site:
            for _ in range(3):
                assert httpx.get(f"{site.address}/v1/users/%00/recommendations").status_code == 422
            with socket.create_connection(("127.0.0.1", site.port)) as half:
                half.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
                assert site.stop() == 0

        refused = [one for one in site.program.output.splitlines() if '"invalid"' in one]
        assert [json.loads(one)["times"] for one in refused] == [1, 2]

    def test_a_dead_worker_ends_the_server_with_another_code(self, site):
        for child in _children(site.program.pid):
            if "spawn_main" in _command_line(child):
                os.kill(child, signal.SIGKILL)

        assert site.program.wait() == 1

    def test_a_dead_builder_is_started_again(self, site):
        (builder,) = _builders(site.program.pid)

        os.kill(builder, signal.SIGKILL)

        wait_until(
            lambda: any(pid != builder for pid in _builders(site.program.pid)),
            seconds=30,
            what="another builder",
        )
        assert site.get("/readyz")["ready"]

    def test_the_builder_makes_a_generation_that_serves(self, tmp_path):
        environment = {"CLICKWISE_EDGE_BUILD_INTERVAL_SECONDS": "0.2"}
        with RunningSite(tmp_path / "home", environment=environment) as site:
            site.put(ROBOTS + FOOTBALL)
            wait_until(lambda: _generation(site) >= 1, seconds=60, what="a generation in use")

            site.send(event("ada", "robot-0"))

            assert site.shown_to("ada", limit=1)[0].startswith("robot-")


class TestRefusals:
    def test_a_second_server_on_the_same_home_is_refused(self, site):
        code, text = _command("up", "--home", str(site.home), "--port", "0")

        assert code == 1
        assert site.address in text

    def test_a_port_that_is_taken_is_told(self, site, tmp_path):
        code, text = _command("up", "--home", str(tmp_path / "other"), "--port", str(site.port))

        assert code == 2
        assert str(site.port) in text
        assert "Traceback" not in text

    def test_beyond_loopback_it_wants_keys(self, tmp_path):
        code, text = _command("up", "--home", str(tmp_path), "--host", "0.0.0.0", "--port", "0")  # noqa: S104

        assert code == 2
        assert "CLICKWISE_API_KEYS" in text

    def test_a_missing_certificate_is_told(self, tmp_path):
        files = {
            "CLICKWISE_TLS_CERTIFICATE": str(tmp_path / "no.pem"),
            "CLICKWISE_TLS_KEY": str(tmp_path / "no.key"),
        }

        code, text = _command("up", "--home", str(tmp_path), "--port", "0", environment=files)

        assert code == 2
        assert "CLICKWISE_TLS_CERTIFICATE" in text
        assert "No such file" in text

    @pytest.mark.parametrize(
        ("check", "setting", "without"),
        [
            ("topics", {"TAXONOMY": "{folder}/no.toml"}, None),
            ("pictures", {"IMAGE_ENCODER": "{folder}/no"}, None),
            ("pictures", {"IMAGE_ENCODER": "vectors:0"}, None),
            ("texts", {"TEXTS": "url", "TEXTS_URL": "http://x/v1", "TEXTS_MODEL": "m"}, "openai"),
            ("traces", {"TRACE_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, "opentelemetry"),
            ("issuer", {"OIDC_ISSUER": "https://x", "OIDC_AUDIENCE": "a",
                        "OIDC_CA_FILE": "{folder}/no.pem"}, None),
            ("encoder", {"ENCODER_MODEL": "{folder}/no"}, None),
            ("encoder", {"ENCODER_MODEL": "hashing:x"}, None),
            ("database", {"DATABASE_URL": "sqlite:///{folder}/file/clickwise.sqlite"}, None),
            ("disk", {"HOME": "{folder}/file/home"}, None),
        ],
    )  # fmt: skip
    def test_what_can_never_work_is_refused_before_anything_starts_and_check_says_so(
        self, tmp_path, check, setting, without
    ):
        (tmp_path / "file").touch()
        environment = {"CLICKWISE_HOME": str(tmp_path / "home")} | {
            f"CLICKWISE_{name}": value.format(folder=tmp_path) for name, value in setting.items()
        }
        if without is not None:  # a package that is not installed
            (tmp_path / "packages").mkdir()
            missing = f"raise ModuleNotFoundError('no {without}', name='{without}')\n"
            (tmp_path / "packages" / f"{without}.py").write_text(missing)
            path = os.pathsep.join([str(tmp_path / "packages"), os.environ.get("PYTHONPATH", "")])
            environment["PYTHONPATH"] = path

        checked, told = _command("check", "--json", "--port", "0", environment=environment)
        code, text = _command("up", "--port", "0", environment=environment)

        failed = [one for one in json.loads(told)["findings"] if one["level"] == "fail"]
        assert (checked, code) == (1, 2), told + text
        assert check in [one["name"] for one in failed]
        if check not in ("database", "disk"):  # those are told apart: nothing is made by looking
            assert [one["text"] for one in failed if one["text"] in text]
        assert "starting the server" not in text
        assert "Traceback" not in text


class TestDoors:
    def test_with_keys_only_those_who_have_one_come_in(self, tmp_path):
        key = "k" * 20
        with RunningSite(tmp_path / "home", environment={"CLICKWISE_API_KEYS": key}) as site:
            path = f"{site.address}/v1/users/ada/recommendations"

            assert httpx.get(path, trust_env=False).status_code == 401
            headers = {"Authorization": f"Bearer {key}"}
            assert httpx.get(path, headers=headers, trust_env=False).status_code == 200
            assert key not in site.program.output

    def test_it_speaks_https_with_a_certificate(self, tmp_path):
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed: no certificate to test with")
        certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        program = Program(
            [*COMMAND, "up", "--home", str(tmp_path / "home"), "--port", "0"],
            environment={
                **HASHING,
                "CLICKWISE_TLS_CERTIFICATE": str(certificate),
                "CLICKWISE_TLS_KEY": str(key),
            },
            log=tmp_path / "log",
        )
        with program:
            program.wait_for("ready   https://")
            address = next(w for w in program.output.split() if w.startswith("https://127"))

            trusting = ssl.create_default_context(cafile=certificate)
            answer = httpx.get(f"{address}/readyz", verify=trusting, trust_env=False)

            assert answer.status_code == 200
            assert program.terminate() == 0

    def test_figures_of_all_workers_come_together(self, tmp_path):
        with RunningSite(tmp_path / "home", workers=2) as site:
            for n in range(12):
                body = {"events": [event("ada", f"robot-{n}")]}
                httpx.post(f"{site.address}/v1/events", json=body, trust_env=False)

            figures = httpx.get(f"{site.address}/metrics", trust_env=False).text

            assert 'clickwise_events_total{outcome="applied",type="click"} 12.0' in figures


class TestCommands:
    def test_commands_see_what_the_server_did(self, stocked):
        stocked.send(event("ada", "robot-0"))
        home = ("--home", str(stocked.home))

        listed = _command("recommend", "ada", "--json", *home)
        tailed = _command("events", "tail", "--json", *home)
        checked = _command("check", *home)

        assert listed[0] == tailed[0] == checked[0] == 0
        assert '"robot-' in listed[1]
        assert '"item":"robot-0"' in tailed[1]
        assert stocked.address in checked[1]

    def test_an_import_goes_through_the_server_that_runs(self, site, tmp_path):
        lines = tmp_path / "site.jsonl"
        lines.write_text(
            '{"id": "a", "kind": "news", "title": "A headline"}\n'
            '{"id": "e1", "user": "ada", "item": "a", "type": "click"}\n'
        )

        code, _ = _command("import", str(lines), "--home", str(site.home))

        assert code == 0
        assert site.list_of("ada")["events_applied"] == 1

    def test_an_import_without_a_server_is_there_when_one_starts(self, tmp_path):
        lines = tmp_path / "site.jsonl"
        lines.write_text(
            '{"id": "a", "kind": "news", "title": "A headline"}\n'
            '{"id": "b", "kind": "news", "title": "B headline"}\n'
            '{"id": "e1", "user": "ada", "item": "a", "type": "click"}\n'
        )
        home = tmp_path / "home"

        code, _ = _command("import", str(lines), "--home", str(home))

        assert code == 0
        with RunningSite(home) as site:
            assert site.shown_to("ada") == ["b"]
        connection = sqlite3.connect(home / "clickwise.sqlite")
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        connection.close()


def _command(*arguments, environment=None):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    done = subprocess.run(
        [*COMMAND, *arguments],
        env={**inherited, **HASHING, "OMP_NUM_THREADS": "1", **(environment or {})},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _once(address):
    """A request on a connection of its own: the kernel picks the worker."""
    return httpx.get(address, trust_env=False, headers={"Connection": "close"}).json()


def _generation(site):
    site.list_of("zoe")  # a worker looks for a newer generation when it is asked something
    figures = httpx.get(f"{site.address}/metrics", trust_env=False).text
    lines = [x for x in figures.splitlines() if x.startswith("clickwise_index_generation ")]
    return float(lines[0].split()[1]) if lines else 0


def _is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _children(parent):
    path = f"/proc/{parent}/task/{parent}/children"
    if not os.path.exists(path):  # noqa: PTH110
        pytest.skip("needs Linux's list of a process's children")
    pids = []
    for task in os.listdir(f"/proc/{parent}/task"):  # noqa: PTH208
        with open(f"/proc/{parent}/task/{task}/children") as children:  # noqa: PTH123
            pids += [int(pid) for pid in children.read().split()]
    return pids


def _builders(parent):
    return [pid for pid in _children(parent) if "clickwise.cli.builder" in _command_line(pid)]


def _command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:  # noqa: PTH123
            return line.read().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""


class TestUnderstanding:
    TAXONOMY = """
[[topic]]
id = "machines"
description = "robot factory machine"

[[topic]]
id = "games"
description = "football match league"
"""

    def ready(self, site, item):
        shown = site.get(f"/v1/items/{item}/understanding")
        return shown["understanding"] if shown["status"] == "ready" else None

    def test_items_are_understood_as_they_come_change_and_go(self, tmp_path):
        taxonomy = tmp_path / "taxonomy.toml"
        taxonomy.write_text(self.TAXONOMY, encoding="utf-8")
        environment = {"CLICKWISE_TAXONOMY": str(taxonomy)}
        with RunningSite(tmp_path / "home", environment=environment) as site:
            story = {"kind": "news", "title": "A robot factory opens", "id": "a"}
            site.put([story, {**story, "id": "b", "title": "\U0001f600"}])
            wait_until(lambda: self.ready(site, "a") is not None, seconds=60, what="understood")
            first = self.ready(site, "a")
            site.send(event("ada", "a"))
            words = site.get("/v1/users/ada/profile")["words"]

            site.put([{**story, "title": "A football match"}])
            wait_until(
                lambda: (made := self.ready(site, "a")) and made["topics"][0]["topic"] == "games",
                seconds=60,
                what="understood anew",
            )
            wait_until(
                lambda: site.get("/v1/items/b/understanding")["status"] == "failed",
                seconds=60,
                what="told to have no words",
            )
            figures = httpx.get(f"{site.address}/metrics").text

        assert first["topics"][0]["topic"] == "machines"
        assert any("robot factory" in word for word in words)
        assert 'clickwise_understood_items_total{outcome="understood"} 2.0' in figures
        assert 'clickwise_understood_items_total{outcome="no_text"} 1.0' in figures

    def test_another_taxonomy_gives_old_items_other_topics(self, tmp_path):
        taxonomy = tmp_path / "taxonomy.toml"
        taxonomy.write_text(self.TAXONOMY, encoding="utf-8")
        environment = {"CLICKWISE_TAXONOMY": str(taxonomy)}
        with RunningSite(tmp_path / "home", environment=environment) as site:
            site.put([{"id": "a", "kind": "news", "title": "A robot factory opens"}])
            before = site.shown_to("zoe", topic="machines")
            wait_until(lambda: self.ready(site, "a") is not None, seconds=60, what="understood")
            assert site.stop() == 0

            taxonomy.write_text(self.TAXONOMY.replace("machines", "industry"), encoding="utf-8")
            site.start()
            wait_until(
                lambda: site.shown_to("zoe", topic="industry") == ["a"],
                seconds=60,
                what="found by its new topic",
            )

            assert before == ["a"]
            assert site.shown_to("zoe", topic="machines") == []
            assert site.get("/v1/items/a")["inferred_topics"] == ["industry"]
            assert self.ready(site, "a")["topics"][0]["topic"] == "industry"

    def test_where_it_is_not_asked_for_nothing_is_understood(self, tmp_path):
        with RunningSite(tmp_path / "home", environment={"CLICKWISE_UNDERSTAND": "false"}) as site:
            site.put([ROBOTS[0]])

            assert site.get("/v1/items/robot-0/understanding")["status"] == "pending"

    def test_a_wrong_taxonomy_stops_the_start_with_one_line(self, tmp_path):
        taxonomy = tmp_path / "taxonomy.toml"
        taxonomy.write_text("[[topic]]\nname = 'x'\n", encoding="utf-8")
        done = subprocess.run(
            [*COMMAND, "up", "--home", str(tmp_path / "home"), "--port", "0"],
            env={**os.environ, **HASHING, "CLICKWISE_TAXONOMY": str(taxonomy)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode != 0
        assert "CLICKWISE_TAXONOMY" in done.stderr
        assert "Traceback" not in done.stderr


def _open_stream(site, user):
    """A connection with a stream that has begun: its first list is read."""
    with socket.create_connection(("127.0.0.1", site.port), 30) as connection:
        head = f"GET /v1/users/{user}/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        connection.sendall(head.encode())
        stream = connection.makefile("rb")
    assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
    while not stream.readline().startswith(b"data:"):
        pass
    return stream
