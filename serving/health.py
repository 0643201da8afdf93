"""Asking whether this process can serve, without letting the question become a load."""

import asyncio
from collections.abc import Callable, Sequence

from clickwise.errors import ClickwiseError
from serving.parts import Health


class ReadyProbe:
    """Runs the health checks in a thread, one run at a time: who asks meanwhile shares it."""

    def __init__(self, health: Callable[[], Sequence[Health]]) -> None:
        self._health = health
        self._running: asyncio.Task[Sequence[Health]] | None = None

    async def look(self) -> Sequence[Health]:
        """The checks; a check that raises is one that is not well."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(asyncio.to_thread(self._checks))
        return await asyncio.shield(self._running)

    def _checks(self) -> Sequence[Health]:
        try:
            return self._health()
        except ClickwiseError as error:
            return [Health(name=error.kind, ok=False, detail=str(error))]
