"""Jumps to every offset of the stub's text, with register values that the stub may use as numbers,
addresses or states.
"""

from hostile import *

STALL_S = 0.1


def values():
    pool = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 39, 60, 202, 231, (1 << 64) - 1, 1 << 63, DATA_AT, CODE_AT]
    pool += [region + rng.randrange(0, 0x10000, 8) for region in STUB_REGIONS]
    pool += [native.gs() & (1 << 64) - 1, TEXT_AT + rng.randrange(TEXT_BYTES), rng.getrandbits(64), rng.getrandbits(32)]
    return [rng.choice(pool) for _ in range(15)]


native = Native()
progress = shared_words(4)
end = len(stub_text())
step = int(options["step"])
offsets = list(range(seed % step, end, step))
assert len(offsets) > 50, "no text of a stub at %x" % TEXT_AT


def worker():
    become_nobody()
    native.catch(signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS, signal.SIGALRM)
    while progress[0] < len(offsets):
        i = progress[0]
        progress[0] = i + 1
        rng.seed(seed * 1000003 + i)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        native.go(TEXT_AT + offsets[i], values())
        progress[1] += 1


died = overdue = 0
last_check = 0
while progress[0] < len(offsets):
    pid = quietly(worker)
    seen, since = progress[0], time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            died += 1
            break
        if progress[0] != seen:
            seen, since = progress[0], time.monotonic()
        elif time.monotonic() - since > STALL_S:
            overdue += 1
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            break
        time.sleep(0.001)
    if progress[0] - last_check > 500:
        last_check = progress[0]
        healthy()
finish("jumps %d, came back %d, died %d, hung %d" % (len(offsets), progress[1], died, overdue))
