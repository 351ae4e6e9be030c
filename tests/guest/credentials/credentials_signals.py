"""Credentials that checks use: signals of files, queues and timers, and requests of a ring."""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
import threading

from lib.guest import NR, Pipe, child_ok, eq, ok, sc, spawn, works
from lib.namespaces import NEWPID, NEWUSER, clone_ok, map_ids, unshare
from lib.passing import acting_as, become, body
from lib.rings import NOP, OPENAT, Ring

USER = 1000
F_SETOWN, F_GETOWN, F_SETSIG, F_SETOWN_EX, F_GETOWN_EX, F_GETOWNER_UIDS = 8, 9, 10, 15, 16, 17
OWNER_PID, OWNER_PGRP = 1, 2


def at_signal(sig, go, got):
    """Starts a child that says on request whether it got the signal. Returns its pid."""
    ready = Pipe()
    def child():
        signal.pthread_sigmask(signal.SIG_BLOCK, [sig])
        ready.post()
        go.take()
        got.post(b"y" if sig in signal.sigpending() else b"n")
    pid = spawn(child)
    ready.take()
    return pid


def owner_gets(sig, name_owner):
    """Says whether a child gets SIGIO of a socket whose owner name_owner(fd, pid) sets."""
    go, got = Pipe(), Pipe()
    a, b = socket.socketpair()
    pid = at_signal(sig, go, got)
    name_owner(a.fileno(), pid)
    fcntl.fcntl(a, fcntl.F_SETFL, fcntl.fcntl(a, fcntl.F_GETFL) | os.O_ASYNC)
    b.send(b"x")
    go.post()
    answer = got.take()
    os.waitpid(pid, 0)
    return answer == b"y"


def name_owner(fd, pid):
    fcntl.fcntl(fd, F_SETOWN, pid)


@body
def an_owner_is_signalled_with_the_rights_of_the_setter():
    def by_user(fd, pid):
        with acting_as(USER):
            # Neither the real nor the effective uid is 0 any more.
            os.setresuid(USER, USER, 0)
            name_owner(fd, pid)
            os.setresuid(0, 0, 0)
    eq(owner_gets(signal.SIGIO, name_owner), True)
    eq(owner_gets(signal.SIGIO, by_user), False)
    def uids(fd, pid):
        by_user(fd, pid)
        buf = ctypes.create_string_buffer(8)
        works(NR.fcntl, fd, F_GETOWNER_UIDS, buf)
        eq(struct.unpack("II", buf.raw), (USER, USER))
    eq(owner_gets(signal.SIGIO, uids), False)


@body
def an_owner_is_a_process_not_a_number():
    """Runs in a PID namespace of its own, where the next PID can be chosen."""
    def inside():
        a, b = socket.socketpair()
        go = Pipe()
        old = spawn(go.take)
        fcntl.fcntl(a, F_SETOWN, old)
        eq(fcntl.fcntl(a, F_GETOWN), old)
        go.post()
        os.waitpid(old, 0)
        eq(fcntl.fcntl(a, F_GETOWN), 0)
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write(str(old - 1))
        go, got = Pipe(), Pipe()
        eq(at_signal(signal.SIGIO, go, got), old, "the number again")
        eq(fcntl.fcntl(a, F_GETOWN), 0)
        fcntl.fcntl(a, fcntl.F_SETFL, fcntl.fcntl(a, fcntl.F_GETFL) | os.O_ASYNC)
        b.send(b"x")
        go.post()
        eq(got.take(), b"n")
        os.waitpid(old, 0)
    clone_ok(NEWPID, inside)


@body
def an_owner_is_shown_in_the_reader_s_namespace():
    a, _ = kept = socket.socketpair()
    fcntl.fcntl(a, F_SETOWN, os.getpid())
    def inside():
        eq(fcntl.fcntl(a, F_GETOWN), 0)
        eq(struct.unpack("ii", fcntl.fcntl(a, F_GETOWN_EX, bytes(8))), (OWNER_PID, 0))
        fcntl.fcntl(a, F_SETOWN, os.getpid())
        eq(fcntl.fcntl(a, F_GETOWN), os.getpid())
    clone_ok(NEWPID, inside)


@body
def a_process_group_that_ended_owns_nothing():
    a, b = socket.socketpair()
    go, ready = Pipe(), Pipe()
    def leader():
        os.setpgid(0, 0)
        ready.post()
        go.take()
    pid = spawn(leader)
    ready.take()
    fcntl.fcntl(a, F_SETOWN, -pid)
    eq(struct.unpack("ii", fcntl.fcntl(a, F_GETOWN_EX, bytes(8))), (OWNER_PGRP, pid))
    go.post()
    os.waitpid(pid, 0)
    eq(struct.unpack("ii", fcntl.fcntl(a, F_GETOWN_EX, bytes(8))), (OWNER_PGRP, 0))
    fcntl.fcntl(a, fcntl.F_SETFL, fcntl.fcntl(a, fcntl.F_GETFL) | os.O_ASYNC)
    b.send(b"x")


# Message queues

MQ_OPEN, MQ_UNLINK, MQ_TIMEDSEND, MQ_NOTIFY = 240, 241, 242, 244


def new_queue():
    name = b"dvisor-cred-%d" % os.getpid()
    fd = works(MQ_OPEN, name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666, None)
    works(MQ_UNLINK, name)
    return fd


def notify(fd, sig):
    event = ctypes.create_string_buffer(struct.pack("<Qii", 7, sig, 0), 64)
    return sc(MQ_NOTIFY, fd, event)


@body
def execve_removes_a_notification_of_a_queue():
    fd = new_queue()
    ready, go = Pipe(), Pipe()
    def other():
        eq(notify(fd, signal.SIGUSR1), 0)
        fcntl.fcntl(fd, fcntl.F_SETFD, 0)
        for kept in (ready.w, go.r):
            os.set_inheritable(kept, True)
        code = "import os; os.write(%d, b'x'); os.read(%d, 1)" % (ready.w, go.r)
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code])
    pid = spawn(other)
    ready.take()
    works(MQ_TIMEDSEND, fd, b"message", 7, 0, None)
    go.post()
    eq(os.waitpid(pid, 0)[1], 0, "SIGUSR1 would have ended it")


@body
def a_notification_names_its_sender():
    fd = new_queue()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    eq(notify(fd, signal.SIGUSR1), 0)
    def user():
        become(USER)
        eq(notify(fd, signal.SIGUSR1), -errno.EBUSY)
        works(MQ_TIMEDSEND, fd, b"message", 7, 0, None)
    pid = spawn(user)
    info = signal.sigwaitinfo([signal.SIGUSR1])
    # No permission is needed: the process itself requested the signal.
    eq((info.si_pid, info.si_uid, info.si_code), (pid, USER, -3))
    eq(os.waitpid(pid, 0)[1], 0)


@body
def a_sender_s_uid_is_translated_for_the_receiver_of_a_notification():
    """Linux translates the uid twice: a sender outside the user namespace is the overflow user."""
    fd = new_queue()
    ready, got = Pipe(), Pipe()
    def inside():
        become(USER)
        unshare(NEWUSER)
        map_ids("self", "5 1000 1", "5 1000 1")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        eq(notify(fd, signal.SIGUSR1), 0)
        ready.post()
        eq(signal.sigwaitinfo([signal.SIGUSR1]).si_uid, 65534)
        eq(notify(fd, signal.SIGUSR1), 0)
        buf = ctypes.create_string_buffer(8192)
        eq(sc(243, fd, buf, 8192, None, None), 7)
        works(MQ_TIMEDSEND, fd, b"message", 7, 0, None)
        eq(signal.sigwaitinfo([signal.SIGUSR1]).si_uid, 5)
    pid = spawn(inside)
    ready.take()
    with acting_as(USER):
        os.setresuid(USER, USER, 0)
        works(MQ_TIMEDSEND, fd, b"message", 7, 0, None)
        os.setresuid(0, 0, 0)
    eq(os.waitpid(pid, 0)[1], 0)


# Signals that are sent

@body
def a_sender_s_uid_is_its_real_uid_in_the_target_s_namespace():
    got = Pipe()
    def inside():
        become(USER)
        unshare(NEWUSER)
        map_ids("self", "5 1000 1", "5 1000 1")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
        got.post()
        eq(signal.sigwaitinfo([signal.SIGUSR1]).si_uid, 65534)
        got.post()
        eq(signal.sigwaitinfo([signal.SIGUSR2]).si_uid, 5)
    pid = spawn(inside)
    got.take()
    os.kill(pid, signal.SIGUSR1)
    got.take()
    def user():
        os.setresuid(USER, 2000, 2000)
        os.kill(pid, signal.SIGUSR2)
    child_ok(user)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def a_process_forges_a_signal_of_the_kernel_for_itself_only():
    info = lambda code: ctypes.create_string_buffer(
        struct.pack("<iiiiii", 10, 0, code, 0, 1, 0), 128)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    parent = os.getpid()
    def child():
        for code in (0, 0x80, -6):
            eq(sc(NR.rt_sigqueueinfo, parent, 10, info(code)), -errno.EPERM, "code %d" % code)
            eq(sc(NR.rt_tgsigqueueinfo, parent, parent, 10, info(code)), -errno.EPERM)
        eq(sc(NR.rt_sigqueueinfo, os.getpid(), 10, info(0)), 0)
        eq(sc(NR.rt_sigqueueinfo, parent, 10, info(-1)), 0)
    child_ok(child)
    eq(signal.sigwaitinfo([signal.SIGUSR1]).si_code, -1)
    # Linux compares the target with the calling thread, whose id is not that of the process.
    found = []
    thread = threading.Thread(target=lambda: found.extend(
        sc(NR.rt_sigqueueinfo, pid, 10, info(0)) for pid in (parent, threading.get_native_id())))
    thread.start()
    thread.join()
    eq(found, [-errno.EPERM, 0])
    eq(signal.sigwaitinfo([signal.SIGUSR1]).si_code, 0)


@body
def execve_removes_timers():
    """
    timer_create(2) takes threads of the caller's own process, and execve(2) deletes timers.
    """
    timer = ctypes.c_int()
    event = ctypes.create_string_buffer(struct.pack("<Qiii", 0, 10, 4, os.getppid()), 64)
    eq(sc(NR.timer_create, 1, event, timer), -errno.EINVAL)
    def other():
        event = ctypes.create_string_buffer(struct.pack("<Qii", 0, 10, 0), 64)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        works(NR.timer_create, 1, event, timer)
        works(NR.timer_settime, timer.value, 0, struct.pack("<qqqq", 0, 1000000, 0, 1000000), None)
        code = ("import ctypes, os; t = ctypes.create_string_buffer(32);"
                "os._exit(ctypes.CDLL(None).syscall(%d, %d, t) != -1)"
                % (NR.timer_gettime, timer.value))
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code])
    eq(os.waitpid(spawn(other), 0)[1], 0)


# Rings

def open_secret(r, **kw):
    return r.do(OPENAT, -100, b"secret", 0, op_flags=os.O_RDONLY, **kw)


def secret():
    with open("secret", "w") as f:
        f.write("secret")
    os.chmod("secret", 0o600)


@body
def a_request_has_the_credentials_of_its_submitter():
    secret()
    r = Ring()
    ok(open_secret(r) >= 0, "root's own")
    def user():
        become(USER)
        eq(open_secret(r), -errno.EACCES)
    child_ok(user)
    with acting_as(USER):
        theirs = Ring()
        eq(open_secret(theirs), -errno.EACCES)
    # Requests on a ring of a user have root's credentials when root submits them.
    ok(open_secret(theirs) >= 0, "root submits")


@body
def a_personality_has_the_credentials_of_its_registration():
    secret()
    r = Ring()
    personality = works(427, r.fd, 9, None, 0)
    ok(personality > 0, "a personality")
    with acting_as(USER):
        eq(open_secret(r), -errno.EACCES)
        ok(open_secret(r, personality=personality) >= 0, "root's by way of its personality")


@body
def a_polled_ring_has_the_credentials_of_its_maker():
    secret()
    WAKEUP, SQPOLL = 2, 2
    r = Ring(flags=SQPOLL)
    def polled():
        r.put(OPENAT, -100, b"secret", 0, op_flags=os.O_RDONLY)
        eq(r.enter(1, 1, flags=WAKEUP | 1), 1)
        return r.take()[0][1]
    ok(polled() >= 0, "the maker's")
    with acting_as(USER):
        ok(polled() >= 0, "still the maker's")
        theirs = Ring(flags=SQPOLL)
    r = theirs
    eq(polled(), -errno.EACCES, "root wakes the ring of a user")


@body
def a_polled_ring_ends_with_its_maker_s_program():
    """
    Otherwise a process that shares the ring with a set-ID program could use its privilege.
    """
    WAKEUP, SQPOLL = 2, 2
    r = Ring(flags=SQPOLL)
    rest, go = Pipe(), Pipe()
    def child():
        rest.post()
        go.take()
        r.put(NOP)
        eq(r.enter(1, 1, flags=WAKEUP | 1), -errno.EOWNERDEAD)
    pid = spawn(child)
    rest.take()
    for kept in (go.w, r.fd):
        os.set_inheritable(kept, True)
    code = "import os; os.write(%d, b'x'); os._exit(os.waitpid(%d, 0)[1] != 0)" % (go.w, pid)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code])


if __name__ == "__main__":
    from lib.guest import run
    run()
