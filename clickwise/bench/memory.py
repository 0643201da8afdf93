"""What this process holds in memory, by whom it is paid for."""

from pathlib import Path

import msgspec


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. `resident` is all that is in memory; of it `anonymous` is this process's own, the
    rest are mapped files (index, columns, database, libraries), which workers share and the
    system may drop. `private` and `shared` say whether others have the same pages mapped now.
    """

    resident: int
    anonymous: int
    mapped_files: int
    private: int
    shared: int


def memory(rollup: str) -> Memory:
    """From the text of /proc/<pid>/smaps_rollup."""
    figures: dict[str, int] = {}
    for line in rollup.splitlines()[1:]:
        name, _, value = line.partition(":")
        number, _, unit = value.strip().partition(" ")
        if unit == "kB":
            figures[name] = int(number) * 1024
    resident, anonymous = figures["Rss"], figures["Anonymous"]
    return Memory(
        resident=resident,
        anonymous=anonymous,
        mapped_files=resident - anonymous,
        private=figures["Private_Clean"] + figures["Private_Dirty"],
        shared=figures["Shared_Clean"] + figures["Shared_Dirty"],
    )


def own_memory() -> Memory:
    """Of this process, now."""
    return memory(Path("/proc/self/smaps_rollup").read_text())
