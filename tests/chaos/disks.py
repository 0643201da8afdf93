"""Small disks that can be filled: tmpfs, where this user may mount; else plain folders.

A full tmpfs fails writes with ENOSPC as a full disk does. (RLIMIT_FSIZE gives EFBIG for one file,
and nothing for many: it is no disk.) What it cannot show: data that the machine's power takes away.
"""

import errno
import os
import subprocess
from contextlib import suppress
from pathlib import Path


class SmallDisk:
    """A file system of its own, of `megabytes`."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        options = f"size={megabytes}m,mode=0777"
        command = ["mount", "-t", "tmpfs", "-o", options, "chaos", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
        self.can_be_filled = done.returncode == 0

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        if self.can_be_filled:
            with suppress(OSError):
                self.free()
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


def may_mount() -> bool:
    """Whether it is worth trying."""
    return os.geteuid() == 0
