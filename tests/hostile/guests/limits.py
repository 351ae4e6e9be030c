"""Allocates to the limit: processes, threads, descriptors, mappings, memory, pipes, sockets,
files.
"""

import errno
import resource
import socket
from hostile import *

N = int(options["many"])


def until_refused(take, most):
    taken = 0
    try:
        while taken < most:
            take()
            taken += 1
    except (OSError, MemoryError, RuntimeError) as e:
        return taken, type(e).__name__ + " " + errno.errorcode.get(getattr(e, "errno", 0) or 0, "")
    return taken, ""


def in_worker(name, fn):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(w, repr(fn()).encode())
        except BaseException as e:
            os.write(w, repr(e).encode())
        os._exit(0)
    os.close(w)
    text = b""
    while True:
        part = os.read(r, 65536)
        if not part:
            break
        text += part
    os.close(r)
    status = os.waitpid(pid, 0)[1]
    print("%s: %s (status %x)" % (name, text.decode()[:200], status), flush=True)
    healthy()


def forks():
    kids = []

    def take():
        pid = os.fork()
        if pid == 0:
            signal.pause()
        kids.append(pid)
    result = until_refused(take, N)
    for pid in kids:
        os.kill(pid, signal.SIGKILL)
    for pid in kids:
        os.waitpid(pid, 0)
    return result


def fork_bomb():
    """Starts children that fork too, up to the limit of processes of their user."""
    resource.setrlimit(resource.RLIMIT_NPROC, (N // 2, N // 2))
    become_nobody()
    os.setsid()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            os.fork()
        except OSError:
            pass
    if os.getsid(0) == os.getpid():
        os.setresuid(4242, 4242, 4242)
        os.kill(0, signal.SIGKILL)
    os._exit(0)


def threads():
    import threading
    stop = threading.Event()
    started = []
    threading.stack_size(65536)

    def take():
        t = threading.Thread(target=stop.wait, daemon=True)
        t.start()
        started.append(t)
    result = until_refused(take, N)
    stop.set()
    return result


def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (1 << 20, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            break
        except (ValueError, OSError):
            pass
    return [until_refused(lambda: os.open("/dev/null", os.O_RDONLY), 100 * N),
            until_refused(lambda: os.dup2(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1), 1)]


def pipes():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))

    def take():
        r, w = os.pipe()
        os.set_blocking(w, False)
        os.write(w, b"x" * 65536)
    return until_refused(take, N)


def sockets():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    keep = []

    def take():
        a, b = socket.socketpair()
        a.setblocking(False)
        try:
            while True:
                a.send(b"x" * 65536)
        except BlockingIOError:
            pass
        keep.append((a, b))
    return until_refused(take, N // 4)


def mappings():
    """Makes as many areas as possible: neighbours that cannot be merged."""
    base = sc(9, 0, 1 << 36, 0, 0x4022, -1 & (1 << 64) - 1, 0)
    made, r = 0, 0
    while made < 100 * N and r == 0:
        r = sc(10, base + made * 8192, 4096, 3)
        made += 1
    return made, errno.errorcode.get(-r, r)


def memory():
    size, taken = 64 << 20, 0
    while taken < (1 << 42):
        at = sc(9, 0, size, 3, 0x22, -1 & (1 << 64) - 1, 0)
        if at < 0:
            return taken >> 20, errno.errorcode.get(-at, at)
        for i in range(0, size, 4096):
            ctypes.memset(at + i, 1, 1)
        taken += size
    return taken >> 20, ""


def reserved():
    """Reserves address space without memory."""
    taken = 0
    while taken < 1 << 20:
        at = sc(9, 0, 1 << 40, 0, 0x4022, -1 & (1 << 64) - 1, 0)
        if at < 0:
            return taken, errno.errorcode.get(-at, at)
        taken += 1
    return taken, ""


def files():
    os.makedirs("/tmp/many", exist_ok=True)
    n = [0]

    def take():
        n[0] += 1
        with open("/tmp/many/%d" % n[0], "w") as f:
            f.write("x")
    result = until_refused(take, 5 * N)
    os.system("rm -rf /tmp/many")
    return result


def file_data():
    with open("/tmp/big", "wb") as f:
        result = until_refused(lambda: f.write(b"x" * (16 << 20)), 1 << 20)
    os.unlink("/tmp/big")
    return result


for name in options["what"].split(","):
    in_worker(name, globals()[name])
finish("all of them")
