"""fanotify(7): permission events. A process that opens or reads waits for the listener's answer."""

import errno
import os
import select
import signal
import struct

from lib import fan
from lib.guest import eq, fails, need_root, ok, run, spawn, test, wait_until


def group(flags=fan.CONTENT):
    need_root()
    return fan.init(flags | fan.CLOEXEC | fan.NONBLOCK)


def touch(name, text="text"):
    with open(name, "w") as f:
        f.write(text)


def event(fd):
    ok(select.select([fd], [], [], 10)[0], "an event")
    (e,) = fan.read(fd)
    return e


def reap(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def outcome(fn):
    try:
        fn()
        return 0
    except OSError as e:
        return e.errno


@test
def an_open_is_allowed_or_denied():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")
    for answer, expected in ((fan.ALLOW, 0), (fan.DENY, errno.EPERM)):
        pid = spawn(lambda: outcome(lambda: os.close(os.open("file", os.O_RDONLY))))
        e = event(fd)
        eq((e.mask, e.pid), (fan.OPEN_PERM, pid))
        eq(e.path(), os.path.realpath("file"))
        eq(os.waitpid(pid, os.WNOHANG), (0, 0))
        fan.answer(fd, e, answer)
        eq(reap(pid), expected)
        os.close(e.fd)


@test
def a_read_needs_permission():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.ACCESS_PERM, "file")

    def child():
        f = os.open("file", os.O_RDONLY)
        one = os.read(f, 4) == b"text"
        return 10 if not one else outcome(lambda: os.pread(f, 4, 0))
    pid = spawn(child)
    e = event(fd)
    eq(e.mask, fan.ACCESS_PERM)
    eq(os.read(e.fd, 10), b"text", "the listener may read")
    fan.answer(fd, e, fan.ALLOW)
    fan.answer(fd, event(fd), fan.DENY)
    eq(reap(pid), errno.EPERM)


@test
def opening_and_listing_a_directory_need_permission():
    fd = group()
    os.mkdir("d")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM | fan.ACCESS_PERM | fan.ONDIR, "d")
    pid = spawn(lambda: outcome(lambda: os.listdir("d")))
    e = event(fd)
    eq(e.mask, fan.OPEN_PERM)
    fan.answer(fd, e, fan.ALLOW)
    e = event(fd)
    eq(e.mask, fan.ACCESS_PERM)
    fan.answer(fd, e, fan.DENY)
    eq(reap(pid), errno.EPERM)


@test
def a_new_file_is_created_before_the_permission_event():
    fd = group()
    os.mkdir("d")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM | fan.EVENT_ON_CHILD, "d")
    pid = spawn(lambda: outcome(lambda: os.write(os.open(
        "d/new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0), b"x")))
    e = event(fd)
    ok(os.path.exists("d/new"), "it is there")
    fan.answer(fd, e, fan.ALLOW)
    eq(reap(pid), 0)
    eq(os.stat("d/new").st_size, 1)
    pid = spawn(lambda: outcome(lambda: os.open("d/newer", os.O_RDWR | os.O_CREAT | os.O_EXCL)))
    fan.answer(fd, event(fd), fan.DENY)
    eq(reap(pid), errno.EPERM)
    ok(os.path.exists("d/newer"), "it stays")


@test
def truncation_waits_for_the_answer():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")
    pid = spawn(lambda: outcome(lambda: os.open("file", os.O_WRONLY | os.O_TRUNC)))
    e = event(fd)
    eq(os.stat("file").st_size, 4)
    fan.answer(fd, e, fan.DENY)
    eq(reap(pid), errno.EPERM)
    eq(os.stat("file").st_size, 4)


@test
def unnamed_files_can_be_opened():
    fd = group()
    os.mkdir("d")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM | fan.EVENT_ON_CHILD, "d")

    def child():
        f = os.open("d", os.O_RDWR | os.O_TMPFILE)
        return os.write(f, b"abc")
    pid = spawn(child)
    while True:
        if select.select([fd], [], [], 0.01)[0]:
            for e in fan.read(fd):
                fan.answer(fd, e, fan.ALLOW)
                os.close(e.fd)
        done = os.waitpid(pid, os.WNOHANG)
        if done[0]:
            eq(os.waitstatus_to_exitcode(done[1]), 3)
            break


@test
def execve_needs_permission():
    fd = group()
    with open("/bin/true", "rb") as f, open("prog", "wb") as g:
        g.write(f.read())
    os.chmod("prog", 0o755)
    fan.mark(fd, fan.ADD, fan.OPEN_EXEC_PERM, "prog")
    os.close(os.open("prog", os.O_RDONLY))

    def start():
        return spawn(lambda: outcome(lambda: os.execv("./prog", ["prog"])))
    pid = start()
    e = event(fd)
    eq(e.mask, fan.OPEN_EXEC_PERM)
    fan.answer(fd, e, fan.ALLOW)
    os.close(e.fd)
    eq(reap(pid), 0)
    pid = start()
    e = event(fd)
    fan.answer(fd, e, fan.DENY)
    eq(reap(pid), errno.EPERM)
    os.close(e.fd)
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "prog")
    pid = start()
    for mask in (fan.OPEN_EXEC_PERM, fan.OPEN_PERM):
        e = event(fd)
        eq(e.mask, mask)
        fan.answer(fd, e, fan.ALLOW)
        os.close(e.fd)
    eq(reap(pid), 0)


@test
def only_a_fatal_signal_ends_the_wait():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")

    def child():
        signal.signal(signal.SIGUSR1, lambda *_: None)
        return outcome(lambda: os.open("file", os.O_RDONLY))
    pid = spawn(child)
    e = event(fd)
    os.kill(pid, signal.SIGUSR1)
    fan.answer(fd, e, fan.ALLOW)
    eq(reap(pid), 0)
    pid = spawn(child)
    e = event(fd)
    os.kill(pid, signal.SIGKILL)
    eq(reap(pid), -9)
    fan.answer(fd, e, fan.ALLOW)
    fails(errno.ENOENT, fan.answer, fd, e, fan.ALLOW)


@test
def an_unread_event_goes_when_its_process_dies():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")
    pid = spawn(lambda: outcome(lambda: os.open("file", os.O_RDONLY)))
    wait_until(lambda: select.select([fd], [], [], 0)[0], "the event")
    os.kill(pid, signal.SIGKILL)
    eq(reap(pid), -9)
    wait_until(lambda: not select.select([fd], [], [], 0)[0], "the end of the event")


@test
def closing_the_group_allows_waiting_calls():
    fd = group()
    for name in ("delivered", "queued"):
        touch(name)
        fan.mark(fd, fan.ADD, fan.OPEN_PERM, name)
    first = spawn(lambda: outcome(lambda: os.open("delivered", os.O_RDONLY)) if not os.close(fd) else 1)
    event(fd)
    second = spawn(lambda: outcome(lambda: os.open("queued", os.O_RDONLY)) if not os.close(fd) else 1)
    wait_until(lambda: select.select([fd], [], [], 0)[0], "the event")
    os.close(fd)
    eq((reap(first), reap(second)), (0, 0))


@test
def answers_are_checked():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")
    pid = spawn(lambda: outcome(lambda: os.open("file", os.O_RDONLY)))
    e = event(fd)
    for data in (b"", b"1234567", struct.pack("=iI", e.fd, 0), struct.pack("=iI", e.fd, 3),
                 struct.pack("=iI", e.fd, 4), struct.pack("=iI", e.fd, 0x11), struct.pack("=iI", -1, 1),
                 struct.pack("=iI", e.fd, 0x80000001)):
        fails(errno.EINVAL, os.write, fd, data)
    fails(errno.ENOENT, os.write, fd, struct.pack("=iI", e.fd + 1, 1))
    eq(os.write(fd, struct.pack("=iIQ", e.fd, fan.ALLOW, 0)), 8)
    fails(errno.ENOENT, os.write, fd, struct.pack("=iI", e.fd, 1))
    eq(reap(pid), 0)


@test
def a_failed_read_of_the_event_denies():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")
    from lib.guest import NR, gives
    pid = spawn(lambda: outcome(lambda: os.open("file", os.O_RDONLY)))
    wait_until(lambda: select.select([fd], [], [], 0)[0], "the event")
    gives(-errno.EFAULT, NR.read, fd, 4096, 100)
    eq(reap(pid), errno.EPERM)


@test
def two_groups_answer_in_order_of_their_class():
    late, early = group(fan.CONTENT), group(fan.PRE_CONTENT)
    touch("file")
    for fd in (late, early):
        fan.mark(fd, fan.ADD, fan.OPEN_PERM, "file")
    pid = spawn(lambda: outcome(lambda: os.open("file", os.O_RDONLY)))
    e = event(early)
    eq(select.select([late], [], [], 0)[0], [])
    fan.answer(early, e, fan.ALLOW)
    fan.answer(late, event(late), fan.DENY)
    eq(reap(pid), errno.EPERM)
    pid = spawn(lambda: outcome(lambda: os.open("file", os.O_RDONLY)))
    fan.answer(early, event(early), fan.DENY)
    eq(reap(pid), errno.EPERM)
    eq(select.select([late], [], [], 0)[0], [], "a denial asks no further group")


@test
def ignored_files_have_no_permission_events():
    fd = group()
    os.mkdir("d")
    touch("d/file")
    fan.mark(fd, fan.ADD, fan.OPEN_PERM | fan.EVENT_ON_CHILD, "d")
    fan.mark(fd, fan.ADD | fan.IGNORED_MASK | fan.SURV_MODIFY, fan.OPEN_PERM, "d/file")
    os.close(os.open("d/file", os.O_RDONLY))


@test
def proc_has_no_permission_events():
    fd = group()
    fails(errno.EINVAL, fan.mark, fd, fan.ADD, fan.OPEN_PERM, "/proc/version")
    fails(errno.EINVAL, fan.mark, fd, fan.ADD | fan.MOUNT, fan.OPEN_PERM, "/proc")
    fan.mark(fd, fan.ADD, fan.OPEN, "/proc/version")


@test
def data_that_is_sent_or_copied():
    fd = group()
    touch("file", "0123456789")
    touch("to", "")
    fan.mark(fd, fan.ADD, fan.ACCESS_PERM, "file")

    def child():
        a, b = os.open("file", os.O_RDONLY), os.open("to", os.O_WRONLY)
        if os.sendfile(b, a, 0, 4) != 4:
            return 9
        r, w = os.pipe()
        return outcome(lambda: os.splice(a, w, 4)) if hasattr(os, "splice") else errno.EPERM
    pid = spawn(child)
    fan.answer(fd, event(fd), fan.ALLOW)
    if hasattr(os, "splice"):
        fan.answer(fd, event(fd), fan.DENY)
    eq(reap(pid), errno.EPERM)
    eq(open("to").read(), "0123")


@test
def an_answer_to_a_reused_number_is_for_the_oldest_event():
    fd = group()
    for name in ("one", "two"):
        touch(name)
        fan.mark(fd, fan.ADD, fan.OPEN_PERM, name)
    first = spawn(lambda: outcome(lambda: os.open("one", os.O_RDONLY)))
    e = event(fd)
    os.close(e.fd)
    second = spawn(lambda: outcome(lambda: os.open("two", os.O_RDONLY)))
    again = event(fd)
    eq(again.fd, e.fd)
    fan.answer(fd, again, fan.DENY)
    eq(reap(first), errno.EPERM)
    eq(os.waitpid(second, os.WNOHANG), (0, 0))
    fan.answer(fd, again, fan.ALLOW)
    eq(reap(second), 0)
    fails(errno.ENOENT, fan.answer, fd, again, fan.ALLOW)


run()
