"""A network between two programs that can be made slow, cut and mended: a TCP proxy on loopback.

    with TcpProxy() as link:
        link.lead_to("127.0.0.1", 5432)
        link.delay(0.2)        # each piece of data arrives so much later, in both directions
        link.cut()             # nothing arrives any more, and nobody is told
        link.mend()            # what was sent meanwhile arrives now

A cut is what a partition looks like to programs: connections stay open, what is sent is neither
refused nor answered. Unlike packets, connections that are opened during it are taken at once (by
this process, which leads them on once it is mended): a client waits for its first answer instead.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
CHUNKS_UNDER_WAY = 64  # in each direction; then the sender waits, as for a full window
STOP_SECONDS = 10.0

_Chunk = tuple[float, bytes]


class TcpProxy:
    """Leads each connection to its own port on to another address; a thread does it."""

    def __init__(self) -> None:
        """Listens from now on, and leads nobody on before `lead_to`."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._target = ("127.0.0.1", 0)
        self._delay_seconds = 0.0
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._connections: set[asyncio.Future[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def port(self) -> int:
        """Of loopback, where it listens."""
        return int(self._socket.getsockname()[1])

    def lead_to(self, host: str, port: int) -> None:
        """Where connections that are opened from now on lead."""
        self._target = (host, port)

    def delay(self, seconds: float) -> None:
        """What is sent from now on takes so much longer, each way; 0: no longer."""
        self._delay_seconds = seconds

    def cut(self) -> None:
        """Let nothing through, either way, until `mend`."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def mend(self) -> None:
        """Undo `cut` and `delay`."""
        self._delay_seconds = 0.0
        self._loop.call_soon_threadsafe(self._passing.set)

    def start(self) -> None:
        """Begin to take connections."""
        self._thread.start()

    def stop(self) -> None:
        """End every connection, and stop listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(asyncio.start_server(self._taken, sock=self._socket))
        loop.run_forever()
        server.close()
        open_ones = list(self._connections)
        for task in open_ones:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*open_ones, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        leading = asyncio.ensure_future(self._lead(reader, writer))
        self._connections.add(leading)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await leading
        finally:
            self._connections.discard(leading)
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passing.wait()
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        ways = [
            asyncio.create_task(self._carry(reader, there_writer)),
            asyncio.create_task(self._carry(there_reader, writer)),
        ]
        try:
            # Once one side has ended, what it sent is on its way; the other learns of the end.
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            there_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its sender ends; in order, each chunk when it is due."""
        under_way: asyncio.Queue[_Chunk] = asyncio.Queue(CHUNKS_UNDER_WAY)
        delivery = asyncio.create_task(self._deliver(under_way, writer))
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await under_way.put((self._loop.time() + self._delay_seconds, chunk))
            await under_way.put((self._loop.time() + self._delay_seconds, b""))
            await delivery
        finally:
            delivery.cancel()

    async def _deliver(
        self, under_way: asyncio.Queue[_Chunk], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(due - self._loop.time())
            await self._passing.wait()
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()
