"""What a stream worker is made of. Needs the extra `kafka`."""

from contextlib import ExitStack

from clickwise.cli import handlers
from clickwise.cli.wiring import open_core
from clickwise.settings import Settings
from streams import worker


def stream_parts(settings: Settings) -> worker.Parts:
    """One stream worker."""
    stack = ExitStack()
    try:
        core = open_core(settings, stack)
        core.releases.start()
        core.shelf.start()
        stack.callback(core.shelf.stop)
        return worker.Parts(
            state=core.state,
            events=handlers.stream_event_handler(core),
            activity=handlers.activity_handler(core),
            items=handlers.item_handler(core),
            recommend=core.recommend,
            close=stack.close,
        )
    except BaseException:
        stack.close()
        raise
