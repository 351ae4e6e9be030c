"""
Programs whose kernel's clocks jump, as they do in a restore (clock_mover.ts). The monotonic clock
of this guest is the host's plus an offset; a jump of the real-time clock is one only for timers.
"""

import ctypes
import errno
import os
import select
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
CLOCK_GETTIME, CLOCK_NANOSLEEP, TIMERFD_CREATE, TIMERFD_SETTIME = 228, 230, 283, 286
NEWTIME, ABSTIME, CANCEL_ON_SET, NONBLOCK = 0x80, 1, 2, 0o4000
REALTIME, MONOTONIC, RAW, MONOTONIC_COARSE, BOOTTIME = 0, 1, 4, 6, 7
# The vDSO extrapolates between two readings of the host's clock.
USUAL = 0.5


def move(monotonic, realtime):
    with open("/proc/thread-self/comm", "w") as comm:
        comm.write("clock %d %d" % (monotonic, realtime))
    while open("/proc/thread-self/comm").read() != "moved\n":
        pass


def called(which):
    """A clock by a system call."""
    at = (ctypes.c_int64 * 2)()
    assert libc.syscall(CLOCK_GETTIME, which, at) == 0
    return at[0] + at[1] / 1e9


def clocks_agree():
    for which in MONOTONIC, RAW, MONOTONIC_COARSE, BOOTTIME, REALTIME:
        before, without, after = called(which), time.clock_gettime(which), called(which)
        assert before - USUAL <= without <= after + USUAL, (which, before, without, after)
    before, uptime = called(BOOTTIME), float(open("/proc/uptime").read().split()[0])
    assert before - USUAL <= uptime <= called(BOOTTIME) + USUAL, (before, uptime)


def timer(clock, sec, flags=0):
    fd = libc.syscall(TIMERFD_CREATE, clock, NONBLOCK)
    spec = struct.pack("4q", 0, 0, int(sec), 0)
    assert fd >= 0 and libc.syscall(TIMERFD_SETTIME, fd, flags, spec, 0) == 0
    return fd


def is_ready(fd):
    return select.select([fd], [], [], 0)[0] != []


def read_error(fd):
    try:
        return os.read(fd, 8)
    except OSError as e:
        return e.errno


def the_monotonic_clock_jumps_ahead():
    before, real = called(MONOTONIC), called(REALTIME)
    fd = timer(MONOTONIC, 4000)
    sleeper = threading.Thread(target=time.sleep, args=(4000,))
    sleeper.start()
    while "S" not in open("/proc/self/task/%d/stat" % sleeper.native_id).read().split(")")[1]:
        pass
    move(5000, 0)
    clocks_agree()
    assert called(MONOTONIC) - before >= 5000
    assert called(REALTIME) - real < 5000
    sleeper.join()
    select.select([fd], [], [])
    assert os.read(fd, 8) == struct.pack("q", 1)


def the_monotonic_clock_jumps_back():
    move(9000, 0)
    before, fd = called(MONOTONIC), timer(MONOTONIC, 4000)
    move(-3000, 0)
    clocks_agree()
    assert called(MONOTONIC) < before
    time.sleep(0.05)
    assert not is_ready(fd)


def timers_of_the_real_time_clock_follow_it():
    now = called(REALTIME)
    late, relative = timer(REALTIME, now + 4000, ABSTIME), timer(REALTIME, 4000)
    cancels = timer(REALTIME, 2**40, ABSTIME | CANCEL_ON_SET)
    sleeper = threading.Thread(target=lambda: libc.syscall(
        CLOCK_NANOSLEEP, REALTIME, ABSTIME, struct.pack("2q", int(now) + 4000, 0), 0))
    sleeper.start()
    assert not is_ready(late) and not is_ready(cancels)
    move(0, 5000)
    clocks_agree()
    sleeper.join()
    select.select([late], [], [])
    assert os.read(late, 8) == struct.pack("q", 1)
    assert not is_ready(relative) and is_ready(cancels)
    assert [read_error(cancels), read_error(cancels)] == [errno.ECANCELED, errno.EAGAIN]


def offsets_of_a_time_namespace_are_on_top():
    if libc.unshare(NEWTIME) != 0:
        print("no time namespace:", os.strerror(ctypes.get_errno()))
        return
    with open("/proc/self/timens_offsets", "w") as offsets:
        offsets.write("monotonic 1000000 0\nboottime 2000000 0\n")
    outside = called(MONOTONIC)
    if os.fork() == 0:
        status = 1
        try:
            move(5000, 0)
            clocks_agree()
            shown = [called(which) - outside for which in (MONOTONIC, BOOTTIME)]
            assert 1005000 <= shown[0] < 1010000 and 2005000 <= shown[1] < 2010000, shown
            status = 0
        finally:
            os._exit(status)
    assert os.wait()[1] == 0
    assert called(MONOTONIC) - outside >= 5000


# The vDSO answers by itself from the kernel's second reading of its clocks on.
time.sleep(0.2)
clocks_agree()
for part in (the_monotonic_clock_jumps_ahead, the_monotonic_clock_jumps_back,
             timers_of_the_real_time_clock_follow_it, offsets_of_a_time_namespace_are_on_top):
    part()
    print("passed", part.__name__)
sys.stdout.flush()
