"""Processes and threads that check the content of their memory after writes, forks and writes of
both sides, mremap, MADV_DONTNEED, unmapping, permissions, shared memory, shared files and their
truncation.

    python3 memory_checker.py SEED SECONDS PROCESSES THREADS

One process has THREADS threads, each with memory of its own; the others have one each, end after a
while, and are replaced. Prints "ready" and waits for a line, before and after, so that its test can
check the sandbox. A wrong byte is printed and makes the exit code 1. A worker that makes no step
for STALL_S, which is long on a busy host, is a stall. Linux itself passes.
"""

import ctypes
import errno
import mmap
import os
import random
import struct
import sys
import threading
import time

PAGE = 4096
PAGES = 24
STALL_S = 120.0
STEPS = 150
PROT_NONE, PROT_READ, PROT_RW = 0, 1, 3
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS = 1, 2, 16, 32
MREMAP_MAYMOVE, MADV_DONTNEED = 1, 4
FAILED = (1 << 64) - 1
# One process can have this many counters of steps.
LANES = 512

libc = ctypes.CDLL(None, use_errno=True)
word = ctypes.c_ulong
for name in ("mmap", "mremap"):
    getattr(libc, name).restype = word
seed, seconds, processes, threads = (int(a) for a in sys.argv[1:5])
counters = mmap.mmap(-1, 8 * LANES)
mistakes = mmap.mmap(-1, PAGE)
folder = "/tmp/checker-%d" % os.getpid()


def wrong(what):
    mistakes[0] = 1
    os.write(1, ("wrong: %s (pid %d, seed %d)\n" % (what, os.getpid(), seed)).encode())


def call(name, *args):
    result = getattr(libc, name)(*[word(a & FAILED) for a in args])
    if result in (FAILED, -1):
        raise OSError(ctypes.get_errno(), name)
    return result


class Region:
    """Pages, and the number that fills each of them. Pages of a file have the file's numbers."""

    def __init__(self, rng, fd=-1):
        self.rng, self.fd, self.pages = rng, fd, PAGES
        flags = MAP_PRIVATE | MAP_ANONYMOUS if fd < 0 else MAP_SHARED
        self.at = call("mmap", 0, PAGES * PAGE, PROT_RW, flags, fd, 0)
        self.want = [0] * PAGES
        self.end = PAGES  # of the file: an access to a page behind it is a SIGBUS

    def write(self, i, value):
        ctypes.memmove(self.at + i * PAGE, struct.pack("<Q", value) * (PAGE // 8), PAGE)
        self.want[i] = value

    def check(self, i, what):
        found = ctypes.string_at(self.at + i * PAGE, PAGE)
        if found == struct.pack("<Q", self.want[i]) * (PAGE // 8):
            return True
        at = next(k for k in range(0, PAGE, 8) if struct.unpack_from("<Q", found, k)[0] != self.want[i])
        value = struct.unpack_from("<Q", found, at)[0]
        wrong("page %d at %d has %x, not %x, %s" % (i, at, value, self.want[i], what))
        return False

    def check_all(self, what):
        return all([self.check(i, what) for i in range(min(self.pages, self.end))])

    def some(self):
        first = self.rng.randrange(min(self.pages, self.end))
        return first, self.rng.randrange(first, min(self.pages, self.end)) + 1

    def close(self):
        call("munmap", self.at, self.pages * PAGE)


def step_write(r):
    for i in range(*r.some()):
        r.write(i, r.rng.getrandbits(64))


def step_check(r):
    r.check_all("later")


def step_forget(r):
    first, end = r.some()
    call("madvise", r.at + first * PAGE, (end - first) * PAGE, MADV_DONTNEED)
    if r.fd < 0:
        r.want[first:end] = [0] * (end - first)
    for i in range(first, end):
        r.check(i, "after MADV_DONTNEED")


def step_remap(r):
    if r.fd >= 0:
        return
    pages = r.rng.randrange(1, 2 * PAGES)
    try:
        r.at = call("mremap", r.at, r.pages * PAGE, pages * PAGE, MREMAP_MAYMOVE)
    except OSError as error:
        if error.errno != errno.EFAULT:  # the range has several mappings by now
            raise
        return
    r.want = r.want[:pages] + [0] * (pages - r.pages)
    r.pages = r.end = pages
    r.check_all("after mremap")


def step_replace(r):
    if r.fd >= 0:
        return
    first, end = r.some()
    at, size = r.at + first * PAGE, (end - first) * PAGE
    call("mmap", at, size, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, FAILED, 0)
    r.want[first:end] = [0] * (end - first)
    for i in range(first, end):
        r.check(i, "after another mapping")


def step_protect(r):
    first, end = r.some()
    at, size = r.at + first * PAGE, (end - first) * PAGE
    call("mprotect", at, size, PROT_READ)
    for i in range(first, end):
        r.check(i, "when it is read-only")
    call("mprotect", at, size, PROT_NONE)
    call("mprotect", at, size, PROT_RW)
    for i in range(first, end):
        r.check(i, "when it may be written again")


def step_truncate(r):
    if r.fd < 0:
        return
    end = r.rng.randrange(1, PAGES + 1)
    os.ftruncate(r.fd, end * PAGE)
    r.want[end:] = [0] * (PAGES - end)
    r.end = end
    if r.rng.random() < 0.5:
        os.ftruncate(r.fd, PAGES * PAGE)
        r.end = PAGES
    r.check_all("after ftruncate")


def step_file(r):
    """Checks that memory has the content of the file, and the file that of memory."""
    if r.fd < 0:
        return
    i, value = r.rng.randrange(r.end), r.rng.getrandbits(64)
    os.pwrite(r.fd, struct.pack("<Q", value) * (PAGE // 8), i * PAGE)
    r.want[i] = value
    r.check(i, "after pwrite")
    i = r.rng.randrange(r.end)
    if os.pread(r.fd, PAGE, i * PAGE) != struct.pack("<Q", r.want[i]) * (PAGE // 8):
        wrong("page %d of a file is not what is mapped" % i)


def step_fork(r):
    """Lets both sides write after a fork: neither sees the other's writes, but in shared memory."""
    first, end = r.some()
    values = [r.rng.getrandbits(64) for _ in range(first, end)]
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            good = r.fd >= 0 or r.check_all("in a child")
            for i, value in zip(range(first, end), values):
                r.write(i, value)
            status = 0 if r.fd >= 0 or good and r.check_all("that a child wrote") else 1
        finally:
            os._exit(status)
    if r.fd < 0:
        for i in range(*r.some()):
            r.write(i, r.rng.getrandbits(64))
    _, status = os.waitpid(pid, 0)
    if status != 0:
        wrong("a child ended with %x" % status)
    if r.fd >= 0:
        r.want[first:end] = values
    r.check_all("after a child")


SINGLE = [step_write] * 4 + [step_check] * 2 + [step_forget, step_remap, step_replace, step_protect, step_truncate, step_file]
FORKING = SINGLE + [step_fork] * 2


def work(lane, stream, steps, until):
    rng = random.Random("%d %d" % (seed, stream))
    path = "%s/%d" % (folder, stream)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    os.ftruncate(fd, PAGES * PAGE)
    regions = [Region(rng), Region(rng), Region(rng, fd)]
    made = 0
    while made < until and time.monotonic() < end_at:
        rng.choice(steps)(rng.choice(regions))
        made += 1
        count = struct.unpack_from("<q", counters, 8 * lane)[0]
        struct.pack_into("<q", counters, 8 * lane, count + 1)
    for region in regions:
        region.check_all("at the end")
        region.close()
    os.close(fd)


def child(body, *args):
    pid = os.fork()
    if pid != 0:
        return pid
    status = 1
    try:
        body(*args)
        status = 0
    except BaseException as error:
        wrong("%s: %s" % (type(error).__name__, error))
    finally:
        os._exit(status)


def threaded(lane, stream):
    """Runs threads that do not fork: a fork would copy the others' memory during a write."""
    threading.excepthook = lambda args: wrong("%s: %s" % (args.exc_type.__name__, args.exc_value))
    # All threads start together: an earlier one would hold the interpreter's lock.
    all_there = threading.Event()

    def work_along(i):
        all_there.wait()
        work(lane + i, stream + i, SINGLE, 1 << 60)

    all_threads = [threading.Thread(target=work_along, args=(i,)) for i in range(threads)]
    for thread in all_threads:
        thread.start()
    all_there.set()
    for thread in all_threads:
        thread.join()


def wait_for_line():
    print("ready", flush=True)
    sys.stdin.readline()


def main():
    lanes, stalls, born = {}, 0, 0
    for lane in range(1, processes):
        lanes[child(work, lane, lane, FORKING, STEPS)] = lane
        born += 1
    team = child(threaded, processes, 1 << 20)
    seen, since = [0] * LANES, [time.monotonic()] * LANES
    while time.monotonic() < end_at:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if status != 0:
            wrong("a worker ended with %x" % status)
        if pid == 0:
            time.sleep(0.005)
        elif pid == team:
            break
        else:
            lane = lanes.pop(pid)
            born += 1
            lanes[child(work, lane, processes + born, FORKING, STEPS)] = lane
            since[lane] = time.monotonic()
        now = time.monotonic()
        for lane in list(lanes.values()) + [processes + i for i in range(threads)]:
            count = struct.unpack_from("<q", counters, 8 * lane)[0]
            if count != seen[lane]:
                seen[lane], since[lane] = count, now
            elif now - since[lane] > STALL_S:
                stalls += 1
                since[lane] = now
                print("stall: lane %d" % lane, flush=True)
    for pid in [*lanes, team]:
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:
            continue  # the process of the threads, which ended first
        if status != 0:
            wrong("a worker ended with %x at the end" % status)
    steps = sum(struct.unpack_from("<q", counters, 8 * lane)[0] for lane in range(LANES))
    print("steps %d, processes %d, stalls %d" % (steps, born + 1, stalls), flush=True)
    return stalls


assert processes + threads < LANES
os.mkdir(folder)
stalled = 0
for _ in range(2):
    wait_for_line()
    end_at = time.monotonic() + seconds / 2
    stalled += main()
wait_for_line()
os.rmdir(folder)
print("done", flush=True)
sys.exit(1 if mistakes[0] or stalled else 0)
