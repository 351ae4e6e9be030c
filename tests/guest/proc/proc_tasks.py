"""Files of /proc/PID about calls, timers, mapped files and the OOM killer's choice."""

import ctypes
import mmap
import os
import re
import signal
import socket
import struct
import threading
from errno import *
from lib.guest import *

needs_root(
    "a_call_that_waits", "system_calls_of_other_users_are_hidden", "slack_is_inherited",
    "files_that_are_mapped", "opening_mapped_files_needs_a_capability",
    "oom_adj_is_scaled_to_oom_score_adj",
)

TIMER_CREATE = 222
SET_SLACK, GET_SLACK = 29, 30


def read(path, pid="self"):
    with open("/proc/%s/%s" % (pid, path)) as f:
        return f.read()


def put(path, text, pid="self"):
    fd = os.open("/proc/%s/%s" % (pid, path), os.O_WRONLY)
    try:
        return os.write(fd, text.encode())
    finally:
        os.close(fd)


def as_user(fn, *args):
    """Runs fn in a child of an ordinary user."""
    def child():
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        works(NR.prctl, 4, 1, 0, 0, 0)
        fn(*args)
    eq(in_child(child), 0)


@cases([(name, name, mode, both) for name, mode, both in (
    ("timers", 0o444, False), ("timerslack_ns", 0o666, False), ("syscall", 0o400, True), ("oom_adj", 0o644, True),
    ("ksm_merging_pages", 0o400, True), ("ksm_stat", 0o400, True), ("map_files", 0o500, False),
    ("coredump_filter", 0o644, False), ("personality", 0o400, True))])
def modes(name, mode, both):
    eq(os.stat("/proc/self/" + name).st_mode & 0o777, mode)
    eq(os.path.exists("/proc/thread-self/" + name), both)


@test
def a_call_that_waits():
    r, w = os.pipe()
    pid = spawn(os.read, r, 1)
    wait_state(pid, "S")
    words = read("syscall", pid).split()
    eq((words[0], words[1], words[3]), ("0", hex(r), "0x1"))
    eq(len(words), 9)
    maps = [line.split()[:2] for line in read("maps", pid).splitlines()]

    def right_at(address):
        at = int(address, 16)
        return next(m[1] for m in maps if int(m[0].split("-")[0], 16) <= at < int(m[0].split("-")[1], 16))

    eq((right_at(words[7])[:2], right_at(words[8])[2]), ("rw", "x"))
    eq(read("syscall").split()[0], "0", "of oneself: read")
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    os.kill(pid, signal.SIGKILL)
    wait_state(pid, "Z")
    eq(read("syscall", pid), "-1 0x0 0x0\n")


@test
def a_program_that_runs():
    def loop():
        while True:
            pass
    pid = spawn(loop)
    wait_until(lambda: int(read("stat", pid).split()[13]) > 1, "it computes")
    eq(read("syscall", pid), "running\n")
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    words = read("syscall", pid).split()
    eq((words[0], len(words)), ("-1", 3))
    os.kill(pid, signal.SIGKILL)


@test
def system_calls_of_other_users_are_hidden():
    pid = spawn(signal.pause)
    def look():
        for name in "syscall", "personality", "ksm_stat":
            fails(EACCES, read, name, pid)
        fails(EACCES, os.listdir, "/proc/%d/map_files" % pid)
    as_user(look)


@test
def timers_are_listed():
    def create(clock, notify, signo, value, tid=0):
        event = struct.pack("<QiiI", value, signo, notify, tid) + bytes(44)
        works(TIMER_CREATE, clock, event, ctypes.byref(ctypes.c_int()))

    eq(read("timers"), "")
    works(TIMER_CREATE, 0, 0, ctypes.byref(ctypes.c_int()))
    create(1, 0, 10, 0x1234)
    create(0, 1, 12, 5)
    create(1, 2, 34, 7)
    create(1, 4, 35, 0xDEADBEEF00, os.getpid())
    rows = re.split("^ID: ", read("timers"), flags=re.M)[1:]
    eq([row.replace("\n", " ").strip() for row in reversed(rows)], [
        "0 signal: 14/0000000000000000 notify: signal/pid.%d ClockID: 0" % os.getpid(),
        "1 signal: 10/0000000000001234 notify: signal/pid.%d ClockID: 1" % os.getpid(),
        "2 signal: 12/0000000000000005 notify: none/pid.%d ClockID: 0" % os.getpid(),
        "3 signal: 34/0000000000000007 notify: thread/pid.%d ClockID: 1" % os.getpid(),
        "4 signal: 35/000000deadbeef00 notify: signal/tid.%d ClockID: 1" % os.getpid()])
    in_child(lambda: eq(read("timers"), ""))


@cases([("text %d" % i, text, want) for i, (text, want) in enumerate((
    ("123", "123"), ("0", "50000"), ("7\n", "7"), ("+8", "8"), ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", ERANGE), ("-1", EINVAL), ("0x10", EINVAL), ("5 6", EINVAL), (" 8", EINVAL), ("x", EINVAL)))])
def slack_is_written(text, want):
    works(NR.prctl, SET_SLACK, 0, 0, 0, 0)
    if not isinstance(want, str):
        fails(want, put, "timerslack_ns", text)
        want = "50000"
    else:
        eq(put("timerslack_ns", text), len(text))
    eq(read("timerslack_ns"), want + "\n")


@test
def slack_is_inherited():
    works(NR.prctl, SET_SLACK, 777, 0, 0, 0)
    def child():
        put("timerslack_ns", "5")
        eq(sc(NR.prctl, GET_SLACK, 0, 0, 0, 0), 5)
        put("timerslack_ns", "0")
        eq(read("timerslack_ns"), "777\n")
        works(NR.prctl, SET_SLACK, 6, 0, 0, 0)
        works(NR.prctl, SET_SLACK, 0, 0, 0, 0)
        eq(read("timerslack_ns"), "777\n")
    eq(in_child(child), 0)
    pid = os.getpid()
    def other():
        fails(EPERM, read, "timerslack_ns", pid)
        fails(EPERM, put, "timerslack_ns", "5", pid)
    as_user(other)
    put("timerslack_ns", "9", spawn(signal.pause))


@test
def files_that_are_mapped():
    with open("file", "wb") as f:
        f.write(b"text" * 1024)
    fd = os.open("file", os.O_RDWR)
    m = mmap.mmap(fd, 4096)
    names = [n for n in os.listdir("/proc/self/map_files")
             if os.readlink("/proc/self/map_files/" + n) == os.path.realpath("file")]
    eq(len(names), 1)
    path = "/proc/self/map_files/" + names[0]
    low, high = (int(x, 16) for x in names[0].split("-"))
    eq(high - low, 4096)
    ok(any(line.startswith(names[0]) for line in read("maps").splitlines()), "in maps")
    s = os.lstat(path)
    eq((s.st_mode, s.st_size), (0o120600, 64))
    os.close(fd)
    os.unlink("file")
    ok(os.readlink(path).endswith("file (deleted)"), "its name is gone")
    with open(path, "rb") as f:
        eq(f.read(8), b"texttext")
    eq(os.stat(path).st_nlink, 0)
    for bad in "1-2", "x", "0" + names[0], names[0] + "0":
        fails(ENOENT, os.lstat, "/proc/self/map_files/" + bad)
    m.close()
    fails(ENOENT, os.lstat, path)
    pid = spawn(lambda: None)
    wait_state(pid, "Z")
    eq(os.listdir("/proc/%d/map_files" % pid), [])


@test
def opening_mapped_files_needs_a_capability():
    def look():
        name = "/proc/self/map_files/" + sorted(os.listdir("/proc/self/map_files"))[0]
        ok(os.readlink(name).startswith("/"), "its path can be read")
        fails(EPERM, open, name)
    as_user(look)


@test
def oom_adj_is_scaled_to_oom_score_adj():
    def show():
        return read("oom_adj").strip(), read("oom_score_adj").strip()
    eq(show(), ("0", "0"))
    for text, want in ("3", ("2", "176")), ("15", ("15", "1000")):
        put("oom_adj", text)
        eq(show(), want)
    for text in "16", "-18", "x":
        fails(EINVAL, put, "oom_adj", text)
    for score, want in ("999", "15"), ("500", "8"), ("59", "1"), ("58", "0"):
        put("oom_score_adj", score)
        eq(show(), (want, score))
    def user():
        put("oom_score_adj", "700")
        fails(EACCES, put, "oom_adj", "5")
        put("oom_score_adj", "300")
    as_user(user)


@test
def coredump_filter_is_inherited():
    put("coredump_filter", "0x7")
    eq(in_child(lambda: eq(read("coredump_filter"), "00000007\n")), 0)


def io(path="/proc/self/io"):
    fd = os.open(path, os.O_RDONLY)
    text = os.read(fd, 4096).decode()
    os.close(fd)
    return len(text), {k: int(v) for k, v in (line.split(": ") for line in text.splitlines())}


def moved(fn):
    """Returns rchar, wchar, syscr and syscw of fn in /proc/self/io."""
    length, before = io()
    fn()
    after = io()[1]
    grown = [after[k] - before[k] for k in ("rchar", "wchar", "syscr", "syscw")]
    return grown[0] - length, grown[1], grown[2] - 1, grown[3]


@test
def io_counts_bytes_read_and_written():
    f = os.open("transfers", os.O_RDWR | os.O_CREAT, 0o600)
    r, w = os.pipe()
    os.set_blocking(r, False)
    a, b = socket.socketpair()
    zero, null = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
    data, buf = b"x" * 1000, ctypes.create_string_buffer(100)
    eq(moved(lambda: None), (0, 0, 0, 0))
    eq(moved(lambda: os.write(f, data)), (0, 1000, 0, 1))
    eq(moved(lambda: os.pwrite(f, data, 0)), (0, 1000, 0, 1))
    eq(moved(lambda: os.pread(f, 500, 0)), (500, 0, 1, 0))
    eq(moved(lambda: os.read(f, 100)), (0, 0, 1, 0))
    eq(moved(lambda: os.readv(zero, [bytearray(10), bytearray(20)])), (30, 0, 1, 0))
    eq(moved(lambda: os.writev(null, [b"0" * 10, b"1" * 20])), (0, 30, 0, 1))
    # A call that fails counts if it got as far as the file's read.
    eq(moved(lambda: gives(-EBADF, NR.read, 99, buf, 1)), (0, 0, 0, 0))
    eq(moved(lambda: gives(-EBADF, NR.read, null, buf, 1)), (0, 0, 0, 0))
    eq(moved(lambda: gives(-EAGAIN, NR.read, r, buf, 1)), (0, 0, 1, 0))
    eq(moved(lambda: gives(-EFAULT, NR.read, zero, 1, 5)), (0, 0, 1, 0))
    eq(moved(lambda: gives(-ESPIPE, NR.pread64, r, buf, 1, 0)), (0, 0, 0, 0))
    eq(moved(lambda: gives(0, NR.write, f, buf, 0)), (0, 0, 0, 1))
    eq(moved(lambda: os.sendfile(null, f, 0, 300)), (300, 300, 1, 1))
    eq(moved(lambda: os.copy_file_range(f, f, 200, 0, 2000)), (200, 200, 1, 1))
    eq(moved(lambda: a.send(data)), (0, 0, 0, 0))
    eq(moved(lambda: b.recv(100)), (0, 0, 0, 0))
    eq(moved(lambda: os.read(b.fileno(), 900)), (900, 0, 1, 0))
    eq(moved(lambda: os.splice(f, w, 300, 0)), (0, 0, 0, 0))
    eq(moved(lambda: os.read(r, 300)), (300, 0, 1, 0))


@test
def children_are_counted_when_they_are_waited_for():
    null, zero = os.open("/dev/null", os.O_WRONLY), os.open("/dev/zero", os.O_RDONLY)
    r, w = os.pipe()

    def child():
        pid = os.fork()
        if pid == 0:
            os.write(null, b"y" * 5000)
            os.write(w, b"z")
            os._exit(0)
        os.read(r, 1)
        return pid

    pid = child()
    eq(moved(lambda: os.waitpid(pid, 0)), (0, 5001, 0, 2))

    def thread():
        os.read(zero, 7000)
        own = io("/proc/thread-self/io")[1]
        between(7000, own["rchar"], 7999)
        eq(own["wchar"], 0)

    def run_thread():
        t = threading.Thread(target=thread)
        t.start()
        t.join()

    grown = moved(run_thread)
    between(7000, grown[0], 8999)


run()
