"""Python with 200 MB of touched memory and four children: asks for copies by its name, and waits.

MEGABYTES is the argument. numpy is used where it is there. What it has is compared afterwards.
"""

import os
import signal
import sys
import time

try:
    import numpy
except ImportError:
    numpy = None

SIZE = int(sys.argv[1]) << 20


def pattern():
    if numpy is None:
        return bytearray(os.urandom(4096) * (SIZE // 4096))
    return numpy.arange(SIZE // 8, dtype=numpy.int64)


def digest(data):
    return hash(bytes(data[:: 4096 // (1 if numpy is None else 8)]))


def name(text=None):
    with open("/proc/self/comm", "r+" if text else "r") as file:
        return file.write(text) if text else file.read().strip()


data = pattern()
before = digest(data)
children = []
for number in range(4):
    pid = os.fork()
    if pid == 0:
        own = bytearray(os.urandom(1 << 20))
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7 + number))
        while True:
            signal.pause()
    children.append(pid)
time.sleep(0.2)
name("stop python")
while name() != "stopped":
    time.sleep(0.002)
assert digest(data) == before
for number, pid in enumerate(children):
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7 + number
print("as it was")
