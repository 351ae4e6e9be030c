"""futex_wait(2), futex_wake(2) and futex_requeue(2) of Linux 6.7, which take masks and sizes."""

import ctypes
import os
import time

from errno import EAGAIN, EFAULT, EINVAL, ETIMEDOUT

from lib.guest import NR, eq, gives, run, sc, spawn, test, wait_state, works

U32, PRIVATE, ANY = 2, 128, 0xFFFFFFFF
MONOTONIC, REALTIME = 1, 0


def word(value=0):
    w = ctypes.c_uint32.from_address(works(NR.mmap, 0, 4096, 3, 0x21, -1, 0))
    w.value = value
    return w


def at(seconds, clock=time.CLOCK_MONOTONIC):
    ns = time.clock_gettime_ns(clock) + round(seconds * 10**9)
    return (ctypes.c_int64 * 2)(ns // 10**9, ns % 10**9)


def waitv(*words):
    array = (ctypes.c_uint64 * (3 * len(words)))()
    for i, (w, value, flags) in enumerate(words):
        array[3 * i:3 * i + 3] = [value, ctypes.addressof(w), flags]
    return array


@test
def futex_wait_checks():
    w = word(5)
    gives(-EAGAIN, NR.futex_wait, w, 6, ANY, U32, None, 0)
    gives(-ETIMEDOUT, NR.futex_wait, w, 5, ANY, U32, at(0.02), MONOTONIC)
    gives(-ETIMEDOUT, NR.futex_wait, w, 5, ANY, U32, at(0.02, time.CLOCK_REALTIME), REALTIME)
    gives(-EINVAL, NR.futex_wait, w, 5, ANY, U32, at(0.02), 7)
    gives(-EAGAIN, NR.futex_wait, w, 6, ANY, U32, None, 7)
    gives(-EINVAL, NR.futex_wait, w, 5, 0, U32, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 5, ANY, 0, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 5, ANY, U32 | 0x40, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 1 << 32, ANY, U32, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 5, 1 << 32, U32, None, 0)
    gives(-EFAULT, NR.futex_wait, 4096, 5, ANY, U32, None, 0)
    gives(-EINVAL, NR.futex_wait, ctypes.addressof(w) + 1, 5, ANY, U32, None, 0)


@test
def futex_wake_counts():
    w = word()
    gives(0, NR.futex_wake, w, ANY, 1, U32)
    gives(-EINVAL, NR.futex_wake, w, 0, 1, U32)
    gives(-EINVAL, NR.futex_wake, w, ANY, 1, 0)
    pids = [spawn(lambda: sc(NR.futex_wait, w, 0, 2, U32, at(10), MONOTONIC)) for _ in range(3)]
    for pid in pids:
        wait_state(pid, "S")
    gives(0, NR.futex_wake, w, ANY, 0, U32)
    gives(0, NR.futex_wake, w, 1, 9, U32)
    gives(0, NR.futex_wake, w, ANY, 9, U32 | PRIVATE)
    gives(2, NR.futex_wake, w, ANY, 2, U32)
    gives(1, NR.futex, w, 1, 9, None, None, 0)
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


@test
def futex_requeue_moves():
    a, b = word(3), word()
    pids = [spawn(lambda: sc(NR.futex_wait, a, 3, ANY, U32, at(10), MONOTONIC)) for _ in range(3)]
    for pid in pids:
        wait_state(pid, "S")
    gives(-EAGAIN, NR.futex_requeue, waitv((a, 4, U32), (b, 0, U32)), 0, 1, 1)
    gives(-EINVAL, NR.futex_requeue, waitv((a, 3, U32), (b, 0, U32)), 1, 1, 1)
    gives(-EINVAL, NR.futex_requeue, waitv((a, 3, U32), (b, 0, U32)), 0, -1, 1)
    gives(-EINVAL, NR.futex_requeue, waitv((a, 3, U32), (b, 0, 0)), 0, 1, 1)
    gives(-EINVAL, NR.futex_requeue, None, 0, 1, 1)
    gives(-EFAULT, NR.futex_requeue, 4096, 0, 1, 1)
    gives(3, NR.futex_requeue, waitv((a, 3, U32), (b, 0, U32)), 0, 1, 5)
    gives(0, NR.futex_wake, a, ANY, 9, U32)
    gives(2, NR.futex_wake, b, ANY, 9, U32)
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


run()
