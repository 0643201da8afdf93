"""What a figure was measured on: it belongs to every figure."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

_PACKAGES = (
    "clickwise", "granian", "numpy", "onnxruntime", "qdrant-edge-py", "SQLAlchemy", "starlette",
    "uvloop", "msgspec", "faust-streaming", "aiokafka", "psycopg",
)  # fmt: skip


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the machine, and how busy it was before the measurement began."""

    measured: datetime
    cores: int
    processor: str
    memory_bytes: int
    load_average_before: tuple[float, float, float]
    system: str
    python: str
    versions: dict[str, str]


def machine() -> Machine:
    """This machine, now."""
    return Machine(
        measured=datetime.now(UTC),
        cores=len(os.sched_getaffinity(0)),
        processor=_field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        load_average_before=os.getloadavg(),
        system=platform.platform(),
        python=platform.python_version(),
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
