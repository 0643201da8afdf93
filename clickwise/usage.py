"""What this process uses: CPU time, memory, and the disk that its home is on.

prometheus_client's own figures of a process are missing where several share a folder of values,
and carry no word for what a process is for. These are counted by part, so that the cost of
serving, indexing, writing and training can be told apart, also after a process is gone.
"""

import os
import resource
import shutil
import threading
import time
from pathlib import Path

from clickwise import metrics

PARTS = ("serve", "builder", "words", "stream", "archive", "train")
SECONDS = 5.0


def report(part: str, folder: Path) -> None:
    """Count what this process uses as `part`'s from now on, in a thread of its own."""
    usage = Usage(part, folder)
    usage.look()

    def watch() -> None:
        while True:
            time.sleep(SECONDS)
            usage.look()

    threading.Thread(target=watch, name="clickwise-usage", daemon=True).start()


class Usage:
    """The figures of one process."""

    def __init__(self, part: str, folder: Path) -> None:
        """`part`: one of PARTS. `folder`: on the disk that is looked at."""
        self._cpu = metrics.cpu_seconds.labels(part)
        self._memory = metrics.memory.labels(part)
        self._free = metrics.disk_free.labels(part)
        self._size = metrics.disk_size.labels(part)
        self._folder = folder
        self._counted = 0.0

    def look(self) -> None:
        """Bring the figures up to date."""
        used = time.process_time()
        self._cpu.inc(used - self._counted)
        self._counted = used
        self._memory.set(resident_bytes())
        if self._folder.exists():  # a home is made a moment after its process has begun
            disk = shutil.disk_usage(self._folder)
            self._free.set(disk.free)
            self._size.set(disk.total)


def resident_bytes() -> int:
    """Memory of this process that is in RAM; where the system does not say, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
