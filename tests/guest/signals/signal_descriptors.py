"""signalfd(2) with several threads: a read takes signals of the reader, not of the creator."""

import ctypes
import os
import select
import signal
import struct
import threading
from errno import *
from lib.guest import *

USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


def new(flags=os.O_NONBLOCK):
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1, USR2])
    return works(NR.signalfd4, -1, ctypes.c_uint64(1 << USR1 - 1 | 1 << USR2 - 1), 8, flags)


def to_thread(tid, sig):
    works(NR.tgkill, os.getpid(), tid, sig)


def ready(fd):
    p = select.poll()
    p.register(fd, select.POLLIN)
    return p.poll(0) != []


def read(fd):
    try:
        data = os.read(fd, 512)
    except BlockingIOError:
        return []
    return [struct.unpack_from("=I", data, at)[0] for at in range(0, len(data), 128)]


def in_thread(fn, *args):
    seen = []
    t = threading.Thread(target=lambda: seen.append(fn(*args)))
    t.start()
    t.join(10)
    ok(not t.is_alive(), "the thread ended")
    return seen[0]


@test
def each_thread_reads_its_own_signals():
    fd, main = new(), threading.get_native_id()
    to_thread(main, USR1)

    def other():
        before = ready(fd), read(fd)
        to_thread(threading.get_native_id(), USR2)
        return before, ready(fd), read(fd)
    eq(in_thread(other), ((False, []), True, [USR2]))
    eq((ready(fd), read(fd)), (True, [USR1]))
    os.kill(os.getpid(), USR1)
    eq(in_thread(read, fd), [USR1])
    eq(read(fd), [])


@test
def a_child_reads_its_own_signals():
    fd = new()
    to_thread(threading.get_native_id(), USR1)

    def child():
        eq((ready(fd), read(fd)), (False, []))
        os.kill(os.getpid(), USR2)
        eq((ready(fd), read(fd)), (True, [USR2]))
    child_ok(child)
    eq(read(fd), [USR1])


def waits_in(fd, wait):
    """Starts a thread that waits, and sends a signal to the thread."""
    tid, seen = [], []

    def run():
        tid.append(threading.get_native_id())
        seen.append(wait())
    t = threading.Thread(target=run, daemon=True)
    t.start()
    wait_until(lambda: tid, "the thread runs")
    wait_state(tid[0], "S")
    to_thread(tid[0], USR1)
    t.join(5)
    return seen


@test
def a_thread_waits_for_its_own_signals():
    fd = new(0)
    eq(waits_in(fd, lambda: read(fd)), [[USR1]])
    p = select.poll()
    p.register(fd, select.POLLIN)
    eq(waits_in(fd, lambda: p.poll(4000)), [[(fd, select.POLLIN)]])
    ep = select.epoll()
    ep.register(fd, select.POLLIN)
    eq(waits_in(fd, lambda: ep.poll(4)), [[(fd, select.POLLIN)]])
    # Signals of the other threads do not make the descriptor ready for the main thread.
    eq(ep.poll(0), [])


run()
