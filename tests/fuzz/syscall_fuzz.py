"""A hostile guest: seeded random system calls with hostile arguments, from forked children.

    python3 syscall_fuzz.py SEED SECONDS < TABLE

TABLE has a line a call: number, name, types of its arguments as the kernel's table has them; an
unknown number has no types. Pid 1 starts workers, kills those that make no progress, and watches
the time: a kernel that is busy with one call for longer than STALL_S is a stall. Prints the seed,
stalls, the number of calls, and "done". Not to be run outside of a sandbox.
"""

import ctypes
import fcntl
import mmap
import os
import pty
import random
import resource
import signal
import socket
import struct
import sys
import threading
import time

WORKERS = 3
CALLS_A_WORKER = 3000
# Racing threads in every second worker.
RACERS = 2
STALL_S = 3.0
# Seconds of a delay that is printed, but is no failure: a busy machine has such delays.
SLOW_S = 1.0
# Seconds without a call after which a worker counts as blocked for ever.
STUCK_S = 0.1
START_S = 5.0
ROUND_S = 2.0
LIMIT_AS = 1 << 30
LIMIT_FSIZE = 32 << 20
REPORT_FD = 900
# Opened early: a privileged worker may mount something over /dev.
NULL_FD = 901
SLOT_WORDS = 8
NUMBERS = 471
PAGE = 4096
AREA_BYTES = 64 * PAGE
TEXT_AT = 48 * PAGE

# Calls that often end a worker.
RARE = {"exit", "exit_group", "execve", "execveat", "vfork", "fork", "clone", "clone3", "rt_sigreturn", "kill", "pause",
        "tkill", "tgkill", "munmap", "brk", "rt_sigsuspend", "close_range", "reboot"}
FORKS = {"fork", "vfork", "clone", "clone3"}
# Calls that a privileged worker must not aim at pid 1.
SPARE_INIT = {"prlimit64", "process_vm_writev", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "kill", "tkill", "tgkill", "ptrace"}

syscall = ctypes.CDLL(None).syscall
syscall.argtypes = [ctypes.c_long] * 7
syscall.restype = ctypes.c_long

EDGES = [0, 1, 2, 3, 7, 8, 15, 16, 24, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 1024, 1025, 4095, 4096, 4097, 8192,
         65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 1,
         1 << 40, 1 << 47, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, (1 << 62), (1 << 63) - PAGE, (1 << 63) - 1, -(1 << 63),
         -(1 << 31), -(1 << 32), -4096, -4095, -100, -22, -2, -1, 0x7FFFF000, 0x80000001, 0x7FFFFFFFF000, 0x5A5A5A5A5A5A5A5A]
PATHS = ["/", ".", "..", "", "a", "a/", "a/b", "d", "d/e", "d/../d/e/f", "l", "loop", "fifo", "big", "/proc/self/mem", "/proc/self/fd/3",
         "/proc/self/exe", "/proc/self/maps", "/proc/self/status", "/proc/self", "/proc", "/proc/self/environ", "/proc/self/cwd/a", "/dev",
         "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/ptmx", "/dev/tty", "/dev/pts/0", "/bin/true", "/etc/passwd", "/usr",
         "/proc/self/oom_score_adj", "/proc/self/comm", "/proc/self/fdinfo/3", "/proc/self/task", "/proc/sys/kernel/hostname",
         "/proc/self/root/tmp", "/sys", "/sys/devices/system/cpu/online", "x" * 255, "x" * 256, "d/" * 2000, "../" * 100 + "tmp",
         "sock", "user.a", "trusted.b", "security.capability", "system.posix_acl_access", "tmpfs", "proc", "devpts", "overlay", "size=1k",
         "\xff\xfe\x01", "/proc/self/ns/net", "/proc/self/pagemap", "/proc/kmsg", "/proc/self/attr/current", "/proc/self/net/unix"]


# The areas are far apart, so that a write past the end of one does not reach the next.
AREA_AT, SHARED_AT, COUNTERS_AT = 0x100000000000, 0x200000000000, 0x300000000000
SHARED_BYTES = 16 * PAGE
COUNTERS_BYTES = 4 * PAGE


def map_at(address, size, flags):
    """Maps memory at a fixed address. Returns a writable view."""
    prot = mmap.PROT_READ | mmap.PROT_WRITE
    if syscall(9, address, size, prot, flags | mmap.MAP_ANONYMOUS | 0x100000, -1, 0) != address:
        raise MemoryError("no memory at %x" % address)
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


def signed(value):
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def prepare_files():
    os.makedirs("/tmp/fuzz/d/e", exist_ok=True)
    os.chmod("/tmp/fuzz", 0o777)
    os.chdir("/tmp/fuzz")
    for name in ("a", "d/e/f", "big"):
        with open(name, "wb") as file:
            file.write(b"0123456789abcdef" * 1024)
        os.chmod(name, 0o666)
    for make in (lambda: os.symlink("a", "l"), lambda: os.symlink("loop", "loop"), lambda: os.mkfifo("fifo", 0o666),
                 lambda: os.truncate("big", 1 << 40)):
        try:
            make()
        except OSError:
            pass


def start_victim():
    """Starts a process that only waits, as a target of signals in place of pid 1."""
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def open_zoo(victim):
    """Opens a file of each kind, at any descriptor numbers."""
    fds = []

    def add(make):
        try:
            made = make()
        except OSError:
            return
        fds.extend(made if isinstance(made, (tuple, list)) else [made])

    for path, flags in (("a", os.O_RDWR), ("d", os.O_RDONLY), ("big", os.O_RDWR), ("a", os.O_PATH), ("fifo", os.O_RDWR),
                        ("a", os.O_WRONLY | os.O_APPEND), ("/proc/self/mem", os.O_RDWR), ("/proc/self/maps", os.O_RDONLY),
                        ("/dev/zero", os.O_RDWR), ("/dev/null", os.O_RDWR), ("/dev/full", os.O_RDWR), ("/usr", os.O_RDONLY),
                        ("/proc", os.O_RDONLY), ("/etc/passwd", os.O_RDONLY), ("/bin/true", os.O_RDONLY)):
        add(lambda path=path, flags=flags: os.open(path, flags | os.O_NONBLOCK))
    add(os.pipe)
    add(pty.openpty)
    add(lambda: os.memfd_create("fuzz"))
    add(lambda: os.eventfd(0))
    add(lambda: os.pidfd_open(victim))
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        add(lambda kind=kind: [s.detach() for s in socket.socketpair(socket.AF_UNIX, kind)])
    for family, kind in ((socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_STREAM),
                         (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_NETLINK, socket.SOCK_RAW)):
        add(lambda family=family, kind=kind: socket.socket(family, kind).detach())
    # epoll_create1, timerfd_create, inotify_init1
    for number, args in ((291, (0,)), (283, (1, 0)), (294, (0,))):
        add(lambda number=number, args=args: syscall(number, *(list(args) + [0] * (6 - len(args)))))
    return [fd for fd in fds if fd >= 0]


class Plans:
    """
    Calls and arguments of the workers of a round, made in advance so that workers start quickly.
    """

    def __init__(self, table, seed, counters):
        self.rng = random.Random(seed)
        self.table = table
        self.counters = counters
        self.area = map_at(AREA_AT, AREA_BYTES, mmap.MAP_PRIVATE)
        self.base = AREA_AT
        self.fds = []
        self.lists = {}
        self.texts = []
        self.plans = []

    def renew(self):
        for fd in self.fds:
            try:
                os.close(fd)
            except OSError:
                pass
        self.fds = open_zoo(start_victim())
        self.lists = {}
        self.fill()
        self.plans = self.make_plans()

    def fill(self):
        """Fills memory with structures of plausible words, and texts behind them."""
        words = [signed(self.word()) for _ in range(TEXT_AT // 8)]
        struct.pack_into("<%dq" % len(words), self.area, 0, *words)
        at, self.texts = TEXT_AT, []
        for path in PATHS:
            text = path.encode("latin-1") + b"\0"
            self.area[at:at + len(text)] = text
            self.texts.append(self.base + at)
            at += len(text)

    def word(self):
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 2:
            return rng.choice(EDGES)
        if kind < 4:
            return self.pointer()
        if kind == 4:
            return rng.choice(self.fds) | rng.choice((0, 1, 5, 0x1FFF)) << 32
        if kind == 5:
            return rng.randrange(64) | rng.randrange(64) << 32
        return rng.randrange(4096) if kind == 6 else rng.getrandbits(64)

    def pointer(self):
        return self.base + self.rng.randrange(0, TEXT_AT, 8)

    def values(self, kind):
        """Makes 256 arguments of a type, most of them plausible."""
        rng = self.rng
        out = []
        for _ in range(256):
            pick = rng.random()
            if pick < 0.15:
                value = rng.choice(EDGES)
            elif pick < 0.18:
                value = rng.getrandbits(64)
            else:
                value = self.plausible(kind, rng)
            out.append(signed(value))
        return out

    def plausible(self, kind, rng):
        pointers = ("ptr", "out", "buf", "iov", "msghdr", "sockaddr", "stat", "timespec", "sigset", "sigaction", "argv")
        if kind in pointers:
            pick = rng.random()
            if pick < 0.7:
                return self.pointer()
            if pick < 0.8:
                return 0
            if pick < 0.9:
                return SHARED_AT + rng.choice((0, PAGE, SHARED_BYTES - 8, SHARED_BYTES, -8))
            return rng.choice((self.base + AREA_BYTES - rng.randrange(64), 1, PAGE, 0x7FFFFFFFEFFF, 0xFFFF800000000000, -8, 1 << 46,
                               0xFFFFFFFFFF600000, id(self)))
        if kind in ("path", "str"):
            return rng.choice(self.texts)
        if kind in ("fd", "dirfd"):
            return rng.choice(self.fds) if kind == "fd" or rng.random() < 0.5 else -100
        if kind in ("size", "uint", "int", "long", "ulong", "whence", "clock", "epollop", "futexop", "fcntl"):
            return rng.randrange(40) if rng.random() < 0.7 else 1 << rng.randrange(40)
        if kind == "off":
            return rng.choice((0, 1, PAGE, 1 << 20, 1 << 33, 1 << 52, (1 << 53) + 2, 1 << 60))
        if kind == "pid":
            return rng.choice((0, 0, 0, 2, 3, 99999, -1, -5))
        if kind == "sig":
            return rng.choice((0, 10, 12, 17, 18, 23, 34, 64, 65))
        if kind == "ioctl":
            return rng.choice((0x5400, 0x5600, 0x8900, 0x80045430, 0x40045431, 0x5420)) + rng.randrange(64)
        if kind == "mmapprot":
            return rng.randrange(8)
        if kind == "mmapflags":
            return rng.choice((0x21, 0x22, 0x1, 0x2, 0x4022, 0x100022, 0x8022, 0x3, 0x122, 0x40022))
        if kind == "uid":
            return rng.choice((0, 1000, 65534, -1))
        if kind == "cloneflags":
            return rng.choice((17, 0x100 | 17, 0x4111, 0x10F00, 0x3D0F00, 0x1200011, 0x400, 0x200, 0x10000000))
        return rng.getrandbits(rng.choice((3, 6, 12, 16, 32)))

    def list_of(self, kind):
        made = self.lists.get(kind)
        if made is None:
            made = self.lists[kind] = self.values(kind)
        return made

    def make_plans(self):
        plans = []
        for number in range(NUMBERS):
            name, kinds = self.table.get(number, ("", []))
            if name in RARE and self.rng.random() < 0.9:
                continue
            lists = [self.list_of(kind) for kind in (kinds + ["any"] * 6)[:6]]
            plan = (number, lists, name in FORKS, name in SPARE_INIT)
            plans.extend([plan] * (1 if name in RARE or not kinds else 8))
        return plans

    def race(self, seed):
        """
        Changes memory, mappings and descriptors of the process while `run` makes calls in another
        thread.
        """
        rng, pack = random.Random(seed), struct.pack_into
        shared = memoryview((ctypes.c_char * SHARED_BYTES).from_address(SHARED_AT)).cast("B")
        calls = [(number, lists) for number, lists, forks, spares in self.plans if not (forks or spares)]
        while True:
            for _ in range(16):
                pack("<q", self.area, rng.randrange(0, TEXT_AT, 8), rng.choice(EDGES))
                pack("<q", shared, rng.randrange(0, SHARED_BYTES, 8), rng.choice(EDGES))
            pick, page = rng.randrange(5), rng.randrange(TEXT_AT // PAGE)
            # mmap over existing memory, madvise DONTNEED, dup2, close
            if pick == 0:
                syscall(9, AREA_AT + page * PAGE, PAGE, 3, 0x32, -1, 0)
            elif pick == 1:
                syscall(9, AREA_AT + page * PAGE, PAGE, 3, 0x12, self.fds[0], 0)
            elif pick == 2:
                syscall(28, AREA_AT + page * PAGE, PAGE, 4, 0, 0, 0)
            elif pick == 3:
                syscall(33, rng.choice(self.fds), rng.choice(self.fds), 0, 0, 0, 0)
            else:
                number, lists = rng.choice(calls)
                syscall(number, *(rng.choice(values) for values in lists))

    def run(self, seed, slot, privileged, races):
        """Makes random calls, in a child, until the child ends."""
        signal.signal(signal.SIGALRM, lambda *_: None)
        map_at(SHARED_AT, SHARED_BYTES, mmap.MAP_SHARED)
        self.rng = random.Random(seed)
        sys.setswitchinterval(0.0005)
        for racer in range(RACERS if races else 0):
            threading.Thread(target=self.race, args=(seed + racer,), daemon=True).start()
        counters, pack, plans = self.counters, struct.pack_into, self.plans
        own, getpid, timer = os.getpid(), os.getpid, signal.setitimer
        for call in range(CALLS_A_WORKER):
            if call % 256 == 0:
                timer(signal.ITIMER_REAL, 0.004, 0.004)
                if call % 1024 == 512:
                    self.fill()
                random_bytes = self.rng.randbytes(8 * 256)
            b = random_bytes[8 * (call % 256):8 * (call % 256) + 8]
            number, (l0, l1, l2, l3, l4, l5), forks, spares = plans[(b[6] << 8 | b[7]) % len(plans)]
            args = (l0[b[0]], l1[b[1]], l2[b[2]], l3[b[3]], l4[b[4]], l5[b[5]])
            if spares and privileged and any(arg & 0xFFFFFFFF == 1 for arg in args):
                continue
            pack("<8q", counters, slot, number, *args, call)
            if syscall(number, *args) >= 0:
                counters_ok[number] += 1
            counters_ok[NUMBERS] += 1
            if forks and getpid() != own:
                os._exit(0)


counters_ok = None


class Driver:
    def __init__(self, table, seed, seconds):
        self.table, self.seed, self.seconds = table, seed, seconds
        self.memory = map_at(COUNTERS_AT, COUNTERS_BYTES, mmap.MAP_SHARED)
        global counters_ok
        counters_ok = self.memory[:PAGE * 2].cast("Q")
        self.slots_at = PAGE * 2
        self.plans = Plans(table, seed, self.memory)
        self.workers = {}
        self.started = 0
        self.stalls = 0

    def say(self, text):
        os.write(REPORT_FD, text.encode() + b"\n")

    def slot(self, index):
        return struct.unpack_from("<8q", self.memory, self.slots_at + 64 * index)

    def start(self, index):
        self.started += 1
        number = self.started
        struct.pack_into("<8q", self.memory, self.slots_at + 64 * index, 0, 0, 0, 0, 0, 0, 0, -1)
        pid = os.fork()
        if pid != 0:
            self.workers[index] = [pid, time.monotonic(), -1]
            return
        try:
            self.child(index, number)
        finally:
            os._exit(0)

    def child(self, index, number):
        os.close(REPORT_FD)
        for fd in (0, 1, 2):
            os.dup2(NULL_FD, fd)
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_AS, LIMIT_AS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_FSIZE, LIMIT_FSIZE))
        resource.setrlimit(resource.RLIMIT_NPROC, (200, 200))
        privileged = number % 3 == 0
        if not privileged:
            os.setgroups([])
            os.setresgid(1000, 1000, 1000)
            os.setresuid(1000, 1000, 1000)
        self.plans.run(self.seed * 1000003 + number, self.slots_at + 64 * index, privileged, number % 2 == 0)

    def look(self, index, now):
        pid, since, call = self.workers[index]
        try:
            done, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            done = pid
        if done == pid:
            return self.start(index)
        current = self.slot(index)[7]
        if current != call:
            self.workers[index][1:] = [now, current]
        elif now - since > (START_S if call < 0 else STUCK_S):
            os.kill(pid, signal.SIGKILL)

    def sweep(self):
        """Kills and reaps processes that the workers left."""
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        while True:
            try:
                os.waitpid(-1, 0x40000000)
            except ChildProcessError:
                return

    def check(self, last, what):
        """Returns the time; reports a long delay with the calls that were running."""
        taken = time.monotonic() - last
        if taken > SLOW_S:
            word = "slow"
            if taken > STALL_S:
                self.stalls += 1
                word = "stall"
            self.say("%s: %.2f s, %s; last calls:" % (word, taken, what))
            for index in range(WORKERS):
                number, *args, _ = self.slot(index)
                name = self.table.get(number, ("", []))[0]
                self.say("  %s %d(%s)" % (name, number, ", ".join(hex(a & (1 << 64) - 1) for a in args)))
        return time.monotonic()

    def run(self):
        end = time.monotonic() + self.seconds
        last = time.monotonic()
        while last < end:
            self.plans.renew()
            for index in range(WORKERS):
                self.start(index)
            round_end = last + ROUND_S
            while last < round_end:
                time.sleep(0.005)
                last = self.check(last, "asleep")
                for index in range(WORKERS):
                    self.look(index, last)
                last = self.check(last, "starting workers")
            self.sweep()
            last = self.check(last, "ending workers")
        tried = sum(1 for number in self.table if counters_ok[number])
        self.say("calls %d, workers %d, succeeded %d of %d, stalls %d" %
                 (counters_ok[NUMBERS], self.started, tried, len(self.table), self.stalls))


def main():
    seed, seconds = int(sys.argv[1]), float(sys.argv[2])
    table = {}
    for line in sys.stdin:
        number, name, *kinds = line.split()
        table[int(number)] = (name, kinds)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    os.dup2(1, REPORT_FD)
    os.dup2(os.open("/dev/null", os.O_RDWR), NULL_FD)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fcntl.fcntl(REPORT_FD, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    os.write(REPORT_FD, b"seed %d\n" % seed)
    prepare_files()
    Driver(table, seed, seconds).run()
    os.write(REPORT_FD, b"done\n")


main()
