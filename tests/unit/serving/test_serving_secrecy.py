"""Keys stay out of logs, figures and answers, with logging set up as the command sets it up."""

import os
import subprocess
import sys

import pytest

KEY = "a-key-of-the-test-suite"
TRIED = "a-wrong-key-that-somebody-tried"

# In a process of its own, because logging is set up once per process.
PROGRAM = """
import asyncio, os, sys
from datetime import UTC, datetime
import httpx
from clickwise import logs
from clickwise.settings import load
from clickwise.testing.doors import MemorySite, StoppedClock
from serving.app import create_app
from serving.parts import Parts

async def main():
    logs.configure(level="debug", output=sys.argv[1])
    site = MemorySite(StoppedClock(datetime(2026, 11, 25, tzinfo=UTC)))
    site.recommender.fault = RuntimeError("boom")
    settings = load({"CLICKWISE_API_KEYS": os.environ["GIVEN_KEY"]})
    parts = Parts(
        settings=settings, recommender=site.recommender, state=site.lookups, events=site.events,
        items=site.items, exposures=site.exposures, people=site.people,
        clock=site.clock, health=list,
    )
    transport = httpx.ASGITransport(app=create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for key in (os.environ["GIVEN_KEY"], os.environ["TRIED_KEY"]):
            for headers in ({"authorization": "Bearer " + key}, {"x-api-key": key}):
                response = await client.get("/v1/users/ann/recommendations", headers=headers)
                print(response.status_code, response.headers, response.text)
                print((await client.get("/metrics", headers=headers)).text)

asyncio.run(main())
"""


@pytest.mark.case(20)
@pytest.mark.parametrize("output", ["console", "json"])
def test_no_key_reaches_a_log_a_metric_or_an_answer(output: str) -> None:
    environment = {**os.environ, "GIVEN_KEY": KEY, "TRIED_KEY": TRIED}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, output],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.count("500 ") >= 2
    assert done.stdout.count("401 ") >= 2
    assert done.stderr.count("request failed") == 2
    assert "RuntimeError: boom" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert TRIED not in done.stdout + done.stderr
