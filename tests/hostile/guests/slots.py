"""Rewrites all of its own control block while its other threads make calls."""

import threading
from hostile import *

native = Native()
slot = native.gs() & (1 << 64) - 1


def worker(value, first, length):
    become_nobody()
    native.catch(signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP)
    for _ in range(2):
        threading.Thread(target=lambda: native.calls(1 << 40), daemon=True).start()

    def sleeper():
        while True:
            time.sleep(0.0001)
            os.getppid()
    threading.Thread(target=sleeper, daemon=True).start()
    time.sleep(0.02)
    for i in range(200):
        native.scribble(first, length, value if value >= 0 else rng.randrange(256), 50)
    os._exit(3)


statuses = {}
for round in range(int(options["rounds"])):
    value = rng.choice([0, 1, 2, 5, 6, 8, 9, 12, 15, 16, 17, 18, 19, 32, 48, 64, 127, 255, -1, -1])
    first = rng.choice([SLOTS_AT, SLOTS_AT, slot & ~0xFFFF, slot, slot + 128])
    length = rng.choice([8, 64, 512, 4096, 65536, 1 << 19])
    status, late = reap(quietly(lambda: worker(value, first, length)), 0.6)
    key = "hung" if late else "signal %d" % (status & 127) if status & 127 else "exit %d" % (status >> 8)
    statuses[key] = statuses.get(key, 0) + 1
    assert status != 98 << 8
    healthy()
finish("ends of workers: %r" % statuses)
