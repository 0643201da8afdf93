"""Waiting, at the start of a process, for the services that its settings name."""

import asyncio
from contextlib import ExitStack

import httpx

from clickwise.cli.extras import kafka_extra
from clickwise.cli.wiring import state_of
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.settings import Settings
from clickwise.tls import trusting
from streams.waiting import Probe, wait_for_services


async def wait_for(settings: Settings) -> None:
    """Return once every service answers; SQLite and Edge are no services.

    Raises:
        UnavailableError: one did not within `startup_timeout_seconds`.
        ConfigurationError: a topic is missing or misshapen, or a client is not installed.
    """
    probes: dict[str, Probe] = {}
    if not settings.embedded:
        probes["kafka"] = lambda: kafka_answers(settings)
    if settings.qdrant_url:
        probes["qdrant"] = lambda: qdrant_answers(settings)
    if settings.database_url.reveal().startswith("postgresql"):
        probes["database"] = lambda: database_answers(settings)
    await wait_for_services(probes, limit_seconds=settings.startup_timeout_seconds)
    if not settings.embedded:
        await check_topics(settings)


async def kafka_answers(settings: Settings) -> None:
    """Return when a broker answers."""
    with kafka_extra():
        from streams import kafka
    await kafka.ping(settings)


async def check_topics(settings: Settings) -> None:
    """Refuse topics that are missing or misshapen, with the command that makes them."""
    from streams import topics_admin

    problems = await topics_admin.find_problems(settings)
    if problems:
        raise ConfigurationError("; ".join(problems))


async def qdrant_answers(settings: Settings) -> None:
    """Return when the Qdrant server is ready."""
    key = settings.qdrant_api_key.reveal()
    address = f"{settings.qdrant_url.rstrip('/')}/readyz"
    try:
        async with httpx.AsyncClient(
            timeout=settings.qdrant_timeout_seconds,
            verify=trusting(settings.qdrant_ca_file, "CLICKWISE_QDRANT_CA_FILE"),
        ) as client:
            answer = await client.get(address, headers={"api-key": key} if key else {})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError(f"Qdrant at {settings.qdrant_url}: {error!r}") from error
    if answer.status_code in (401, 403):
        raise ConfigurationError(
            f"Qdrant at {settings.qdrant_url} refuses the key: set CLICKWISE_QDRANT_API_KEY"
        )
    if answer.status_code >= 500:
        raise UnavailableError(f"Qdrant at {settings.qdrant_url}: status {answer.status_code}")


async def database_answers(settings: Settings) -> None:
    """Return when the database answers."""

    def ping() -> None:
        with ExitStack() as stack:
            state_of(settings, stack).ping()

    await asyncio.to_thread(ping)
