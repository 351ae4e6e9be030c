"""A hostile guest: rings of malformed requests, which change while the kernel reads them.

    python3 io_uring_fuzz.py SEED SECONDS

Pid 1 starts workers and watches the time, as syscall_fuzz.py does. A worker makes rings, fills them
with requests, most of them plausible, and submits; a thread beside it writes to entries, heads,
tails, masks and completions, registers and unregisters files and buffers, and closes descriptors of
requests. Prints the seed, stalls, and "done". Not to be run outside of a sandbox.
"""

import ctypes
import mmap
import os
import random
import resource
import signal
import socket
import struct
import sys
import threading
import time

WORKERS = 3
ROUNDS_A_WORKER = 400
STALL_S = 3.0
SLOW_S = 1.0
# Seconds without a submission after which a worker counts as blocked for ever.
STUCK_S = 0.5
# LIMIT: seconds from the fork to the first request.
START_S = 10.0
PAGE = 4096
AREA_AT, AREA_BYTES = 0x100000000000, 64 * PAGE
SETUP, ENTER, REGISTER = 425, 426, 427
SQES_AT = 0x10000000
OPCODES = 62
# Places in the counters: successes of each operation.
OPCODES_AT = 64
NULL_FD = 901

syscall = ctypes.CDLL(None).syscall
syscall.argtypes = [ctypes.c_long] * 7
syscall.restype = ctypes.c_long

EDGES = [0, 1, 2, 7, 8, 15, 16, 31, 63, 64, 255, 256, 4095, 4096, 4097, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
         1 << 32, (1 << 47), (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1, 0x7FFFFFFFF000,
         0xFFFFFFFFFF600000]
PATHS = [b"/tmp/f\0", b"f\0", b"d/x\0", b"\0", b"/proc/self/fd/3\0", b"/dev/zero\0", b"x" * 5000 + b"\0", b"user.a\0"]


class Ring:
    """A ring of its maker; the offsets are those that the kernel returned, not those in memory."""

    def __init__(self, rng):
        flags = 0
        for bit in range(17):
            flags |= (rng.random() < 0.06) << bit
        params = bytearray(120)
        struct.pack_into("<5I", params, 0, 0, rng.choice((0, 1, 8, 64, 1 << 16)), flags, 0, 0)
        area = (ctypes.c_char * 120).from_buffer(params)
        self.fd = syscall(SETUP, rng.choice((1, 2, 8, 8, 64, 64, 4096)), ctypes.addressof(area), 0, 0, 0, 0)
        if self.fd < 0:
            raise OSError("no ring")
        self.entries, self.completions = struct.unpack_from("<2I", params, 0)
        self.sq = struct.unpack_from("<7I", params, 40)
        self.cq = struct.unpack_from("<7I", params, 80)
        size = max(self.sq[6] + 4 * self.entries, self.cq[5] + 16 * self.completions)
        self.words = mmap.mmap(self.fd, size, offset=0)
        self.sqes = mmap.mmap(self.fd, 64 * self.entries, offset=SQES_AT)

    def put(self, entry):
        tail = struct.unpack_from("<I", self.words, self.sq[1])[0]
        slot = tail & (self.entries - 1)
        self.sqes[64 * slot:64 * slot + 64] = entry
        if self.sq[6] != 0:
            struct.pack_into("<I", self.words, self.sq[6] + 4 * slot, slot)
        struct.pack_into("<I", self.words, self.sq[1], (tail + 1) & 0xFFFFFFFF)

    def take_all(self, succeeded):
        """Counts successful completions by opcode."""
        head, tail = (struct.unpack_from("<I", self.words, at)[0] for at in self.cq[:2])
        for at in range(head, head + min((tail - head) & 0xFFFFFFFF, 64)):
            data, result = struct.unpack_from("<Qi", self.words, self.cq[5] + 16 * (at & (self.completions - 1)))
            if result >= 0 and data < OPCODES:
                succeeded[data] += 1
        struct.pack_into("<I", self.words, self.cq[0], tail)

    def close(self):
        for end in (lambda: os.close(self.fd), self.words.close, self.sqes.close):
            try:
                end()
            except (OSError, BufferError):
                pass


class Hostile:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100000
        if syscall(9, AREA_AT, AREA_BYTES, 3, flags, -1, 0) != AREA_AT:
            raise MemoryError
        self.area = memoryview((ctypes.c_char * AREA_BYTES).from_address(AREA_AT)).cast("B")
        self.fds = self.open_files()
        self.rings = []
        self.fill(self.rng)

    def open_files(self):
        fds = [os.open(path, flags | os.O_NONBLOCK * block) for block in (0, 1)
               for path, flags in (("f", os.O_RDWR), ("d", os.O_RDONLY), ("/dev/zero", os.O_RDWR), ("/proc/self/maps", os.O_RDONLY))]
        fds += [*os.pipe(), *os.pipe2(os.O_NONBLOCK), os.eventfd(0), os.memfd_create("m")]
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            fds += [s.detach() for s in socket.socketpair(socket.AF_UNIX, kind)]
        listener = socket.socket(socket.AF_INET)
        listener.bind(("127.0.0.1", 0))
        listener.listen(4)
        return fds + [listener.detach(), syscall(291, 0, 0, 0, 0, 0, 0), syscall(283, 1, 0, 0, 0, 0, 0)]

    def fill(self, rng):
        """Fills memory with pointers and lengths into the same area, short times, and paths."""
        for at in range(0, AREA_BYTES - 8 * PAGE, 64):
            words = (self.pointer(rng), rng.choice((0, 1, 64, PAGE, AREA_BYTES)), 0, rng.randrange(10 ** 6),
                     self.pointer(rng), rng.choice(EDGES), rng.choice(self.fds), rng.getrandbits(64))
            struct.pack_into("<8Q", self.area, at, *words)
        for index, path in enumerate(PATHS):
            at = AREA_BYTES - (8 - index) * PAGE
            self.area[at:at + min(len(path), PAGE)] = path[:PAGE]

    def pointer(self, rng):
        return AREA_AT + rng.randrange(0, AREA_BYTES - 8 * PAGE, 64)

    def value(self, rng):
        pick = rng.randrange(8)
        if pick < 3:
            return self.pointer(rng)
        if pick == 3:
            return rng.choice(EDGES)
        if pick == 4:
            return AREA_AT + AREA_BYTES - rng.randrange(1, 9) * PAGE
        return rng.randrange(64) if pick < 7 else 0

    def entry(self):
        """Makes a request, most of whose fields are 0 where most operations need 0."""
        rng = self.rng
        opcode = rng.randrange(OPCODES) if rng.random() < 0.97 else rng.randrange(256)
        flags = sum((rng.random() < share) << bit for bit, share in enumerate((0.1, 0.06, 0.2, 0.06, 0.1, 0.02, 0.05, 0.002)))
        sometimes = rng.random() < 0.15
        fd = rng.choice(self.fds) if rng.random() < 0.85 else rng.choice((-1, -100, self.ring_fd(rng), rng.randrange(16)))
        return struct.pack("<BBHiQQIIQHHiQQ", opcode, flags, rng.randrange(1 << 16) if sometimes else 0, fd,
                           self.value(rng) if rng.random() < 0.6 else rng.choice((0, (1 << 64) - 1)),
                           self.value(rng) if rng.random() < 0.8 else 0,
                           rng.choice((0, 1, 1, 8, PAGE, AREA_BYTES, 1 << 31, (1 << 32) - 1)),
                           1 << rng.randrange(32) if sometimes else 0, opcode,
                           rng.randrange(8) if sometimes else 0, rng.randrange(3) if sometimes else 0,
                           rng.choice(self.fds) if opcode in (30, 33) or sometimes else 0,
                           self.value(rng) if sometimes or opcode in (42, 44) else 0, 0)

    def ring_fd(self, rng):
        return rng.choice(self.rings).fd if self.rings else -1

    def register(self, rng, ring):
        opcode = rng.randrange(32) | (rng.random() < 0.02) << 31
        address = self.value(rng) if rng.random() < 0.9 else 0
        syscall(REGISTER, ring.fd, opcode, address, rng.choice((0, 1, 2, 4, 16, 256, 1 << 31)), 0, 0)

    def race(self, seed):
        rng = random.Random(seed)
        while True:
            if not self.rings:
                time.sleep(0.001)
                continue
            ring = rng.choice(self.rings)
            try:
                self.harm(rng, ring)
            except (ValueError, IndexError, OSError):
                # The ring, or a descriptor, was just closed.
                pass

    def harm(self, rng, ring):
        pick = rng.randrange(16)
        if pick < 6:
            for _ in range(8):
                ring.sqes[rng.randrange(64 * min(ring.entries, 8))] = rng.choice((0, 1, 4, 22, 23, 255, rng.randrange(256)))
        elif pick < 8:
            at = rng.choice(ring.sq[:6] + ring.cq[:5] + ring.cq[6:])
            delta = struct.unpack_from("<I", ring.words, at)[0] + rng.choice((-1, 1, 7, 1 << 31, -(1 << 16)))
            struct.pack_into("<I", ring.words, at, delta & 0xFFFFFFFF)
        elif pick == 8:
            struct.pack_into("<I", ring.words, rng.randrange(0, len(ring.words) - 4, 4), rng.choice(EDGES) & 0xFFFFFFFF)
        elif pick < 11:
            struct.pack_into("<Q", self.area, rng.randrange(0, AREA_BYTES - 8 * PAGE, 8), rng.choice(EDGES))
        elif pick == 11:
            syscall(33, rng.choice(self.fds), rng.choice(self.fds), 0, 0, 0, 0)
        elif pick == 12:
            # mmap of fresh memory over what requests point to
            syscall(9, AREA_AT + rng.randrange(32) * PAGE, PAGE, 3, 0x32, -1, 0)
        elif pick == 13:
            self.register(rng, ring)
        elif pick == 14:
            syscall(ENTER, ring.fd, rng.choice((1, 64)), 0, rng.choice((0, 1)), 0, 0)
        elif rng.random() < 0.02:
            syscall(3, ring.fd, 0, 0, 0, 0, 0)

    def submit(self, ring):
        rng = self.rng
        for _ in range(rng.choice((1, 3, 8, ring.entries & 127))):
            ring.put(self.entry())
        flags = rng.choice((0, 1, 1)) if rng.random() < 0.9 else 1 << rng.randrange(8)
        wait = rng.choice((0, 0, 1, 2, 1 << 31)) if rng.random() < 0.3 else 0
        argument = self.pointer(rng) if flags & 8 else 0
        syscall(ENTER, ring.fd, rng.choice((1, 8, 64, (1 << 32) - 1)), wait, flags, argument, 24 if flags & 8 else 0)
        if rng.random() < 0.5:
            ring.take_all(self.succeeded)

    def run(self, counters, slot):
        self.succeeded = counters[OPCODES_AT:OPCODES_AT + OPCODES]
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        sys.setswitchinterval(0.0005)
        threading.Thread(target=self.race, args=(self.rng.getrandbits(32),), daemon=True).start()
        for count in range(ROUNDS_A_WORKER):
            counters[slot] = count + 1
            counters[WORKERS] += 1
            try:
                if not self.rings or self.rng.random() < 0.03:
                    self.rings.append(Ring(self.rng))
                if len(self.rings) > 4:
                    self.rings.pop(0).close()
                self.submit(self.rng.choice(self.rings))
                if self.rng.random() < 0.05:
                    self.register(self.rng, self.rings[-1])
            except (OSError, ValueError, IndexError, struct.error):
                # A setup that the kernel refuses, or a ring whose descriptor a request closed.
                self.rings = self.rings[1:]


def prepare_files():
    os.makedirs("/tmp/fuzz/d", exist_ok=True)
    os.chdir("/tmp/fuzz")
    with open("f", "wb") as file:
        file.write(bytes(1 << 16))


def child(seed, counters, slot):
    for fd in (0, 1, 2):
        os.dup2(NULL_FD, fd)
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (32 << 20, 32 << 20))
    os.setresuid(1000, 1000, 1000)
    Hostile(seed).run(counters, slot)


def main():
    seed, seconds = int(sys.argv[1]), float(sys.argv[2])
    print("seed %d" % seed, flush=True)
    os.dup2(os.open("/dev/null", os.O_RDWR), NULL_FD)
    prepare_files()
    os.chmod("f", 0o666)
    counters = memoryview(mmap.mmap(-1, PAGE)).cast("Q")
    workers, started, stalls = {}, 0, 0
    last = time.monotonic()
    end = last + seconds
    while last < end:
        for slot in range(WORKERS):
            if slot not in workers:
                counters[slot] = 0
                started += 1
                pid = os.fork()
                if pid == 0:
                    try:
                        child(seed * 1000003 + started, counters, slot)
                    finally:
                        os._exit(0)
                workers[slot] = [pid, time.monotonic(), 0]
        time.sleep(0.005)
        now = time.monotonic()
        if now - last > SLOW_S:
            stalls += now - last > STALL_S
            print("%s: %.2f s" % ("stall" if now - last > STALL_S else "slow", now - last), flush=True)
        last = now
        for slot, (pid, since, count) in list(workers.items()):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                del workers[slot]
            elif counters[slot] != count:
                workers[slot][1:] = [now, counters[slot]]
            elif now - since > (START_S if count == 0 else STUCK_S):
                os.kill(pid, signal.SIGKILL)
    succeeded = [opcode for opcode in range(OPCODES) if counters[OPCODES_AT + opcode]]
    print("submissions %d, workers %d, stalls %d, succeeded %d" % (counters[WORKERS], started, stalls, len(succeeded)), flush=True)
    print("done", flush=True)


main()
