"""Attributes of threads and of the system that are kept and shown: prctl(2), sched_setattr(2),
security modules, kcmp(2).
"""

import ctypes
import mmap
import os
import select
import struct
from errno import *
from lib.guest import *

BAD, KERNEL = 8, 1 << 63
MS = 10**6
(SET_MCE, GET_MCE, SET_THP, GET_THP, SET_IO_FLUSHER, GET_IO_FLUSHER, SET_MDWE, GET_MDWE) = (
    33, 34, 41, 42, 57, 58, 65, 66)
GET_AUXV = 0x41555856


def prctl(op, *args):
    return sc(NR.prctl, op, *(args + (0,) * (4 - len(args))))


@cases([("late", 1, 0, 0), ("early", 1, 1, 1), ("default", 1, 2, 2), ("clear", 0, 0, 2)])
def memory_errors(what, policy, shown):
    eq(prctl(SET_MCE, 1, 1), 0)
    eq(prctl(SET_MCE, what, policy), 0)
    eq(prctl(GET_MCE), shown)
    eq(os.waitstatus_to_exitcode(in_child(lambda: prctl(GET_MCE))), shown)


@cases([("policy 3", 1, 3, 0, 0), ("clear with policy", 0, 1, 0, 0), ("operation 2", 2, 0, 0, 0), ("fourth", 1, 1, 1, 0),
        ("fifth", 1, 1, 0, 1), ("pointer", 1, KERNEL, 0, 0)], shared=True)
def memory_errors_refuse(*args):
    eq(prctl(SET_MCE, *args), -EINVAL)


@test
def huge_pages_are_switched_off():
    eq(prctl(GET_THP), 0)
    eq(prctl(SET_THP, 1), 0)
    eq(prctl(GET_THP), 1)
    eq(os.waitstatus_to_exitcode(in_child(lambda: prctl(GET_THP))), 1)
    eq(prctl(SET_THP, 0), 0)
    eq(prctl(GET_THP), 0)
    eq(prctl(SET_THP, 1, 0, 1), -EINVAL)
    eq(prctl(GET_THP, 1), -EINVAL)


@test
def io_flusher():
    r = prctl(SET_IO_FLUSHER, 1)
    if r == -EPERM:
        skip("needs CAP_SYS_RESOURCE")
    eq((r, prctl(GET_IO_FLUSHER)), (0, 1))
    eq(prctl(SET_IO_FLUSHER, 2), -EINVAL)
    eq(prctl(GET_IO_FLUSHER, 1), -EINVAL)
    eq((prctl(SET_IO_FLUSHER, 0), prctl(GET_IO_FLUSHER)), (0, 0))


@test
def memory_is_written_or_run():
    anon = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    code = works(NR.mmap, 0, 4096, 5, anon, -1, 0)
    data = works(NR.mmap, 0, 4096, 3, anon, -1, 0)
    eq(prctl(GET_MDWE), 0)
    eq(prctl(SET_MDWE, 2), -EINVAL)
    eq(prctl(SET_MDWE, 4), -EINVAL)
    eq(prctl(SET_MDWE, 1, 1), -EINVAL)
    eq(prctl(SET_MDWE, 1), 0)
    eq(prctl(GET_MDWE), 1)
    eq((prctl(SET_MDWE, 0), prctl(SET_MDWE, 3), prctl(SET_MDWE, 1)), (-EPERM, -EPERM, 0))
    gives(-EACCES, NR.mmap, 0, 4096, 7, anon, -1, 0)
    gives(-EACCES, NR.mprotect, data, 4096, 5)
    gives(-EACCES, NR.mprotect, data, 4096, 7)
    gives(-EACCES, NR.mprotect, code, 4096, 7)
    gives(0, NR.mprotect, code, 4096, 4)
    gives(0, NR.mprotect, data, 4096, 1)
    works(NR.mmap, 0, 4096, 5, anon, -1, 0)
    eq(os.waitstatus_to_exitcode(in_child(lambda: prctl(GET_MDWE))), 1)


@test
def memory_rules_may_end_with_the_process():
    eq(prctl(SET_MDWE, 3), 0)
    eq(prctl(GET_MDWE), 3)
    eq(os.waitstatus_to_exitcode(in_child(lambda: prctl(GET_MDWE))), 0)


@test
def auxiliary_vector():
    buf = ctypes.create_string_buffer(4096)
    n = prctl(GET_AUXV, ctypes.addressof(buf), 4096)
    ok(n > 200 and n % 16 == 0, n)
    with open("/proc/self/auxv", "rb") as f:
        aux = f.read()
    m = min(n, len(aux))
    eq(buf.raw[:m], aux[:m])
    eq(prctl(GET_AUXV, 0, 0), n)
    short = ctypes.create_string_buffer(b"\xaa" * 32, 32)
    eq(prctl(GET_AUXV, ctypes.addressof(short), 16), n)
    eq(short.raw, aux[:16] + b"\xaa" * 16)
    eq(prctl(GET_AUXV, BAD, 16), -EFAULT)
    eq(prctl(GET_AUXV, 0, 0, 1), -EINVAL)


def attributes(policy, flags=0, nice=0, priority=0, runtime=0, deadline=0, period=0, size=48):
    return struct.pack("<IIQiIQQQII", size, policy, flags, nice, priority, runtime, deadline, period, 0, 0)


def set_attr(*args, **named):
    return sc(NR.sched_setattr, 0, attributes(*args, **named), 0)


def get_attr():
    """Returns policy, flags, nice value, priority, runtime, deadline and period."""
    buf = ctypes.create_string_buffer(56)
    works(NR.sched_getattr, 0, buf, 56, 0)
    return struct.unpack("<IIQiIQQQII", buf.raw)[1:8]


def slice_shown():
    buf = (ctypes.c_int64 * 2)()
    works(NR.sched_rr_get_interval, 0, buf)
    return buf[0] * 10**9 + buf[1]


def need_nice():
    if set_attr(6, runtime=10 * MS, deadline=30 * MS) == -EPERM:
        skip("needs CAP_SYS_NICE")
    eq(set_attr(0), 0)


@cases([("own", 2 * MS, 2 * MS), ("least", 1, MS // 10), ("most", 1000 * MS, 100 * MS)])
def slices_of_ordinary_threads(asked, shown):
    eq(set_attr(0, runtime=asked), 0)
    eq(get_attr(), (0, 0, 0, 0, shown, 0, 0))
    ok(slice_shown() <= shown, "rounded down")
    eq(set_attr(0), 0)
    between(MS // 2, get_attr()[4], 6 * MS, "the default")


@test
def nice_values_of_idle_threads_stay():
    eq(set_attr(3, nice=3), 0)
    eq(get_attr()[:3], (3, 0, 3))
    eq(set_attr(5, nice=19), 0)
    eq(get_attr()[:3], (5, 0, 3))


@cases([
    ("given", dict(runtime=10 * MS, deadline=30 * MS, period=40 * MS), (6, 0, 0, 0, 10 * MS, 30 * MS, 40 * MS)),
    ("no period", dict(runtime=10 * MS, deadline=30 * MS), (6, 0, 0, 0, 10 * MS, 30 * MS, 30 * MS)),
    ("least", dict(runtime=1024, deadline=10 * MS), (6, 0, 0, 0, 1024, 10 * MS, 10 * MS)),
    ("reset", dict(flags=1, runtime=10 * MS, deadline=30 * MS), (6, 1, 0, 0, 10 * MS, 30 * MS, 30 * MS)),
    ("reclaim", dict(flags=2, runtime=10 * MS, deadline=30 * MS), (6, 2, 0, 0, 10 * MS, 30 * MS, 30 * MS)),
    ("overrun", dict(flags=4, runtime=10 * MS, deadline=30 * MS), (6, 4, 0, 0, 10 * MS, 30 * MS, 30 * MS))])
def deadlines(asked, shown):
    need_nice()
    eq(set_attr(6, **asked), 0)
    eq(get_attr(), shown)
    eq(set_attr(0), 0)


@cases([
    ("nothing", dict()), ("runtime too long", dict(runtime=30 * MS, deadline=10 * MS)),
    ("runtime too short", dict(runtime=1000, deadline=10 * MS)),
    ("deadline behind period", dict(runtime=10 * MS, deadline=40 * MS, period=30 * MS)),
    ("top bit", dict(runtime=10 * MS, deadline=1 << 63, period=1 << 63)),
    ("period too long", dict(runtime=10 * MS, deadline=50 * MS, period=5000 * MS)),
    ("period too short", dict(runtime=2000, deadline=20000, period=20000)),
    ("priority", dict(runtime=10 * MS, deadline=30 * MS, priority=1))], shared=True)
def deadlines_refuse(asked):
    need_nice()
    eq(set_attr(6, **asked), -EINVAL)


@cases([("ext", 7, 0, 48, -EINVAL), ("policy 4", 4, 0, 48, -EINVAL), ("policy 8", 8, 0, 48, -EINVAL), ("flag 128", 0, 128, 48, -EINVAL),
        ("clamp, small struct", 0, 0x20, 48, -EINVAL), ("size 47", 0, 0, 47, -E2BIG), ("size 0", 0, 0, 0, 0)], shared=True)
def set_attr_checks(policy, flags, size, expected):
    eq(set_attr(policy, flags, size=size), expected)


@cases([(str(p), p, r) for p, r in enumerate([(0, 0), (1, 99), (1, 99), (0, 0), (-EINVAL,) * 2, (0, 0), (0, 0),
                                              (0, 0), (-EINVAL,) * 2])] + [("minus 1", -1, (-EINVAL,) * 2)], shared=True)
def priorities_of(policy, expected):
    eq((sc(NR.sched_get_priority_min, policy), sc(NR.sched_get_priority_max, policy)), expected)


@test
def security_modules():
    ids, size = (ctypes.c_uint64 * 16)(), ctypes.c_uint32(128)
    n = works(NR.lsm_list_modules, ids, size, 0)
    eq(size.value, 8 * n)
    ok(100 in ids[:n] and 0 not in ids[:n], list(ids))
    size.value = 0
    gives(-E2BIG, NR.lsm_list_modules, ids, size, 0)
    eq(size.value, 8 * n)
    size.value = 128
    gives(-EINVAL, NR.lsm_list_modules, ids, size, 1)
    gives(-EFAULT, NR.lsm_list_modules, None, size, 0)
    gives(-EFAULT, NR.lsm_list_modules, BAD, size, 0)
    gives(-EFAULT, NR.lsm_list_modules, ids, None, 0)


@cases([("undefined", 0, 0, -EINVAL), ("current", 100, 0, -EOPNOTSUPP), ("exec", 101, 0, -EOPNOTSUPP),
        ("unknown", 107, 0, -EOPNOTSUPP), ("flag 2", 100, 2, -EINVAL), ("single of nothing", 100, 1, -EINVAL)])
def security_attributes(attribute, flags, expected):
    buf, size = ctypes.create_string_buffer(4096), ctypes.c_uint32(4096)
    gives(expected, NR.lsm_get_self_attr, attribute, buf, size, flags)
    eq(size.value, 0 if expected == -EOPNOTSUPP else 4096)
    gives(-EINVAL, NR.lsm_get_self_attr, attribute, buf, None, flags)


def context(length=40, data=8):
    return struct.pack("<QQQQ", 100, 0, length, data) + b"x" * 8


@cases([("whole", context(), 40, 0, -EOPNOTSUPP), ("flags", context(), 40, 1, -EINVAL), ("head alone", context(), 32, 0, -EINVAL),
        ("half a head", context(), 16, 0, -EINVAL), ("nothing", context(), 0, 0, -EINVAL), ("null", None, 40, 0, -EFAULT),
        ("too long", context(), 5000, 0, -E2BIG), ("length lies", context(41), 40, 0, -EINVAL),
        ("data lies", context(40, 9), 40, 0, -EINVAL), ("data wraps", context(40, (1 << 64) - 1), 40, 0, -EINVAL)], shared=True)
def security_attributes_set(data, size, flags, expected):
    gives(expected, NR.lsm_set_self_attr, 100, data, size, flags)


@test
def attributes_in_proc_are_empty():
    names = os.listdir("/proc/self/attr")
    for name in ("current", "exec", "fscreate", "keycreate", "prev", "sockcreate"):
        path = "/proc/self/attr/" + name
        ok(name in names, name)
        eq(os.stat(path).st_mode, 0o100444 if name == "prev" else 0o100666)
        fails(EINVAL, lambda: open(path).read())
    fd = os.open("/proc/self/attr/current", os.O_WRONLY)
    fails(EINVAL, os.write, fd, b"x")


@test
def watched_files_are_compared():
    r, w = os.pipe()
    epoll, me = select.epoll(), os.getpid()
    epoll.register(r)

    def compare(fd, set_fd, target, which=0):
        return sc(NR.kcmp, me, me, 7, fd, struct.pack("<III", set_fd, target, which))
    eq(compare(r, epoll.fileno(), r), 0)
    eq(compare(os.dup(r), epoll.fileno(), r), 0)
    ok(compare(w, epoll.fileno(), r) in (1, 2), "another file")
    eq(compare(r, epoll.fileno(), r, 1), -ENOENT)
    eq(compare(r, epoll.fileno(), w), -ENOENT)
    eq(compare(r, 999, r), -EBADF)
    eq(compare(999, epoll.fileno(), r), -EBADF)
    eq(compare(r, r, r), -EINVAL)
    gives(-EFAULT, NR.kcmp, me, me, 7, r, None)
    gives(-EINVAL, NR.kcmp, me, me, 8, r, r)


@test
def file_system_types():
    buf = ctypes.create_string_buffer(64)
    n = works(NR.sysfs, 3)
    index = works(NR.sysfs, 1, b"tmpfs")
    gives(0, NR.sysfs, 2, index, buf)
    eq(buf.value, b"tmpfs")
    ok(index < n, "index")
    gives(-EINVAL, NR.sysfs, 1, b"nosuch")
    gives(-EFAULT, NR.sysfs, 1, None)
    gives(-EINVAL, NR.sysfs, 2, n, buf)
    gives(-EFAULT, NR.sysfs, 2, index, BAD)
    gives(-EINVAL, NR.sysfs, 4)
    gives(-EINVAL, NR.sysfs, 0)


@test
def file_systems_by_device():
    buf = (ctypes.c_uint64 * 4)()
    dev = os.stat("/proc").st_dev
    gives(0, NR.ustat, dev, buf)
    gives(-EFAULT, NR.ustat, dev, BAD)
    gives(-EINVAL, NR.ustat, 0, buf)
    gives(-EINVAL, NR.ustat, 0xFFFFFFFF, buf)


@test
def reading_the_log_needs_a_capability():
    need_root()
    gives(-EINVAL, NR.syslog, 11, None, 0)

    def ordinary_user():
        os.setresuid(61234, 61234, 61234)
        for action in (-1, 2, 5, 8, 9, 11):
            if action not in (3, 10):
                gives(-EPERM, NR.syslog, action, None, 0)
    child_ok(ordinary_user)


@test
def hanging_up_needs_a_capability():
    def ordinary_user():
        os.setresuid(61234, 61234, 61234)
        gives(-EPERM, NR.vhangup)
    need_root()
    child_ok(ordinary_user)


@test
def hanging_up_ends_the_session():
    need_root()
    master, slave = os.openpty()

    def leader():
        import fcntl
        import signal
        import termios
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        hits = []
        signal.signal(signal.SIGHUP, lambda *_: hits.append(1))
        r = sc(NR.vhangup)
        if r == -EPERM:
            return 77
        eq(hits, [1])
        fails(EIO, os.write, slave, b"x")
        return 0
    status = os.waitstatus_to_exitcode(in_child(leader))
    if status == 77:
        skip("needs CAP_SYS_TTY_CONFIG")
    eq(status, 0)


run()
