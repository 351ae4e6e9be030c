"""Children that make one kernel object after the other, keep them, and take each place that becomes
free again."""

import errno
import mmap
import os
import struct
import time

from calls import end, libc

# How long the objects are kept, and the pause behind a refusal, in seconds.
HOLD, PAUSE = 1.5, 0.01
# A word for each child: what it made.
MADE = mmap.mmap(-1, 4096)


def made():
    """Objects of all rounds so far."""
    return sum(struct.unpack("512q", MADE))


def count_one(n):
    struct.pack_into("q", MADE, 8 * n, struct.unpack_from("q", MADE, 8 * n)[0] + 1)


def hog(make, processes=1, before=None, hold=HOLD):
    """One round: so many children make objects. `make` is a function of a number; what it
    returns is kept.
    `before` prepares each child; they are kept for `hold` seconds."""
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
    """-1 where the kernel refuses."""
    try:
        return os.fork()
    except OSError:
        return -1


def user(n):
    """A child of another user each."""
    os.setgid(10000 + n)
    os.setuid(10000 + n)
    libc.prctl(4, 1, 0, 0, 0)


def or_raise(r):
    import ctypes
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e or errno.EIO, os.strerror(e))
    return r

