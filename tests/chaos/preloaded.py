"""Small libraries before the C library of chosen processes, and numbers that tell them what to do.

The dynamic linker takes `clock_gettime` or `fsync` from whatever LD_PRELOAD names first. What the
library does then stands in a file that it has mapped: so it changes while the processes run. It
takes a C compiler, and no rights.
"""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

_SIZE = struct.calcsize("=q")


class SharedNumbers:
    """Integers of 64 bits in a file that processes of any user may map."""

    def __init__(self, file: Path, *, count: int) -> None:
        self.file = file
        file.write_bytes(bytes(_SIZE * count))
        file.chmod(0o666)

    def get(self, place: int) -> int:
        content = self.file.read_bytes()
        return int(struct.unpack_from("=q", content, _SIZE * place)[0])

    def put(self, place: int, value: int) -> None:
        """At once, for everybody."""
        with self.file.open("r+b") as file, mmap.mmap(file.fileno(), 0) as page:
            page[_SIZE * place : _SIZE * (place + 1)] = struct.pack("=q", value)


def compiled(folder: Path, name: str, source: str) -> Path | None:
    """The library `name`, made in `folder` the first time; None: there is no C compiler."""
    library = folder / f"{name}.so"
    compiler = shutil.which("cc")
    if library.exists() or compiler is None:
        return library if library.exists() else None
    code = folder / f"{name}.c"
    code.write_text(source)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(code), "-ldl"]
    return library if subprocess.run(command, check=False).returncode == 0 else None


def together(*environments: dict[str, str]) -> dict[str, str]:
    """One environment for several of these libraries."""
    merged: dict[str, str] = {}
    for one in environments:
        merged |= one
    libraries = [one["LD_PRELOAD"] for one in environments if "LD_PRELOAD" in one]
    return merged | ({"LD_PRELOAD": ":".join(libraries)} if libraries else {})
