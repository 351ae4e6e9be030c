"""Support for fuzzers in a sandbox: workers in turns, each with a seed of its own, and detection of
stalls of the kernel.

    import workers
    workers.main(work)      # python3 SCRIPT SEED SECONDS

work(rng, step) is called repeatedly in a forked child, with step counting from 0, until the child's
time is up; it may end or kill its process. A worker that makes no step for long is killed. A kernel
that is busy with one call for longer than STALL_S serves no other, which shows here as a sleep that
took too long. Prints the seed, stalls, the number of steps, and "done". Not to be run outside of a
sandbox.
"""

import mmap
import os
import random
import resource
import signal
import struct
import sys
import time

WORKERS = 3
TURN_S = 3.0
STALL_S = 3.0
STUCK_S = 2.0
LIMIT_AS = 1 << 30


class Driver:
    def __init__(self, work, seed, seconds):
        self.work, self.seed, self.seconds = work, seed, seconds
        self.counters = mmap.mmap(-1, mmap.PAGESIZE)
        self.workers = {}
        self.started = self.stalls = self.steps = 0

    def start(self, index):
        self.steps += self.count(index)
        struct.pack_into("=q", self.counters, 8 * index, 0)
        self.started += 1
        pid = os.fork()
        if pid != 0:
            self.workers[index] = [pid, time.monotonic(), 0, time.monotonic()]
            return
        try:
            self.child(index, self.seed * 1000003 + self.started)
        finally:
            os._exit(0)

    def child(self, index, seed):
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_AS, LIMIT_AS))
        rng, step, end = random.Random(seed), 0, time.monotonic() + TURN_S
        while time.monotonic() < end:
            try:
                self.work(rng, step)
            except (OSError, ValueError, OverflowError):
                pass
            step += 1
            struct.pack_into("=q", self.counters, 8 * index, step)

    def count(self, index):
        return struct.unpack_from("=q", self.counters, 8 * index)[0]

    def look(self, index, now):
        pid, since, seen, _ = self.workers[index]
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return self.start(index)
        current = self.count(index)
        if current != seen:
            self.workers[index][1:3] = [now, current]
        elif now - since > STUCK_S:
            os.kill(pid, signal.SIGKILL)

    def run(self):
        end = time.monotonic() + self.seconds
        for index in range(WORKERS):
            self.start(index)
        while time.monotonic() < end:
            before = time.monotonic()
            time.sleep(0.01)
            now = time.monotonic()
            if now - before > STALL_S:
                self.stalls += 1
                print("stall: %.2f s" % (now - before), flush=True)
            for index in range(WORKERS):
                self.look(index, now)
        for index, (pid, *_) in self.workers.items():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.steps += self.count(index)
        print("calls %d, workers %d, stalls %d" % (self.steps, self.started, self.stalls), flush=True)


def main(work):
    seed, seconds = int(sys.argv[1]), float(sys.argv[2])
    print("seed %d" % seed, flush=True)
    Driver(work, seed, seconds).run()
    print("done", flush=True)
