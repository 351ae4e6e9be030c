"""Signals sent by processes: masks, queueing, actions, restarts, waits, permissions, signalfd."""

import ctypes
import mmap
import os
import signal
import struct
import threading
from errno import *
from lib.guest import *

SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK = 0, 1, 2
SA_SIGINFO, SA_RESTORER, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_NOCLDWAIT, SA_NOCLDSTOP = (
    4, 0x04000000, 0x10000000, 0x40000000, 0x80000000, 2, 1)
RTMIN = 34


class Sigaction(ctypes.Structure):
    """glibc's struct sigaction."""
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_uint64 * 16),
                ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p)]


HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
keep = []


def action(signo, fn, flags=0, mask=0):
    """Installs a Python handler (signo, siginfo address, ucontext address) by sigaction of libc."""
    h = HANDLER(fn)
    keep.append(h)
    act = Sigaction()
    act.handler = ctypes.cast(h, ctypes.c_void_p).value
    act.flags = flags | SA_SIGINFO
    act.mask[0] = mask
    if libc.sigaction(signo, ctypes.byref(act), None) != 0:
        raise OSError(ctypes.get_errno(), "sigaction")


def bit(signo):
    return 1 << (signo - 1)


def block(*signos):
    signal.pthread_sigmask(signal.SIG_BLOCK, signos)


def unblock(*signos):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signos)


def info_at(address):
    """Returns (signo, code, pid, uid, value) of a siginfo of kill or sigqueue."""
    raw = ctypes.string_at(address, 40)
    signo, _, code, _, pid, uid = struct.unpack_from("<iiiiii", raw, 0)
    return signo, code, pid, uid, struct.unpack_from("<q", raw, 24)[0]


def queue(pid, signo, value, code=-1):
    raw = struct.pack("<iiiiiiq", signo, 0, code, 0, os.getpid(), os.getuid(), value)
    return sc(NR.rt_sigqueueinfo, pid, signo, ctypes.create_string_buffer(raw, 128))


def timedwait(mask, timeout_ns):
    """Calls rt_sigtimedwait. Returns (result, siginfo bytes)."""
    info = ctypes.create_string_buffer(128)
    ts = (ctypes.c_int64 * 2)(timeout_ns // 10**9, timeout_ns % 10**9)
    return sc(NR.rt_sigtimedwait, ctypes.c_uint64(mask), info, ts, 8), info


@test
def action_errors():
    old = (ctypes.c_uint64 * 4)()
    gives(-EINVAL, NR.rt_sigaction, 0, None, None, 8)
    gives(-EINVAL, NR.rt_sigaction, 65, None, None, 8)
    gives(-EINVAL, NR.rt_sigaction, 10, None, None, 4)
    gives(-EINVAL, NR.rt_sigaction, signal.SIGKILL, old, None, 8)
    gives(-EINVAL, NR.rt_sigaction, signal.SIGSTOP, old, None, 8)
    gives(0, NR.rt_sigaction, signal.SIGKILL, None, old, 8)
    gives(-EFAULT, NR.rt_sigaction, 10, 1, None, 8)
    gives(-EINVAL, NR.rt_sigprocmask, 9, ctypes.c_uint64(0), None, 8)
    gives(-EINVAL, NR.rt_sigprocmask, 0, ctypes.c_uint64(0), None, 4)
    gives(-EFAULT, NR.rt_sigprocmask, 0, 1, None, 8)


@test
def kill_and_stop_cannot_be_blocked():
    gives(0, NR.rt_sigprocmask, SIG_SETMASK, ctypes.c_uint64(2**64 - 1), None, 8)
    mask = ctypes.c_uint64()
    gives(0, NR.rt_sigprocmask, SIG_BLOCK, None, mask, 8)
    eq(mask.value, (2**64 - 1) & ~bit(signal.SIGKILL) & ~bit(signal.SIGSTOP))


@test
def handler_gets_siginfo():
    seen = []
    action(signal.SIGUSR1, lambda s, i, u: seen.append(info_at(i)))
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(seen[0][:4], (signal.SIGUSR1, 0, os.getpid(), os.getuid()))
    sc(NR.tgkill, os.getpid(), sc(NR.gettid), signal.SIGUSR1)
    eq(seen[1][:4], (signal.SIGUSR1, -6, os.getpid(), os.getuid()))
    eq(queue(os.getpid(), signal.SIGUSR1, 0x123456789), 0)
    eq(seen[2], (signal.SIGUSR1, -1, os.getpid(), os.getuid(), 0x123456789))


@test
def standard_signals_do_not_queue():
    seen = []
    action(signal.SIGUSR1, lambda s, i, u: seen.append(s))
    block(signal.SIGUSR1)
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGUSR1)
    pending = ctypes.c_uint64()
    gives(0, NR.rt_sigpending, pending, 8)
    eq(pending.value, bit(signal.SIGUSR1))
    unblock(signal.SIGUSR1)
    eq(seen, [signal.SIGUSR1])


@test
def real_time_signals_queue_in_order():
    seen = []
    for s in (RTMIN, RTMIN + 1, RTMIN + 2):
        action(s, lambda s, i, u: seen.append((s, info_at(i)[4])), 0, 2**64 - 1)
    block(RTMIN, RTMIN + 1, RTMIN + 2)
    for value in range(3):
        for s in (RTMIN + 2, RTMIN, RTMIN + 1):
            eq(queue(os.getpid(), s, value), 0)
    gives(0, NR.rt_sigprocmask, SIG_SETMASK, ctypes.c_uint64(0), None, 8)
    # Handlers are stacked, the lowest number on top, and each blocks all others.
    eq(seen, [(RTMIN + s, v) for s in range(3) for v in range(3)])


@test
def lowest_signal_first():
    seen = []
    for s in (signal.SIGUSR1, signal.SIGHUP, RTMIN):
        action(s, lambda s, i, u: seen.append(s), 0, 2**64 - 1)
    block(signal.SIGUSR1, signal.SIGHUP, RTMIN)
    for s in (RTMIN, signal.SIGUSR1, signal.SIGHUP):
        os.kill(os.getpid(), s)
    gives(0, NR.rt_sigprocmask, SIG_SETMASK, ctypes.c_uint64(0), None, 8)
    eq(seen, [signal.SIGHUP, signal.SIGUSR1, RTMIN])


@test
def queue_limit():
    import resource
    resource.setrlimit(resource.RLIMIT_SIGPENDING, (10, 10))
    block(RTMIN)
    results = [queue(os.getpid(), RTMIN, i) for i in range(12)]
    ok(-EAGAIN in results and results[0] in (0, -EAGAIN), "EAGAIN at the limit: %r" % results)


@test
def mask_during_the_handler():
    masks = []

    def handler(s, i, u):
        m = ctypes.c_uint64()
        sc(NR.rt_sigprocmask, SIG_BLOCK, None, m, 8)
        masks.append(m.value)
    action(signal.SIGUSR1, handler, 0, bit(signal.SIGHUP))
    os.kill(os.getpid(), signal.SIGUSR1)
    action(signal.SIGUSR1, handler, SA_NODEFER, 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(masks, [bit(signal.SIGHUP) | bit(signal.SIGUSR1), 0])
    m = ctypes.c_uint64()
    sc(NR.rt_sigprocmask, SIG_BLOCK, None, m, 8)
    eq(m.value, 0)


@test
def nested_signals():
    order = []

    def outer(s, i, u):
        order.append("outer")
        os.kill(os.getpid(), signal.SIGUSR2)
        order.append("outer ends")
    action(signal.SIGUSR1, outer)
    action(signal.SIGUSR2, lambda s, i, u: order.append("inner"))
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(order, ["outer", "inner", "outer ends"])


@test
def reset_hand():
    seen = []
    action(signal.SIGUSR1, lambda s, i, u: seen.append(s), SA_RESETHAND)
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(seen, [signal.SIGUSR1])
    status = in_child(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    eq(status, signal.SIGUSR1)


@test
def default_actions():
    for s in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGALRM, signal.SIGUSR2,
              signal.SIGPROF, signal.SIGIO, RTMIN, 64):
        def child(s=s):
            signal.signal(s, signal.SIG_DFL)
            os.kill(os.getpid(), s)
            return 0
        eq(in_child(child), s, "signal %d ends a process" % s)
    for s in (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT):
        def child(s=s):
            signal.signal(s, signal.SIG_DFL)
            os.kill(os.getpid(), s)
            return 5
        eq(in_child(child), 5 << 8, "signal %d is harmless" % s)
    for s in (signal.SIGQUIT, signal.SIGABRT, signal.SIGSEGV, signal.SIGSYS):
        def child(s=s):
            import resource
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(s, signal.SIG_DFL)
            os.kill(os.getpid(), s)
            return 0
        eq(in_child(child) & 0x7F, s)


@test
def restart_of_read():
    r, w = os.pipe()
    seen, handled = [], Pipe()
    for flags, want in ((SA_RESTART, b"x"), (0, None)):
        action(signal.SIGUSR1, lambda s, i, u: (seen.append(s), handled.post()) and None, flags)
        me = os.getpid()

        def sender():
            wait_state(me, "S")
            os.kill(me, signal.SIGUSR1)
            handled.take()
            os.write(w, b"x")
        pid = spawn(sender)
        buf = ctypes.create_string_buffer(4)
        n = sc(NR.read, r, buf, 4)
        eq(n, 1 if want else -EINTR)
        eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        if not want:
            os.read(r, 1)
    eq(len(seen), 2)


@test
def sleeps_and_polls_do_not_restart():
    action(signal.SIGALRM, lambda s, i, u: None, SA_RESTART)
    ts = (ctypes.c_int64 * 2)(10, 0)
    rem = (ctypes.c_int64 * 2)()
    under_alarms(gives, -EINTR, NR.nanosleep, ts, rem)
    between(8.9, rem[0] + rem[1] / 1e9, 9.96, "what was left")
    under_alarms(gives, -EINTR, NR.poll, None, 0, 10000)
    under_alarms(gives, -EINTR, NR.select, 0, None, None, None, (ctypes.c_int64 * 2)(10, 0))
    under_alarms(gives, -EINTR, NR.pause)
    eq(under_alarms(timedwait, bit(signal.SIGHUP), 10 * 10**9)[0], -EINTR)


@test
def ignored_signals_interrupt_nothing():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    start = time.monotonic()
    gives(0, NR.nanosleep, (ctypes.c_int64 * 2)(0, 150_000_000), None)
    ok(time.monotonic() - start >= 0.15, "slept in full")


@test
def stop_and_continue_in_a_sleep():
    p = Pipe()

    def child():
        start = time.monotonic()
        r = sc(NR.nanosleep, (ctypes.c_int64 * 2)(0, 300_000_000), None)
        took = time.monotonic() - start
        p.post(struct.pack("qd", r, took))
    pid = spawn(child)
    wait_state(pid, "S")
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    os.kill(pid, signal.SIGCONT)
    r, took = struct.unpack("qd", p.take(16))
    os.waitpid(pid, 0)
    eq(r, 0)
    between(0.299, took, 1.0, "the sleep's length")


@test
def timed_waits():
    block(signal.SIGUSR1, RTMIN)
    eq(timedwait(bit(signal.SIGUSR1), 20_000_000)[0], -EAGAIN)
    os.kill(os.getpid(), signal.SIGUSR1)
    r, info = timedwait(bit(signal.SIGUSR1), 10**9)
    eq(r, signal.SIGUSR1)
    eq(struct.unpack_from("<iiiiii", info.raw, 0)[4], os.getpid())
    queue(os.getpid(), RTMIN, 77)
    r, info = timedwait(bit(RTMIN) | bit(signal.SIGUSR1), 10**9)
    eq((r, struct.unpack_from("<q", info.raw, 24)[0]), (RTMIN, 77))
    me = os.getpid()

    def sender():
        wait_state(me, "S")
        os.kill(me, signal.SIGUSR1)
    pid = spawn(sender)
    eq(timedwait(bit(signal.SIGUSR1), 10 * 10**9)[0], signal.SIGUSR1)
    os.waitpid(pid, 0)
    gives(-EINVAL, NR.rt_sigtimedwait, ctypes.c_uint64(0), None,
          (ctypes.c_int64 * 2)(0, 10**9), 8)
    gives(-EINVAL, NR.rt_sigtimedwait, ctypes.c_uint64(0), None, None, 4)


@test
def suspend_swaps_the_mask():
    seen = []
    action(signal.SIGUSR1, lambda s, i, u: seen.append(s))
    block(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(seen, [])
    gives(-EINTR, NR.rt_sigsuspend, ctypes.c_uint64(0), 8)
    eq(seen, [signal.SIGUSR1])
    m = ctypes.c_uint64()
    sc(NR.rt_sigprocmask, SIG_BLOCK, None, m, 8)
    eq(m.value, bit(signal.SIGUSR1))


@test
def atomic_masks_of_ppoll_and_pselect():
    seen = []
    action(signal.SIGUSR1, lambda s, i, u: seen.append(s))
    block(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    empty = ctypes.c_uint64(0)
    ts = (ctypes.c_int64 * 2)(5, 0)
    gives(-EINTR, NR.ppoll, None, 0, ts, empty, 8)
    eq(len(seen), 1)
    os.kill(os.getpid(), signal.SIGUSR1)
    arg = (ctypes.c_uint64 * 2)(ctypes.addressof(empty), 8)
    gives(-EINTR, NR.pselect6, 0, None, None, None, ts, arg)
    eq(len(seen), 2)
    m = ctypes.c_uint64()
    sc(NR.rt_sigprocmask, SIG_BLOCK, None, m, 8)
    eq(m.value, bit(signal.SIGUSR1))


@test
def kill_forms_and_permissions():
    gives(-ESRCH, NR.kill, 999999, 0)
    gives(-EINVAL, NR.kill, os.getpid(), 65)
    gives(-EINVAL, NR.tgkill, -1, 1, 0)
    gives(-ESRCH, NR.tgkill, os.getpid(), 999999, 0)
    gives(0, NR.tgkill, os.getpid(), os.getpid(), 0)
    gives(-ESRCH, NR.tkill, 999999, 0)
    raw = ctypes.create_string_buffer(128)
    need_root()
    victim = spawn(signal.pause)

    def stranger():
        os.setuid(4242)
        gives(-EPERM, NR.kill, victim, signal.SIGTERM)
        gives(-EPERM, NR.kill, victim, 0)
        gives(-EPERM, NR.kill, 1, 0)
    child_ok(stranger)
    # No process may fake a siginfo of the kernel or of kill(2) for another process.
    eq(queue(victim, signal.SIGUSR1, 0, code=0), -EPERM)
    eq(queue(victim, signal.SIGUSR1, 0, code=-6), -EPERM)
    os.kill(victim, 9)
    os.waitpid(victim, 0)


@test
def kill_to_the_group():
    def leader():
        os.setpgid(0, 0)
        got = []
        p = Pipe()
        kids = []
        for _ in range(3):
            kids.append(spawn(lambda: (p.post(), signal.pause())))
        p.take(3)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(0, signal.SIGTERM)
        for kid in kids:
            eq(os.waitpid(kid, 0)[1], signal.SIGTERM)
    child_ok(leader)


@test
def signals_pick_a_thread_that_takes_them():
    block(signal.SIGUSR1)
    got = []
    started = threading.Event()

    def waiter():
        started.set()
        got.append(signal.sigwait([signal.SIGUSR1]))
    t = threading.Thread(target=waiter)
    t.start()
    started.wait()
    wait_in_call(t.native_id, NR.rt_sigtimedwait)
    os.kill(os.getpid(), signal.SIGUSR1)
    t.join(5)
    eq(got, [signal.SIGUSR1])


@test
def thread_directed_signals_stay_with_the_thread():
    block(signal.SIGUSR1)
    tid = []
    go, done = threading.Event(), threading.Event()
    pending = []

    def other():
        tid.append(sc(NR.gettid))
        go.set()
        done.wait()
        m = ctypes.c_uint64()
        sc(NR.rt_sigpending, m, 8)
        pending.append(m.value)
    t = threading.Thread(target=other)
    t.start()
    go.wait()
    gives(0, NR.tgkill, os.getpid(), tid[0], signal.SIGUSR1)
    m = ctypes.c_uint64()
    sc(NR.rt_sigpending, m, 8)
    eq(m.value, 0)
    done.set()
    t.join()
    eq(pending, [bit(signal.SIGUSR1)])


@test
def masks_are_inherited_pending_signals_are_not():
    block(signal.SIGUSR1, signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGUSR1)

    def child():
        m = ctypes.c_uint64()
        sc(NR.rt_sigprocmask, SIG_BLOCK, None, m, 8)
        eq(m.value, bit(signal.SIGUSR1) | bit(signal.SIGHUP))
        sc(NR.rt_sigpending, m, 8)
        eq(m.value, 0)
    child_ok(child)


@test
def sigchld_info():
    seen = []
    action(signal.SIGCHLD, lambda s, i, u: seen.append(
        struct.unpack_from("<iiiiiii", ctypes.string_at(i, 28))))
    pid = spawn(lambda: 9)
    wait_until(lambda: seen, "SIGCHLD")
    signo, _, code, _, child_pid, uid, status = seen[0]
    eq((signo, code, child_pid, status), (signal.SIGCHLD, 1, pid, 9))
    os.waitpid(pid, 0)
    pid = spawn(signal.pause)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: len(seen) > 1, "SIGCHLD of a stop")
    eq((seen[1][2], seen[1][4], seen[1][6]), (5, pid, signal.SIGSTOP))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@test
def no_cld_stop_and_no_cld_wait():
    seen = []
    action(signal.SIGCHLD, lambda s, i, u: seen.append(s), SA_NOCLDSTOP)
    pid = spawn(signal.pause)
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    eq(seen, [])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    action(signal.SIGCHLD, lambda s, i, u: seen.append(s), SA_NOCLDWAIT)
    pid = spawn(lambda: 0)
    fails(ECHILD, os.waitpid, pid, 0)


@test
def signal_descriptors():
    block(signal.SIGUSR1, RTMIN)
    mask = ctypes.c_uint64(bit(signal.SIGUSR1) | bit(RTMIN))
    fd = works(NR.signalfd4, -1, mask, 8, os.O_NONBLOCK | os.O_CLOEXEC)
    fails(EAGAIN, os.read, fd, 128)
    fails(EINVAL, os.read, fd, 127)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    eq(poll.poll(0), [])
    queue(os.getpid(), RTMIN, 5)
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(poll.poll(0), [(fd, select.POLLIN)])
    raw = os.read(fd, 1024)
    eq(len(raw), 256)
    eq(struct.unpack_from("<i", raw, 0)[0], signal.SIGUSR1)
    signo, _, code, pid = struct.unpack_from("<IiiI", raw, 128)
    eq((signo, code, pid), (RTMIN, -1, os.getpid()))
    eq(struct.unpack_from("<i", raw, 128 + 44)[0], 5)
    gives(fd, NR.signalfd4, fd, ctypes.c_uint64(bit(signal.SIGHUP)), 8, 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    eq(poll.poll(0), [])
    gives(-EINVAL, NR.signalfd4, 0, mask, 8, 0)
    gives(-EINVAL, NR.signalfd4, -1, mask, 4, 0)
    gives(-EINVAL, NR.signalfd4, -1, mask, 8, 1)


@test
def alternate_stack():
    size = 65536
    stack = (ctypes.c_char * size)()
    base = ctypes.addressof(stack)
    pack = lambda sp, flags, n: ctypes.create_string_buffer(struct.pack("<QiiQ", sp, flags, 0, n))
    gives(0, NR.sigaltstack, pack(base, 0, size), None)
    where, state = [], []

    def handler(s, i, u):
        where.append(u)
        old = ctypes.create_string_buffer(24)
        sc(NR.sigaltstack, None, old)
        state.append(struct.unpack("<QiiQ", old.raw))
        state.append(sc(NR.sigaltstack, pack(base, 0, size), None))
    action(signal.SIGUSR1, handler, 0x08000000)
    os.kill(os.getpid(), signal.SIGUSR1)
    ok(base <= where[0] < base + size, "the frame is on the alternate stack")
    eq(state[0], (base, 1, 0, size))
    eq(state[1], -EPERM)
    action(signal.SIGUSR1, handler, 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    ok(not base <= where[1] < base + size, "without SA_ONSTACK it is not")
    gives(-ENOMEM, NR.sigaltstack, pack(base, 0, 1000), None)
    gives(-EINVAL, NR.sigaltstack, pack(base, 77, size), None)
    gives(0, NR.sigaltstack, pack(0, 2, 0), None)
    old = ctypes.create_string_buffer(24)
    gives(0, NR.sigaltstack, None, old)
    eq(struct.unpack("<QiiQ", old.raw)[1], 2)


@test
def storm_of_signals():
    # The handler is machine code, because a Python handler can interrupt Python's own allocator.
    count = ctypes.c_uint64()
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # mov rax, &count; lock inc qword [rax]; ret
    code.write(b"\x48\xb8" + struct.pack("Q", ctypes.addressof(count)) + b"\xf0\x48\xff\x00\xc3")
    action(RTMIN, ctypes.addressof(ctypes.c_char.from_buffer(code)), SA_RESTART)
    me = os.getpid()

    def sender():
        for i in range(300):
            wait_until(lambda: sc(NR.kill, me, RTMIN) != -EAGAIN, "room for a signal")
    pids = [spawn(sender) for _ in range(2)]
    total = 0
    while count.value < 600:
        total += sum(range(100)) - 4950
    for pid in pids:
        os.waitpid(pid, 0)
    eq((count.value, total), (600, 0))


@test
def exit_status_of_a_group_killed_in_a_syscall():
    r, w = os.pipe()
    pid = spawn(lambda: os.read(r, 1))
    wait_state(pid, "S")
    os.kill(pid, signal.SIGKILL)
    eq(os.waitpid(pid, 0)[1], 9)


@test
def a_fatal_signal_ends_the_wait_of_vfork():
    CLONE_VFORK, child = 0x4000, mmap.mmap(-1, 4096)

    def parent():
        if sc(NR.clone, CLONE_VFORK | 17, 0, 0, 0, 0) == 0:
            child[:4] = os.getpid().to_bytes(4, "little")
            sc(NR.pause)
        return 1
    pid = spawn(parent)
    wait_state(pid, "D")
    wait_until(lambda: child[:4] != bytes(4), "the child's pid")
    os.kill(pid, signal.SIGTERM)
    eq(os.waitpid(pid, 0)[1], signal.SIGTERM)
    os.kill(int.from_bytes(child[:4], "little"), signal.SIGKILL)


run()
