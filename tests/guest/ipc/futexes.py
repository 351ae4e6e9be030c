"""Threads and futexes: waiting, waking, requeueing, robust lists, priority inheritance, exits."""

import ctypes
import os
import signal
import struct
import threading
from errno import *
from lib.guest import *

WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET = (
    0, 1, 3, 4, 5, 6, 7, 8, 9, 10)
PRIVATE, CLOCK_REALTIME = 128, 256
WAITERS = 0x80000000


def word(value=0):
    """Makes a futex word in memory that children share."""
    at = works(NR.mmap, 0, 4096, 3, 0x21, -1, 0)
    w = ctypes.c_uint32.from_address(at)
    w.value = value
    return w


def futex(w, op, value=0, timeout=None, second=None, third=0):
    return sc(NR.futex, w, op, value, timeout, second, third)


def ts(seconds):
    ns = round(seconds * 10**9)
    return (ctypes.c_int64 * 2)(ns // 10**9, ns % 10**9)


def wait_for_sleepers(tids):
    for tid in tids:
        wait_until(lambda: state_of(os.getpid(), tid) == "S", "thread sleeps")


@test
def wait_checks_the_value():
    w = word(5)
    eq(futex(w, WAIT, 6), -EAGAIN)
    start = time.monotonic()
    eq(futex(w, WAIT, 5, ts(0.03)), -ETIMEDOUT)
    ok(time.monotonic() - start >= 0.03, "the time-out is long enough")
    eq(futex(w, WAIT_BITSET, 5, ts(time.monotonic() - 1), None, 1), -ETIMEDOUT)
    start = time.monotonic()
    eq(futex(w, WAIT_BITSET, 5, ts(start + 0.02), None, 1), -ETIMEDOUT)
    ok(time.monotonic() - start >= 0.02, "absolute monotonic time")
    eq(futex(w, WAIT_BITSET | CLOCK_REALTIME, 5, ts(time.time() + 0.02), None, 1), -ETIMEDOUT)
    eq(futex(w, WAIT_BITSET, 5, ts(1), None, 0), -EINVAL)
    eq(futex(w, WAIT, 5, (ctypes.c_int64 * 2)(0, 10**9)), -EINVAL)
    eq(futex(w, WAKE, 10), 0)
    eq(futex(w, 77, 0), -ENOSYS)
    gives(-EINVAL, NR.futex, ctypes.addressof(w) + 1, WAIT, 0, None, None, 0)
    gives(-EFAULT, NR.futex, 4096, WAIT, 0, None, None, 0)


@test
def wakes_between_processes():
    w = word()
    pid = spawn(lambda: 3 if futex(w, WAIT, 0, ts(10)) == 0 else 4)
    wait_state(pid, "S")
    eq(futex(w, WAKE | PRIVATE, 1), 0, "private and shared do not meet")
    eq(futex(w, WAKE, 1), 1)
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)


@test
def wake_counts():
    w = word()
    pids = [spawn(lambda: futex(w, WAIT, 0, ts(10))) for _ in range(5)]
    for pid in pids:
        wait_state(pid, "S")
    eq(futex(w, WAKE, 2), 2)
    eq(futex(w, WAKE, 100), 3)
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


@test
def bitsets_select():
    w = word()
    a = spawn(lambda: futex(w, WAIT_BITSET, 0, ts(time.monotonic() + 10), None, 1))
    b = spawn(lambda: futex(w, WAIT_BITSET, 0, ts(time.monotonic() + 10), None, 2))
    wait_state(a, "S")
    wait_state(b, "S")
    eq(futex(w, WAKE_BITSET, 10, None, None, 4), 0)
    eq(futex(w, WAKE_BITSET, 10, None, None, 2), 1)
    eq(os.waitpid(b, 0)[1], 0)
    eq(futex(w, WAKE, 10), 1)
    eq(os.waitpid(a, 0)[1], 0)


@test
def requeueing():
    w, v = word(), word()
    pids = [spawn(lambda: futex(w, WAIT, 0, ts(10))) for _ in range(4)]
    for pid in pids:
        wait_state(pid, "S")
    eq(sc(NR.futex, w, CMP_REQUEUE, 1, 10, v, 99), -EAGAIN)
    eq(sc(NR.futex, w, CMP_REQUEUE, 1, 2, v, 0), 3)
    eq(futex(w, WAKE, 10), 1)
    eq(futex(v, WAKE, 10), 2)
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


@test
def wake_op():
    w, v = word(), word(7)
    a = spawn(lambda: futex(w, WAIT, 0, ts(10)))
    b = spawn(lambda: futex(v, WAIT, 7, ts(10)))
    wait_state(a, "S")
    wait_state(b, "S")
    # v += 3; wake w; wake v if the old value was 7.
    op = 1 << 28 | 0 << 24 | 3 << 12 | 7
    eq(sc(NR.futex, w, WAKE_OP, 1, 1, v, op), 2)
    eq(v.value, 10)
    for pid in (a, b):
        eq(os.waitpid(pid, 0)[1], 0)


@test
def signals_interrupt_waits():
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    w = word()
    eq(under_alarms(futex, w, WAIT, 0, ts(10)), -EINTR)
    # With SA_RESTART a wait with a time-out fails too, and a wait without one continues.
    signal.siginterrupt(signal.SIGALRM, False)
    eq(under_alarms(futex, w, WAIT, 0, ts(10)), -EINTR)

    me, handled = os.getpid(), Handled()

    def waker():
        wait_parent_sleeps()
        os.kill(me, signal.SIGALRM)
        handled.wait()
        wait_until(lambda: futex(w, WAKE, 1) == 1, "a waiter")
    pid = spawn(waker)
    handled.watch()
    eq(futex(w, WAIT, 0), 0)
    eq(os.waitpid(pid, 0)[1], 0)


@test
def a_futex_lies_in_a_shared_file_mapping():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, 4096)
    mine = works(NR.mmap, 0, 4096, 3, 1, fd, 0)

    def child():
        other = works(NR.mmap, 0, 4096, 3, 1, os.open("f", os.O_RDWR), 0)
        return sc(NR.futex, other + 8, WAIT, 0, ts(10), None, 0)
    pid = spawn(child)
    wait_state(pid, "S")
    wait_until(lambda: sc(NR.futex, mine + 8, WAKE, 1, None, None, 0) == 1, "a waiter")
    eq(os.waitpid(pid, 0)[1], 0)


@test
def priority_inheritance_locks():
    w = word()
    eq(futex(w, LOCK_PI), 0)
    eq(w.value & 0x3FFFFFFF, sc(NR.gettid))
    eq(futex(w, LOCK_PI), -EDEADLK)
    eq(futex(w, TRYLOCK_PI), -EDEADLK)

    def child():
        eq(futex(w, TRYLOCK_PI), -EAGAIN)
        eq(futex(w, UNLOCK_PI), -EPERM)
        eq(futex(w, LOCK_PI), 0)
        eq(w.value & 0x3FFFFFFF, os.getpid())
        eq(futex(w, UNLOCK_PI), 0)
    pid = spawn(child)
    wait_until(lambda: w.value & WAITERS, "the waiters bit")
    eq(futex(w, UNLOCK_PI), 0)
    eq(os.waitpid(pid, 0)[1], 0)
    eq(w.value, 0)


@test
def robust_locks():
    # The kernel marks a mutex whose owner dies, and wakes its waiter.
    block = works(NR.mmap, 0, 4096, 3, 0x21, -1, 0)
    lock = ctypes.c_uint32.from_address(block + 64)

    def owner():
        entry, head = block + 128, block + 256
        struct_at = lambda at, *values: ctypes.memmove(
            at, struct.pack("<%dq" % len(values), *values), 8 * len(values))
        struct_at(entry, head)
        struct_at(head, entry, 64 - 128, 0)
        works(NR.set_robust_list, head, 24)
        lock.value = sc(NR.gettid)
        wait_until(lambda: lock.value & WAITERS, "a waiter")
        wait_parent_sleeps()
    pid = spawn(owner)
    wait_until(lambda: lock.value == pid, "the owner")
    lock.value = pid | WAITERS
    r = sc(NR.futex, lock, WAIT, pid | WAITERS, ts(10), None, 0)
    ok(r in (0, -EAGAIN), "woken: " + name_of(r))
    os.waitpid(pid, 0)
    eq(lock.value & 0x7FFFFFFF, 0x40000000)
    gives(-EINVAL, NR.set_robust_list, block, 20)


@test
def thread_exit_clears_and_wakes():
    # pthread_join needs this.
    for _ in range(20):
        out = []
        t = threading.Thread(target=lambda: out.append(1))
        t.start()
        t.join()
        eq(out, [1])


@test
def many_threads():
    lock, total = threading.Lock(), [0]

    def work():
        for _ in range(200):
            with lock:
                total[0] += 1
    threads = [threading.Thread(target=work) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(total[0], 6000)


@test
def conditions_and_barriers():
    cond, queue, out = threading.Condition(), [], []

    def consumer():
        while True:
            with cond:
                while not queue:
                    cond.wait()
                item = queue.pop(0)
            if item is None:
                return
            out.append(item)
    threads = [threading.Thread(target=consumer) for _ in range(3)]
    for t in threads:
        t.start()
    for i in range(300):
        with cond:
            queue.append(i)
            cond.notify()
    with cond:
        queue.extend([None] * 3)
        cond.notify_all()
    for t in threads:
        t.join()
    eq(sorted(out), list(range(300)))
    barrier = threading.Barrier(4, timeout=10)
    threads = [threading.Thread(target=lambda: [barrier.wait() for _ in range(50)])
               for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ok(not barrier.broken, "the barrier held")


@test
def threads_have_their_own_ids_and_stacks():
    ids = set()
    barrier = threading.Barrier(5)

    def body():
        ids.add((sc(NR.getpid), sc(NR.gettid)))
        barrier.wait()
    threads = [threading.Thread(target=body) for _ in range(4)]
    for t in threads:
        t.start()
    wait_until(lambda: len(ids) == 4, "four threads")
    tasks = sorted(int(x) for x in os.listdir("/proc/self/task"))
    eq(tasks, sorted([os.getpid()] + [t for _, t in ids]))
    barrier.wait()
    for t in threads:
        t.join()
    eq({p for p, _ in ids}, {os.getpid()})


@test
def exit_of_the_leader_leaves_the_others():
    p = Pipe()

    def child():
        def other():
            wait_until(lambda: state_of(os.getpid(), os.getpid()) == "Z", "leader is a zombie")
            p.post(b"alive")
            os._exit(11)
        threading.Thread(target=other).start()
        sc(NR.exit, 5)
    pid = spawn(child)
    eq(p.take(5), b"alive")
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 11)


@test
def fork_of_a_thread_has_one_thread():
    stop = threading.Event()
    t = threading.Thread(target=stop.wait)
    t.start()
    child_ok(lambda: eq(len(os.listdir("/proc/self/task")), 1))
    stop.set()
    t.join()


@test
def membarrier_and_cpu():
    r = sc(NR.membarrier, 0, 0, 0)
    ok(r >= 0 or r == -ENOSYS, "membarrier query: " + name_of(r))
    cpu = ctypes.c_uint()
    gives(0, NR.getcpu, cpu, None, None)
    ok(cpu.value < 4096, "a CPU number")


run()
