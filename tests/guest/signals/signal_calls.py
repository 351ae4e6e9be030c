"""Calls on signals and timers, one error, flag or limit a case."""

import ctypes
import os
import resource
import signal
import struct

from lib.guest import *
from lib.operands import *

USR1, CHLD, RT = 10, 17, 40
BLOCK, UNBLOCK, SETMASK = 0, 1, 2
NO_PROCESS = 2**22 + 5
ONSTACK, DISABLE, AUTODISARM = 1, 2, 1 << 31


def mask(*signals):
    return struct.pack("Q", sum(1 << (s - 1) for s in signals))


def action(handler=0, flags=0, blocked=0, restorer=0):
    return struct.pack("QQQQ", handler, flags, restorer, blocked)


def sigaction(sig, new=None, old=None, size=8):
    return sc(NR.rt_sigaction, sig, new, old, size)


def shown(sig, handler, flags, blocked):
    """Sets an action and reads it back: handler, flags, mask."""
    old = buf()
    works(NR.rt_sigaction, sig, action(handler, flags, blocked, UNMAPPED), None, 8)
    works(NR.rt_sigaction, sig, action(), old, 8)
    h, f, _, m = struct.unpack("QQQQ", ctypes.string_at(old, 32))
    return "%d %#x %#x" % (h, f, m)


def info(sig=USR1, code=-1, errno=0, fields=b""):
    return (struct.pack("iii", sig, errno, code) + bytes(4) + fields).ljust(128, b"\0")


def blocked_now():
    old = buf()
    works(NR.rt_sigprocmask, BLOCK, None, old, 8)
    return ctypes.c_uint64.from_address(old).value


def after_mask(how, new, *before):
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    r = sc(NR.rt_sigprocmask, how, new, None, 8)
    return then(r) + " %#x" % blocked_now()


def pending():
    got = buf()
    works(NR.rt_sigpending, got, 8)
    return ctypes.c_uint64.from_address(got).value


def held(*signals):
    """Blocks these signals, sends them to this process, and returns the pending ones."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    for s in signals:
        os.kill(os.getpid(), s)
    return "%#x" % pending()


def waited(signals, sent=(), timeout=(0, 0), fields=True):
    """Calls rt_sigtimedwait. Returns the result, with number and code of the siginfo."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    for s in sent:
        os.kill(os.getpid(), s)
    got = buf()
    r = sc(NR.rt_sigtimedwait, mask(*signals), got, struct.pack("qq", *timeout), 8)
    if r < 0:
        return spell(r)
    return "%d %d %d" % (r, *struct.unpack_from("i4xi", ctypes.string_at(got, 16)))


def queued(sig, code, value=7, how=None):
    """Sends rt_sigqueueinfo to this process. Returns si_signo, si_code and si_value."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [sig])
    fields = struct.pack("iiq", 1, 2, value)
    r = sc(NR.rt_sigqueueinfo, os.getpid(), sig, info(sig, code, 0, fields))
    if r < 0:
        return spell(r)
    got = buf()
    sc(NR.rt_sigtimedwait, mask(sig), got, bytes(16), 8)
    number, c, pid, uid, v = struct.unpack_from("i4xi4xiiq", ctypes.string_at(got, 32))
    return "%d %d %d %d %d" % (number, c, pid, uid, v)


def zombie():
    pid = spawn(lambda: 0)
    wait_state(pid, "Z")
    return pid


def stack(base, size, flags=0):
    return sc(NR.sigaltstack, struct.pack("QIiQ", base, flags, 0, size), None)


def stack_shown(flags):
    old = buf()
    at = area(8)
    r = stack(at, 32768, flags)
    works(NR.sigaltstack, None, old)
    base, f, size = struct.unpack("QI4xQ", ctypes.string_at(old, 24))
    return then(r) + " %d %#x %d" % (base == at, f, size)


def ended(sig):
    """Returns the wait status of a child that gets the signal with its default action."""
    r, w = os.pipe()

    def child():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(sig, signal.SIG_DFL) if sig not in (9, 19) else None
        os.kill(os.getpid(), sig)
        return 3
    pid = spawn(child)
    return "%#x" % os.waitpid(pid, os.WUNTRACED)[1]


SENDING = [
    ("kill with signal 0", "0", lambda: sc(NR.kill, os.getpid(), 0)),
    ("kill with signal 65", "EINVAL", lambda: sc(NR.kill, os.getpid(), 65)),
    ("kill with signal -1", "EINVAL", lambda: sc(NR.kill, os.getpid(), -1)),
    ("kill a missing process", "ESRCH", lambda: sc(NR.kill, NO_PROCESS, 0)),
    ("kill a missing process with a bad signal", "ESRCH", lambda: sc(NR.kill, NO_PROCESS, 65)),
    ("kill a missing group", "ESRCH", lambda: sc(NR.kill, -NO_PROCESS, 0)),
    ("kill -2^31", "ESRCH", lambda: sc(NR.kill, -2**31, 0)),
    ("kill a zombie", "0", lambda: sc(NR.kill, zombie(), 9)),
    ("kill as another user", "EPERM", lambda: as_nobody(lambda: sc(NR.kill, os.getppid(), 0))),
    ("tkill thread 0", "EINVAL", lambda: sc(NR.tkill, 0, 0)),
    ("tkill thread -1", "EINVAL", lambda: sc(NR.tkill, -1, 0)),
    ("tkill a missing process", "ESRCH", lambda: sc(NR.tkill, NO_PROCESS, 0)),
    ("tkill with signal 65", "EINVAL", lambda: sc(NR.tkill, os.getpid(), 65)),
    ("tkill with signal 0", "0", lambda: sc(NR.tkill, os.getpid(), 0)),
    ("tgkill group 0", "EINVAL", lambda: sc(NR.tgkill, 0, os.getpid(), 0)),
    ("tgkill thread 0", "EINVAL", lambda: sc(NR.tgkill, os.getpid(), 0, 0)),
    ("tgkill the thread of another", "ESRCH", lambda: sc(NR.tgkill, os.getppid(), os.getpid(), 0)),
    ("tgkill itself", "0", lambda: sc(NR.tgkill, os.getpid(), os.getpid(), 0)),
    ("queue signal 0", "0", lambda: sc(NR.rt_sigqueueinfo, os.getpid(), 0, info(0))),
    ("queue signal 65", "EINVAL", lambda: sc(NR.rt_sigqueueinfo, os.getpid(), 65, info(65))),
    ("queue to a missing process", "ESRCH", lambda: sc(NR.rt_sigqueueinfo, NO_PROCESS, USR1, info())),
    ("queue to the parent as the kernel", "EPERM", lambda: sc(
        NR.rt_sigqueueinfo, os.getppid(), 0, info(0, 0x80))),
    ("queue to the parent as tkill", "EPERM",
     lambda: sc(NR.rt_sigqueueinfo, os.getppid(), 0, info(0, -6))),
    ("queue to the parent as kill", "EPERM",
     lambda: sc(NR.rt_sigqueueinfo, os.getppid(), 0, info(0, 0))),
    ("queue to itself as the kernel", "40 128 1 2 7", lambda: queued(RT, 0x80)),
    ("queue to itself as tkill", "40 -6 1 2 7", lambda: queued(RT, -6)),
    ("queue carries a value", "40 -1 1 2 7", lambda: queued(RT, -1)),
    ("queue a number that siginfo does not have", "10 -1 1 2 7", lambda: queued(USR1, -1)),
    ("queue code -60", "40 -60 1 2 7", lambda: queued(RT, -60)),
    ("tgqueue to group 0", "EINVAL", lambda: sc(
        NR.rt_tgsigqueueinfo, 0, os.getpid(), 0, info(0))),
    ("tgqueue to thread -1", "EINVAL",
     lambda: sc(NR.rt_tgsigqueueinfo, os.getpid(), -1, 0, info(0))),
    ("tgqueue to itself", "0", lambda: sc(
        NR.rt_tgsigqueueinfo, os.getpid(), os.getpid(), 0, info(0))),
    ("pidfd signal with a flag", "EINVAL", lambda: sc(
        NR.pidfd_send_signal, sc(NR.pidfd_open, os.getpid(), 0), 0, None, 1 << 8)),
    ("pidfd signal of another number in siginfo", "EINVAL", lambda: sc(
        NR.pidfd_send_signal, sc(NR.pidfd_open, os.getpid(), 0), USR1, info(RT), 0)),
    ("pidfd signal 65", "EINVAL", lambda: sc(
        NR.pidfd_send_signal, sc(NR.pidfd_open, os.getpid(), 0), 65, None, 0)),
    ("pidfd of a zombie", "0", lambda: sc(
        NR.pidfd_send_signal, sc(NR.pidfd_open, zombie(), 0), 0, None, 0)),
    ("standard signals merge", "10 EAGAIN EAGAIN EAGAIN", lambda: merged(USR1)),
    ("real-time signals do not merge", "40 40 40 EAGAIN", lambda: merged(RT)),
]


def merged(sig):
    signal.pthread_sigmask(signal.SIG_BLOCK, [sig])
    for _ in range(3):
        os.kill(os.getpid(), sig)
    return then(*[sc(NR.rt_sigtimedwait, mask(sig), None, bytes(16), 8) for _ in range(4)])


ACTIONS = [
    ("signal 0", "EINVAL", lambda: sigaction(0)),
    ("signal 65", "EINVAL", lambda: sigaction(65)),
    ("signal -1", "EINVAL", lambda: sigaction(-1)),
    ("signal 64", "0", lambda: sigaction(64)),
    ("look at kill", "0", lambda: sigaction(9)),
    ("set kill", "EINVAL", lambda: sigaction(9, action())),
    ("set stop", "EINVAL", lambda: sigaction(19, action(1))),
    ("size 4", "EINVAL", lambda: sigaction(USR1, None, None, 4)),
    ("size 16", "EINVAL", lambda: sigaction(USR1, None, None, 16)),
    ("size 0", "EINVAL", lambda: sigaction(USR1, None, None, 0)),
    ("flags that are known stay", "1 0xdc000007 0x0", lambda: shown(USR1, 1, 0xDC000007, 0)),
    ("unknown flags go", "1 0x4000000 0x0", lambda: shown(USR1, 1, 0x00FF0400 | 0x04000000, 0)),
    ("the mask keeps neither kill nor stop", "1 0x4000000 0xfffffffffffbfeff",
     lambda: shown(USR1, 1, 0x04000000, 2**64 - 1)),
    ("a mask of real-time signals stays", "1 0x4000000 0x8000000000000000",
     lambda: shown(RT, 1, 0x04000000, 1 << 63)),
    ("ignoring drops pending signals", "0x0", lambda: ignored(USR1)),
    ("the default of SIGCHLD drops pending signals", "0x0", lambda: defaulted(CHLD)),
    ("the default of SIGUSR1 drops nothing", "0x200", lambda: defaulted(USR1)),
]


def ignored(sig):
    held(sig)
    works(NR.rt_sigaction, sig, action(1), None, 8)
    return "%#x" % pending()


def defaulted(sig):
    signal.signal(sig, lambda *_: None)
    held(sig)
    works(NR.rt_sigaction, sig, action(0), None, 8)
    return "%#x" % pending()


MASKS = [
    ("unknown how", "EINVAL", lambda: sc(NR.rt_sigprocmask, 3, mask(USR1), None, 8)),
    ("unknown how without a set", "0", lambda: sc(NR.rt_sigprocmask, 3, None, None, 8)),
    ("size 4", "EINVAL", lambda: sc(NR.rt_sigprocmask, BLOCK, mask(USR1), None, 4)),
    ("size 128", "EINVAL", lambda: sc(NR.rt_sigprocmask, BLOCK, buf(), None, 128)),
    ("block adds", "0 0x7", lambda: after_mask(BLOCK, mask(1, 2), 3)),
    ("unblock takes", "0 0x4", lambda: after_mask(UNBLOCK, mask(1, 2), 1, 3)),
    ("set replaces", "0 0x3", lambda: after_mask(SETMASK, mask(1, 2), 3)),
    ("kill and stop cannot be blocked", "0 0x1", lambda: after_mask(SETMASK, mask(9, 19, 1))),
    ("all that can be", "0 0xfffffffffffbfeff",
     lambda: after_mask(SETMASK, struct.pack("Q", 2**64 - 1))),
    ("a set that is nowhere changes nothing", "EFAULT 0x4", lambda: after_mask(BLOCK, UNMAPPED, 3)),
    ("an old set that is nowhere comes too late", "EFAULT 0x200", lambda: too_late()),
    ("pending of size 4", "0", lambda: sc(NR.rt_sigpending, buf(), 4)),
    ("pending of size 16", "EINVAL", lambda: sc(NR.rt_sigpending, buf(), 16)),
    ("pending shows blocked signals", "0x8000000200", lambda: held(USR1, RT)),
    ("an ignored signal that is blocked is pending", "0x200", lambda: (
        signal.signal(USR1, signal.SIG_IGN), held(USR1))[1]),
    ("suspend of size 4", "EINVAL", lambda: sc(NR.rt_sigsuspend, mask(), 4)),
    ("suspend with a mask that is nowhere", "EFAULT", lambda: sc(NR.rt_sigsuspend, UNMAPPED, 8)),
    ("wait of size 4", "EINVAL", lambda: sc(NR.rt_sigtimedwait, mask(USR1), None, bytes(16), 4)),
    ("wait for nothing", "EAGAIN", lambda: waited([])),
    ("wait that times out", "EAGAIN", lambda: waited([USR1])),
    ("wait of 10^9 ns", "EINVAL", lambda: waited([USR1], (), (0, 10**9))),
    ("wait of -1 s", "EINVAL", lambda: waited([USR1], (), (-1, 0))),
    ("wait of -1 s for a pending signal", "EINVAL", lambda: waited([USR1], [USR1], (-1, 0))),
    ("wait gets a pending signal", "10 10 0", lambda: waited([USR1], [USR1])),
    ("wait gets the lowest", "10 10 0", lambda: waited([USR1, 12, RT], [RT, 12, USR1])),
    ("wait gets a fault before others", "11 11 0", lambda: waited([1, 11], [1, 11])),
    ("wait for kill gets nothing", "EAGAIN", lambda: waited([9])),
    ("signalfd of size 4", "EINVAL", lambda: sc(NR.signalfd4, -1, mask(USR1), 4, 0)),
    ("signalfd unknown flag", "EINVAL", lambda: sc(NR.signalfd4, -1, mask(USR1), 8, 1)),
    ("signalfd read of too few bytes", "EINVAL", lambda: signalfd(127)),
    ("signalfd read", "128", lambda: signalfd(128)),
    ("signalfd read of two", "256", lambda: signalfd(256, 2)),
    ("signalfd read of nothing", "EAGAIN", lambda: signalfd(128, 0)),
]


def too_late():
    r = sc(NR.rt_sigprocmask, BLOCK, mask(USR1), UNMAPPED, 8)
    return then(r) + " %#x" % blocked_now()


def signalfd(size, sent=1):
    signal.pthread_sigmask(signal.SIG_BLOCK, [RT])
    fd = works(NR.signalfd4, -1, mask(RT), 8, os.O_NONBLOCK)
    for _ in range(sent):
        os.kill(os.getpid(), RT)
    return sc(NR.read, fd, buf(), size)


STACKS = [
    ("too small", "ENOMEM", lambda: stack(area(8), 2047)),
    ("the smallest", "0", lambda: stack(area(8), 2048)),
    ("unknown flag", "EINVAL", lambda: stack(area(8), 32768, 4)),
    ("onstack and disable", "EINVAL", lambda: stack(area(8), 32768, ONSTACK | DISABLE)),
    ("disabled of any size", "0", lambda: stack(0, 0, DISABLE)),
    ("as it is", "0 1 0x0 32768", lambda: stack_shown(0)),
    ("with autodisarm", "0 1 0x80000000 32768", lambda: stack_shown(AUTODISARM)),
    ("with onstack", "0 1 0x0 32768", lambda: stack_shown(ONSTACK)),
    ("disabled", "0 0 0x2 0", lambda: stack_shown(DISABLE)),
    ("at an address in the kernel", "0", lambda: stack(KERNEL, 32768)),
]

ENDS = [
    ("hangup", "0x1", lambda: ended(1)),
    ("interrupt", "0x2", lambda: ended(2)),
    ("quit", "0x3", lambda: ended(3)),
    ("illegal", "0x4", lambda: ended(4)),
    ("trap", "0x5", lambda: ended(5)),
    ("abort", "0x6", lambda: ended(6)),
    ("bus", "0x7", lambda: ended(7)),
    ("float", "0x8", lambda: ended(8)),
    ("kill", "0x9", lambda: ended(9)),
    ("user 1", "0xa", lambda: ended(10)),
    ("segment", "0xb", lambda: ended(11)),
    ("user 2", "0xc", lambda: ended(12)),
    ("pipe", "0xd", lambda: ended(13)),
    ("alarm", "0xe", lambda: ended(14)),
    ("terminate", "0xf", lambda: ended(15)),
    ("stack fault", "0x10", lambda: ended(16)),
    ("child", "0x300", lambda: ended(17)),
    ("continue", "0x300", lambda: ended(18)),
    ("stop", "0x137f", lambda: ended(19)),
    ("urgent", "0x300", lambda: ended(23)),
    ("processor time", "0x18", lambda: ended(24)),
    ("file size", "0x19", lambda: ended(25)),
    ("virtual alarm", "0x1a", lambda: ended(26)),
    ("profile", "0x1b", lambda: ended(27)),
    ("window", "0x300", lambda: ended(28)),
    ("input", "0x1d", lambda: ended(29)),
    ("power", "0x1e", lambda: ended(30)),
    ("system call", "0x1f", lambda: ended(31)),
    ("the first real-time signal", "0x22", lambda: ended(34)),
    ("the last real-time signal", "0x40", lambda: ended(64)),
]


@cases(SENDING)
def sending(expected, fn):
    need_root()
    judged(expected, fn)


@cases(ACTIONS)
def actions(expected, fn):
    judged(expected, fn)


@cases(MASKS)
def masks(expected, fn):
    judged(expected, fn)


@cases(STACKS)
def stacks(expected, fn):
    judged(expected, fn)


@cases(ENDS, shared=True)
def default_of(expected, fn):
    judged(expected, fn)


run()
