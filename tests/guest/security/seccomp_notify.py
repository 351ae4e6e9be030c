"""Supervised calls: seccomp_unotify(2)."""

import array
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import threading

from lib.bpf import (ALLOW, NEW_LISTENER, TSYNC, TSYNC_ESRCH, USER_NOTIF, WAIT_KILLABLE, install,
                     no_new_privs, on_call, ret)
from lib.guest import (
    NR, child_ok, eq, fails, gives, ok, run, sc, spawn, test, wait_state, wait_until,
    works,
)

E = errno
RECV, SEND, ID_VALID, ADDFD, SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103, 0x40082104
CONTINUE, SETFD, ADD_SEND = 1, 1, 2
MAGIC = 0x7A7A


class Supervised:
    """A child that passes calls of one number to this process; the listener comes over a socket."""

    def __init__(self, fn, nr=NR.getppid, flags=0):
        here, there = socket.socketpair()

        def body():
            here.close()
            no_new_privs()
            fd = install(on_call(nr, USER_NOTIF), NEW_LISTENER | flags)
            ok(fd >= 0, "the listener: %d" % fd)
            there.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
            os.close(fd)
            there.recv(1)
            return fn()
        self.pid = spawn(body)
        there.close()
        self.socket = here
        _, control, _, _ = here.recvmsg(1, 64)
        self.fd = struct.unpack("i", control[0][2][:4])[0]
        here.send(b"x")

    def receive(self):
        buf = ctypes.create_string_buffer(80)
        works(NR.ioctl, self.fd, RECV, buf)
        self.id, self.tid, flags, self.nr, arch = struct.unpack_from("<QIIiI", buf.raw)
        self.args = struct.unpack_from("<6Q", buf.raw, 32)
        return self

    def send(self, value=0, error=0, flags=0, id=None):
        raw = struct.pack("<QqiI", self.id if id is None else id, value, error, flags)
        return sc(NR.ioctl, self.fd, SEND, ctypes.create_string_buffer(raw, 24))

    def is_valid(self, id=None):
        return sc(NR.ioctl, self.fd, ID_VALID, ctypes.c_uint64(self.id if id is None else id))

    def add_fd(self, fd, flags=0, newfd=0, newfd_flags=0, id=None, extra=b""):
        raw = struct.pack("<QIIII", self.id if id is None else id, flags, fd & 0xFFFFFFFF, newfd,
                          newfd_flags) + extra
        request = (ADDFD & ~(0x3FFF << 16)) | len(raw) << 16
        return sc(NR.ioctl, self.fd, request, ctypes.create_string_buffer(raw, len(raw)))

    def poll(self, timeout=0):
        p = select.poll()
        p.register(self.fd, select.POLLIN | select.POLLOUT)
        found = p.poll(timeout)
        return found[0][1] if found else 0

    def ends(self, code=0):
        eq(os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), code, "end of the child")


def calls(*expected, nr=NR.getppid, args=()):
    def body():
        for value in expected:
            eq(sc(nr, *args), value)
        return 0
    return body


@test
def a_call_is_answered():
    s = Supervised(calls(MAGIC, -E.EPERM, 5, args=(1, 2, 3, 4, 5, 1 << 63)))
    s.receive()
    eq((s.tid, s.nr, s.args), (s.pid, NR.getppid, (1, 2, 3, 4, 5, 1 << 63)))
    eq(s.send(MAGIC), 0)
    s.receive()
    eq(s.send(error=-E.EPERM), 0)
    s.receive()
    eq(s.send(error=5), 0, "a positive error is a result")
    s.ends()


@test
def the_listener_can_let_a_call_continue():
    me = os.getpid()
    s = Supervised(calls(me))
    s.receive()
    eq(s.send(flags=CONTINUE, value=1), -E.EINVAL)
    eq(s.send(flags=CONTINUE, error=-1), -E.EINVAL)
    eq(s.send(flags=2), -E.EINVAL)
    eq(s.send(flags=CONTINUE), 0)
    s.ends()


@test
def ids_are_checked():
    s = Supervised(calls(1, 2))
    s.receive()
    first = s.id
    eq(s.is_valid(), 0)
    eq(s.is_valid(first + 12345), -E.ENOENT)
    eq(s.send(1, id=first + 12345), -E.ENOENT)
    eq(s.send(1), 0)
    eq(s.send(1) in (-E.ENOENT, -E.EINPROGRESS), True, "answered twice")
    s.receive()
    eq(s.id, first + 1)
    eq(s.is_valid(first), -E.ENOENT)
    eq(s.send(2), 0)
    s.ends()


@test
def a_call_that_was_not_read_cannot_be_answered():
    s = Supervised(calls(3))
    wait_until(lambda: s.poll() == select.POLLIN, "a call")
    s.id = 0
    # The id of the next call is known only when it is received.
    s.receive()
    eq(s.send(3), 0)
    s.ends()


@test
def buffers_are_checked():
    s = Supervised(calls(4))
    dirty = ctypes.create_string_buffer(b"\1" * 80, 80)
    gives(-E.EINVAL, NR.ioctl, s.fd, RECV, dirty)
    gives(-E.EFAULT, NR.ioctl, s.fd, RECV, 8)
    gives(-E.EFAULT, NR.ioctl, s.fd, SEND, 8)
    gives(-E.EFAULT, NR.ioctl, s.fd, ID_VALID, 8)
    gives(-E.EINVAL, NR.ioctl, s.fd, 0x2100, 0)
    gives(-E.EINVAL, NR.ioctl, s.fd, 0x40082109, 0)
    gives(-E.EINVAL, NR.ioctl, s.fd, SET_FLAGS, 2)
    gives(0, NR.ioctl, s.fd, SET_FLAGS, 1)
    s.receive()
    eq(s.send(4), 0)
    s.ends()


@test
def the_listener_can_be_polled():
    s = Supervised(calls(6))
    eq(s.poll(5000), select.POLLIN)
    s.receive()
    eq(s.poll(), select.POLLOUT)
    eq(s.send(6), 0)
    s.ends()
    eq(s.poll(5000), select.POLLHUP)
    gives(-E.ENOENT, NR.ioctl, s.fd, RECV, ctypes.create_string_buffer(80))
    eq(os.readlink("/proc/self/fd/%d" % s.fd), "anon_inode:seccomp notify")
    fails(E.EINVAL, os.read, s.fd, 1)


@test
def a_reader_fails_when_no_filtered_task_is_left():
    s = Supervised(lambda: threading.Event().wait(0.1) and 0)
    buf = ctypes.create_string_buffer(80)
    gives(-E.ENOENT, NR.ioctl, s.fd, RECV, buf)
    os.waitpid(s.pid, 0)


@test
def without_a_listener_the_call_fails_with_enosys():
    s = Supervised(calls(-E.ENOSYS, -E.ENOSYS))
    s.receive()
    os.close(s.fd)
    s.ends()

    def body():
        no_new_privs()
        eq(install(on_call(NR.getppid, USER_NOTIF)), 0)
        gives(-E.ENOSYS, NR.getppid)
    child_ok(body)


@test
def one_listener_is_enough():
    def body():
        no_new_privs()
        fd = install(ret(ALLOW), NEW_LISTENER)
        ok(fd >= 0, "the first")
        ok(fcntl.fcntl(fd, fcntl.F_GETFD) == fcntl.FD_CLOEXEC, "close-on-exec")
        eq(install(ret(ALLOW), NEW_LISTENER), -E.EBUSY)
        eq(install(ret(ALLOW)), 0, "one without")
        eq(install(ret(ALLOW), NEW_LISTENER), -E.EBUSY)
        os.close(fd)
        fd = install(ret(ALLOW), NEW_LISTENER | TSYNC | TSYNC_ESRCH)
        ok(fd >= 0, "after the first was closed")
    child_ok(body)


@test
def a_listener_needs_a_descriptor():
    import resource

    def body():
        no_new_privs()
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        eq(install(ret(ALLOW), NEW_LISTENER), -E.EMFILE)
        with_mode = sc(NR.prctl, 21)
        eq(with_mode, 0, "nothing was attached")
        ok(used > 0, "descriptors")
    child_ok(body)


@test
def a_signal_interrupts_the_wait():
    def body():
        hits = []
        signal.signal(signal.SIGUSR1, lambda *a: hits.append(1))
        signal.siginterrupt(signal.SIGUSR1, True)
        eq(sc(NR.getppid), -E.EINTR)
        eq(hits, [1])
        return 0
    s = Supervised(body)
    s.receive()
    os.kill(s.pid, signal.SIGUSR1)
    wait_until(lambda: s.is_valid() == -E.ENOENT, "the end of the notification")
    eq(s.send(1), -E.ENOENT)
    s.ends()


@test
def an_interrupted_call_notifies_again():
    def body():
        signal.signal(signal.SIGUSR1, lambda *a: None)
        signal.siginterrupt(signal.SIGUSR1, False)
        eq(sc(NR.getppid), 8)
        return 0
    s = Supervised(body)
    first = s.receive().id
    os.kill(s.pid, signal.SIGUSR1)
    wait_until(lambda: s.is_valid(first) == -E.ENOENT, "the end of the notification")
    s.receive()
    ok(s.id != first, "another id")
    eq(s.send(8), 0)
    s.ends()


@test
def wait_killable_ignores_other_signals():
    def body():
        signal.signal(signal.SIGUSR1, lambda *a: None)
        signal.siginterrupt(signal.SIGUSR1, True)
        eq(sc(NR.getppid), 9)
        return 0
    s = Supervised(body, flags=WAIT_KILLABLE)
    s.receive()
    wait_state(s.pid, "S")
    os.kill(s.pid, signal.SIGUSR1)
    wait_state(s.pid, "D")
    eq(s.is_valid(), 0)
    eq(s.send(9), 0)
    s.ends()
    s = Supervised(body, flags=WAIT_KILLABLE)
    s.receive()
    os.kill(s.pid, signal.SIGKILL)
    s.ends(-signal.SIGKILL)
    eq(s.send(9), -E.ENOENT)
    s = Supervised(body, flags=WAIT_KILLABLE)
    s.receive()
    os.kill(s.pid, signal.SIGTERM)
    s.ends(-signal.SIGTERM)


@test
def a_waiting_task_sleeps_and_can_be_killed():
    s = Supervised(calls(0))
    s.receive()
    wait_state(s.pid, "S")
    os.kill(s.pid, signal.SIGKILL)
    s.ends(-signal.SIGKILL)
    eq(s.is_valid(), -E.ENOENT)


@test
def descriptors_are_given():
    def body():
        fd = sc(NR.getppid)
        os.write(100, b"one")
        os.write(fd, b"two")
        eq(fcntl.fcntl(100, fcntl.F_GETFD), fcntl.FD_CLOEXEC)
        return 0
    s = Supervised(body)
    r, w = os.pipe()
    s.receive()
    eq(s.add_fd(w, 4), -E.EINVAL, "unknown flag")
    eq(s.add_fd(w, 0, 5), -E.EINVAL, "a number without the flag")
    eq(s.add_fd(w, 0, 0, 1), -E.EINVAL, "unknown descriptor flag")
    eq(s.add_fd(999), -E.EBADF)
    eq(s.add_fd(w, id=s.id + 77), -E.ENOENT)
    eq(s.add_fd(w, extra=b"\1" * 8), -E.E2BIG)
    eq(s.add_fd(w, SETFD, 100, os.O_CLOEXEC, extra=b"\0" * 8), 100)
    eq(s.add_fd(w, SETFD, 1 << 30), -E.EBADF)
    fd = s.add_fd(w, ADD_SEND)
    ok(fd >= 0, "given and answered: %d" % fd)
    s.ends()
    eq(os.read(r, 6), b"onetwo")


@test
def a_given_descriptor_can_be_the_result():
    s = Supervised(lambda: os.write(sc(NR.getppid), b"hello") - 5)
    r, w = os.pipe()
    s.receive()
    fd = s.add_fd(w)
    ok(fd >= 0, "given")
    eq(s.send(fd), 0)
    s.ends()
    eq(os.read(r, 5), b"hello")


@test
def threads_and_children_notify():
    def body():
        out = []
        t = threading.Thread(target=lambda: out.append((threading.get_native_id(), sc(NR.getppid))))
        t.start()
        t.join()
        eq(out[0][1], 11)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if sc(NR.getppid) == 12 else 1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    s = Supervised(body)
    s.receive()
    ok(s.tid != s.pid, "a thread")
    eq(s.send(11), 0)
    s.receive()
    ok(s.tid != s.pid, "a child")
    eq(s.send(12), 0)
    s.ends()


@test
def several_calls_wait_in_order():
    def body():
        kids = []
        for i in range(3):
            pid = os.fork()
            if pid == 0:
                os._exit(sc(NR.getppid, i))
            kids.append(pid)
        return sum(os.waitstatus_to_exitcode(os.waitpid(k, 0)[1]) for k in kids)
    s = Supervised(body)
    seen = []
    for _ in range(3):
        s.receive()
        seen.append((s.id, s.args[0]))
    for id, arg in reversed(seen):
        eq(s.send(10 + arg, id=id), 0)
    s.ends(33)


if __name__ == "__main__":
    run()
