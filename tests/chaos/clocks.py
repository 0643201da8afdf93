"""A wall clock that can be moved under running processes: a few lines of C before the C library.

The machine's own clock is everybody's, a time namespace moves the monotonic clocks alone, and no
setting of Clickwise should know of such a thing. So `clock_gettime`, `gettimeofday` and `time` of
the chosen processes add what a shared file says. Monotonic clocks stay as they are, as they do when
an administrator or NTP moves the time. It takes a C compiler; without one this fault is left out.
"""

from pathlib import Path

from tests.chaos.preloaded import SharedNumbers, compiled

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *moved;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("CHAOS_CLOCK");
    real = dlsym(RTLD_NEXT, "clock_gettime");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) moved = page;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, at);
    if (!done && moved && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += *moved;
    return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class MovableClock:
    """The clock of one machine's processes."""

    def __init__(self, folder: Path, name: str) -> None:
        self._library = compiled(folder, "clock", _SOURCE)
        self._moved = SharedNumbers(folder / f"clock-{name}", count=1)

    @property
    def can_be_moved(self) -> bool:
        return self._library is not None

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with that is to have this clock."""
        if self._library is None:
            return {}
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._moved.file)}

    def move(self, seconds: int) -> None:
        """It is so much later from now on than it is; 0: right again."""
        self._moved.put(0, seconds)
