"""pidfds: fdinfo, ioctl(2) for namespaces of the process, and pids that clone3(2) has to give."""

import ctypes
import errno
import fcntl
import os
import signal
import struct

from lib.guest import NR, Pipe, eq, fails, gives, need_root, ok, run, sc, spawn, test
from lib.namespaces import NEWNET, NEWPID, NEWUTS, contained, ns, unshare

KINDS = ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children",
         "user", "uts"]


def request(index):
    return 0xff01 + index


def clone3(flags, tids):
    """Starts a child that sleeps until it is killed. Returns its pid."""
    ids = (ctypes.c_int * len(tids))(*tids)
    args = struct.pack("11Q", flags, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(ids), len(tids), 0)
    pid = sc(NR.clone3, args, len(args))
    if pid == 0:
        while True:
            sc(NR.pause)
    return pid


def end(pid):
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def fdinfo(fd):
    with open("/proc/self/fdinfo/%d" % fd) as f:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in f)
    return lines["Pid"], lines["NSpid"]


@test
def fdinfo_has_a_number_for_each_namespace():
    need_root()

    def body():
        pid = clone3(NEWPID, [1])
        fd = os.pidfd_open(pid)
        eq(fdinfo(fd), (str(pid), "%d\t1" % pid))
        end(pid)
        eq(fdinfo(fd), ("-1", "-1"))
    contained(body)


@test
def each_process_has_a_number_of_its_own():
    other = spawn(signal.pause)
    ours, again, theirs = (os.pidfd_open(pid) for pid in (os.getpid(), os.getpid(), other))
    eq(os.fstat(ours).st_ino, os.fstat(again).st_ino, "the same process")
    eq(os.fstat(ours).st_dev, os.fstat(theirs).st_dev, "the file system")
    ok(os.fstat(ours).st_ino != os.fstat(theirs).st_ino, "another process has another number")
    eq(os.fstat(ours).st_mode, 0o700)
    about = ctypes.create_string_buffer(120)
    gives(0, NR.fstatfs, ours, about)
    eq(int.from_bytes(about.raw[:8], "little"), 0x50494446, "the file system's type")
    fails(errno.EOPNOTSUPP, os.fchmod, ours, 0o600)
    fails(errno.EOPNOTSUPP, os.fchown, ours, -1, 5)
    end(other)


@test
def namespaces_of_a_process():
    need_root()
    ready, over = Pipe(), Pipe()

    def other():
        unshare(NEWUTS | NEWNET)
        os.write(ready.w, b"x")
        os.read(over.r, 1)
    pid = spawn(other)
    os.read(ready.r, 1)
    fd = os.pidfd_open(pid)
    for i, kind in enumerate(KINDS):
        got = fcntl.ioctl(fd, request(i), 0)
        eq("%s:[%d]" % (kind.split("_")[0], os.fstat(got).st_ino), ns(kind, pid), kind)
        ok(fcntl.fcntl(got, fcntl.F_GETFD) & fcntl.FD_CLOEXEC, "close on exec")
    fails(errno.EINVAL, fcntl.ioctl, fd, request(0), 1)
    os.write(over.w, b"x")
    os.waitpid(pid, 0)
    fails(errno.ESRCH, fcntl.ioctl, fd, request(0), 0)


@test
def numbers_in_a_new_namespace_and_around_it():
    need_root()

    def body():
        free = spawn(lambda: None)
        os.waitpid(free, 0)
        pid = clone3(NEWPID, [1, free])
        eq(pid, free)
        end(pid)
        eq(clone3(NEWPID, [1, os.getpid()]), -errno.EEXIST)
        eq(clone3(NEWPID, [2, free]), -errno.EINVAL)
        eq(clone3(NEWPID, [1, -1]), -errno.EINVAL)
    contained(body)


run()
