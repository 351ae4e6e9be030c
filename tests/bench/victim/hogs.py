"""Children that make kernel objects up to the limit, keep them, and make another one whenever the
kernel has room again."""

import errno
import mmap
import os
import struct
import time

from calls import end, libc

# Seconds for which the objects are kept, and seconds of pause after a refusal.
HOLD, PAUSE = 1.5, 0.01
# A word for each child: the number of its objects.
MADE = mmap.mmap(-1, 4096)


def made():
    """Returns the number of objects of all rounds so far."""
    return sum(struct.unpack("512q", MADE))


def count_one(n):
    struct.pack_into("q", MADE, 8 * n, struct.unpack_from("q", MADE, 8 * n)[0] + 1)


def hog(make, processes=1, before=None, hold=HOLD):
    """Makes one round, in which `processes` children make objects for `hold` seconds. `make` takes
    a number and returns an object, which the child keeps; `before` prepares each child."""
    def work(n):
        if before is not None:
            before(n)
        held, i = [], 0
        while True:
            try:
                held.append(make(i))
                count_one(n)
            except (OSError, MemoryError, RuntimeError):
                time.sleep(PAUSE)
            i += 1

    def go():
        pids = []
        for n in range(processes):
            pid = fork()
            if pid == 0:
                libc.prctl(1, 9, 0, 0, 0)
                try:
                    work(n)
                finally:
                    os._exit(0)
            if pid > 0:
                pids.append(pid)
        time.sleep(hold)
        end(pids)
    return go


def fork():
    """Forks. Returns the pid, or -1 if the kernel refuses."""
    try:
        return os.fork()
    except OSError:
        return -1


def user(n):
    """Changes child `n` to a user of its own."""
    os.setgid(10000 + n)
    os.setuid(10000 + n)
    libc.prctl(4, 1, 0, 0, 0)


def or_raise(r):
    import ctypes
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e or errno.EIO, os.strerror(e))
    return r

