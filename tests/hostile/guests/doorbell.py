"""Writes to the doorbell (an eventfd) repeatedly, from every system call instruction of the stub,
with every plausible argument.
"""

from hostile import *

native = Native()
text = stub_text()
sites = [i for i in range(len(text) - 1) if text[i:i + 2] == b"\x0f\x05"]
assert len(sites) > 10
ones = [TEXT_AT + i for i in range(0, len(text) - 8, 8) if text[i:i + 8] == struct.pack("<Q", 1)]
count = shared_words(2)


def worker(site):
    become_nobody()
    native.catch(signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS, signal.SIGALRM)
    end = time.monotonic() + float(options["seconds"])
    while time.monotonic() < end:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        registers = [1, 0, 0, 8, rng.choice(ones or [0]), rng.choice([6, 6, 6, 4, 5]), 0] + [0] * 8
        native.go(TEXT_AT + site, registers)
        count[0] += 1


ends = 0
for site in sites:
    status, late = reap(quietly(lambda: worker(site)), float(options["seconds"]) + 0.3)
    ends += 1 if late else 0
    assert status != 98 << 8
    healthy()
finish("sites %d, tries %d, hung %d" % (len(sites), count[0], ends))
