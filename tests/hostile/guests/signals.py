"""Floods signals: processes that send all kinds to each other, with handlers that nest and never
return in time.
"""

from hostile import *

END = time.monotonic() + float(options["seconds"])
words = shared_words(64)


def flooder(index):
    os.setpgid(0, group[0]) if group else os.setpgid(0, 0)
    handled = [0]

    def handler(s, f):
        handled[0] += 1
        words[index] = handled[0]
    for signo in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGIO, 34, 35, 64):
        signal.signal(signo, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    while time.monotonic() < END:
        for signo in (signal.SIGUSR1, signal.SIGUSR2, 34, 35, 64):
            for pid in peers:
                sc(62, pid, signo)
            raw = struct.pack("<iiiiiiq", signo, 0, -1, 0, os.getpid(), os.getuid(), 7)
            sc(129, os.getpid(), signo, addressof(raw.ljust(128, b"\0")))
        kept_buffers.clear()
        sc(62, 0, signal.SIGCONT)
        sc(62, -1, signal.SIGWINCH)


group, peers = [], []
kids = []
for i in range(4):
    pid = quietly(lambda: flooder(i))
    peers.append(pid)
    kids.append(pid)
    if not group:
        os.setpgid(pid, pid)
        group.append(pid)
# Stops and continues all of them meanwhile.
rounds = 0
while time.monotonic() < END:
    for pid in kids:
        try:
            os.kill(pid, signal.SIGSTOP)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
    healthy()
    rounds += 1
for pid in kids:
    os.kill(pid, signal.SIGCONT)
    reap(pid, 3)
finish("handled %d, healthy %d times" % (sum(words), rounds))
