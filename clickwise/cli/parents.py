"""A child process that ends when its parent is gone, however that went."""

import os
import signal
import threading
import time

LOOK_SECONDS = 0.5


def end_with_parent() -> None:
    """From now on: a changed parent means that it died, and this process gets SIGTERM."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="clickwise-parent", daemon=True).start()
