"""Calls on processes, an error, flag or limit a case: waits, ids, limits, priorities, clone(2)."""

import ctypes
import os
import signal
import struct

from lib.guest import *
from lib.operands import *

SYS.update(sched_get_priority_max=146, sched_get_priority_min=147, sched_rr_get_interval=148,
           kcmp=312)
NO_PROCESS = 2**22 + 5
NOHANG, UNTRACED, STOPPED, EXITED, CONTINUED, NOWAIT = 1, 2, 2, 4, 8, 0x01000000
ALL, PID, PGID, PIDFD = 0, 1, 2, 3
VM, FS, FILES, SIGHAND, THREAD, SYSVSEM = 0x100, 0x200, 0x400, 0x800, 0x10000, 0x40000
CHILD_PIDFD, PARENT, DETACHED, PARENT_SETTID = 0x1000, 0x8000, 0x400000, 0x100000
NEWNS, NEWUSER, NEWPID, CLEAR_SIGHAND, INTO_CGROUP = (
    0x20000, 0x10000000, 0x20000000, 1 << 32, 1 << 33)


def child(code=7):
    return spawn(lambda: code)


def zombie(code=7):
    pid = child(code)
    wait_state(pid, "Z")
    return pid


def sleeper():
    return spawn(lambda: signal.pause())


def stopped():
    pid = sleeper()
    wait_state(pid, "S")
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    return pid


def done(pid, r):
    """Ends the child and returns r."""
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return r


def waited(kind, id, options):
    """Returns what waitid gives: signal number, code and status, or the error."""
    got = buf()
    r = sc(NR.waitid, kind, id, got, options, None)
    if r < 0:
        return spell(r)
    signo, code, pid, status = struct.unpack_from("i4xi4xi4xi", ctypes.string_at(got, 32))
    return "%d %d %d" % (signo, code, status)



WAITS = [
    ("for no child", "ECHILD", lambda: sc(NR.wait4, -1, None, 0, None)),
    ("for a missing process", "ECHILD", lambda: sc(NR.wait4, NO_PROCESS, None, 0, None)),
    ("for itself", "ECHILD", lambda: sc(NR.wait4, os.getpid(), None, 0, None)),
    ("for the parent", "ECHILD", lambda: sc(NR.wait4, os.getppid(), None, 0, None)),
    ("for pid -2^31", "ESRCH", lambda: sc(NR.wait4, -2**31, None, 0, None)),
    ("with an unknown option", "EINVAL", lambda: sc(NR.wait4, -1, None, 4, None)),
    ("with every unknown option", "EINVAL", lambda: sc(NR.wait4, -1, None, 0x1FFFFFF4, None)),
    ("for a missing group", "ECHILD", lambda: sc(NR.wait4, -NO_PROCESS, None, 0, None)),
    ("for one that runs", "0", lambda: (lambda p: done(p, sc(NR.wait4, p, None, NOHANG, None)))(
        sleeper())),
    ("for one that stopped without asking", "0", lambda: (lambda p: done(
        p, sc(NR.wait4, p, None, NOHANG, None)))(stopped())),
    ("for one that stopped", "1", lambda: (lambda p: done(p, int(
        sc(NR.wait4, p, None, NOHANG | UNTRACED, None) == p)))(stopped())),
    ("for clones only", "ECHILD", lambda: (lambda p: done(p, sc(
        NR.wait4, p, None, NOHANG | 0x80000000, None)))(sleeper())),
    ("for its own children only", "1",
     lambda: int(sc(NR.wait4, *[p := zombie(), None, 0x20000000, None])
        == p)),
    ("waitid without an event", "EINVAL", lambda: sc(NR.waitid, ALL, 0, None, 0, None)),
    ("waitid with an unknown option", "EINVAL",
     lambda: sc(NR.waitid, ALL, 0, None, EXITED | 0x10, None)),
    ("waitid of an unknown kind", "EINVAL", lambda: sc(NR.waitid, 9, 0, None, EXITED, None)),
    ("waitid of pid 0", "EINVAL", lambda: sc(NR.waitid, PID, 0, None, EXITED, None)),
    ("waitid of pid -1", "EINVAL", lambda: sc(NR.waitid, PID, -1, None, EXITED, None)),
    ("waitid of group -1", "EINVAL", lambda: sc(NR.waitid, PGID, -1, None, EXITED, None)),
    ("waitid of the own group without a child", "ECHILD", lambda: alone(
        lambda: sc(NR.waitid, PGID, 0, None, EXITED, None))),
    ("waitid of a descriptor that is none", "EBADF",
     lambda: sc(NR.waitid, PIDFD, 899, None, EXITED, None)),
    ("waitid of descriptor -1", "EINVAL", lambda: sc(NR.waitid, PIDFD, -1, None, EXITED, None)),
    ("waitid of an exit", "17 1 7", lambda: waited(PID, child(7), EXITED)),
    ("waitid of a kill", "17 2 9",
     lambda: (lambda p: (os.kill(p, 9), waited(PID, p, EXITED))[1])(sleeper())),
    ("waitid of a stop", "17 5 19",
     lambda: (lambda p: done(p, waited(PID, p, STOPPED | NOWAIT)))(stopped())),
    ("waitid of a stop that was seen", "17 5 19 0 0 0", lambda: (lambda p: done(p, then(
        waited(PID, p, STOPPED), waited(PID, p, STOPPED | NOHANG))))(stopped())),
    ("waitid of a continuation", "17 6 18", lambda: (lambda p: (
        os.kill(p, signal.SIGCONT), done(p, waited(PID, p, CONTINUED)))[1])(stopped())),
    ("waitid with WNOWAIT leaves the child", "17 1 7 17 1 7 ECHILD", lambda: (lambda p: then(
        waited(PID, p, EXITED | NOWAIT), waited(PID, p, EXITED), waited(PID, p, EXITED)))(child())),
    ("waitid for a stop of a zombie", "ECHILD ECHILD 17 1 7", lambda: (lambda p: then(
        waited(PID, p, STOPPED), waited(PID, p, STOPPED | NOHANG), waited(PID, p, EXITED)))(
            zombie())),
    ("waitid for a continuation of a zombie", "ECHILD", lambda: waited(PID, zombie(), CONTINUED)),
    ("waitid for a stop of one that ends", "ECHILD", lambda: waited(
        PID, spawn(wait_parent_sleeps), STOPPED | CONTINUED)),
    ("waitid of a pidfd", "17 1 9",
     lambda: waited(PIDFD, works(NR.pidfd_open, child(9), 0), EXITED)),
    ("waitid of a pidfd that does not block", "EAGAIN", lambda: (lambda p: done(p, waited(
        PIDFD, works(NR.pidfd_open, p, os.O_NONBLOCK), EXITED)))(sleeper())),
    ("waitid of one that runs", "0 0 0",
     lambda: (lambda p: done(p, waited(PID, p, EXITED | NOHANG)))(
        sleeper())),
]

IDS = [
    ("getpgid of a missing process", "ESRCH", lambda: sc(NR.getpgid, NO_PROCESS)),
    ("getpgid of -1", "ESRCH", lambda: sc(NR.getpgid, -1)),
    ("getsid of a missing process", "ESRCH", lambda: sc(NR.getsid, NO_PROCESS)),
    ("setpgid of a missing process", "ESRCH", lambda: sc(NR.setpgid, NO_PROCESS, 0)),
    ("setpgid of -1", "EINVAL", lambda: sc(NR.setpgid, -1, 0)),
    ("setpgid to -1", "EINVAL", lambda: sc(NR.setpgid, 0, -1)),
    ("setpgid to a group that is none", "EPERM", lambda: alone(lambda: sc(NR.setpgid, 0, NO_PROCESS))),
    ("setpgid of the parent", "ESRCH", lambda: sc(NR.setpgid, os.getppid(), 0)),
    ("setpgid of a session leader", "EPERM",
     lambda: alone(lambda: (os.setsid(), sc(NR.setpgid, 0, 0))[1])),
    ("setpgid of a zombie", "0", lambda: (lambda p: done(p, sc(NR.setpgid, p, p)))(zombie())),
    ("setsid of a group leader", "EPERM",
     lambda: alone(lambda: (os.setpgid(0, 0), sc(NR.setsid))[1])),
    ("setsid twice", "EPERM", lambda: alone(lambda: (os.setsid(), sc(NR.setsid))[1])),
    ("setuid to -1", "EINVAL", lambda: sc(NR.setuid, -1)),
    ("setgid to -1", "EINVAL", lambda: sc(NR.setgid, -1)),
    ("setreuid keeps with -1", "0", lambda: sc(NR.setreuid, -1, -1)),
    ("setresuid keeps with -1", "0", lambda: sc(NR.setresuid, -1, -1, -1)),
    ("setuid by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.setuid, 0))),
    ("setgid by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.setgid, 0))),
    ("setreuid by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.setreuid, 0, -1))),
    ("setresuid by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.setresuid, -1, -1, 0))),
    ("setresgid by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.setresgid, -1, 0, -1))),
    ("setgroups by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.setgroups, 0, None))),
    ("setgroups of too many", "EINVAL", lambda: sc(NR.setgroups, 65537, buf())),
    ("setgroups of -1", "EINVAL", lambda: sc(NR.setgroups, -1, None)),
    ("getgroups of -1", "EINVAL", lambda: sc(NR.getgroups, -1, None)),
    ("getgroups into too few", "EINVAL", lambda: alone(lambda: (
        os.setgroups([1, 2, 3]), sc(NR.getgroups, 2, buf()))[1])),
    ("getgroups counts", "3", lambda: alone(lambda: (
        os.setgroups([1, 2, 3]), sc(NR.getgroups, 0, None))[1])),
    ("setfsuid shows the old one", "0 5 5", lambda: alone(lambda: then(
        sc(NR.setfsuid, 5), sc(NR.setfsuid, -1), sc(NR.setfsuid, 0)))),
    ("setfsuid by another user", "65534 65534", lambda: as_nobody(lambda: then(
        sc(NR.setfsuid, 5), sc(NR.setfsuid, -1)))),
    ("pidfd of a missing process", "ESRCH", lambda: sc(NR.pidfd_open, NO_PROCESS, 0)),
    ("pidfd of 0", "EINVAL", lambda: sc(NR.pidfd_open, 0, 0)),
    ("pidfd of -1", "EINVAL", lambda: sc(NR.pidfd_open, -1, 0)),
    ("pidfd with an unknown flag", "EINVAL", lambda: sc(NR.pidfd_open, os.getpid(), 1)),
    ("pidfd_getfd with a flag", "EINVAL", lambda: sc(
        NR.pidfd_getfd, sc(NR.pidfd_open, os.getpid(), 0), 0, 1)),
    ("pidfd_getfd of a closed descriptor", "EBADF", lambda: sc(
        NR.pidfd_getfd, sc(NR.pidfd_open, os.getpid(), 0), 899, 0)),
    ("capget of an old version", "EINVAL",
     lambda: sc(NR.capget, buf(8, struct.pack("Ii", 77, 0)), buf())),
    ("capget asks for the version", "0 0x20080522", lambda: version()),
    ("capget of a missing process", "ESRCH",
     lambda: sc(NR.capget, struct.pack("Ii", 0x20080522, NO_PROCESS), buf())),
    ("capget of -1", "EINVAL", lambda: sc(NR.capget, struct.pack("Ii", 0x20080522, -1), buf())),
    ("capset of another", "EPERM", lambda: sc(
        NR.capset, struct.pack("Ii", 0x20080522, os.getppid()), bytes(24))),
    ("capset of a capability that is not permitted", "EPERM", lambda: as_nobody(lambda: sc(
        NR.capset, struct.pack("Ii", 0x20080522, 0), struct.pack("IIIIII", 1, 1, 0, 0, 0, 0)))),
    ("kcmp of a missing process", "ESRCH", lambda: sc(NR.kcmp, os.getpid(), NO_PROCESS, 1, 0, 0)),
    ("kcmp of an unknown kind", "EINVAL", lambda: sc(NR.kcmp, os.getpid(), os.getpid(), 99, 0, 0)),
    ("kcmp of one file", "0", lambda: sc(NR.kcmp, os.getpid(), os.getpid(), 0, 0, os.dup(0))),
    ("kcmp of a bad descriptor", "EBADF", lambda: sc(NR.kcmp, os.getpid(), os.getpid(), 0, 0, 899)),
    ("kcmp of memory with itself", "0", lambda: sc(NR.kcmp, os.getpid(), os.getpid(), 1, 0, 0)),
]


def version():
    head = buf(8, struct.pack("Ii", 77, 0))
    r = sc(NR.capget, head, None)
    return then(r) + " %#x" % ctypes.c_uint32.from_address(head).value


def limit(what, soft, hard):
    return sc(NR.prlimit64, 0, what, struct.pack("QQ", soft, hard), None)


INFINITY = 2**64 - 1
LIMITS = [
    ("unknown", "EINVAL", lambda: sc(NR.prlimit64, 0, 16, None, buf())),
    ("-1", "EINVAL", lambda: sc(NR.prlimit64, 0, -1, None, buf())),
    ("of a missing process", "ESRCH", lambda: sc(NR.prlimit64, NO_PROCESS, 7, None, buf())),
    ("of the parent", "0", lambda: sc(NR.prlimit64, os.getppid(), 7, None, buf())),
    ("of root by another user", "EPERM", lambda: as_nobody(
        lambda: sc(NR.prlimit64, os.getppid(), 7, None, buf()))),
    ("soft over hard", "EINVAL", lambda: limit(7, 100, 50)),
    ("lower and back by another user", "0 EPERM", lambda: as_nobody(lambda: then(
        limit(7, 50, 50), limit(7, 50, 60)))),
    ("soft up to hard by another user", "0 0", lambda: as_nobody(lambda: then(
        limit(7, 50, 60), limit(7, 60, 60)))),
    ("open files over the system's", "EPERM", lambda: alone(lambda: limit(7, INFINITY, INFINITY))),
    ("getrlimit unknown", "EINVAL", lambda: sc(NR.getrlimit, 16, buf())),
    ("setrlimit unknown", "EINVAL", lambda: sc(NR.setrlimit, 16, buf())),
    ("open files", "0 EINVAL",
     lambda: alone(lambda: then(limit(7, 10, 1000), sc(NR.fcntl, 0, 0, 10)))),
    ("open files at dup2", "0 EBADF",
     lambda: alone(lambda: then(limit(7, 10, 1000), sc(NR.dup2, 0, 10)))),
    ("open files at dup3", "0 EBADF", lambda: alone(lambda: then(
        limit(7, 10, 1000), sc(NR.dup3, 0, 10, 0)))),
    ("open files at 0", "0 EMFILE", lambda: alone(lambda: then(limit(7, 0, 1000), sc(NR.dup, 0)))),
    ("file size", "5 EFBIG 0", lambda: alone(lambda: (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN), file_size())[1])),
    ("file size sends a signal", "0x19", lambda: "%#x" % in_child(lambda: (
        limit(4, 0, 0), signal.signal(signal.SIGXFSZ, signal.SIG_DFL), file_size())[2])),
    ("file size of ftruncate", "EFBIG", lambda: alone(lambda: (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN), limit(1, 10, 1000),
        sc(NR.ftruncate, file(name="g"), 11))[2])),
    ("file size of fallocate", "EFBIG", lambda: alone(lambda: (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN), limit(1, 10, 1000),
        sc(NR.fallocate, file(name="g"), 0, 0, 11))[2])),
    ("processes of another user", "0 EAGAIN",
     lambda: as_nobody(lambda: then(limit(6, 0, 0), sc(NR.fork)))),
    ("rusage of an unknown kind", "EINVAL", lambda: sc(NR.getrusage, 2, buf())),
    ("rusage of the thread", "0", lambda: sc(NR.getrusage, 1, buf())),
    ("rusage of the children", "0", lambda: sc(NR.getrusage, -1, buf())),
]


def file_size():
    fd = file(name="g")
    limit(1, 10, 1000)
    return then(sc(NR.pwrite64, fd, b"x" * 20, 20, 5), sc(NR.pwrite64, fd, b"x", 1, 10),
                sc(NR.pwrite64, fd, b"x", 0, 10))


def policy(number, priority=0, pid=0):
    return sc(NR.sched_setscheduler, pid, number, struct.pack("i", priority))


def attr(policy=0, flags=0, nice=0, priority=0, size=48, tail=b""):
    return sc(NR.sched_setattr, 0, struct.pack(
        "IIQiIQQQ", size, policy, flags, nice, priority, 0, 0, 0) + tail, 0)


SCHEDULING = [
    ("nice of an unknown kind", "EINVAL", lambda: sc(NR.getpriority, 3, 0)),
    ("nice of a missing process", "ESRCH", lambda: sc(NR.getpriority, 0, NO_PROCESS)),
    ("nice of a missing group", "ESRCH", lambda: sc(NR.getpriority, 1, NO_PROCESS)),
    ("nice of a user without processes", "ESRCH", lambda: sc(NR.getpriority, 2, 54321)),
    ("nice is shown as 20", "20", lambda: alone(lambda: sc(NR.getpriority, 0, 0))),
    ("nice 5", "0 15",
     lambda: alone(lambda: then(sc(NR.setpriority, 0, 0, 5), sc(NR.getpriority, 0, 0)))),
    ("nice 100", "0 1", lambda: alone(lambda: then(
        sc(NR.setpriority, 0, 0, 100), sc(NR.getpriority, 0, 0)))),
    ("nice of a missing process is set", "ESRCH", lambda: sc(NR.setpriority, 0, NO_PROCESS, 0)),
    ("nice of an unknown kind is set", "EINVAL", lambda: sc(NR.setpriority, 5, 0, 0)),
    ("nice of root by another user", "EPERM", lambda: as_nobody(
        lambda: sc(NR.setpriority, 0, os.getppid(), 5))),
    ("nice down by another user", "0 EACCES", lambda: as_nobody(lambda: then(
        sc(NR.setpriority, 0, 0, 5), sc(NR.setpriority, 0, 0, 0)))),
    ("policy of a missing process", "ESRCH", lambda: sc(NR.sched_getscheduler, NO_PROCESS)),
    ("policy of -1", "EINVAL", lambda: sc(NR.sched_getscheduler, -1)),
    ("policy", "0", lambda: sc(NR.sched_getscheduler, 0)),
    ("set an unknown policy", "EINVAL", lambda: policy(9)),
    ("set policy 4", "EINVAL", lambda: policy(4)),
    ("set policy -1", "EINVAL", lambda: policy(-1)),
    ("set other with priority 1", "EINVAL", lambda: policy(0, 1)),
    ("set fifo with priority 0", "EINVAL", lambda: policy(1, 0)),
    ("set fifo with priority 100", "EINVAL", lambda: policy(1, 100)),
    ("set batch", "0 3", lambda: alone(lambda: then(policy(3), sc(NR.sched_getscheduler, 0)))),
    ("set idle", "0 5", lambda: alone(lambda: then(policy(5), sc(NR.sched_getscheduler, 0)))),
    ("set batch with reset on fork", "0 1073741827", lambda: alone(lambda: then(
        policy(3 | 0x40000000), sc(NR.sched_getscheduler, 0)))),
    ("set of -1", "EINVAL", lambda: policy(0, 0, -1)),
    ("set of a missing process", "ESRCH", lambda: policy(0, 0, NO_PROCESS)),
    ("set fifo by another user", "EPERM", lambda: as_nobody(lambda: policy(1, 1))),
    ("set deadline so", "EINVAL", lambda: policy(6)),
    ("parameter of -1", "EINVAL", lambda: sc(NR.sched_getparam, -1, buf())),
    ("parameter without a place", "EINVAL", lambda: sc(NR.sched_getparam, 0, None)),
    ("set parameter 1 of other", "EINVAL", lambda: sc(NR.sched_setparam, 0, struct.pack("i", 1))),
    ("highest of fifo", "99", lambda: sc(NR.sched_get_priority_max, 1)),
    ("lowest of fifo", "1", lambda: sc(NR.sched_get_priority_min, 1)),
    ("highest of other", "0", lambda: sc(NR.sched_get_priority_max, 0)),
    ("highest of deadline", "0", lambda: sc(NR.sched_get_priority_max, 6)),
    ("highest of an unknown policy", "EINVAL", lambda: sc(NR.sched_get_priority_max, 9)),
    ("interval of -1", "EINVAL", lambda: sc(NR.sched_rr_get_interval, -1, buf())),
    ("interval of a missing process", "ESRCH", lambda: sc(NR.sched_rr_get_interval, NO_PROCESS, buf())),
    ("attributes", "0", lambda: alone(lambda: attr())),
    ("attributes with nice 7", "0 13", lambda: alone(lambda: then(
        attr(nice=7), sc(NR.getpriority, 0, 0)))),
    ("attributes of an unknown policy", "EINVAL", lambda: attr(9)),
    ("attributes with an unknown flag", "EINVAL", lambda: attr(0, 1 << 10)),
    ("attributes of fifo 0", "EINVAL", lambda: attr(1)),
    ("attributes of other with a priority", "EINVAL", lambda: attr(0, 0, 0, 5)),
    ("attributes of size 10", "E2BIG", lambda: attr(size=10)),
    ("attributes of size 0", "0", lambda: alone(lambda: attr(size=0))),
    ("attributes of size 5000", "E2BIG", lambda: attr(size=5000)),
    ("attributes with zeros behind", "0", lambda: alone(lambda: attr(size=64, tail=bytes(16)))),
    ("attributes with something behind", "E2BIG", lambda: attr(size=64, tail=b"x" * 16)),
    ("attributes of a deadline that is none", "EINVAL", lambda: attr(6)),
    ("get attributes with a flag", "EINVAL", lambda: sc(NR.sched_getattr, 0, buf(), 48, 1)),
    ("get attributes of size 47", "EINVAL", lambda: sc(NR.sched_getattr, 0, buf(), 47, 0)),
    ("get attributes of size 5000", "EINVAL", lambda: sc(NR.sched_getattr, 0, buf(8192), 5000, 0)),
    ("get attributes of a missing process", "ESRCH", lambda: sc(NR.sched_getattr, NO_PROCESS, buf(), 48, 0)),
    ("affinity of a missing process", "ESRCH", lambda: sc(NR.sched_getaffinity, NO_PROCESS, 8, buf())),
    ("affinity of size 7", "EINVAL", lambda: sc(NR.sched_getaffinity, 0, 7, buf())),
    ("affinity of size 0", "EINVAL", lambda: sc(NR.sched_getaffinity, 0, 0, buf())),
    ("set no processor", "EINVAL", lambda: sc(NR.sched_setaffinity, 0, 8, bytes(8))),
    ("set a missing processor", "EINVAL", lambda: sc(
        NR.sched_setaffinity, 0, 1024, bytes(1023) + b"\x80")),
    ("set the affinity of a missing process", "ESRCH",
     lambda: sc(NR.sched_setaffinity, NO_PROCESS, 8, b"\xff" * 8)),
    ("set the affinity of root by another user", "EPERM", lambda: as_nobody(
        lambda: sc(NR.sched_setaffinity, os.getppid(), 8, b"\xff" * 8))),
    ("i/o priority of a missing process", "ESRCH", lambda: sc(NR.ioprio_get, 1, NO_PROCESS)),
    ("i/o priority of an unknown kind", "EINVAL", lambda: sc(NR.ioprio_get, 9, 0)),
    ("set an i/o priority of class 4", "EINVAL", lambda: sc(NR.ioprio_set, 1, 0, 4 << 13)),
    ("set an i/o priority of level 8", "0", lambda: sc(NR.ioprio_set, 1, 0, 2 << 13 | 8)),
    ("set no i/o class with a level", "EINVAL", lambda: sc(NR.ioprio_set, 1, 0, 3)),
    ("set an i/o priority", "0 16390", lambda: alone(lambda: then(
        sc(NR.ioprio_set, 1, 0, 2 << 13 | 6), sc(NR.ioprio_get, 1, 0)))),
    ("take an i/o priority back", "0 0 0", lambda: alone(lambda: then(
        sc(NR.ioprio_set, 1, 0, 2 << 13 | 6), sc(NR.ioprio_set, 1, 0, 0),
        sc(NR.ioprio_get, 1, 0)))),
    ("the i/o priority of a group follows nice", "0 0 16388", lambda: alone(lambda: then(
        works(NR.setpgid, 0, 0), sc(NR.ioprio_set, 1, 0, 0), sc(NR.ioprio_get, 2, 0)))),
    ("set an idle i/o priority", "0 24576", lambda: alone(lambda: then(
        sc(NR.ioprio_set, 1, 0, 3 << 13), sc(NR.ioprio_get, 1, 0)))),
]


def clone(flags, stack=0):
    """Calls clone(2) with flags that Linux refuses."""
    return sc(NR.clone, flags, stack, None, None, None)


def clone3(flags=0, exit_signal=17, size=88, **other):
    names = ("flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid "
             "set_tid_size cgroup").split()
    values = dict(dict.fromkeys(names, 0), flags=flags, exit_signal=exit_signal, **other)
    args = struct.pack("11Q", *[values[n] & INFINITY for n in names]) + bytes(max(0, size - 88))
    r = sc(NR.clone3, args, size)
    if r == 0:
        os._exit(0)
    if r > 0:
        sc(NR.wait4, r, None, 0x40000000, None)
        return 1
    return r


CLONES = [
    ("sighand without vm", "EINVAL", lambda: clone(SIGHAND | 17)),
    ("thread without sighand", "EINVAL", lambda: clone(THREAD | VM | 17)),
    ("namespace and shared fs", "EINVAL", lambda: clone(NEWNS | FS | 17)),
    ("user namespace and shared fs", "EINVAL", lambda: clone(NEWUSER | FS | 17)),
    ("pid namespace and thread", "EINVAL", lambda: clone(NEWPID | THREAD | SIGHAND | VM)),
    ("pidfd and detached", "EINVAL", lambda: clone(CHILD_PIDFD | DETACHED | 17)),
    ("pidfd and parent's tid", "EINVAL", lambda: clone(CHILD_PIDFD | PARENT_SETTID | 17)),
    ("ipc namespace and semaphores", "EINVAL", lambda: clone(0x08000000 | SYSVSEM | 17)),
    ("clone3 of size 63", "EINVAL", lambda: clone3(size=63)),
    ("clone3 of size 0", "EINVAL", lambda: clone3(size=0)),
    ("clone3 of size 5000", "E2BIG", lambda: clone3(size=5000)),
    ("clone3 of size 64", "1", lambda: clone3(size=64)),
    ("clone3", "1", lambda: clone3()),
    ("clone3 with zeros behind", "1", lambda: clone3(size=128)),
    ("clone3 with an unknown flag", "EINVAL", lambda: clone3(1 << 40)),
    ("clone3 with detached", "EINVAL", lambda: clone3(DETACHED)),
    ("clone3 with a signal in the flags", "EINVAL", lambda: clone3(17)),
    ("clone3 with signal 65", "EINVAL", lambda: clone3(0, 65)),
    ("clone3 with signal 256", "EINVAL", lambda: clone3(0, 256)),
    ("clone3 without a signal", "1", lambda: clone3(0, 0)),
    ("clone3 of a thread with a signal", "EINVAL", lambda: clone3(THREAD | SIGHAND | VM, 17)),
    ("clone3 of a sibling with a signal", "EINVAL", lambda: clone3(PARENT, 17)),
    ("clone3 with a stack without a size", "EINVAL", lambda: clone3(stack=area())),
    ("clone3 with a size without a stack", "EINVAL", lambda: clone3(stack_size=4096)),
    ("clone3 with a stack that wraps", "EINVAL",
     lambda: clone3(stack=2**64 - 4096, stack_size=8192)),
    ("clone3 clearing and sharing actions", "EINVAL", lambda: clone3(CLEAR_SIGHAND | SIGHAND | VM)),
    ("clone3 clearing actions", "1", lambda: clone3(CLEAR_SIGHAND)),
    ("clone3 with tids without a number", "EINVAL", lambda: clone3(set_tid=buf())),
    ("clone3 with a number without tids", "EINVAL", lambda: clone3(set_tid_size=1)),
    ("clone3 with too many tids", "EINVAL", lambda: clone3(set_tid=buf(), set_tid_size=33)),
    ("clone3 with tid 0", "EINVAL", lambda: clone3(set_tid=buf(), set_tid_size=1)),
    ("clone3 with a tid that is taken", "EEXIST", lambda: clone3(
        set_tid=buf(4, struct.pack("i", os.getpid())), set_tid_size=1)),
    ("clone3 with tids of more namespaces", "EINVAL", lambda: clone3(
        set_tid=buf(40, struct.pack("10i", *[30000] * 10)), set_tid_size=10)),
    ("clone3 into a group that is none", "EBADF", lambda: clone3(INTO_CGROUP, cgroup=899)),
    ("clone3 with a group and no flag", "1", lambda: clone3(cgroup=899)),
    ("unshare with an unknown flag", "EINVAL", lambda: sc(NR.unshare, 1)),
    ("unshare of nothing", "0", lambda: sc(NR.unshare, 0)),
    ("unshare of a lone thread", "0", lambda: sc(NR.unshare, THREAD | SIGHAND | VM)),
    ("unshare of files", "0", lambda: sc(NR.unshare, FILES | FS | SYSVSEM)),
    ("unshare of parent", "EINVAL", lambda: sc(NR.unshare, PARENT)),
    ("setns of a bad descriptor", "EBADF", lambda: sc(NR.setns, 899, 0)),
    ("setns of another kind", "EINVAL", lambda: sc(
        NR.setns, os.open("/proc/self/ns/uts", os.O_RDONLY), 0x08000000)),
    ("setns of a pidfd without a kind", "EINVAL", lambda: sc(
        NR.setns, works(NR.pidfd_open, os.getpid(), 0), 0)),
    ("setns into the own user namespace", "EINVAL", lambda: sc(
        NR.setns, os.open("/proc/self/ns/user", os.O_RDONLY), 0)),
    ("close_range back to front", "EINVAL", lambda: sc(NR.close_range, 5, 4, 0)),
    ("close_range with an unknown flag", "EINVAL", lambda: sc(NR.close_range, 800, 801, 1)),
    ("close_range of nothing", "0", lambda: sc(NR.close_range, 800, 801, 0)),
    ("close_range to the end of numbers", "0", lambda: sc(NR.close_range, 2**31, 2**32 - 1, 0)),
    ("personality is shown", "0", lambda: sc(NR.personality, 0xFFFFFFFF)),
    ("sethostname of 65 bytes", "EINVAL", lambda: sc(NR.sethostname, b"x" * 65, 65)),
    ("sethostname of -1 bytes", "EINVAL", lambda: sc(NR.sethostname, b"x", -1)),
    ("sethostname by another user", "EPERM", lambda: as_nobody(lambda: sc(NR.sethostname, b"x", 1))),
    ("execve without a file", "ENOENT", lambda: sc(NR.execve, b"", None, None)),
    ("execve of too long an argument", "E2BIG",
     lambda: sc(NR.execve, b"/bin/true", (ctypes.c_char_p * 2)(
        b"x" * 131072, None), None)),
    ("execveat with an unknown flag", "EINVAL",
     lambda: sc(NR.execveat, -100, b"/bin/true", None, None, 1)),
    ("execveat of an empty name", "ENOENT", lambda: sc(NR.execveat, -100, b"", None, None, 0)),
    ("arch_prctl unknown", "EINVAL", lambda: sc(NR.arch_prctl, 0x9999, 0)),
    ("arch_prctl base in the kernel", "EPERM", lambda: sc(NR.arch_prctl, 0x1002, KERNEL)),
    ("arch_prctl gs base in the kernel", "EPERM", lambda: sc(NR.arch_prctl, 0x1001, KERNEL)),
    ("robust list of a bad size", "EINVAL", lambda: sc(NR.set_robust_list, buf(), 23)),
    ("robust list of a missing process", "ESRCH", lambda: sc(NR.get_robust_list, NO_PROCESS, buf(), buf())),
]


@cases(WAITS)
def waits(expected, fn):
    judged(expected, fn)


@cases(IDS, shared=True)
def ids(expected, fn):
    need_root()
    judged(expected, fn)


@cases(LIMITS, shared=True)
def limits(expected, fn):
    need_root()
    judged(expected, fn)


@cases(SCHEDULING, shared=True)
def scheduling(expected, fn):
    need_root()
    judged(expected, fn)


@cases(CLONES, shared=True)
def clones(expected, fn):
    need_root()
    judged(expected, fn)


run()
