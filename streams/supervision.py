"""The life of a worker's Faust application: started, watched, stopped.

Faust survives outages, with one exception: when the broker goes away just as partitions are being
taken over, its recovery task is cancelled from within, without a word, and the application waits
for ever. So the flow of messages is watched: where it stands still although Kafka answers, or lets
messages wait that nobody has in hand (`standstill`), the process starts anew.

Once it is to stop, by a signal or by Faust's own fault, the application is over within
`STOP_SECONDS`, or the process ends (`deadline`).
"""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Coroutine

import uvloop
from mode.threads import WorkerThread

from clickwise import logs
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings
from streams import kafka
from streams.app import FaustApp, Flows, create_app
from streams.deadline import Deadline
from streams.exits import EX_SOFTWARE, end_process, start_anew
from streams.standstill import Watch

STOP_SECONDS = 10.0
STALL_SECONDS = 20.0
LOOK_SECONDS = 5.0

_log = logs.get(__name__)


def run_flows(settings: Settings, make_flows: Callable[[], Flows], deadline: Deadline) -> int:
    """Run an application in this thread until a signal or a fault ends it; its exit code.

    `make_flows` is called in the application's event loop. Takes over the process: a few seconds
    after the signal `deadline`, which begins then, ends it, unless the caller has cancelled it.
    """
    for name in ("faust", "mode", "aiokafka"):  # they tell of each of their services and groups
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    # Faust makes a second loop, in the consumer's thread: the policy serves both.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    code = asyncio.run(_supervise(settings, make_flows, deadline))
    # Where stopping failed the consumer's thread may go on; the interpreter would wait for it.
    for thread in threading.enumerate():
        if isinstance(thread, WorkerThread):
            thread.join()
    return code


async def _supervise(
    settings: Settings, make_flows: Callable[[], Flows], deadline: Deadline
) -> int:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    flows = make_flows()
    app, progress = create_app(settings, flows)
    watch = Watch(settings, progress.idle, limit_seconds=_limit(settings))
    try:
        await _first_of(
            told_to_stop.wait(),
            app._crashed.wait(),  # noqa: SLF001  # no public one
            _started_and_stopped(app),
            _stalled(app, settings, watch),
        )
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # the process edge
        if not kafka.is_outage(error):
            end_process("Faust failed")  # it cancels itself, too
        if not told_to_stop.is_set():  # it answered a moment ago; a fresh process waits for it
            start_anew("Kafka went away while Faust started")
    reason = app.crash_reason
    if reason is None and not told_to_stop.is_set():
        start_anew("nothing is applied although messages wait and Kafka answers")
    code = 0 if reason is None else EX_SOFTWARE
    deadline.begin("ending Faust's tasks", seconds=STOP_SECONDS, code=code)
    if reason is None:
        _log.info("stopping")
    else:
        _log.error("stopping: Faust crashed", fault=repr(reason))
    await _stop(app, flows, deadline)
    return code


async def _stop(app: FaustApp, flows: Flows, deadline: Deadline) -> None:
    """End Faust's tasks, then ours. Whatever hangs in it is left at the deadline."""
    try:
        await app.stop()
        deadline.doing = "writing the last lists and marks"
        for job in flows.at_end:
            await job()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # the process edge
        if not kafka.is_outage(error):
            end_process("stopping failed")
        _log.warning("Kafka went away while stopping", error=repr(error))
    deadline.doing = "waiting for threads"


async def _first_of(*coroutines: Coroutine[None, None, object]) -> None:
    """Wait for the first to end; raise what it raised; cancel the others."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for task in done:
        task.result()


async def _started_and_stopped(app: FaustApp) -> None:
    await app.start()
    await app.wait_until_stopped()


def _limit(settings: Settings) -> float:
    """Seconds; longer than a rebalance takes when a worker has died."""
    return max(STALL_SECONDS, 3 * settings.kafka_session_timeout_seconds)


async def _stalled(app: FaustApp, settings: Settings, watch: Watch) -> None:
    """Return when no message has been let through for too long, and Kafka is not to blame."""
    try:
        await _until_stalled(app, settings, watch)
    finally:
        await watch.close()


async def _until_stalled(app: FaustApp, settings: Settings, watch: Watch) -> None:
    limit = _limit(settings)
    looked = since = time.monotonic()
    while True:
        await asyncio.sleep(1.0)
        if app.flow_control.is_active():
            since = time.monotonic()
            if since - looked < LOOK_SECONDS:
                continue
            place = await watch.look()
            looked = time.monotonic()
            if place is not None:
                _log.warning("messages wait", topic=place.topic, partition=place.partition)
                return
            continue
        watch.forget()
        if time.monotonic() - since > limit:
            try:
                await kafka.ping(settings)
            except ClickwiseError:
                since = time.monotonic()  # an outage: count anew from its end
            else:
                return
