"""What processes hold in memory, by whom it is paid for."""

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


def memory_of(pid: int) -> Memory:
    """Of another process of this user, now.

    Raises:
        OSError: it has ended.
    """
    return memory(Path(f"/proc/{pid}/smaps_rollup").read_text())


def descendants(pid: int) -> list[int]:
    """The process and all that it started, directly or not, that run now."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdecimal():
            continue
        try:
            status = (path / "stat").read_text()
        except OSError:
            continue  # it has just ended
        parent = int(status.rpartition(")")[2].split()[1])
        parents.setdefault(parent, []).append(int(path.name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += parents.get(one, [])
    return found


def open_files_of(pid: int) -> int:
    """Files, sockets and pipes that another process of this user has open now.

    Raises:
        OSError: it has ended.
    """
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
