"""Clocks and flags of calls on time, one by one: each acts, by an expression whose value Linux
gave.
"""

import ctypes
import os
import struct
from errno import *
from lib.guest import *

needs_root(
    "clocks_CLOCK_REALTIME_ALARM", "clocks_CLOCK_BOOTTIME_ALARM",
)


def ts(seconds=0, ns=0):
    return (ctypes.c_int64 * 2)(seconds, ns)


def its(value=0, interval=0):
    return (ctypes.c_int64 * 4)(0, interval, 0, value)


def clock(n):
    """Calls clock_gettime, clock_getres, a sleep of 0, timerfd_create and timer_create."""
    v, tid = ts(), ctypes.c_int()
    got, res = sc(NR.clock_gettime, n, v), sc(NR.clock_getres, n, ts())
    slept = sc(NR.clock_nanosleep, n, 0, ts(), 0)
    made = min(sc(NR.timerfd_create, n, 0), 0)
    return got, v[0] > 0 or v[1] > 0, res, slept, made, sc(NR.timer_create, n, 0, tid)


def timer(notify, signo=10, tid=0):
    t = ctypes.c_int()
    event = struct.pack("Qiii", 0, signo, notify, tid) + bytes(44)
    r = sc(NR.timer_create, 1, event, t)
    return r if r < 0 else (r, sc(NR.timer_settime, t.value, 0, its(10**9), 0), sc(NR.timer_delete, t.value))


def armed(flags):
    t = ctypes.c_int()
    works(NR.timer_create, 1, struct.pack("Qiii", 0, 0, 1, 0) + bytes(44), t)
    return sc(NR.timer_settime, t.value, flags, its(1), 0), sc(NR.timer_gettime, t.value, its())


def descriptor(flags):
    fd = sc(NR.timerfd_create, 1, flags)
    return fd if fd < 0 else (sc(NR.fcntl, fd, 1), sc(NR.fcntl, fd, 3) & 0o4000)


def set_fd(flags, which=1):
    fd = works(NR.timerfd_create, which, 0)
    return sc(NR.timerfd_settime, fd, flags, its(1), 0), len(os.read(fd, 8))


def interval(which):
    back = its()
    new = (ctypes.c_int64 * 4)(0, 0, 100, 0)
    return sc(NR.setitimer, which, new, 0), sc(NR.getitimer, which, back), 90 <= back[2] <= 100


def adjusted(modes):
    buf = ctypes.create_string_buffer(struct.pack("I", modes), 208)
    r = sc(159, buf)
    return r >= 0 if modes in (0, 0xA001) else r


@cases([
    ("CLOCK_REALTIME", lambda: clock(0), (0, True, 0, 0, 0, 0)),
    ("CLOCK_MONOTONIC", lambda: clock(1), (0, True, 0, 0, 0, 0)),
    ("CLOCK_PROCESS_CPUTIME_ID", lambda: clock(2), (0, True, 0, 0, -EINVAL, 0)),
    ("CLOCK_THREAD_CPUTIME_ID", lambda: clock(3), (0, True, 0, -ENOTSUP, -EINVAL, 0)),
    ("CLOCK_MONOTONIC_RAW", lambda: clock(4), (0, True, 0, -ENOTSUP, -EINVAL, -ENOTSUP)),
    ("CLOCK_REALTIME_COARSE", lambda: clock(5), (0, True, 0, -ENOTSUP, -EINVAL, -ENOTSUP)),
    ("CLOCK_MONOTONIC_COARSE", lambda: clock(6), (0, True, 0, -ENOTSUP, -EINVAL, -ENOTSUP)),
    ("CLOCK_BOOTTIME", lambda: clock(7), (0, True, 0, 0, 0, 0)),
    ("CLOCK_REALTIME_ALARM", lambda: clock(8), (-EINVAL, False, -EINVAL, -ENOTSUP, 0, -ENOTSUP)),
    ("CLOCK_BOOTTIME_ALARM", lambda: clock(9), (-EINVAL, False, -EINVAL, -ENOTSUP, 0, -ENOTSUP)),
    ("CLOCK_SGI_CYCLE", lambda: clock(10), (-EINVAL, False, -EINVAL, -EINVAL, -EINVAL, -EINVAL)),
    ("CLOCK_TAI", lambda: clock(11), (0, True, 0, 0, -EINVAL, 0)),
    ("CLOCK_UNKNOWN",
     lambda: (clock(12), clock(15), clock(16), clock(99), clock(1 << 30)),
     ((-EINVAL, False, -EINVAL, -EINVAL, -EINVAL, -EINVAL), (-EINVAL, False, -EINVAL, -EINVAL, -EINVAL, -EINVAL), (-EINVAL, False, -EINVAL, -EINVAL, -EINVAL, -EINVAL), (-EINVAL, False, -EINVAL, -EINVAL, -EINVAL, -EINVAL), (-EINVAL, False, -EINVAL, -EINVAL, -EINVAL, -EINVAL))),
])
def clocks(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: sc(NR.clock_nanosleep, 1, 0, ts(0, 1000), 0), 0),
    ("TIMER_ABSTIME",
     lambda: (sc(NR.clock_nanosleep, 1, 1, ts(1), 0), sc(NR.clock_nanosleep, 0, 1, ts(1), 0)),
     (0, 0)),
])
def sleeps(call, expected):
    eq(call(), expected)


@cases([
    ("SIGEV_SIGNAL", lambda: timer(0), (0, -EINVAL, 0)),
    ("SIGEV_NONE", lambda: timer(1), (0, -EINVAL, 0)),
    ("SIGEV_THREAD", lambda: timer(2), (0, -EINVAL, 0)),
    ("SIGEV_THREAD_ID",
     lambda: (timer(4, 10, os.getpid()), timer(4, 10, 1 << 22), timer(4, 0, os.getpid())),
     ((0, -EINVAL, 0), -EINVAL, -EINVAL)),
    ("SIGEV_UNKNOWN", lambda: (timer(3), timer(8), timer(0, 65)), (-EINVAL, -EINVAL, -EINVAL)),
])
def timer_notices(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: armed(0), (0, 0)),
    ("TIMER_ABSTIME", lambda: armed(1), (0, 0)),
])
def timers(call, expected):
    eq(call(), expected)


@cases([
    ("TFD_NONBLOCK", lambda: descriptor(0o4000), (0, 2048)),
    ("TFD_CLOEXEC", lambda: descriptor(0o2000000), (1, 0)),
])
def timer_descriptors(call, expected):
    eq(call(), expected)


@cases([
    ("TFD_TIMER_ABSTIME", lambda: set_fd(1), (0, 8)),
    ("TFD_TIMER_CANCEL_ON_SET",
     lambda: (set_fd(3, 0), set_fd(2, 0), set_fd(2, 1)),
     ((0, 8), (0, 8), (0, 8))),
])
def timer_descriptor_times(call, expected):
    eq(call(), expected)


@cases([
    ("ITIMER_REAL", lambda: interval(0), (0, 0, True)),
    ("ITIMER_VIRTUAL", lambda: interval(1), (0, 0, True)),
    ("ITIMER_PROF", lambda: interval(2), (0, 0, True)),
    ("ITIMER_UNKNOWN",
     lambda: (sc(NR.getitimer, 3, its()), sc(NR.setitimer, -1, its(), 0)),
     (-EINVAL, -EINVAL)),
])
def interval_timers(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: adjusted(0), True),
    ("ADJ_OFFSET_SS_READ", lambda: adjusted(0xA001), True),
])
def adjusts(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
