"""Calls on clocks, timers and file times, one error, flag or limit a case."""

import ctypes
import os
import signal
import struct
import time

from lib.guest import *
from lib.operands import *

REAL, MONO, PROCESS, THREAD, RAW, COARSE, MONO_COARSE, BOOT = 0, 1, 2, 3, 4, 5, 6, 7
REAL_ALARM, BOOT_ALARM, TAI = 8, 9, 11
SIGNAL, NONE, NOTIFY_THREAD, THREAD_ID = 0, 1, 2, 4
ABSTIME = 1
NOW, OMIT = 0x3FFFFFFF, 0x3FFFFFFE
SECOND = 10**9


def spec(seconds=0, ns=0):
    return struct.pack("qq", seconds, ns)


def both(value=(0, 0), interval=(0, 0)):
    return struct.pack("qqqq", *interval, *value)


def clock(number):
    return then(sc(NR.clock_gettime, number, buf()), sc(NR.clock_getres, number, None))


def cpu_clock(pid, kind):
    return (~pid << 3) | kind


def slept(number, flags, *spec_):
    return sc(NR.clock_nanosleep, number, flags, spec(*spec_), None)


def event(notify=SIGNAL, signo=10, tid=0):
    return struct.pack("QiiI", 7, signo, notify, tid) + bytes(44)


def timer(number=MONO, ev=None):
    """Makes a timer. Returns its id, or -errno."""
    id = buf()
    r = sc(NR.timer_create, number, ev, id)
    return r if r < 0 else ctypes.c_int.from_address(id).value


def created(number=MONO, ev=None):
    return min(timer(number, ev), 0)


def armed(flags, value, interval=(0, 0), number=MONO):
    return sc(NR.timer_settime, timer(number, event(NONE)), flags, both(value, interval), None)


def left(nr, id):
    """Returns interval and value, rounded up to seconds."""
    got = buf()
    r = sc(nr, id, got)
    if r < 0:
        return spell(r)
    a, b, c, d = struct.unpack("qqqq", ctypes.string_at(got, 32))
    return "%d %d" % (a + (b > 0), c + (d > 0))


def timer_left(flags, value, interval=(0, 0), number=MONO):
    id = timer(number, event(NONE))
    works(NR.timer_settime, id, flags, both(value, interval), None)
    return left(NR.timer_gettime, id)


def twice():
    id = timer()
    return then(sc(NR.timer_delete, id), sc(NR.timer_delete, id))


def timerfd(flags, value, interval=(0, 0), number=MONO):
    fd = works(NR.timerfd_create, number, os.O_NONBLOCK)
    return then(sc(NR.timerfd_settime, fd, flags, both(value, interval), None)) + " " + (
        left(NR.timerfd_gettime, fd))


def expired(interval=(0, 0), size=8):
    """Reads a timer descriptor that expired long ago."""
    fd = works(NR.timerfd_create, MONO, os.O_NONBLOCK)
    works(NR.timerfd_settime, fd, ABSTIME, both((0, 1), interval), None)
    wait_until(lambda: select.select([fd], [], [], 0)[0], "the time")
    return then(min(sc(NR.read, fd, buf(), size), 8), sc(NR.read, fd, buf(), size))


def rearmed():
    fd = works(NR.timerfd_create, MONO, os.O_NONBLOCK)
    works(NR.timerfd_settime, fd, ABSTIME, both((0, 1)), None)
    wait_until(lambda: select.select([fd], [], [], 0)[0], "the time")
    works(NR.timerfd_settime, fd, 0, both((100, 0)), None)
    return sc(NR.read, fd, buf(), 8)


def itimer(which, seconds, micro):
    return sc(NR.setitimer, which, struct.pack("qqqq", 0, 0, seconds, micro), None)


def times_of(name="f"):
    s = os.stat(name, follow_symlinks=False)
    return s.st_atime_ns, s.st_mtime_ns


def stamped(atime, mtime, flags=0):
    """Calls utimensat on a file of 100 s and 200 s. Returns the times; "now" is about now."""
    os.close(file(name="f"))
    os.utime("f", ns=(100 * SECOND, 200 * SECOND))
    r = sc(NR.utimensat, -100, b"f", struct.pack("qqqq", *atime, *mtime), flags)
    now = time.time_ns()
    return then(r) + " " + " ".join(
        "now" if abs(t - now) < 60 * SECOND else str(t) for t in times_of())


def touched(mode, times):
    """Calls utimensat as another user on a file of root with this mode."""
    os.chmod(".", 0o755)
    os.close(file(name="f"))
    os.chmod("f", mode)
    return as_nobody(lambda: sc(NR.utimensat, -100, b"f", times, 0))


def alarmed(first):
    return then(sc(NR.alarm, first), min(sc(NR.alarm, 0), 1))


CLOCKS = [
    ("realtime", "0 0", lambda: clock(REAL)),
    ("monotonic", "0 0", lambda: clock(MONO)),
    ("process", "0 0", lambda: clock(PROCESS)),
    ("thread", "0 0", lambda: clock(THREAD)),
    ("raw", "0 0", lambda: clock(RAW)),
    ("realtime coarse", "0 0", lambda: clock(COARSE)),
    ("monotonic coarse", "0 0", lambda: clock(MONO_COARSE)),
    ("boot", "0 0", lambda: clock(BOOT)),
    ("number 10", "EINVAL EINVAL", lambda: clock(10)),
    ("tai", "0 0", lambda: clock(TAI)),
    ("number 12", "EINVAL EINVAL", lambda: clock(12)),
    ("number 16", "EINVAL EINVAL", lambda: clock(16)),
    ("number 1000", "EINVAL EINVAL", lambda: clock(1000)),
    ("number -1", "EINVAL EINVAL", lambda: clock(-1)),
    ("processor of this process", "0 0", lambda: clock(cpu_clock(0, 2))),
    ("profile of this process", "0 0", lambda: clock(cpu_clock(0, 0))),
    ("processor of the parent", "0 0", lambda: clock(cpu_clock(os.getppid(), 2))),
    ("processor of a missing process", "EINVAL EINVAL", lambda: clock(cpu_clock(2**22 + 5, 2))),
    ("thread of another process", "EINVAL EINVAL", lambda: clock(cpu_clock(os.getppid(), 6))),
    ("descriptor that is none", "EINVAL EINVAL", lambda: clock((~0 << 3) | 3)),
    ("set monotonic", "EINVAL", lambda: sc(NR.clock_settime, MONO, spec())),
    ("set raw", "EINVAL", lambda: sc(NR.clock_settime, RAW, spec())),
    ("set process", "EINVAL", lambda: sc(NR.clock_settime, PROCESS, spec())),
    ("set number 1000", "EINVAL", lambda: sc(NR.clock_settime, 1000, spec())),
    ("set realtime to 10^9 ns", "EINVAL", lambda: sc(NR.clock_settime, REAL, spec(0, SECOND))),
    ("set realtime as another user", "EPERM", lambda: as_nobody(
        lambda: sc(NR.clock_settime, REAL, spec(1700000000)))),
    ("processor id of itself", "1", lambda: int(time.pthread_getcpuclockid(
        __import__("threading").get_ident()) < 0)),
    ("adjtimex reads", "0", lambda: min(sc(159, buf()), 0)),
    ("adjtimex of a bad mode as another user", "EPERM", lambda: as_nobody(
        lambda: sc(159, buf(208, struct.pack("I", 2))))),
    ("clock_adjtime of monotonic", "ENOTSUP", lambda: sc(305, MONO, buf())),
    ("clock_adjtime of number 1000", "EINVAL", lambda: sc(305, 1000, buf())),
    ("clock_adjtime of realtime", "0", lambda: min(sc(305, REAL, buf()), 0)),
]

SLEEPS = [
    ("nothing", "0", lambda: sc(NR.nanosleep, spec(), None)),
    ("10^9 ns", "EINVAL", lambda: sc(NR.nanosleep, spec(0, SECOND), None)),
    ("-1 ns", "EINVAL", lambda: sc(NR.nanosleep, spec(0, -1), None)),
    ("-1 s", "EINVAL", lambda: sc(NR.nanosleep, spec(-1), None)),
    ("a millisecond", "0", lambda: sc(NR.nanosleep, spec(0, 10**6), None)),
    ("on realtime", "0", lambda: slept(REAL, 0, 0, 1)),
    ("on boot", "0", lambda: slept(BOOT, 0, 0, 1)),
    ("on tai", "0", lambda: slept(TAI, 0, 0, 1)),
    ("on raw", "ENOTSUP", lambda: slept(RAW, 0, 0, 1)),
    ("on coarse", "ENOTSUP", lambda: slept(COARSE, 0, 0, 1)),
    ("on the thread's processor time", "ENOTSUP", lambda: slept(THREAD, 0, 0, 1)),
    ("on a bad clock", "EINVAL", lambda: slept(1000, 0, 0, 1)),
    ("on the processor time of a missing process", "EINVAL", lambda: slept(cpu_clock(2**22 + 5, 2), 0, 0, 1)),
    ("until the past", "0", lambda: slept(MONO, ABSTIME, 0, 1)),
    ("until the past of realtime", "0", lambda: slept(REAL, ABSTIME, 1, 0)),
    ("until -1", "EINVAL", lambda: slept(MONO, ABSTIME, -1, 0)),
    ("unknown flags are ignored", "0", lambda: slept(MONO, 0x100, 0, 1)),
    ("interrupted with the time left", "EINTR 99", lambda: interrupted(0)),
    ("an absolute sleep leaves nothing", "EINTR 77", lambda: interrupted(ABSTIME)),
]


def interrupted(flags):
    signal.signal(signal.SIGALRM, lambda *_: None)
    rest = buf(16, struct.pack("qq", 77, 77))
    when = spec(int(time.monotonic()) + 100 if flags else 100, 0)
    r = under_alarms(sc, NR.clock_nanosleep, MONO, flags, when, rest)
    return then(r) + " %d" % struct.unpack("q", ctypes.string_at(rest, 8))


TIMERS = [
    ("monotonic", "0", lambda: created()),
    ("realtime", "0", lambda: created(REAL)),
    ("process", "0", lambda: created(PROCESS)),
    ("thread", "0", lambda: created(THREAD)),
    ("boot", "0", lambda: created(BOOT)),
    ("tai", "0", lambda: created(TAI)),
    ("raw", "ENOTSUP", lambda: created(RAW)),
    ("coarse", "ENOTSUP", lambda: created(COARSE)),
    ("bad clock", "EINVAL", lambda: created(1000)),
    ("processor time of a missing process", "EINVAL", lambda: created(cpu_clock(2**22 + 5, 2))),
    ("signal 0", "EINVAL", lambda: created(MONO, event(SIGNAL, 0))),
    ("signal 65", "EINVAL", lambda: created(MONO, event(SIGNAL, 65))),
    ("signal 64", "0", lambda: created(MONO, event(SIGNAL, 64))),
    ("no signal, signal 65", "0", lambda: created(MONO, event(NONE, 65))),
    ("unknown notification", "EINVAL", lambda: created(MONO, event(9))),
    ("thread that is none", "EINVAL", lambda: created(MONO, event(THREAD_ID, 10, 2**22 + 5))),
    ("thread of the parent", "EINVAL", lambda: created(MONO, event(THREAD_ID, 10, os.getppid()))),
    ("thread itself", "0", lambda: created(MONO, event(THREAD_ID, 10, os.getpid()))),
    ("notification by thread", "0", lambda: created(MONO, event(NOTIFY_THREAD, 10))),
    ("set a bad id", "EINVAL", lambda: sc(NR.timer_settime, 999, 0, both(), None)),
    ("set id -1", "EINVAL", lambda: sc(NR.timer_settime, -1, 0, both(), None)),
    ("set to 10^9 ns", "EINVAL", lambda: armed(0, (0, SECOND))),
    ("set to -1 s", "EINVAL", lambda: armed(0, (-1, 0))),
    ("set to -1 ns", "EINVAL", lambda: armed(0, (0, -1))),
    ("set an interval of 10^9 ns", "EINVAL", lambda: armed(0, (1, 0), (0, SECOND))),
    ("a bad interval of one that is disarmed", "EINVAL", lambda: armed(0, (0, 0), (0, SECOND))),
    ("unknown flags are ignored", "0", lambda: armed(0x100, (1, 0))),
    ("the longest", "0", lambda: armed(0, (2**63 - 1, 0))),
    ("left of a new one", "0 0", lambda: left(NR.timer_gettime, timer())),
    ("left of 100 s", "0 100", lambda: timer_left(0, (100, 0))),
    ("left of 100 s and an interval", "7 100", lambda: timer_left(0, (100, 0), (7, 0))),
    ("time left of a disarmed timer with an interval", "0 0", lambda: timer_left(0, (0, 0), (7, 0))),
    ("left of the past", "0 0", lambda: timer_left(ABSTIME, (0, 1))),
    ("left of processor time", "7 100", lambda: timer_left(0, (100, 0), (7, 0), PROCESS)),
    ("left of a bad id", "EINVAL", lambda: left(NR.timer_gettime, 999)),
    ("overrun of a bad id", "EINVAL", lambda: sc(NR.timer_getoverrun, 999)),
    ("overrun of a new one", "0", lambda: sc(NR.timer_getoverrun, timer())),
    ("delete a bad id", "EINVAL", lambda: sc(NR.timer_delete, 999)),
    ("delete twice", "0 EINVAL", lambda: twice()),
    ("a child has none", "EINVAL", lambda: inherited()),
    ("the longest time as old value", "5 100", lambda: old_value()),
]


def inherited():
    id = timer()
    r, w = os.pipe()
    child_ok(lambda: os.write(w, left(NR.timer_gettime, id).encode()) and None)
    return os.read(r, 100).decode()


def old_value():
    id = timer(MONO, event(NONE))
    old = buf()
    works(NR.timer_settime, id, 0, both((100, 0), (5, 0)), None)
    works(NR.timer_settime, id, 0, both(), old)
    a, b, c, d = struct.unpack("qqqq", ctypes.string_at(old, 32))
    return "%d %d" % (a, c + (d > 0))


DESCRIPTORS_OF_TIME = [
    ("of monotonic", "0", lambda: min(sc(NR.timerfd_create, MONO, 0), 0)),
    ("of boot", "0", lambda: min(sc(NR.timerfd_create, BOOT, 0), 0)),
    ("of process", "EINVAL", lambda: sc(NR.timerfd_create, PROCESS, 0)),
    ("of raw", "EINVAL", lambda: sc(NR.timerfd_create, RAW, 0)),
    ("of tai", "EINVAL", lambda: sc(NR.timerfd_create, TAI, 0)),
    ("of a bad clock", "EINVAL", lambda: sc(NR.timerfd_create, 1000, 0)),
    ("unknown flag", "EINVAL", lambda: sc(NR.timerfd_create, MONO, 1)),
    ("of an alarm clock as another user", "EPERM", lambda: as_nobody(
        lambda: sc(NR.timerfd_create, REAL_ALARM, 0))),
    ("set with an unknown flag", "EINVAL", lambda: sc(
        NR.timerfd_settime, sc(NR.timerfd_create, MONO, 0), 4, both(), None)),
    ("set to 10^9 ns", "EINVAL 0 0", lambda: timerfd(0, (0, SECOND))),
    ("set to -1 s", "EINVAL 0 0", lambda: timerfd(0, (-1, 0))),
    ("set an interval of -1 ns", "EINVAL 0 0", lambda: timerfd(0, (1, 0), (0, -1))),
    ("set", "0 7 100", lambda: timerfd(0, (100, 0), (7, 0))),
    ("disarmed", "0 0 0", lambda: timerfd(0, (0, 0))),
    ("disarmed with an interval", "0 7 0", lambda: timerfd(0, (0, 0), (7, 0))),
    ("cancel on set of monotonic", "0 0 0", lambda: timerfd(3, (0, 1))),
    ("cancel on set of realtime", "0", lambda: timerfd(3, (2**33, 0), (0, 0), REAL)[:1]),
    ("cancel on set without absolute time", "0 0 100", lambda: timerfd(2, (100, 0), (0, 0), REAL)),
    ("read once", "8 EAGAIN", lambda: expired()),
    ("read with an interval", "8 EAGAIN", lambda: expired((100, 0))),
    ("read of too few bytes", "EINVAL EINVAL", lambda: expired((0, 0), 7)),
    ("read of more", "8 EAGAIN", lambda: expired((0, 0), 64)),
    ("setting forgets expirations", "EAGAIN", lambda: rearmed()),
    ("write", "EINVAL", lambda: sc(NR.write, sc(NR.timerfd_create, MONO, 0), buf(), 8)),
]

INTERVALS = [
    ("which 3", "EINVAL", lambda: itimer(3, 0, 0)),
    ("which -1", "EINVAL", lambda: itimer(-1, 0, 0)),
    ("10^6 microseconds", "EINVAL", lambda: itimer(0, 0, 10**6)),
    ("-1 microsecond", "EINVAL", lambda: itimer(0, 0, -1)),
    ("-1 second", "EINVAL", lambda: itimer(0, -1, 0)),
    ("real", "0", lambda: itimer(0, 0, 0)),
    ("virtual", "0", lambda: itimer(1, 100, 0)),
    ("profile", "0", lambda: itimer(2, 100, 0)),
    ("get which 3", "EINVAL", lambda: sc(NR.getitimer, 3, buf())),
    ("alarm returns the time left", "0 1", lambda: alarmed(100)),
    ("alarm of 0 gives 0", "0 0", lambda: alarmed(0)),
    ("alarm and setitimer are one", "0 50", lambda: then(itimer(0, 50, 0), sc(NR.alarm, 0))),
    ("alarm rounds the time left", "0 1", lambda: then(itimer(0, 0, 900000), sc(NR.alarm, 0))),
]

STAMPS = [
    ("both", "0 1000000002 3000000004", lambda: stamped((1, 2), (3, 4))),
    ("both now", "0 now now", lambda: stamped((0, NOW), (0, NOW))),
    ("both omitted", "0 100000000000 200000000000", lambda: stamped((0, OMIT), (0, OMIT))),
    ("one now", "0 now 200000000000", lambda: stamped((0, NOW), (0, OMIT))),
    ("the other now", "0 100000000000 now", lambda: stamped((0, OMIT), (0, NOW))),
    ("one given", "0 5000000006 200000000000", lambda: stamped((5, 6), (0, OMIT))),
    ("seconds beside now do not count", "0 now 200000000000",
     lambda: stamped((-7, NOW), (77, OMIT))),
    ("10^9 ns", "EINVAL 100000000000 200000000000", lambda: stamped((1, SECOND), (1, 0))),
    ("-1 ns", "EINVAL 100000000000 200000000000", lambda: stamped((1, 0), (1, -1))),
    ("before 1970", "0 -4999999994 -1000000000", lambda: stamped((-5, 6), (-1, 0))),
    ("999999999 ns", "0 1999999999 1999999999", lambda: stamped((1, SECOND - 1), (1, SECOND - 1))),
    ("unknown flag", "EINVAL 100000000000 200000000000", lambda: stamped((1, 0), (1, 0), 0x800)),
    ("of a descriptor by null", "0", lambda: sc(NR.utimensat, file(name="g"), None, None, 0)),
    ("of a descriptor by null with a flag", "EINVAL", lambda: sc(
        NR.utimensat, file(name="g"), None, None, 0x100)),
    ("of the directory by null", "EFAULT", lambda: sc(NR.utimensat, -100, None, None, 0)),
    ("now by another user without write permission", "EACCES", lambda: touched(0o644, None)),
    ("now by another user with write permission", "0", lambda: touched(0o666, None)),
    ("given by another user with write permission", "EPERM",
     lambda: touched(0o666, spec(1) + spec(2))),
    ("omitted by another user", "0", lambda: touched(0o600, spec(0, OMIT) + spec(0, OMIT))),
    ("one now, one omitted by another user", "EPERM",
     lambda: touched(0o666, spec(0, NOW) + spec(0, OMIT))),
    ("utimes with 10^6 microseconds", "EINVAL", lambda: sc(
        NR.utimes, made("g"), struct.pack("qqqq", 1, 10**6, 1, 0))),
    ("utimes with -1 microsecond", "EINVAL", lambda: sc(
        NR.utimes, made("g"), struct.pack("qqqq", 1, -1, 1, 0))),
    ("futimesat of a descriptor by null", "0",
     lambda: sc(NR.futimesat, file(name="g"), None, None)),
    ("utime", "0 5000000000 6000000000", lambda: utime()),
    ("lutimes of a link", "0 1000000002 3000000004", lambda: of_a_link()),
]


def made(name):
    os.close(file(name=name))
    return name.encode()


def utime():
    made("f")
    return then(sc(NR.utime, b"f", struct.pack("qq", 5, 6))) + " %d %d" % times_of()


def of_a_link():
    os.unlink("f") if os.path.lexists("f") else None
    os.symlink("nowhere", "f")
    r = sc(NR.utimensat, -100, b"f", spec(1, 2) + spec(3, 4), 0x100)
    a, m = times_of()
    os.unlink("f")
    return then(r) + " %d %d" % (a, m)


@cases(CLOCKS, shared=True)
def clocks(expected, fn):
    need_root()
    judged(expected, fn)


@cases(SLEEPS, shared=True)
def sleeps(expected, fn):
    judged(expected, fn)


@cases(TIMERS, shared=True)
def timers(expected, fn):
    judged(expected, fn)


@cases(DESCRIPTORS_OF_TIME, shared=True)
def timer_descriptors(expected, fn):
    need_root()
    judged(expected, fn)


@cases(INTERVALS, shared=True)
def intervals(expected, fn):
    judged(expected, fn)


@cases(STAMPS, shared=True)
def stamps(expected, fn):
    need_root()
    judged(expected, fn)


run()
