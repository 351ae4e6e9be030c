"""Leases: fcntl(2) F_SETLEASE, F_GETLEASE."""

import errno
import fcntl
import os
import signal
import time

from lib.guest import child_ok, eq, fails, need_root, ok, run, spawn, test, wait_state, wait_until

R, W, U = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
BREAK_TIME = "/proc/sys/fs/lease-break-time"


def new(name="file", flags=os.O_RDWR):
    with open(name, "w") as f:
        f.write("text")
    return os.open(name, flags)


def lease(fd, kind):
    fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)


def held(fd):
    return fcntl.fcntl(fd, fcntl.F_GETLEASE)


def reap(pid):
    eq(os.waitpid(pid, 0)[1], 0, "wait status of the child")


@test
def leases_are_taken_and_given_up():
    fd = new()
    eq(held(fd), U)
    lease(fd, W)
    eq(held(fd), W)
    other = os.dup(fd)
    eq(held(other), W, "of the description")
    lease(other, U)
    eq(held(fd), U)
    fails(errno.EAGAIN, lease, fd, U)
    fails(errno.EINVAL, lease, fd, 7)
    fails(errno.EAGAIN, lease, fd, R)
    reader = os.open("file", os.O_RDONLY)
    fails(errno.EAGAIN, lease, fd, W)
    fails(errno.EAGAIN, lease, reader, R)
    os.close(fd)
    os.close(other)
    lease(reader, R)
    second = os.open("file", os.O_RDONLY)
    lease(second, R)
    eq((held(reader), held(second)), (R, R))
    fails(errno.EAGAIN, lease, second, W)


@test
def only_the_owner_leases_a_regular_file():
    need_root()
    r, _ = os.pipe()
    fails(errno.EINVAL, lease, r, R)
    fails(errno.EINVAL, lease, os.open(".", os.O_RDONLY), R)
    fd = new()
    os.chmod("file", 0o666)

    def child():
        os.setuid(1000)
        fails(errno.EACCES, lease, fd, W)
    child_ok(child)


@test
def an_open_waits_until_the_lease_is_given_up():
    fd = new()
    lease(fd, W)
    seen = []
    signal.signal(signal.SIGIO, lambda *_: seen.append(held(fd)))
    child = spawn(lambda: os.close(os.open("file", os.O_RDONLY)))
    wait_state(child, "S")
    eq(seen, [R], "the signal, and the type that the lease has to become")
    eq(os.waitpid(child, os.WNOHANG), (0, 0))
    lease(fd, U)
    reap(child)


@test
def an_open_for_writing_breaks_a_read_lease():
    fd = new(flags=os.O_RDONLY)
    lease(fd, R)
    seen = []
    signal.signal(signal.SIGIO, lambda *_: seen.append(held(fd)))
    child_ok(lambda: os.close(os.open("file", os.O_RDONLY)))
    eq(seen, [])
    child_ok(lambda: fails(errno.EAGAIN, os.open, "file", os.O_WRONLY | os.O_NONBLOCK))
    wait_until(lambda: seen, "the signal")
    eq(seen, [U])
    child = spawn(lambda: os.truncate("file", 1))
    wait_state(child, "S")
    lease(fd, U)
    reap(child)
    eq(os.stat("file").st_size, 1)


@test
def the_signal_of_f_setsig_names_the_descriptor():
    fd = new()
    lease(fd, W)
    fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGRTMIN + 3)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN + 3])
    child_ok(lambda: fails(errno.EAGAIN, os.open, "file", os.O_RDWR | os.O_NONBLOCK))
    info = signal.sigtimedwait([signal.SIGRTMIN + 3], 5)
    ok(info is not None, "the signal came")
    eq(info.si_code, 3, "POLL_MSG")
    lease(fd, U)
    child_ok(lambda: os.close(os.open("file", os.O_RDWR)))


@test
def a_lease_ends_with_its_description():
    fd = new()
    lease(fd, W)
    signal.signal(signal.SIGIO, signal.SIG_IGN)

    def opens():
        os.close(fd)
        os.close(os.open("file", os.O_RDWR))
    child = spawn(opens)
    wait_state(child, "S")
    os.close(fd)
    reap(child)


@test
def an_interrupted_open_does_not_wait_on():
    fd = new()
    lease(fd, W)
    signal.signal(signal.SIGIO, signal.SIG_IGN)

    def child():
        def stop(*_):
            raise InterruptedError
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        try:
            os.open("file", os.O_RDWR)
        except InterruptedError:
            return 0
        return 1
    child_ok(child)


@test
def a_holder_that_waits_too_long_loses_its_lease():
    need_root()
    old = open(BREAK_TIME).read()
    with open(BREAK_TIME, "w") as f:
        f.write("1")
    try:
        fd = new()
        lease(fd, W)
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        t0 = time.monotonic()
        child_ok(lambda: os.close(os.open("file", os.O_RDONLY)))
        ok(0.5 < time.monotonic() - t0 < 4, "it took about a second")
        eq(held(fd), R, "downgraded for a reader")
    finally:
        with open(BREAK_TIME, "w") as f:
            f.write(old)


run()
