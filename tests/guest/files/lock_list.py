"""/proc/locks: locks and leases, their owners and their waiters (proc_locks(5))."""

import fcntl
import os
import signal
import struct
import shutil
import subprocess
from errno import EINVAL, EOVERFLOW

from lib.guest import cases, child_ok, eq, fails, need_root, ok, run, skip, spawn, test, wait_until
from lib.namespaces import MS_PRIVATE, MS_REC, NEWNS, NEWPID, mount, unshare

R, W, U = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
OFD_GETLK, OFD_SETLK, OFD_SETLKW = 36, 37, 38


def lock(fd, kind, start, length, command=fcntl.F_SETLK):
    fcntl.fcntl(fd, command, struct.pack("hhqqi4x", kind, 0, start, length, 0))


def new(name="file"):
    return os.open(name, os.O_RDWR | os.O_CREAT, 0o600)


def place(name):
    st = os.stat(name)
    return "%02x:%02x:%d" % (os.major(st.st_dev), os.minor(st.st_dev), st.st_ino)


def listed(name="file"):
    """Returns the sorted lines of a file's locks without numbers; waiters follow their lock."""
    with open("/proc/locks") as f:
        lines = [line.rstrip("\n").split(": ", 1) for line in f]
    where = " " + place(name) + " "
    ids = [n for n, text in lines if where in text and "->" not in text]
    parts = {}
    for n, text in lines:
        if n in ids:
            parts.setdefault(n, []).append(text)
    return [line for part in sorted(parts.values()) for line in part]


def expect(*rows, name="file"):
    """Waits for lines; a row is the text before device, inode and the text behind them."""
    expected = ["%s %s %s" % (a, place(name), b) for a, b in rows]
    awaited(expected, name)


def awaited(expected, name="file"):
    """Waits for these lines, which come a moment after their process started."""
    try:
        wait_until(lambda: listed(name) == expected, "the list", 3)
    except AssertionError:
        eq(listed(name), expected)


def opened(fn):
    return spawn(lambda: fn(os.open("file", os.O_RDWR)))


def end(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@test
def locks_of_each_kind():
    me, fd, other = os.getpid(), new(), new()
    eq(listed(), [])
    lock(fd, W, 10, 5)
    lock(fd, R, 100, 0)
    lock(other, W, 50, 1, OFD_SETLK)
    fcntl.flock(fd, fcntl.LOCK_SH)
    expect(("FLOCK  ADVISORY  READ %d" % me, "0 EOF"), ("OFDLCK ADVISORY  WRITE -1", "50 50"),
           ("POSIX  ADVISORY  READ %d" % me, "100 EOF"), ("POSIX  ADVISORY  WRITE %d" % me, "10 14"))
    lock(fd, U, 12, 1)
    os.close(other)
    expect(("FLOCK  ADVISORY  READ %d" % me, "0 EOF"))
    os.close(fd)
    eq(listed(), [])


@test
def a_waiter_is_listed_below_its_lock():
    me, fd = os.getpid(), new()
    lock(fd, W, 10, 5)
    first = opened(lambda f: lock(f, W, 12, 1, fcntl.F_SETLKW))
    head = ("POSIX  ADVISORY  WRITE %d" % me, "10 14")
    expect(head, ("-> POSIX  ADVISORY  WRITE %d" % first, "12 12"))
    second = opened(lambda f: lock(f, W, 11, 2, fcntl.F_SETLKW))
    expect(head, ("-> POSIX  ADVISORY  WRITE %d" % first, "12 12"),
           (" -> POSIX  ADVISORY  WRITE %d" % second, "11 12"))
    end(first)
    expect(head, ("-> POSIX  ADVISORY  WRITE %d" % second, "11 12"))
    end(second)
    expect(head)


@test
def waiters_for_flocks_and_descriptions_are_listed():
    me, fd = os.getpid(), new()
    fcntl.flock(fd, fcntl.LOCK_EX)
    shared = opened(lambda f: fcntl.flock(f, fcntl.LOCK_SH))
    head = ("FLOCK  ADVISORY  WRITE %d" % me, "0 EOF")
    expect(head, ("-> FLOCK  ADVISORY  READ %d" % shared, "0 EOF"))
    end(shared)
    fcntl.flock(fd, fcntl.LOCK_UN)
    lock(fd, W, 1, 1, OFD_SETLK)
    waits = opened(lambda f: lock(f, R, 0, 2, OFD_SETLKW))
    expect(("OFDLCK ADVISORY  WRITE -1", "1 1"), ("-> OFDLCK ADVISORY  READ -1", "0 1"))
    end(waits)


@test
def a_flock_shows_the_process_that_took_it():
    fd = new()
    pid = spawn(lambda: fcntl.flock(fd, fcntl.LOCK_EX))
    os.waitpid(pid, 0)
    expect(("FLOCK  ADVISORY  WRITE %d" % pid, "0 EOF"))
    fcntl.flock(fd, fcntl.LOCK_EX)
    expect(("FLOCK  ADVISORY  WRITE %d" % pid, "0 EOF"))
    fcntl.flock(fd, fcntl.LOCK_SH)
    expect(("FLOCK  ADVISORY  READ %d" % os.getpid(), "0 EOF"))


@test
def leases_and_their_breakers_are_listed():
    need_root()
    me, fd = os.getpid(), new()
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, W)
    expect(("LEASE  ACTIVE    WRITE %d" % me, "0 EOF"))
    reader = spawn(lambda: os.close(os.open("file", os.O_RDONLY)))
    breaker = "-> LEASE  BREAKER   READ %d <none>:0 0 EOF" % reader
    awaited(["LEASE  BREAKING  READ %d %s 0 EOF" % (me, place("file")), breaker])
    writer = spawn(lambda: os.close(os.open("file", os.O_RDWR)))
    other = " -> LEASE  BREAKER   WRITE %d <none>:0 0 EOF" % writer
    awaited(["LEASE  BREAKING  UNLCK %d %s 0 EOF" % (me, place("file")), breaker, other])
    fcntl.fcntl(fd, fcntl.F_SETLEASE, U)
    for pid in (reader, writer):
        eq(os.waitpid(pid, 0)[1], 0)
    expect()


@test
def a_pid_namespace_lists_its_own_locks():
    need_root()
    fd = new()
    lock(fd, W, 0, 1)

    def inside():
        mount("proc", "/proc", "proc")
        own = new("own")
        lock(own, W, 0, 0)
        pid = spawn(lambda: lock(os.open("own", os.O_RDWR), R, 5, 1, fcntl.F_SETLKW))
        expect(("POSIX  ADVISORY  WRITE 1", "0 EOF"), ("-> POSIX  ADVISORY  READ %d" % pid, "5 5"),
               name="own")
        eq(listed(), [], "a lock of a process outside")
        end(pid)

    def outside():
        unshare(NEWNS | NEWPID)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        child_ok(inside)
    child_ok(outside)


@test
def fdinfo_lists_the_locks_of_its_descriptor():
    fd = new()
    lock(fd, R, 3, 4)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with open("/proc/self/fdinfo/%d" % fd) as f:
        found = sorted(line.split(": ", 1)[1] for line in f if line.startswith("lock:"))
    where = "%d %s" % (os.getpid(), place("file"))
    eq(found, ["FLOCK  ADVISORY  WRITE %s 0 EOF\n" % where,
               "POSIX  ADVISORY  READ %s 3 6\n" % where])


@test
def f_ofd_getlk_finds_locks_of_its_own_description():
    mine, other = new(), new()
    lock(mine, R, 5, 3, OFD_SETLK)

    def asked(fd, start, length):
        query = struct.pack("hhqqi4x", U, 0, start, length, 0)
        return struct.unpack("hhqqi4x", fcntl.fcntl(fd, OFD_GETLK, query))
    eq(asked(mine, 6, 1), (R, 0, 5, 3, -1))
    eq(asked(mine, 0, 0), (R, 0, 5, 3, -1))
    eq(asked(mine, 0, 5), (U, 0, 0, 5, 0))
    eq(asked(other, 0, 0), (U, 0, 0, 0, 0))
    fails(EINVAL, lock, mine, U, 0, 0, fcntl.F_GETLK)


@test
def lslocks_finds_the_file():
    if shutil.which("lslocks") is None:
        skip("no lslocks")
    fd = new()
    lock(fd, W, 7, 2)
    args = ["lslocks", "-n", "-r", "-p", str(os.getpid()), "-o", "TYPE,MODE,START,END,PATH"]
    text = subprocess.run(args, stdout=subprocess.PIPE, check=True, text=True).stdout
    ok("POSIX WRITE 7 8 %s\n" % os.path.realpath("file") in text, text)


@test
def the_newest_lock_is_listed_first():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # Linux keeps a list a processor.
    fd = new()
    lock(fd, R, 10, 1)
    lock(fd, W, 0, 1)
    lock(fd, R, 5, 1)
    with open("/proc/locks") as f:
        found = [line.split()[6] for line in f if " %s " % place("file") in line]
    eq(found, ["5", "0", "10"])


@test
def fdinfo_lists_the_lease():
    os.close(new("leased"))
    fd = os.open("leased", os.O_RDONLY)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, R)
    fcntl.flock(fd, fcntl.LOCK_SH)
    where = "%d %s" % (os.getpid(), place("leased"))
    with open("/proc/self/fdinfo/%d" % fd) as f:
        eq([line for line in f if line.startswith("lock:")],
           ["lock:\t1: FLOCK  ADVISORY  READ %s 0 EOF\n" % where,
            "lock:\t2: LEASE  ACTIVE    READ %s 0 EOF\n" % where])



LONGEST = 2 ** 63 - 1


@cases([
    ("the largest length", 0, LONGEST, 0, None),
    ("the largest length from 1", 1, LONGEST, 0, "1 EOF"),
    ("a number beyond 2^53", 1 << 62, 1, 0, "%d %d" % (1 << 62, 1 << 62)),
    ("one too many", 2, LONGEST, EOVERFLOW, None),
    ("the largest offset alone", LONGEST, 1, 0, None),
    ("two bytes there", LONGEST, 2, EOVERFLOW, None),
    ("back from the largest", LONGEST, -LONGEST, 0, None),
    ("too far back", 10, -11, EINVAL, None),
    ("back by the smallest number", 1, -LONGEST - 1, EINVAL, None),
    ("before the beginning", -1, 0, EINVAL, None),
])
def range_at_the_edge(start, length, error, shown):
    fd = new()
    if error:
        fails(error, lock, fd, W, start, length)
        eq(listed(), [])
        return
    lock(fd, W, start, length)
    if shown:
        expect(("POSIX  ADVISORY  WRITE %d" % os.getpid(), shown))
    lock(fd, U, start, length)
    eq(listed(), [])


@test
def f_getlk_returns_a_range_at_the_edge():
    fd = new()
    lock(fd, W, 5, LONGEST - 4)

    def other():
        asked = struct.pack("hhqqi4x", W, 0, 0, 0, 0)
        got = struct.unpack("hhqqi4x", fcntl.fcntl(os.open("file", os.O_RDWR), fcntl.F_GETLK, asked))
        eq(got, (W, 0, 5, 0, os.getppid()), "the lock")
    child_ok(other)


run()
