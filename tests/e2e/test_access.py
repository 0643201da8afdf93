"""Keys and scopes on a running server, given by the command; and what its logs and files hold."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from clickwise.testing.issuer import IssuerKey, OidcIssuer
from clickwise.testing.processes import wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite

SECONDS = 60.0
SETTING = "a-key-of-the-settings"
TRIED = "a-key-that-somebody-tried"
SUBJECT = "whoever-works-here@mail.test"
USER = "ann-who-reads@mail.test"
TEXT = "words that nobody else may read"


def keys(home: Path, *arguments: str) -> tuple[str, str]:
    """Standard output and error of `clickwise keys ...`."""
    done = subprocess.run(
        [*COMMAND, "keys", *arguments, "--home", str(home)],
        env={**os.environ, **HASHING, "CLICKWISE_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip(), done.stderr


def audited(log: str) -> list[dict[str, Any]]:
    return [
        line
        for line in (json.loads(row) for row in log.splitlines() if row.startswith("{"))
        if line.get("stream") == "audit"
    ]


@pytest.mark.case(20)
@pytest.mark.parametrize("level", ["debug", "error"])
def test_strangers_are_refused_and_no_secret_is_in_any_log_or_file(
    tmp_path: Path, level: str
) -> None:
    home = tmp_path / "home"
    reading, said = keys(home, "create", "reader", "--scope", "read")
    expired, more = keys(home, "create", "old", "--scope", "read", "--days", "0.0000001")
    said += more
    issuer = OidcIssuer(tmp_path / "issuer")
    environment = {
        **issuer.environment,
        "CLICKWISE_API_KEYS": SETTING,
        "CLICKWISE_LOG_LEVEL": level,
    }
    tokens = {
        "good": issuer.token(sub=SUBJECT),
        "late": issuer.token(sub=SUBJECT, exp=time.time() - 120),
        "made": issuer.token(sub=SUBJECT, key=IssuerKey("made-up")),
    }
    with issuer, RunningSite(home, environment=environment) as site:

        def status(method: str, path: str, key: str | None, **more: Any) -> int:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            url = f"{site.address}{path}"
            return httpx.request(
                method, url, headers=headers, trust_env=False, timeout=30.0, **more
            ).status_code

        event = {"user": USER, "item": "a", "type": "click", "context": TEXT}
        made = [
            status("PUT", "/v1/items/a", SETTING, json={"kind": "news", "title": TEXT}),
            status("POST", "/v1/events", SETTING, json=event),
            status("GET", f"/v1/users/{USER}/recommendations", reading),
            status("GET", f"/v1/users/{USER}/recommendations", tokens["good"]),
        ]
        refused = [
            status("GET", f"/v1/users/{USER}/profile", None),
            status("GET", f"/v1/users/{USER}/profile", TRIED),
            status("GET", f"/v1/users/{USER}/profile", expired),
            status("POST", "/v1/events", reading, json=event),
            status("POST", "/v1/events", SETTING, json={**event, "type": TEXT}),
            status("POST", "/v1/events", SETTING, content=TEXT.encode()),
            status("POST", "/v1/events", tokens["good"], json=event),
            status("GET", f"/v1/users/{USER}/profile", tokens["late"]),
            status("GET", f"/v1/users/{USER}/profile", tokens["made"]),
        ]
        renewed, more = keys(home, "rotate", reading.split("_")[1], "--grace-hours", "0")
        said += more
        wait_until(
            lambda: (
                status("GET", "/v1/items/a", renewed) == 200
                and status("GET", "/v1/items/a", reading) == 401
            ),
            seconds=30.0,
            what="the keys in their places",
        )
        _, more = keys(home, "revoke", renewed.split("_")[1])
        said += more
        wait_until(
            lambda: status("GET", "/v1/items/a", renewed) == 401, seconds=30.0, what="revoked"
        )
        figures = httpx.get(
            f"{site.address}/metrics", headers={"x-api-key": SETTING}, trust_env=False
        ).text
        site.stop()
        log = site.program.output

    lines = audited(log)
    assert made == [200, 200, 200, 200]
    assert refused == [401, 401, 401, 403, 422, 415, 403, 401, 401]
    assert {line["reason"] for line in lines if line["outcome"] == "refused"} >= {
        "no_key", "unknown_key", "expired", "revoked", "wrong_scope", "invalid",
        "unsupported_media_type", "unknown_signer",
    }  # fmt: skip
    assert {"PUT /v1/items/{id}", "POST /v1/events"} <= {
        line["action"] for line in lines if line["outcome"] == "done"
    }
    assert [line["action"] for line in audited(said)] == [
        "keys create", "keys create", "keys rotate", "keys revoke",
    ]  # fmt: skip
    secrets = [SETTING, TRIED, *(key.split("_")[2] for key in (reading, expired, renewed))]
    secrets += [*tokens.values(), *(token.split(".")[2] for token in tokens.values())]
    for word in [*secrets, USER, TEXT, SUBJECT]:
        assert word not in log + figures + said
    for path in home.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert not [word for word in secrets if word.encode() in held], path


@pytest.mark.case(20)
def test_a_key_s_quota_is_of_all_processes_together_and_outlives_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    quota = 30
    told, _ = keys(home, "create", "bounded", "--scope", "read", "--quota", str(quota), "--json")
    key = json.loads(told)

    def asked(site: RunningSite, times: int) -> list[int]:
        """Answers of connections of their own, which the processes share out among them."""
        headers = {"authorization": f"Bearer {key['key']}"}
        url = f"{site.address}/v1/users/ann/recommendations"
        return [
            httpx.get(url, headers=headers, trust_env=False, timeout=30.0).status_code
            for _ in range(times)
        ]

    def today() -> int:
        listed, _ = keys(home, "list", "--json")
        return int(next(one["today"] for one in json.loads(listed) if one["id"] == key["id"]))

    with RunningSite(home, environment={"CLICKWISE_WORKERS": "2"}) as site:
        first = asked(site, 20)
        wait_until(lambda: today() == 20, seconds=SECONDS, what="both have told what they counted")
        answers = []
        wait_until(
            lambda: answers.append(asked(site, 1)[0]) or answers[-40:] == [429] * 40,
            seconds=SECONDS, what="both know that nothing is left",
        )  # fmt: skip
    with RunningSite(home) as site:
        asked(site, 1)  # until its first exchange it does not know
        wait_until(lambda: asked(site, 1) == [429], seconds=SECONDS, what="it was told of the day")

    assert set(first) == {200}
    # Each process may let through what it had not heard of, within a second or two of requests.
    assert quota - 20 <= answers.count(200) <= quota - 20 + 20
