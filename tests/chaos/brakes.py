"""A disk that can be made slow under running processes: its writes and flushes wait.

There may be no device mapper (`dm-delay`), and the limits of control groups do not slow what the
page cache takes. So a library (`preloaded`) lets calls wait before they go on to the C library:
`fsync`, `fdatasync`, `msync` and `sync_file_range` for the whole time that is chosen, each write
for a twentieth of it. Only files on this disk are meant: of a tmpfs of its own (`disks`) nothing
else is slow; where that may not be mounted, all of its file system is, for these processes alone.

Reads do not wait, as what was written lately is in the page cache of a slow disk, too.
"""

from pathlib import Path

from tests.chaos.preloaded import SharedNumbers, compiled

_MICROSECONDS, _HELD = 0, 1  # places of the shared numbers

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FLUSH = 1, WRITE = 20, SLICE = 10000 };  /* microseconds */

static volatile int64_t *numbers;  /* how long a flush waits; how many calls have waited */
static dev_t disk;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("CHAOS_DISK"), *folder = getenv("CHAOS_DISK_FOLDER");
    struct stat found;
    if (!name || !folder || stat(folder, &found)) return;
    disk = found.st_dev;
    int file = open(name, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *page = mmap(0, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) numbers = page;
}

static int is_slow(int file) {
    struct stat found;
    if (!numbers || numbers[0] <= 0) return 0;
    int before = errno;
    int meant = !fstat(file, &found) && found.st_dev == disk
                && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
    errno = before;
    return meant;
}

/* In slices, so that whoever waits goes on as soon as the disk is fast again. */
static void hold(int64_t part) {
    int before = errno;
    __atomic_add_fetch(numbers + 1, 1, __ATOMIC_RELAXED);
    for (int64_t waited = 0, left; (left = numbers[0] / part - waited) > 0;) {
        int64_t slice = left < SLICE ? left : SLICE;
        struct timespec pause = {0, slice * 1000};
        while (nanosleep(&pause, &pause) && errno == EINTR) {}
        waited += slice;
    }
    errno = before;
}

#define SLOW(type, name, parameters, arguments, meant, part)          \
    type name parameters {                                            \
        static type (*real) parameters;                               \
        if (!real) real = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
        if (meant) hold(part);                                        \
        return real arguments;                                        \
    }
#define SLOW_FLUSH(name) SLOW(int, name, (int file), (file), is_slow(file), FLUSH)
#define SLOW_WRITE(name, parameters, arguments) \
    SLOW(ssize_t, name, parameters, arguments, is_slow(file), WRITE)

SLOW_FLUSH(fsync)
SLOW_FLUSH(fdatasync)
SLOW(int, sync_file_range, (int file, off64_t at, off64_t size, unsigned how),
     (file, at, size, how), is_slow(file), FLUSH)
/* Of which file these pages are is not told: those that are flushed are on the disk. */
SLOW(int, msync, (void *at, size_t size, int how), (at, size, how),
     numbers && numbers[0] > 0, FLUSH)

SLOW_WRITE(write, (int file, const void *from, size_t size), (file, from, size))
SLOW_WRITE(writev, (int file, const struct iovec *from, int count), (file, from, count))
SLOW_WRITE(pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at))
SLOW_WRITE(pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at))
SLOW_WRITE(pwritev, (int file, const struct iovec *from, int count, off_t at),
           (file, from, count, at))
SLOW_WRITE(pwritev64, (int file, const struct iovec *from, int count, off64_t at),
           (file, from, count, at))
SLOW_WRITE(pwritev2, (int file, const struct iovec *from, int count, off_t at, int how),
           (file, from, count, at, how))
SLOW_WRITE(pwritev64v2, (int file, const struct iovec *from, int count, off64_t at, int how),
           (file, from, count, at, how))
"""


class DiskBrake:
    """Slows the disk that `disk` is a folder of, for the processes started with `environment`."""

    def __init__(self, folder: Path, name: str, *, disk: Path) -> None:
        """`folder`: for what it needs itself; whoever runs those processes has to be able to
        read it.
        """
        self._library = compiled(folder, "disk", _SOURCE)
        self._numbers = SharedNumbers(folder / f"disk-{name}", count=2)
        self._disk = disk

    @property
    def can_be_slowed(self) -> bool:
        return self._library is not None

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with whose disk this is."""
        if self._library is None:
            return {}
        return {
            "LD_PRELOAD": str(self._library),
            "CHAOS_DISK": str(self._numbers.file),
            "CHAOS_DISK_FOLDER": str(self._disk),
        }

    @property
    def num_held(self) -> int:
        """Calls that have waited, or wait, since the beginning."""
        return self._numbers.get(_HELD)

    def slow(self, seconds: float) -> None:
        """From now on a flush takes so much longer, a write a twentieth of it."""
        self._numbers.put(_MICROSECONDS, round(1e6 * seconds))

    def release(self) -> None:
        """As fast as it is; who waits goes on."""
        self._numbers.put(_MICROSECONDS, 0)
