"""Priority inheritance: FUTEX_LOCK_PI and related operations, requeueing to them, deadlocks, owners
that die.
"""

import ctypes
import os
import signal
import threading
from errno import *
from lib.guest import *

(WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI) = (0, 1, 3, 4, 5, 6, 7, 8)
WAIT_REQUEUE_PI, CMP_REQUEUE_PI, LOCK_PI2 = 11, 12, 13
PRIVATE, REALTIME = 128, 256
WAITERS, DIED, TID = 1 << 31, 1 << 30, (1 << 30) - 1
BAD, KERNEL = 4096, 1 << 63


def words(n=1):
    """Makes futex words in memory that children share."""
    at = works(NR.mmap, 0, 4096, 3, 0x21, -1, 0)
    found = [ctypes.c_uint32.from_address(at + 64 * i) for i in range(n)]
    return found if n > 1 else found[0]


def futex(w, op, value=0, timeout=None, second=None, third=0):
    return sc(NR.futex, w, op, value, timeout, second, third)


def at(seconds, clock=time.CLOCK_REALTIME):
    ns = time.clock_gettime_ns(clock) + round(seconds * 10**9)
    return (ctypes.c_int64 * 2)(ns // 10**9, ns % 10**9)


def asleep(*tids):
    for tid in tids:
        wait_until(lambda: state_of(os.getpid(), tid) == "S", "thread sleeps")


class Worker(threading.Thread):
    """Runs fn in a thread; has its id and the result of fn."""

    def __init__(self, fn):
        super().__init__(daemon=True)
        self.fn, self.tid, self.result, self.ready = fn, 0, None, threading.Event()
        self.start()
        self.ready.wait()

    def run(self):
        self.tid = threading.get_native_id()
        self.ready.set()
        self.result = self.fn()

    def end(self):
        self.join(DEADLINE_S)
        ok(not self.is_alive(), "thread hangs")
        return self.result


@test
def a_free_word_is_taken():
    w = words()
    eq(futex(w, LOCK_PI), 0)
    eq(w.value, threading.get_native_id())
    eq(futex(w, LOCK_PI), -EDEADLK)
    eq(futex(w, TRYLOCK_PI), -EDEADLK)
    eq(futex(w, UNLOCK_PI), 0)
    eq(w.value, 0)
    eq(futex(w, UNLOCK_PI), -EPERM)


@cases([("unlock", UNLOCK_PI), ("lock", LOCK_PI), ("try", TRYLOCK_PI), ("lock2", LOCK_PI2)], shared=True)
def hostile_words(op):
    w = words()
    gives(-EFAULT, NR.futex, BAD, op, 0, None, None, 0)
    gives(-EFAULT, NR.futex, KERNEL, op, 0, None, None, 0)
    r = sc(NR.futex, ctypes.addressof(w) + 1, op, 0, None, None, 0)
    eq(r, -EPERM if op == UNLOCK_PI else -EINVAL)


@cases([("lock", LOCK_PI), ("unlock", UNLOCK_PI), ("try", TRYLOCK_PI), ("requeue", CMP_REQUEUE_PI)], shared=True)
def the_clock_is_refused(op):
    eq(futex(words(), op | REALTIME), -ENOSYS)


@test
def a_word_with_a_missing_owner_is_refused():
    w = words()
    w.value = TID
    eq(futex(w, LOCK_PI), -ESRCH)
    eq(futex(w, TRYLOCK_PI), -ESRCH)


@cases([("lock", LOCK_PI, time.CLOCK_REALTIME), ("lock2", LOCK_PI2, time.CLOCK_MONOTONIC),
        ("lock2 real", LOCK_PI2 | REALTIME, time.CLOCK_REALTIME)])
def time_out(op, clock):
    w = words()
    eq(futex(w, LOCK_PI), 0)
    worker = Worker(lambda: futex(w, op, 0, at(0.02, clock)))
    eq(worker.end(), -ETIMEDOUT)
    eq(w.value, threading.get_native_id() | WAITERS)
    eq(futex(w, UNLOCK_PI), 0)
    eq(w.value, 0)


@test
def unlock_passes_the_lock_to_a_waiter():
    w = words()
    eq(futex(w, LOCK_PI), 0)
    seen = []

    def heir():
        r = futex(w, LOCK_PI)
        seen.append(w.value)
        return r, futex(w, UNLOCK_PI)
    worker = Worker(heir)
    asleep(worker.tid)
    eq(futex(w, WAKE, 1), -EINVAL)
    eq(futex(w, REQUEUE, 1, 1, words()), -EINVAL)
    eq(futex(w, UNLOCK_PI), 0)
    eq(worker.end(), (0, 0))
    eq(seen, [worker.tid | WAITERS])
    eq(w.value, 0)


@test
def a_word_that_contradicts_its_waiters_is_refused():
    w = words()
    eq(futex(w, LOCK_PI), 0)
    worker = Worker(lambda: futex(w, LOCK_PI, 0, at(0.5)))
    asleep(worker.tid)
    w.value = WAITERS | 1
    eq(Worker(lambda: futex(w, LOCK_PI)).end(), -EINVAL)
    w.value = WAITERS
    eq(Worker(lambda: futex(w, LOCK_PI)).end(), -EINVAL)
    eq(futex(w, UNLOCK_PI), -EPERM)
    w.value = WAITERS | threading.get_native_id()
    eq(futex(w, UNLOCK_PI), 0)
    eq(worker.end(), 0)


@test
def a_plain_waiter_does_not_get_the_lock():
    w = words()
    me = threading.get_native_id()
    w.value = me
    worker = Worker(lambda: futex(w, WAIT, me))
    asleep(worker.tid)
    eq(futex(w, UNLOCK_PI), -EINVAL)
    eq(Worker(lambda: futex(w, LOCK_PI)).end(), -EINVAL)
    eq(futex(w, WAKE, 1), 1)
    eq(worker.end(), 0)


@cases([("two", 2), ("three", 3), ("nine", 9)])
def deadlocks_are_found(n):
    locks = words(n)
    held = [threading.Event() for _ in locks]
    go = threading.Event()

    def hold(i):
        eq(futex(locks[i], LOCK_PI), 0)
        held[i].set()
        go.wait()
        r = futex(locks[(i + 1) % n], LOCK_PI) if i else 0
        eq(futex(locks[i], UNLOCK_PI), 0)
        if i and r == 0:
            eq(futex(locks[(i + 1) % n], UNLOCK_PI), 0)
        return r
    eq(futex(locks[0], LOCK_PI), 0)
    workers = [Worker(lambda i=i: hold(i)) for i in range(1, n)]
    for event in held[1:]:
        event.wait()
    go.set()
    asleep(*[w.tid for w in workers])
    eq(futex(locks[1], LOCK_PI), -EDEADLK)
    eq(futex(locks[0], UNLOCK_PI), 0)
    eq([w.end() for w in workers], [0] * (n - 1))


@test
def an_owner_that_ends_leaves_the_word():
    w = words()
    go = Pipe()

    def owner():
        eq(futex(w, LOCK_PI), 0)
        go.post()
        wait_until(lambda: w.value & WAITERS, "a waiter")
        wait_parent_sleeps()
        return 0
    pid = spawn(owner)
    go.take()
    eq(futex(w, LOCK_PI), 0)
    eq(w.value, os.getpid() | DIED | WAITERS)
    os.waitpid(pid, 0)
    w.value = os.getpid() | WAITERS
    eq(futex(w, UNLOCK_PI), 0)


def robust(w):
    """Makes a robust list of this thread with one PI word on it."""
    node = ctypes.addressof(w) + 8
    head = (ctypes.c_int64 * 3)(node | 1, -8, 0)
    ctypes.c_int64.from_address(node).value = ctypes.addressof(head)
    works(NR.set_robust_list, head, 24)
    return head


@test
def robust_words_of_dead_owners_are_taken():
    w, kept = words(), []

    def owner():
        kept.append(robust(w))
        eq(futex(w, LOCK_PI), 0)
    child_ok(owner)
    eq(w.value, DIED)
    eq(futex(w, LOCK_PI), 0)
    eq(w.value, os.getpid() | DIED)


@test
def signals_do_not_end_the_wait():
    w = words()
    eq(futex(w, LOCK_PI), 0)

    handled = Handled()

    def waiter():
        handled.watch()
        signal.signal(signal.SIGUSR1, lambda *_: None)
        return 0 if futex(w, LOCK_PI, 0, at(60)) == 0 else 1
    pid = spawn(waiter)
    wait_until(lambda: w.value & WAITERS and state_of(pid) == "S", "sleep")
    for _ in range(3):
        os.kill(pid, signal.SIGUSR1)
        handled.wait()
        wait_state(pid, "S")
    eq(futex(w, UNLOCK_PI), 0)
    eq(os.waitpid(pid, 0)[1], 0)


@test
def lock_is_seen_at_other_addresses():
    fd = os.memfd_create("x")
    os.ftruncate(fd, 8192)
    mine = ctypes.c_uint32.from_address(works(NR.mmap, 0, 8192, 3, 1, fd, 0))
    eq(futex(mine, LOCK_PI), 0)

    def heir():
        here = ctypes.c_uint32.from_address(works(NR.mmap, 0, 8192, 3, 1, fd, 0))
        works(NR.munmap, ctypes.addressof(mine), 8192)
        eq(futex(here, LOCK_PI), 0)
        eq(here.value & TID, os.getpid())
        return 0 if futex(here, UNLOCK_PI) == 0 else 1
    pid = spawn(heir)
    wait_until(lambda: mine.value & WAITERS and state_of(pid) == "S", "sleep")
    eq(futex(mine, UNLOCK_PI), 0)
    eq(os.waitpid(pid, 0)[1], 0)


@test
def requeue_wakes_an_owner():
    cond, lock = words(2)
    worker = Worker(lambda: (futex(cond, WAIT_REQUEUE_PI, 0, None, lock), lock.value,
                             futex(lock, UNLOCK_PI)))
    asleep(worker.tid)
    eq(futex(cond, WAKE, 1), -EINVAL)
    eq(futex(cond, CMP_REQUEUE, 1, 1, lock, 0), -EINVAL)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 0, lock, 0), 1)
    eq(worker.end(), (0, worker.tid, 0))


@test
def requeue_moves_to_a_lock_that_is_held():
    cond, lock = words(2)
    eq(futex(lock, LOCK_PI), 0)
    order = []

    def wait():
        r = futex(cond, WAIT_REQUEUE_PI, 0, None, lock)
        order.append(lock.value & TID)
        return r, futex(lock, UNLOCK_PI)
    workers = [Worker(wait) for _ in range(4)]
    asleep(*[w.tid for w in workers])
    eq(futex(cond, CMP_REQUEUE_PI, 1, 1, lock, 0), 2)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 100, lock, 0), 2)
    eq(lock.value, threading.get_native_id() | WAITERS)
    eq(futex(lock, UNLOCK_PI), 0)
    eq([w.end() for w in workers], [(0, 0)] * 4)
    eq(sorted(order), sorted(w.tid for w in workers))
    eq(lock.value, 0)


@test
def requeue_gives_a_free_lock_and_moves_the_rest():
    cond, lock = words(2)
    go = threading.Event()

    def wait():
        r = futex(cond, WAIT_REQUEUE_PI, 0, None, lock)
        go.wait()
        return r, futex(lock, UNLOCK_PI)
    workers = [Worker(wait) for _ in range(3)]
    asleep(*[w.tid for w in workers])
    eq(futex(cond, CMP_REQUEUE_PI, 1, 100, lock, 0), 3)
    ok(lock.value & WAITERS and lock.value & TID in [w.tid for w in workers], hex(lock.value))
    go.set()
    eq([w.end() for w in workers], [(0, 0)] * 3)
    eq(lock.value, 0)


@cases([
    ("wake 0", -EINVAL, 0, 1, 0), ("wake 2", -EINVAL, 2, 1, 0), ("wake negative", -EINVAL, -1, 1, 0),
    ("move negative", -EINVAL, 1, -1, 0), ("other value", -EAGAIN, 1, 1, 5), ("no waiter", 0, 1, 1, 0)], shared=True)
def cmp_requeue_pi_checks(expected, wake, move, value):
    cond, lock = words(2)
    eq(futex(cond, CMP_REQUEUE_PI, wake, move, lock, value), expected)


@test
def requeue_pi_checks_words():
    cond, lock = words(2)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 1, cond, 0), -EINVAL)
    gives(-EFAULT, NR.futex, BAD, CMP_REQUEUE_PI, 1, 1, ctypes.addressof(lock), 0)
    gives(-EFAULT, NR.futex, cond, CMP_REQUEUE_PI, 1, 1, BAD, 0)
    gives(-EINVAL, NR.futex, cond, CMP_REQUEUE_PI, 1, 1, ctypes.addressof(lock) + 2, 0)
    eq(futex(cond, WAIT_REQUEUE_PI, 0, None, cond), -EINVAL)
    eq(futex(cond, WAIT_REQUEUE_PI, 1, None, lock), -EAGAIN)
    gives(-EFAULT, NR.futex, cond, WAIT_REQUEUE_PI, 0, None, BAD, 0)
    gives(-EINVAL, NR.futex, cond, WAIT_REQUEUE_PI, 0, None, ctypes.addressof(lock) + 1, 0)


@cases([("monotonic", 0, time.CLOCK_MONOTONIC), ("real", REALTIME, time.CLOCK_REALTIME)])
def wait_requeue_pi_times_out(flag, clock):
    cond, lock = words(2)
    eq(futex(cond, WAIT_REQUEUE_PI | flag, 0, at(0.02, clock), lock), -ETIMEDOUT)
    eq(futex(lock, LOCK_PI), 0)
    worker = Worker(lambda: futex(cond, WAIT_REQUEUE_PI | flag, 0, at(0.1, clock), lock))
    asleep(worker.tid)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 0, lock, 0), 1)
    eq(worker.end(), -ETIMEDOUT)
    eq(futex(lock, UNLOCK_PI), 0)
    eq(lock.value, 0)


@test
def requeue_to_another_lock_is_refused():
    cond, lock, other = words(3)
    worker = Worker(lambda: futex(cond, WAIT_REQUEUE_PI, 0, at(0.2, time.CLOCK_MONOTONIC), lock))
    asleep(worker.tid)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 1, other, 0), -EINVAL)
    eq(worker.end(), -ETIMEDOUT)


@test
def requeue_of_a_plain_waiter_is_refused():
    cond, lock = words(2)
    worker = Worker(lambda: futex(cond, WAIT, 0))
    asleep(worker.tid)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 1, lock, 0), -EINVAL)
    eq(futex(cond, WAKE, 1), 1)
    eq(worker.end(), 0)


@test
def requeue_of_the_owner_is_a_deadlock():
    cond, lock = words(2)
    soon = at(0.3, time.CLOCK_MONOTONIC)
    worker = Worker(lambda: (futex(lock, LOCK_PI), futex(cond, WAIT_REQUEUE_PI, 0, soon, lock)))
    wait_until(lambda: lock.value == worker.tid, "the lock")
    asleep(worker.tid)
    eq(futex(cond, CMP_REQUEUE_PI, 1, 1, lock, 0), -EDEADLK)
    eq(worker.end(), (0, -ETIMEDOUT))


@test
def signals_after_the_move():
    cond, lock = words(2)
    eq(futex(lock, LOCK_PI), 0)

    def waiter():
        signal.signal(signal.SIGUSR1, lambda *_: None)
        return 0 if futex(cond, WAIT_REQUEUE_PI, 0, None, lock) == -EAGAIN else 1
    pid = spawn(waiter)
    wait_until(lambda: state_of(pid) == "S", "sleep")
    wait_until(lambda: futex(cond, CMP_REQUEUE_PI, 1, 0, lock, 0) == 1, "the move")
    os.kill(pid, signal.SIGUSR1)
    eq(os.waitpid(pid, 0)[1], 0)
    eq(futex(lock, UNLOCK_PI), 0)
    eq(lock.value, 0)


@test
def mutexes_of_the_c_library_inherit_priority():
    mutex, attr, cond = (ctypes.create_string_buffer(64) for _ in range(3))
    eq(libc.pthread_mutexattr_init(attr), 0)
    eq(libc.pthread_mutexattr_setprotocol(attr, 1), 0)
    eq(libc.pthread_mutexattr_settype(attr, 2), 0)
    eq(libc.pthread_mutex_init(mutex, attr), 0)
    eq(libc.pthread_cond_init(cond, None), 0)
    state = [0]

    def wait():
        eq(libc.pthread_mutex_lock(mutex), 0)
        while state[0] == 0:
            eq(libc.pthread_cond_wait(cond, mutex), 0)
        state[0] += 1
        return libc.pthread_mutex_unlock(mutex)
    workers = [Worker(wait) for _ in range(5)]
    asleep(*[w.tid for w in workers])
    eq(libc.pthread_mutex_lock(mutex), 0)
    eq(libc.pthread_mutex_lock(mutex), EDEADLK)
    state[0] = 1
    eq(libc.pthread_cond_broadcast(cond), 0)
    eq(libc.pthread_mutex_unlock(mutex), 0)
    eq([w.end() for w in workers], [0] * 5)
    eq(state[0], 6)


@test
def many_threads_count_under_a_lock():
    w = words()
    counter = [0]

    def work():
        for _ in range(100):
            eq(futex(w, LOCK_PI), 0)
            n = counter[0]
            counter[0] = n + 1
            eq(futex(w, UNLOCK_PI), 0)
        return 0
    eq([x.end() for x in [Worker(work) for _ in range(6)]], [0] * 6)
    eq((counter[0], w.value), (600, 0))


run()
