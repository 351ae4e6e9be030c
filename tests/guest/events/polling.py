"""poll, select, epoll and inotify: the events of every kind of file."""

import ctypes
import os
import resource
import select
import socket
import struct
import threading
from errno import *
from lib.guest import *

IN, PRI, OUT, ERR, HUP, NVAL, RDHUP = 1, 2, 4, 8, 16, 32, 0x2000
ET, ONESHOT, EXCLUSIVE = 1 << 31, 1 << 30, 1 << 28


def poll(fd, events=IN | OUT | RDHUP | PRI, timeout=0):
    arr = ctypes.create_string_buffer(struct.pack("<ihh", fd, events, 0), 8)
    n = works(NR.poll, arr, 1, timeout)
    revents = struct.unpack("<ihH", arr.raw)[2]
    eq(n, 1 if revents else 0)
    return revents


@test
def dev_random_can_be_polled_and_dev_urandom_cannot():
    e = select.epoll()
    e.register(os.open("/dev/random", os.O_RDONLY), select.EPOLLIN)
    eq([bits for _, bits in e.poll(0)], [select.EPOLLIN])
    fails(EPERM, e.register, os.open("/dev/urandom", os.O_RDONLY), select.EPOLLIN)


@test
def poll_of_pipes():
    r, w = os.pipe()
    eq(poll(r), 0)
    eq(poll(w), OUT)
    os.write(w, b"x")
    eq(poll(r), IN)
    os.close(w)
    eq(poll(r), IN | HUP)
    os.read(r, 1)
    eq(poll(r), HUP)
    r, w = os.pipe()
    os.close(r)
    eq(poll(w), OUT | ERR)
    os.close(w)
    eq(poll(w), NVAL)
    eq(poll(-1), 0)


@test
def poll_of_files_and_devices():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    eq(poll(fd), IN | OUT)
    eq(poll(os.open("/dev/null", os.O_RDWR)), IN | OUT)
    eq(poll(os.open("/dev/zero", os.O_RDWR)), IN | OUT)
    eq(poll(os.open(".", os.O_RDONLY)), IN | OUT)


@test
def poll_of_sockets():
    a, b = socket.socketpair()
    eq(poll(a.fileno()), OUT)
    b.send(b"x")
    eq(poll(a.fileno()), IN | OUT)
    a.recv(1)
    b.shutdown(socket.SHUT_WR)
    eq(poll(a.fileno()), IN | OUT | RDHUP)
    b.close()
    eq(poll(a.fileno()), IN | OUT | RDHUP | HUP)
    s = socket.socket(socket.AF_UNIX)
    eq(poll(s.fileno()), OUT | HUP)
    s.bind("s")
    s.listen()
    eq(poll(s.fileno()), 0)
    c = socket.socket(socket.AF_UNIX)
    c.connect("s")
    eq(poll(s.fileno()), IN)


@test
def poll_times_out():
    r, w = os.pipe()
    start = time.monotonic()
    eq(poll(r, IN, 50), 0)
    between(0.05, time.monotonic() - start, 2)
    gives(-EFAULT, NR.poll, 1, 1, 0)
    gives(-EINVAL, NR.poll, None, 1 << 30, 0)
    ts = (ctypes.c_int64 * 2)(0, 10**9)
    gives(-EINVAL, NR.ppoll, None, 0, ts, None, 8)
    ts = (ctypes.c_int64 * 2)(0, 10_000_000)
    gives(0, NR.ppoll, None, 0, ts, None, 8)
    eq(list(ts), [0, 0], "what is left is written back")


@test
def poll_wakes():
    r, w = os.pipe()
    p = select.poll()
    p.register(r, select.POLLIN)
    pid = spawn(lambda: (wait_parent_sleeps(), os.write(w, b"x"))[0])
    eq(p.poll(10000), [(r, select.POLLIN)])
    os.waitpid(pid, 0)
    os.read(r, 1)
    t = threading.Thread(target=lambda: (wait_in_call(os.getpid(), NR.poll), os.close(w)))
    t.start()
    eq(p.poll(10000), [(r, select.POLLHUP)])


@test
def select_forms():
    r, w = os.pipe()
    eq(select.select([r], [w], [], 0), ([], [w], []))
    os.write(w, b"x")
    eq(select.select([r], [w], [r], 0), ([r], [w], []))
    start = time.monotonic()
    eq(select.select([], [], [], 0.03), ([], [], []))
    ok(time.monotonic() - start >= 0.03, "slept")
    low = os.dup(r)
    os.close(low)
    fails(EBADF, select.select, [low], [], [], 0)
    gives(-EINVAL, NR.select, -1, None, None, None, None)
    bits = (ctypes.c_uint64 * 16)()
    bits[r // 64] = 1 << (r % 64)
    tv = (ctypes.c_int64 * 2)(1, 0)
    gives(1, NR.select, r + 1, bits, None, None, tv)
    eq(bits[r // 64], 1 << (r % 64))
    high = os.dup2(r, 700)
    bits = (ctypes.c_uint64 * 16)()
    bits[high // 64] = 1 << (high % 64)
    gives(1, NR.select, high + 1, bits, None, None, tv)


def ctl(ep, op, fd, events=0, data=0):
    event = ctypes.create_string_buffer(struct.pack("<IQ", events & 0xFFFFFFFF, data))
    return sc(NR.epoll_ctl, ep, op, fd, event)


def wait(ep, timeout=0, n=16):
    buf = ctypes.create_string_buffer(12 * n)
    got = works(NR.epoll_wait, ep, buf, n, timeout)
    return [struct.unpack_from("<IQ", buf.raw, 12 * i) for i in range(got)]


@test
def epoll_level_triggered():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    eq(ctl(ep, 1, r, IN, 0x1122334455667788), 0)
    eq(wait(ep), [])
    os.write(w, b"xy")
    eq(wait(ep), [(IN, 0x1122334455667788)])
    os.read(r, 1)
    eq(wait(ep), [(IN, 0x1122334455667788)])
    os.read(r, 1)
    eq(wait(ep), [])
    os.close(w)
    eq(wait(ep), [(HUP, 0x1122334455667788)])


@test
def epoll_edge_triggered():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    eq(ctl(ep, 1, r, IN | ET), 0)
    os.write(w, b"x")
    eq(wait(ep), [(IN, 0)])
    eq(wait(ep), [])
    os.write(w, b"y")
    eq(wait(ep), [(IN, 0)])
    eq(ctl(ep, 3, r, IN | ET, 9), 0)
    eq(wait(ep), [(IN, 9)], "EPOLL_CTL_MOD arms it again")


@test
def epoll_one_shot():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    eq(ctl(ep, 1, r, IN | ONESHOT), 0)
    os.write(w, b"x")
    eq(wait(ep), [(IN, 0)])
    os.write(w, b"x")
    eq(wait(ep), [])
    eq(ctl(ep, 3, r, IN | ONESHOT), 0)
    eq(wait(ep), [(IN, 0)])


@test
def epoll_errors():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    eq(ctl(ep, 1, r, IN), 0)
    eq(ctl(ep, 1, r, IN), -EEXIST)
    eq(ctl(ep, 3, w, IN), -ENOENT)
    eq(ctl(ep, 2, w), -ENOENT)
    eq(ctl(ep, 1, ep, IN), -EINVAL)
    eq(ctl(ep, 1, 999, IN), -EBADF)
    eq(ctl(999, 1, r, IN), -EBADF)
    eq(ctl(r, 1, w, IN), -EINVAL)
    eq(ctl(ep, 9, r, IN), -EINVAL)
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    eq(ctl(ep, 1, fd, IN), -EPERM)
    eq(ctl(ep, 1, os.open("/dev/null", os.O_RDONLY), IN), -EPERM)
    buf = ctypes.create_string_buffer(12)
    gives(-EINVAL, NR.epoll_wait, ep, buf, 0, 0)
    gives(-EINVAL, NR.epoll_wait, r, buf, 1, 0)
    gives(-EINVAL, NR.epoll_create1, 1)
    gives(-EINVAL, NR.epoll_create, 0)
    eq(ctl(ep, 2, r), 0)


@test
def epoll_forgets_closed_files():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    os.write(w, b"x")
    eq(ctl(ep, 1, r, IN, 5), 0)
    dup = os.dup(r)
    os.close(r)
    # The duplicate keeps the open file.
    eq(wait(ep), [(IN, 5)])
    os.close(dup)
    eq(wait(ep), [])


@test
def epoll_nests():
    inner = works(NR.epoll_create1, 0)
    outer = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    eq(ctl(inner, 1, r, IN), 0)
    eq(ctl(outer, 1, inner, IN, 3), 0)
    eq(ctl(inner, 1, outer, IN), -ELOOP)
    eq(wait(outer), [])
    os.write(w, b"x")
    eq(wait(outer), [(IN, 3)])
    eq(poll(inner), IN)


def many_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 2048:
        skip("few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))


@test
def select_of_a_high_descriptor():
    """Uses sets of more descriptors than dvisor checks in one turn."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 16384:
        skip("few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, hard))
    r, w = os.pipe()
    high = os.dup2(r, 10000)
    words = high // 64 + 1
    bits, out = (ctypes.c_uint64 * words)(), (ctypes.c_uint64 * words)()

    def ask():
        bits[high // 64] |= 1 << (high % 64)
        bits[r // 64] |= 1 << (r % 64)
        out[w // 64] |= 1 << (w % 64)

    ask()
    tv = (ctypes.c_int64 * 2)(0, 20000)
    gives(0, NR.select, high + 1, bits, None, None, tv)
    eq((bits[high // 64], bits[r // 64], list(tv)), (0, 0, [0, 0]))
    ask()
    gives(1, NR.select, high + 1, bits, out, None, None)
    eq((bits[high // 64], out[w // 64]), (0, 1 << (w % 64)))
    ask()
    threading.Timer(0.05, os.write, (w, b"x")).start()
    gives(2, NR.select, high + 1, bits, None, None, None)
    eq(bits[high // 64], 1 << (high % 64))
    bits[9000 // 64] = 1 << (9000 % 64)
    gives(-EBADF, NR.select, high + 1, bits, None, None, None)
    gives(-EFAULT, NR.select, high + 1, 8, None, None, None)


@cases([("two", 2, 500), ("three", 3, 100), ("four", 4, 50), ("five", 5, 10)])
def epoll_bounds_chains(sets, most):
    """`most` chains of `sets` sets may watch one file."""
    many_descriptors()
    r, _w = os.pipe()
    for n in range(most + 1):
        below = works(NR.epoll_create1, 0)
        eq(ctl(below, 1, r, IN), 0)
        for level in range(2, sets + 1):
            above = works(NR.epoll_create1, 0)
            last = n == most and level == sets
            eq(ctl(above, 1, below, IN), -EINVAL if last else 0, "chain %d, set %d" % (n, level))
            below = above


@test
def epoll_bounds_the_paths_below_a_set():
    """The bound counts for each file below the set that is added."""
    many_descriptors()
    r, w = os.pipe()
    top = works(NR.epoll_create1, 0)
    for _ in range(11):
        ep = works(NR.epoll_create1, 0)
        eq(ctl(ep, 1, r, IN), 0)
        eq(ctl(top, 1, ep, IN, 7), 0)
    for want in (0, 0, -EINVAL):
        above = works(NR.epoll_create1, 0)
        eq(ctl(above, 1, top, IN, 8), want)
        if want == 0:
            top = above
    os.write(w, b"x")
    eq(wait(top), [(IN, 8)])
    eq(wait(above), [], "the one that was refused is not in it")


@test
def epoll_wakes_and_times_out():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    eq(ctl(ep, 1, r, IN), 0)
    start = time.monotonic()
    eq(wait(ep, 40), [])
    ok(time.monotonic() - start >= 0.04, "timed out")
    pid = spawn(lambda: (wait_parent_sleeps(), os.write(w, b"x"))[0])
    eq(wait(ep, 10000), [(IN, 0)])
    os.waitpid(pid, 0)
    ts = (ctypes.c_int64 * 2)(0, 1000)
    os.read(r, 1)
    r2 = sc(NR.epoll_pwait2, ep, ctypes.create_string_buffer(12), 1, ts, None, 8)
    ok(r2 in (0, -ENOSYS), "epoll_pwait2: " + name_of(r2))


@test
def epoll_returns_ready_files_in_turn():
    ep = works(NR.epoll_create1, 0)
    pipes = [os.pipe() for _ in range(10)]
    for i, (r, w) in enumerate(pipes):
        eq(ctl(ep, 1, r, IN, i), 0)
        os.write(w, b"x")
    seen = set()
    for _ in range(10):
        seen |= {d for _, d in wait(ep, 0, 2)}
    eq(seen, set(range(10)))
    eq(len(wait(ep)), 10)


@test
def epoll_in_many_threads():
    ep = works(NR.epoll_create1, 0)
    r, w = os.pipe()
    os.set_blocking(r, False)
    eq(ctl(ep, 1, r, IN | ONESHOT), 0)
    got, lock = [], threading.Lock()

    def worker():
        while True:
            for _ in wait(ep, 5000):
                b = os.read(r, 1)
                if b == b"q":
                    os.write(w, b"q")
                    ctl(ep, 3, r, IN | ONESHOT)
                    return
                with lock:
                    got.append(b)
                ctl(ep, 3, r, IN | ONESHOT)
    threads = [threading.Thread(target=worker) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(200):
        os.write(w, bytes([i % 50 + 1]))
    os.write(w, b"q")
    for t in threads:
        t.join()
    eq(sorted(got), sorted(bytes([i % 50 + 1]) for i in range(200)))


@test
def inotify_events():
    fd = sc(NR.inotify_init1, os.O_NONBLOCK)
    ok(fd >= 0, "inotify_init1: " + name_of(fd))
    os.mkdir("d")
    wd = works(NR.inotify_add_watch, fd, b"d", 0xFFF)
    fails(EAGAIN, os.read, fd, 1000)
    f = os.open("d/f", os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(f, b"x")
    os.close(f)
    os.rename("d/f", "d/g")
    os.unlink("d/g")
    os.rmdir("d")
    events, raw = [], os.read(fd, 8192)
    at = 0
    while at < len(raw):
        w, mask, cookie, n = struct.unpack_from("<iIII", raw, at)
        name = raw[at + 16:at + 16 + n].rstrip(b"\0").decode()
        events.append((mask & 0xFFFF, name))
        at += 16 + n
        eq(w, wd)
    eq(events, [(0x100, "f"), (0x20, "f"), (0x2, "f"), (0x8, "f"), (0x40, "f"), (0x80, "g"),
                (0x200, "g"), (0x400, ""), (0x8000, "")])
    gives(-EINVAL, NR.inotify_rm_watch, fd, 77)
    gives(-ENOENT, NR.inotify_add_watch, fd, b"no", 1)
    gives(-EINVAL, NR.inotify_add_watch, fd, b".", 0)


@test
def inotify_events_of_changes():
    fd = sc(NR.inotify_init1, os.O_NONBLOCK)
    open("f", "w").close()
    works(NR.inotify_add_watch, fd, b"f", 0xFFF)

    def events():
        try:
            raw = os.read(fd, 8192)
        except BlockingIOError:
            return []
        return [struct.unpack_from("<iI", raw, at)[1] for at in range(0, len(raw), 16)]

    def set_times(atime, mtime):
        times = struct.pack("qqqq", 5, atime, 5, mtime)
        works(NR.utimensat, -100, b"f", times, 0)
    now, omit = (1 << 30) - 1, (1 << 30) - 2
    f = os.open("f", os.O_RDWR | os.O_TRUNC)
    eq(sorted(events()), [0x2, 0x20])  # their order changed in Linux 6.8
    os.ftruncate(f, 0)
    os.truncate("f", 10)
    os.fchmod(f, 0o600)
    os.fchown(f, -1, -1)
    eq(events(), [0x2, 0x4])
    os.chown("f", os.getuid(), -1)
    set_times(5, 5)
    eq(events(), [0x4])
    set_times(now, now)
    set_times(now, omit)
    set_times(5, omit)
    set_times(omit, 5)
    set_times(omit, omit)
    eq(events(), [0x4, 0x1, 0x2])


@test
def items_of_one_queue_are_ready_last_first():
    e = os.eventfd(0)
    fds = [e] + [os.dup(e) for _ in range(3)]
    ep = select.epoll()
    for fd in fds[:2]:
        ep.register(fd, IN | ET)
    for fd in fds[2:]:
        ep.register(fd, IN | EXCLUSIVE | ET)
    os.eventfd_write(e, 1)
    eq([fds.index(fd) for fd, _ in ep.poll(0)][:2], [1, 0])
    ep.modify(e, IN | ET)
    eq(ep.poll(0), [(e, IN)])
    # Files with queues of their own are ready in the order of their events.
    other = os.eventfd(0)
    ep.register(other, IN | ET)
    os.eventfd_write(e, 1)
    os.eventfd_write(other, 1)
    eq([fd for fd, _ in ep.poll(0)][-1], other)


@cases([("a file of the machine", "/proc/meminfo", IN | OUT), ("a setting", "/proc/sys/kernel/hostname", IN | OUT),
        ("a table of the network", "/proc/self/net/tcp", IN | OUT), ("locks", "/proc/locks", IN | OUT),
        ("a file of sysfs", "/sys/devices/system/cpu/online", IN | OUT | PRI | ERR),
        ("mounts", "/proc/self/mounts", IN), ("a process", "/proc/self/status", None),
        ("statistics of mounts", "/proc/self/mountstats", None), ("areas", "/proc/self/maps", None),
        ("a directory", "/proc", None)])
def epoll_of_generated_files(path, expected):
    ep, fd = select.epoll(), os.open(path, os.O_RDONLY)
    if expected is None:
        fails(EPERM, ep.register, fd, IN)
        return
    ep.register(fd, IN | OUT | PRI | ERR)
    eq(ep.poll(0), [(fd, expected)])
    eq(poll(fd, IN | OUT | PRI | ERR), expected)
    os.read(fd, 4096)
    eq(ep.poll(0), [(fd, expected & ~(PRI | ERR))])


@test
def epoll_of_files_of_control_groups():
    path = [line.split()[1] for line in open("/proc/self/mounts") if line.split()[2] == "cgroup2"][0]
    ep, fd = select.epoll(), os.open(path + "/cgroup.stat", os.O_RDONLY)
    ep.register(fd, IN | PRI)
    eq(ep.poll(0), [(fd, IN | PRI | ERR)])
    os.read(fd, 4096)
    eq(ep.poll(0), [(fd, IN)])


@test
def the_kernels_log():
    if os.geteuid() != 0:
        skip("needs uid 0")
    eq(os.stat("/proc/kmsg").st_mode, 0o100400)
    fd = os.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    ok(poll(fd) & ~IN == 0, "nothing but input")
    select.epoll().register(fd, IN)
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            os.open("/proc/kmsg", os.O_RDONLY)
        except PermissionError:
            os._exit(0)
        os._exit(1)
    eq(os.waitpid(child, 0)[1], 0)


run()
