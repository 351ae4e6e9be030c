"""Time: clocks, sleeps, interval timers, POSIX timers, timerfd. Only lower bounds are tight."""

import ctypes
import hashlib
import os
import signal
import struct
import threading
from errno import *
from lib.bpf import ERRNO, install, no_new_privs, on_call
from lib.guest import *

REALTIME, MONOTONIC, PROCESS, THREAD, RAW, RT_COARSE, MONO_COARSE, BOOT = range(8)
TAI = 11
ABSTIME = 1


def ts(seconds):
    ns = round(seconds * 10**9)
    return (ctypes.c_int64 * 2)(ns // 10**9, ns % 10**9)


def its(value, interval=0.0):
    v, i = ts(value), ts(interval)
    return (ctypes.c_int64 * 4)(i[0], i[1], v[0], v[1])


def clock(which):
    t = (ctypes.c_int64 * 2)()
    works(NR.clock_gettime, which, t)
    return t[0] + t[1] / 1e9


@test
def clocks_agree():
    for which in (REALTIME, MONOTONIC, RAW, BOOT):
        a, b = clock(which), clock(which)
        ok(b >= a > 0, "clock %d goes on" % which)
    between(-0.01, clock(REALTIME) - clock(RT_COARSE), 0.5, "coarse clock")
    between(-0.05, time.time() - clock(REALTIME), 0.5, "vDSO and call")
    between(-0.5, time.monotonic() - clock(MONOTONIC), 0.5, "vDSO and call")
    ok(clock(REALTIME) > 1.6e9, "after 2020")
    t = ctypes.c_int64()
    sec = works(NR.time, t)
    eq(sec, t.value)
    between(-1, sec - clock(REALTIME), 1)
    tv = (ctypes.c_int64 * 2)()
    gives(0, NR.gettimeofday, tv, None)
    ok(0 <= tv[1] < 10**6, "microseconds")
    gives(-EINVAL, NR.clock_gettime, 99, ts(0))
    gives(-EFAULT, NR.clock_gettime, 0, 1)


@test
def monotonic_never_goes_back():
    last = time.monotonic_ns()
    for _ in range(20000):
        now = time.monotonic_ns()
        ok(now >= last, "went back by %d ns" % (last - now))
        last = now


@test
def resolutions():
    r = ts(5)
    for which in (REALTIME, MONOTONIC, PROCESS, THREAD, BOOT):
        gives(0, NR.clock_getres, which, r)
        eq((r[0], r[1]), (0, 1), "clock %d" % which)
    gives(0, NR.clock_getres, MONO_COARSE, r)
    between(1, r[1], 10**7, "coarse resolution")
    gives(0, NR.clock_getres, 0, None)
    gives(-EINVAL, NR.clock_getres, 77, r)


@test
def coarse_clocks_tick_alike_with_and_without_a_call():
    t = (ctypes.c_int64 * 2)()

    def by_library(which):
        eq(libc.clock_gettime(which, t), 0)
        return t[0] * 10**9 + t[1]

    def by_call(which):
        eq(sc(NR.clock_gettime, which, t), 0)
        return t[0] * 10**9 + t[1]
    for which in (RT_COARSE, MONO_COARSE):
        times = [read(which) for _ in range(300) for read in (by_library, by_call)]
        back = sum(b < a for a, b in zip(times, times[1:]))
        ok(back < 30, "clock %d went back %d times" % (which, back))


@test
def setting_the_clock_is_refused():
    def child():
        if is_root():
            os.setuid(1234)
        gives(-EPERM, NR.clock_settime, REALTIME, ts(1))
        gives(-EINVAL, NR.clock_settime, MONOTONIC, ts(1))
    child_ok(child)


@test
def sleeps_are_long_enough():
    for length in (0.0, 0.000001, 0.001, 0.02):
        start = clock(MONOTONIC)
        gives(0, NR.nanosleep, ts(length), None)
        between(length, clock(MONOTONIC) - start, length + 0.5, "sleep of %f" % length)
    start = clock(MONOTONIC)
    gives(0, NR.clock_nanosleep, MONOTONIC, ABSTIME, ts(start + 0.03), None)
    between(0.03, clock(MONOTONIC) - start, 0.6)
    gives(0, NR.clock_nanosleep, REALTIME, ABSTIME, ts(clock(REALTIME) - 5), None)
    start = clock(REALTIME)
    gives(0, NR.clock_nanosleep, REALTIME, 0, ts(0.02), None)
    ok(clock(REALTIME) - start >= 0.02, "relative to the real-time clock")
    gives(-EINVAL, NR.nanosleep, (ctypes.c_int64 * 2)(0, 10**9), None)
    gives(-EINVAL, NR.nanosleep, (ctypes.c_int64 * 2)(-1, 0), None)
    gives(-ENOTSUP, NR.clock_nanosleep, THREAD, 0, ts(0), None)
    gives(-EINVAL, NR.clock_nanosleep, 55, 0, ts(0), None)
    gives(-EFAULT, NR.nanosleep, 1, None)


@test
def cpu_clocks_count_work():
    start, thread = clock(PROCESS), clock(THREAD)
    end = time.monotonic() + 5
    while clock(PROCESS) - start < 0.1:
        ok(time.monotonic() < end, "the CPU clock stands still")
    ok(clock(THREAD) - thread > 0.02, "the thread's clock goes too")
    start = clock(PROCESS)
    time.sleep(0.1)
    ok(clock(PROCESS) - start < 0.08, "a sleep is no work")


@test
def cpu_time_of_a_thread_does_not_exceed_elapsed_time():
    zero, large = os.open("/dev/zero", os.O_RDONLY), [bytearray(1 << 20)]
    before, used = time.monotonic(), clock(PROCESS)
    while time.monotonic() - before < 0.3:
        os.readv(zero, large)  # long calls between short ones
        os.getppid()
        os.getppid()
    used = clock(PROCESS) - used
    between(0, used, (time.monotonic() - before) * 1.02, "CPU time of one thread")


@test
def real_interval_timer():
    times = []
    signal.signal(signal.SIGALRM, lambda *_: times.append(time.monotonic()))
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.03, 0.02)
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    ok(0 < left <= 0.03 and abs(interval - 0.02) < 1e-6, "getitimer")
    wait_until(lambda: len(times) >= 3, "three alarms")
    ok(times[0] - start >= 0.0299 and times[2] - start >= 0.0699, "not too early")
    signal.setitimer(signal.ITIMER_REAL, 0)
    n = len(times)
    time.sleep(0.06)
    eq(len(times), n)


@test
def alarm_returns_the_time_left():
    eq(signal.alarm(100), 0)
    between(99, signal.alarm(0), 100)
    signal.alarm(100)
    eq(in_child(lambda: signal.alarm(0)), 0, "a child has none")
    signal.alarm(0)


@test
def virtual_interval_timers():
    for which, signo in ((signal.ITIMER_VIRTUAL, signal.SIGVTALRM),
                         (signal.ITIMER_PROF, signal.SIGPROF)):
        got = []
        signal.signal(signo, lambda s, f: got.append(s))
        signal.setitimer(which, 0.05)
        time.sleep(0.1)
        eq(got, [], "no CPU, no alarm")
        end = time.monotonic() + 5
        while not got and time.monotonic() < end:
            pass
        eq(got, [signo])


def make_timer(which=MONOTONIC, notify=0, signo=signal.SIGUSR1, value=0, tid=0):
    event = ctypes.create_string_buffer(struct.pack("<qiii", value, signo, notify, tid), 64)
    ident = ctypes.c_int(-1)
    works(NR.timer_create, which, event, ident)
    return ident.value


@test
def posix_timer_raises_a_signal():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    t = make_timer(value=4711)
    start = time.monotonic()
    gives(0, NR.timer_settime, t, 0, its(0.03), None)
    info = signal.sigwaitinfo([signal.SIGUSR1])
    ok(time.monotonic() - start >= 0.0299, "not too early")
    eq((info.si_signo, info.si_code), (signal.SIGUSR1, -2))
    gives(0, NR.timer_settime, t, 1, its(time.monotonic() + 0.02), None)
    eq(signal.sigtimedwait([signal.SIGUSR1], 5).si_signo, signal.SIGUSR1)
    gives(0, NR.timer_delete, t)
    gives(-EINVAL, NR.timer_delete, t)
    gives(-EINVAL, NR.timer_settime, t, 0, its(1), None)


@test
def posix_timer_overruns():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    t = make_timer()
    gives(0, NR.timer_settime, t, 0, its(0.005, 0.005), None)
    time.sleep(0.1)
    eq(signal.sigtimedwait([signal.SIGUSR1], 5).si_signo, signal.SIGUSR1)
    over = works(NR.timer_getoverrun, t)
    ok(over >= 10, "overruns: %d" % over)
    old = its(0)
    gives(0, NR.timer_settime, t, 0, its(0), old)
    between(1, old[1], 5_000_000, "its interval")
    # A disarmed timer sends no more signals, but one may be pending.
    signal.sigtimedwait([signal.SIGUSR1], 0)
    eq(signal.sigtimedwait([signal.SIGUSR1], 0.03), None)
    gives(0, NR.timer_gettime, t, old)
    eq((old[2], old[3]), (0, 0))


@test
def posix_timer_to_a_thread_and_without_signal():
    got = []
    tids = []
    ready = threading.Event()

    def waiter():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        tids.append(sc(NR.gettid))
        ready.set()
        got.append(signal.sigtimedwait([signal.SIGUSR1], 5))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    th = threading.Thread(target=waiter)
    th.start()
    ready.wait()
    t = make_timer(notify=4, tid=tids[0])
    gives(0, NR.timer_settime, t, 0, its(0.02), None)
    th.join()
    eq(got[0].si_signo, signal.SIGUSR1)
    none = make_timer(notify=1)
    gives(0, NR.timer_settime, none, 0, its(0.01), None)
    left = its(0)
    becomes([0, 0], lambda: gives(0, NR.timer_gettime, none, left) or left[2:4], what="what is left")
    bad = ctypes.create_string_buffer(struct.pack("<qiii", 0, 99, 0, 0), 64)
    gives(-EINVAL, NR.timer_create, MONOTONIC, bad, ctypes.c_int())
    gives(-EINVAL, NR.timer_create, 99, None, ctypes.c_int())


@test
def posix_timer_on_cpu_time():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    t = make_timer(PROCESS)
    gives(0, NR.timer_settime, t, 0, its(0.05), None)
    eq(signal.sigtimedwait([signal.SIGUSR1], 0.05), None)
    end = time.monotonic() + 5
    while signal.sigtimedwait([signal.SIGUSR1], 0) is None:
        ok(time.monotonic() < end, "never expired")


@test
def a_late_cpu_timer_catches_up():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    t, period, used = make_timer(PROCESS), 0.0017, 0.3
    start, expiries = clock(PROCESS), 0
    gives(0, NR.timer_settime, t, 0, its(period, period), None)
    while clock(PROCESS) - start < used:
        if signal.sigtimedwait([signal.SIGUSR1], 0) is not None:
            expiries += 1 + works(NR.timer_getoverrun, t)
    between(0.85, expiries * period / used, 1.1, "of all periods")


@test
def timer_descriptors():
    fd = works(NR.timerfd_create, MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    fails(EAGAIN, os.read, fd, 8)
    start = time.monotonic()
    gives(0, NR.timerfd_settime, fd, 0, its(0.02, 0.01), None)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    eq(poll.poll(5000), [(fd, select.POLLIN)])
    ok(time.monotonic() - start >= 0.0195, "not too early")
    time.sleep(0.05)
    n = struct.unpack("<Q", os.read(fd, 8))[0]
    ok(n >= 5, "expirations: %d" % n)
    fails(EINVAL, os.read, fd, 7)
    cur = its(0)
    gives(0, NR.timerfd_gettime, fd, cur)
    eq((cur[0], cur[1]), (0, 10**7))
    gives(0, NR.timerfd_settime, fd, 0, its(0), cur)
    fails(EAGAIN, os.read, fd, 8)
    gives(0, NR.timerfd_settime, fd, 1, its(clock(MONOTONIC) - 1), None)
    eq(struct.unpack("<Q", os.read(fd, 8))[0], 1)
    gives(-EINVAL, NR.timerfd_create, 99, 0)
    gives(-EINVAL, NR.timerfd_create, MONOTONIC, 1)
    gives(-EINVAL, NR.timerfd_settime, fd, 0x100, its(1), None)
    gives(-EINVAL, NR.timerfd_settime, fd, 0, (ctypes.c_int64 * 4)(0, 0, 0, -1), None)
    gives(-EINVAL, NR.timerfd_settime, 0, 0, its(1), None)


@test
def blocking_timer_descriptor():
    fd = works(NR.timerfd_create, REALTIME, 0)
    start = time.monotonic()
    gives(0, NR.timerfd_settime, fd, 1, its(clock(REALTIME) + 0.03), None)
    eq(struct.unpack("<Q", os.read(fd, 8))[0], 1)
    between(0.025, time.monotonic() - start, 2)


@test
def many_sleepers_wake_in_order():
    order = []
    lock = threading.Lock()

    def sleeper(i):
        time.sleep(0.15 * i)
        with lock:
            order.append(i)
    threads = [threading.Thread(target=sleeper, args=(i,)) for i in (5, 3, 1, 4, 2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(order, [1, 2, 3, 4, 5])


@test
def times_and_uptime():
    up = float(open("/proc/uptime").read().split()[0])
    between(-2, clock(BOOT) - up, 2, "uptime")
    t = os.times()
    ok(t.user >= 0 and t.elapsed > 0, "times(2)")


@test
def the_vdso_reads_clocks_without_a_call():
    t = (ctypes.c_int64 * 2)()
    alike = {RAW: RAW, BOOT: BOOT, TAI: TAI, RT_COARSE: REALTIME, MONO_COARSE: MONOTONIC}
    time.sleep(0.2)
    for which, other in alike.items():
        eq(libc.clock_gettime(which, t), 0)
        between(-0.2, clock(other) - t[0] - t[1] / 1e9, 0.2, "clock %d and a call" % which)

    def without():
        no_new_privs()
        eq(install(on_call(NR.clock_gettime, ERRNO | EPERM)), 0)
        if libc.clock_gettime(MONOTONIC, t) != 0:
            return 77
        for which in alike:
            eq(libc.clock_gettime(which, t), 0, which)
        return 0
    status = os.waitstatus_to_exitcode(in_child(without))
    if status == 77:
        skip("here all clocks are calls")
    eq(status, 0)


@test
def the_vdso_reads_resolutions_without_a_call():
    getres = ctypes.CDLL("linux-vdso.so.1").__vdso_clock_getres
    t, u = (ctypes.c_int64 * 2)(), (ctypes.c_int64 * 2)()
    for which in range(12):
        r = sc(NR.clock_getres, which, u)
        eq((getres(which, t), t[:]), (r, u[:]) if r == 0 else (r, t[:]), "clock %d" % which)
        eq(getres(which, None), r)


@test
def the_vdso_reads_the_processor_without_a_call():
    vdso = ctypes.CDLL("linux-vdso.so.1")
    cpu, node = ctypes.c_uint(77), ctypes.c_uint(77)
    eq(vdso.__vdso_getcpu(ctypes.byref(cpu), ctypes.byref(node), None), 0)
    ok(cpu.value in os.sched_getaffinity(0) and node.value < 64, (cpu.value, node.value))
    eq(vdso.__vdso_getcpu(None, None, None), 0)
    for wanted in sorted(os.sched_getaffinity(0)):
        if os.fork() == 0:
            os.sched_setaffinity(0, {wanted})
            for _ in range(100):
                vdso.__vdso_getcpu(ctypes.byref(cpu), None, None)
                if cpu.value != wanted:
                    os._exit(1)
            os._exit(0)
        eq(os.wait()[1], 0, wanted)


@test
def the_vdso_has_linux_versions():
    vdso = ctypes.CDLL("linux-vdso.so.1")
    libc.dlvsym.restype = ctypes.c_void_p
    find = lambda name, version: libc.dlvsym(ctypes.c_void_p(vdso._handle), name, version)
    for name in b"__vdso_clock_gettime", b"__vdso_gettimeofday", b"__vdso_time", b"__vdso_getcpu":
        ok(find(name, b"LINUX_2.6"), "%r is there" % name)
    ok(not find(b"__vdso_time", b"LINUX_9.9"), "another version")


@test
def work_without_calls_counts_at_once():
    for clock in PROCESS, THREAD:
        time.clock_gettime(clock)
        before = time.clock_gettime(clock)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
        first, second = time.clock_gettime(clock) - before, time.clock_gettime(clock) - before
        ok(first > second / 2, "clock %d: first %g, then %g" % (clock, first, second))


@test
def the_thread_that_works_is_profiled():
    from lib.native import action_at, code
    hits = (ctypes.c_uint64 * 8192)()
    # movabs rax, hits; mov ecx, 1; lock xadd [rax], rcx; mov rdx, fs:[0x10]; mov [rax+rcx*8+8],
    # rdx; ret
    _, handler = code("48b8" + struct.pack("<Q", ctypes.addressof(hits)).hex() +
                      "b901000000 f0480fc108 6448 8b142510000000 488954c808 c3")
    action_at(signal.SIGPROF, handler)
    # A computation outside of the interpreter's lock, while the main thread waits.
    worker = threading.Thread(target=lambda: hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_500_000))
    signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
    worker.start()
    ident = worker.ident
    worker.join()
    signal.setitimer(signal.ITIMER_PROF, 0)
    count = hits[0]
    own = sum(1 for h in hits[1:1 + count] if h == ident)
    ok(count > 3 and own > count * 0.7, "%d of %d in the worker" % (own, count))


run()
