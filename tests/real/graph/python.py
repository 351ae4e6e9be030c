"""
Python with what programs hold of a kernel: threads that wait in different calls, sockets with
unread data, polls, mappings, watches of files, signals and timers, other processes. Each part keeps
what it makes until the kernel was walked (graph_walker.ts).
"""

import array
import contextlib
import ctypes
import fcntl
import mmap
import os
import pty
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../../guest")
from lib import bpf, fan, keys, landlock, rings, trace, userfault
from lib.guest import NR, SYS, Skip, libc, sc, spawn, stay, wait_in_call, wait_state, works

SYS.update(shmget=29, shmat=30, semget=64, semop=65, msgget=68, msgsnd=69, msgrcv=70, mq_open=240,
           mq_timedsend=242, mq_notify=244, io_setup=206)

kept = []
parts = []
children = []


def part(fn):
    parts.append(fn)
    return fn


def keep(*values):
    kept.extend(values)
    return values[0]


def child(fn, *args):
    """A process that does this, until the end of the part that made it."""
    children.append(spawn(fn, *args))
    return children[-1]


def started(nr, fn, *args):
    """A thread that waits in this call."""
    found = []

    def body():
        found.append(threading.get_native_id())
        with contextlib.suppress(OSError):
            fn(*args)
    threading.Thread(target=body, daemon=True).start()
    while not found:
        time.sleep(0.001)
    wait_in_call(found[0], nr)


@part
def signals():
    # First, so that threads inherit the mask and leave the signals pending.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMIN + 1])
    signal.signal(signal.SIGUSR1, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN + 1)
    mask = struct.pack("Q", 1 << (signal.SIGWINCH - 1))
    keep(works(NR.signalfd4, -1, mask, 8, 0))
    libc.sigaltstack(ctypes.byref((ctypes.c_long * 3)(ctypes.addressof(
        keep(ctypes.create_string_buffer(65536))), 0, 65536)), None)


@part
def threads():
    for call, args in ((NR.clock_nanosleep, (time.sleep, 1000)),
                       (NR.read, (os.read, keep(os.pipe())[0], 1)),
                       (NR.poll, (keep(select.poll()).poll, 1_000_000)),
                       (NR.rt_sigtimedwait, (signal.sigwait, [signal.SIGUSR2]))):
        started(call, *args)
    lock = keep(threading.Lock())
    lock.acquire()
    started(NR.futex, lock.acquire)
    started(NR.futex, lock.acquire, True, 1000)
    r, w = os.pipe()
    keep(r, w)
    fcntl.fcntl(w, 1031, 4096)
    os.write(w, bytes(4096))
    started(NR.write, os.write, w, b"x")


def pair_of_tcp(family=socket.AF_INET, address="127.0.0.1"):
    server = keep(socket.socket(family))
    server.bind((address, 0))
    server.listen(3)
    ours = keep(socket.create_connection(server.getsockname()[:2]))
    return server, ours, keep(server.accept()[0])


@part
def sockets():
    server, a, b = pair_of_tcp()
    keep(socket.create_connection(server.getsockname()))
    a.send(b"unread")
    a.send(b"!", socket.MSG_OOB)
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 50)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    started(NR.recvfrom, a.recv, 1)
    started(NR.accept4, keep(pair_of_tcp())[0].accept)
    with contextlib.suppress(OSError):
        pair_of_tcp(socket.AF_INET6, "::1")
    full = pair_of_tcp()[1]
    full.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            full.send(bytes(65536))
    udp, other = (keep(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
    udp.bind(("127.0.0.1", 0))
    other.sendto(b"unread", udp.getsockname())
    with contextlib.suppress(OSError):
        group = struct.pack("4s4si", bytes([224, 0, 0, 1]), bytes(4), 1)
        other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        one, two = keep(socket.socketpair(socket.AF_UNIX, kind))
        one.sendmsg([b"fds"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                array.array("i", [two.fileno(), 0]))])
    listener = keep(socket.socket(socket.AF_UNIX))
    listener.bind("\0graph-%d" % os.getpid())
    listener.listen()
    keep(socket.socket(socket.AF_UNIX)).connect(listener.getsockname())
    named = keep(socket.socket(socket.AF_UNIX))
    named.bind("socket")
    named.listen()
    started(NR.accept4, named.accept)
    route = keep(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    route.bind((0, 1))
    route.send(struct.pack("=IHHIIB3x", 20, 18, 0x301, 1, 0, 0))
    with contextlib.suppress(OSError):
        keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))).bind(("lo", 0))
        keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        other.sendto(b"unread", udp.getsockname())


@part
def polls():
    r, w = keep(os.pipe())
    inner, outer = keep(select.epoll()), keep(select.epoll())
    inner.register(r, select.EPOLLIN | select.EPOLLET)
    inner.register(w, select.EPOLLOUT | select.EPOLLONESHOT)
    outer.register(inner.fileno(), select.EPOLLIN)
    event = keep(sc(NR.eventfd2, 0, 0o4000))
    outer.register(event, select.EPOLLIN)
    outer.poll(0)
    quiet = keep(select.epoll())
    quiet.register(r, select.EPOLLIN)
    started(NR.epoll_wait, quiet.poll)
    started(NR.epoll_wait, quiet.poll, 1000)
    started(NR.read, os.read, keep(sc(NR.eventfd2, 0, 1)), 8)


@part
def memory():
    keep(mmap.mmap(-1, 1 << 20))[:] = bytes(1 << 20)
    keep(mmap.mmap(-1, 8192, mmap.MAP_PRIVATE))[0] = 1
    with open(__file__, "rb") as f:
        len(keep(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ))[:])
    with open("mapped", "w+b") as f:
        f.truncate(65536)
        keep(mmap.mmap(f.fileno(), 65536))[100] = 1
    with open("/dev/shm/graph-%d" % os.getpid(), "w+b") as f:
        f.truncate(65536)
        keep(mmap.mmap(f.fileno(), 65536))[100] = 1
        os.unlink(f.name)
    fd = keep(os.memfd_create("graph", 3))
    os.ftruncate(fd, 8192)
    keep(mmap.mmap(fd, 8192))[0] = 1
    at = works(NR.mmap, 0, 3 * 4096, 3, 0x22, -1, 0)
    works(NR.mprotect, at + 4096, 4096, 1)
    sc(NR.mlock, at, 4096)
    sc(NR.madvise, at, 4096, 10)
    secret = sc(447, 0)
    if secret >= 0:
        os.ftruncate(secret, 4096)
        sc(NR.mmap, 0, 4096, 3, 1, secret, 0)
    child(stay)
    keep(mmap.mmap(-1, 8192))[0] = 2


@part
def files():
    for path in ("/proc/self/maps", "/proc/self/mounts", "/proc/self/smaps", "/proc/net/tcp",
                 "/proc/self/status", "/proc/meminfo", "/sys/devices/system/cpu/online",
                 "/proc/self/pagemap", "/dev/zero", "/dev/urandom", "/proc/self/ns/net"):
        with contextlib.suppress(OSError):
            os.read(keep(os.open(path, os.O_RDONLY)), 8)
    for path in ("/", ".", "/proc", "/proc/self/fd", "/sys", "/dev", "/tmp", "/usr/lib"):
        scan = keep(os.scandir(path))
        next(scan, None)
    keep(os.open("/usr", os.O_PATH))
    with contextlib.suppress(OSError):
        keep(os.open(".", os.O_TMPFILE | os.O_RDWR))
    locked = keep(open("locked", "w+"))
    fcntl.lockf(locked, fcntl.LOCK_EX, 10, 5)
    fcntl.flock(locked, fcntl.LOCK_SH)
    fcntl.fcntl(locked, 37, struct.pack("hhqqi4x", 1, 0, 100, 10, 0))
    open("leased", "w").close()
    with contextlib.suppress(OSError):
        fcntl.fcntl(keep(open("leased")), fcntl.F_SETLEASE, fcntl.F_RDLCK)
    waiter = child(lambda: fcntl.lockf(open("locked", "r+"), fcntl.LOCK_EX, 10, 5))
    wait_state(waiter, "S")
    with contextlib.suppress(OSError):
        os.setxattr("locked", "user.graph", b"value")
    r, w = os.pipe()
    keep(r, w)
    os.write(w, b"spliced")
    r2, w2 = os.pipe()
    keep(r2, w2)
    works(NR.tee, r, w2, 3, 0)
    fcntl.fcntl(r, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(r, 10, signal.SIGRTMIN)
    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.mkfifo("fifo")
    started(NR.openat, os.open, "fifo", os.O_RDONLY)


@part
def watches():
    fd = keep(works(NR.inotify_init1, 0o4000))
    os.mkdir("watched")
    works(NR.inotify_add_watch, fd, b"watched", 0xFFF)
    works(NR.inotify_add_watch, fd, b"/usr", 0x100)
    with open("watched/new", "w") as f:
        f.write("text")
    quiet = keep(works(NR.inotify_init1, 0))
    started(NR.read, os.read, quiet, 4096)
    with contextlib.suppress(Skip, OSError):
        group = keep(fan.init(fan.NONBLOCK | fan.FID | fan.DIR_FID | fan.NAME))
        fan.mark(group, fan.ADD, fan.CREATE | fan.DELETE, "watched")
        os.unlink("watched/new")


@part
def timers():
    signal.setitimer(signal.ITIMER_REAL, 1000, 1)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
    signal.setitimer(signal.ITIMER_PROF, 1000)
    span = struct.pack("qqqq", 1, 0, 1000, 0)
    for clock in (0, 1, 7):
        fd = keep(works(NR.timerfd_create, clock, 0o4000))
        works(NR.timerfd_settime, fd, 0, span, None)
        number = ctypes.c_int()
        event = struct.pack("Qii48x", 0, signal.SIGRTMIN + 2, 0)
        works(NR.timer_create, clock, event, ctypes.byref(number))
        works(NR.timer_settime, number.value, 0, span, None)
    number = ctypes.c_int()
    works(NR.timer_create, 2, None, ctypes.byref(number))
    works(NR.timer_settime, number.value, 0, span, None)
    resource.setrlimit(resource.RLIMIT_CPU, (1000, resource.RLIM_INFINITY))


@part
def processes():
    cat = keep(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    children.append(cat.pid)
    zombie = child(lambda: None)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    stopped = child(stay)
    os.kill(stopped, signal.SIGSTOP)
    os.waitid(os.P_PID, stopped, os.WSTOPPED)
    fd = keep(works(NR.pidfd_open, stopped, 0))
    poll = keep(select.epoll())
    poll.register(fd, select.EPOLLIN)
    waiter = child(lambda: os.waitpid(spawn(stay), 0))
    wait_state(waiter, "S")
    child(lambda: (os.setsid(), os.nice(3), os.sched_setaffinity(0, {0}), stay()))
    with contextlib.suppress(AssertionError):
        children.append(trace.tracee(stay, trace.O_SYSGOOD))

    def session():
        libc.prctl(1, signal.SIGTERM, 0, 0, 0)
        libc.prctl(36, 1, 0, 0, 0)
        stay()
    child(session)


@part
def terminals():
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("cat", ["cat"])
    children.append(pid)
    keep(master)
    os.write(master, b"a line\nand a part")
    os.read(master, 100)
    fcntl.ioctl(master, 0x5414, struct.pack("HHHH", 30, 90, 0, 0))
    started(NR.read, os.read, keep(pty.openpty())[0], 1)


@part
def messages():
    key = 0x5EED
    shm = sc(NR.shmget, key, 8192, 0o1600)
    sc(NR.shmat, shm, 0, 0)
    queue = sc(NR.msgget, key, 0o1600)
    sc(NR.msgsnd, queue, struct.pack("q8s", 1, b"message"), 8, 0)
    started(NR.msgrcv, sc, NR.msgrcv, queue, ctypes.create_string_buffer(16), 8, 5, 0)
    sems = sc(NR.semget, key, 3, 0o1600)
    sc(NR.semop, sems, struct.pack("Hhh", 0, 1, 0x1000), 1)
    started(NR.semop, sc, NR.semop, sems, struct.pack("Hhh", 1, -1, 0), 1)
    posix = sc(NR.mq_open, b"graph", os.O_CREAT | os.O_RDWR | os.O_NONBLOCK, 0o600, None)
    if posix >= 0:
        keep(posix)
        sc(NR.mq_timedsend, posix, b"message", 7, 1, None)
        sc(NR.mq_notify, posix, struct.pack("Qii48x", 0, signal.SIGRTMIN + 3, 0))


@part
def rings_and_faults():
    with contextlib.suppress(Skip, OSError):
        ring = keep(rings.Ring())
        pipe = os.pipe()
        keep(*pipe)
        ring.put(rings.READ, pipe[0], rings.memory(), 10)
        ring.put(rings.POLL_ADD, pipe[0], op_flags=1)
        ring.put(rings.TIMEOUT, addr=rings.span(1000), size=1)
        ring.enter(3)
    context = ctypes.c_ulong()
    if sc(NR.io_setup, 8, context) == 0:
        keep(context)
    with contextlib.suppress(AssertionError, OSError):
        fd = keep(userfault.new())
        at = userfault.memory(2)
        userfault.register(fd, at, 8192)
        threading.Thread(target=userfault.load, args=(at,), daemon=True).start()
        select.select([fd], [], [], 10)


@part
def limits():
    with contextlib.suppress(Skip, OSError, AssertionError):
        keys.keyring()
        keys.user()

    def restricted():
        with contextlib.suppress(Skip, OSError):
            landlock.restrict(landlock.WRITE_FILE, [("/tmp", landlock.WRITE_FILE)])
        stay()
    child(restricted)

    def filtered():
        bpf.no_new_privs()
        bpf.install(bpf.on_call(NR.mkdir, bpf.ERRNO | 1))
        keep(bpf.install(bpf.on_call(NR.rmdir, bpf.USER_NOTIF), bpf.NEW_LISTENER))
        threading.Thread(target=os.rmdir, args=("none",), daemon=True).start()
        stay()
    child(filtered)

    def apart():
        # User, PID, IPC, UTS, network, mount, control group namespaces.
        if libc.unshare(0x10000000) == 0:
            libc.unshare(0x20000000 | 0x8000000 | 0x4000000 | 0x40000000 | 0x20000 | 0x2000000)
            libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)
            child(stay)
        stay()
    wait_state(child(apart), "S")


def walk(label):
    """Asks for a walk of the kernel, and waits until it is done."""
    with open("/proc/self/comm", "w") as f:
        f.write("walk " + label)
    name = ""
    while name != "walked\n":
        time.sleep(0.002)
        with open("/proc/self/comm") as f:
            name = f.read()


def main():
    os.chdir(os.environ["WORK"])
    wanted = sys.argv[1:]
    for fn in parts:
        if not wanted or fn.__name__ in wanted:
            fn()
    walk("python")
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    kept.clear()
    walk("python end")
    os._exit(0)


main()
