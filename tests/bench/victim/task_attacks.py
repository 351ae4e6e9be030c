"""Attacks by threads, processes, signals, timers and control groups."""

import ctypes
import os
import signal
import threading

from calls import CLONE_NEWPID, call, children, end, in_child, libc, own_namespaces, table

ATTACKS, attack = table()


def native_threads(count, function, ms):
    """
    Runs processes that share nothing and make calls in C, in place of threads, which would share
    the interpreter's lock.
    """
    def work():
        stop = threading.Event()
        threading.Timer(ms / 1000, stop.set).start()
        while not stop.is_set():
            function()
        os._exit(0)
    pids = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            work()
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


@attack
def calls_by_64_processes(scale):
    def calls():
        for _ in range(1000):
            libc.getppid()
    return lambda: native_threads(max(2, int(64 * scale)), calls, 500)


@attack
def writes_by_64_processes(scale):
    fd = os.open("/dev/null", os.O_WRONLY)
    data = b"x" * 65536

    def calls():
        for _ in range(100):
            os.write(fd, data)
    return lambda: native_threads(max(2, int(64 * scale)), calls, 500)


@attack
def calls_by_64_threads(scale):
    """Reads /dev/zero in 64 threads of one process: read(2) releases the interpreter's lock."""
    fd = os.open("/dev/zero", os.O_RDONLY)

    def go():
        def work():
            for _ in range(int(2000 * scale) + 1):
                os.read(fd, 4096)
        threads = [threading.Thread(target=work) for _ in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    return go


@attack
def computing_by_64_processes(scale):
    return lambda: native_threads(max(2, int(64 * scale)), lambda: sum(range(10000)), 500)


@attack
def sched_yield_by_64_processes(scale):
    def calls():
        for _ in range(1000):
            libc.sched_yield()
    return lambda: native_threads(max(2, int(64 * scale)), calls, 500)


@attack
def reads_of_4_mib_by_16_processes(scale):
    fd = os.open("/dev/zero", os.O_RDONLY)
    return lambda: native_threads(max(2, int(16 * scale)), lambda: os.read(fd, 4 << 20), 500)


@attack
def pipes_between_64_processes(scale):
    def go():
        pids = []
        for _ in range(max(1, int(32 * scale))):
            a, b = os.pipe(), os.pipe()
            for mine, other in ((a, b), (b, a)):
                pid = os.fork()
                if pid == 0:
                    if mine is a:
                        os.write(other[1], b"x")
                    for _ in range(int(1000 * scale) + 1):
                        os.read(mine[0], 1)
                        os.write(other[1], b"x")
                    os._exit(0)
                pids.append(pid)
            for fd in a + b:
                os.close(fd)
        for pid in pids:
            os.waitpid(pid, 0)
    return go


@attack
def page_faults_by_16_processes(scale):
    import mmap
    size = int((16 << 20) * scale) + 4096

    def fault():
        m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, size, 4096):
            m[at] = 1
        m.close()
    return lambda: native_threads(max(2, int(16 * scale)), fault, 500)


@attack
def fork_storm(scale):
    def go():
        pids = children(int(200 * scale) + 1, lambda: os._exit(0))
        end(pids)
    return go


@attack
def exec_storm(scale):
    def go():
        pids = children(int(50 * scale) + 1, lambda: os.execv("/bin/true", ["true"]))
        for pid in pids:
            os.waitpid(pid, 0)
    return go


@attack
def kill_of_everything(scale):
    own_namespaces(CLONE_NEWPID)

    def go():
        def init():
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            children(int(1000 * scale) + 1)
            for _ in range(50):
                os.kill(-1, signal.SIGUSR2 if False else 0)
                os.kill(-1, signal.SIGCONT)
        in_child(init)
    return go


@attack
def death_of_a_namespace(scale):
    own_namespaces(CLONE_NEWPID)
    return lambda: in_child(lambda: children(int(1000 * scale) + 1))


@attack
def killpg_of_1000(scale):
    def group():
        os.setpgid(0, 0)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        pids = children(int(1000 * scale) + 1)
        for _ in range(100):
            os.killpg(0, signal.SIGUSR1)
        end(pids)
    return lambda: in_child(group)


@attack
def listing_of_1000_processes(scale):
    pids = children(int(1000 * scale) + 1)

    def go():
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as f:
                        f.read()
                except OSError:
                    pass
        assert pids
    return go


@attack
def exit_of_1000_threads(scale):
    def go():
        def many():
            threading.stack_size(65536)
            barrier = threading.Event()
            for _ in range(int(1000 * scale) + 1):
                try:
                    threading.Thread(target=barrier.wait, daemon=True).start()
                except RuntimeError:
                    break
            os._exit(0)
        in_child(many)
    return go


@attack
def timers_that_expire_at_once(scale):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    count = int(20000 * scale) + 1

    class Spec(ctypes.Structure):
        _fields_ = [(n, ctypes.c_long) for n in ("is", "in", "vs", "vn")]

    def go():
        held = []
        event = (ctypes.c_int * 16)(0, 0, signal.SIGUSR1, 0)
        now = __import__("time").monotonic_ns() + 300_000_000
        spec = Spec(0, 0, now // 10**9, now % 10**9)
        for _ in range(count):
            made = ctypes.c_int()
            if libc.syscall(222, 1, event, ctypes.byref(made)) < 0:
                break
            libc.syscall(223, made, 1, ctypes.byref(spec), None)
            held.append(made)
        __import__("time").sleep(0.4)
        for made in held:
            libc.syscall(226, made)
    return go


@attack
def timerfds_that_expire_at_once(scale):
    count = int(50000 * scale) + 1

    class Spec(ctypes.Structure):
        _fields_ = [(n, ctypes.c_long) for n in ("is", "in", "vs", "vn")]

    fds = []
    for _ in range(count):
        fd = libc.timerfd_create(1, 0)
        if fd < 0:
            break
        fds.append(fd)

    def go():
        import time
        now = time.monotonic_ns() + 300_000_000
        spec = Spec(0, 0, now // 10**9, now % 10**9)
        for fd in fds:
            libc.timerfd_settime(fd, 1, ctypes.byref(spec), None)
        time.sleep(0.4)
    return go


@attack
def queued_signals(scale):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 65))

    def go():
        pid = os.getpid()
        for i in range(int(20000 * scale) + 1):
            if libc.sigqueue(pid, 34 + i % 30, None) < 0:
                break
        while libc.sigtimedwait(_set(), None, (ctypes.c_long * 2)(0, 0)) > 0:
            pass
    return go


def _set():
    bits = (ctypes.c_ulong * 16)()
    bits[0] = ((1 << 64) - 1) ^ ((1 << 33) - 1)
    return bits


@attack
def futex_wake_of_2000(scale):
    words = (ctypes.c_int * 4)()
    import mmap
    m = mmap.mmap(-1, 4096)
    word = ctypes.c_int.from_buffer(m)
    at = ctypes.addressof(word)
    assert words is not None

    def waiters():
        while True:
            libc.syscall(202, ctypes.c_void_p(at), 0, 0, None, None, 0)
    pids = children(int(2000 * scale) + 1, waiters)

    def go():
        for _ in range(5):
            libc.syscall(202, ctypes.c_void_p(at), 1, 1 << 30, None, None, 0)
        assert pids
    return go


@attack
def wait_for_many_children(scale):
    def go():
        pids = children(int(1000 * scale) + 1)
        for _ in range(2000):
            os.waitpid(-1, os.WNOHANG)
        end(pids)
    return go


@attack
def setpriority_of_a_user(scale):
    pids = children(int(1000 * scale) + 1)

    def go():
        for _ in range(50):
            os.setpriority(os.PRIO_USER, os.getuid(), 5)
            os.getpriority(os.PRIO_USER, os.getuid())
        assert pids
    return go


@attack
def getcpu_clocks(scale):
    pids = children(int(300 * scale) + 1)

    def go():
        for _ in range(200):
            with open("/proc/stat", "rb") as f:
                f.read()
            with open("/proc/loadavg", "rb") as f:
                f.read()
        assert pids
    return go
