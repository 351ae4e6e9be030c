"""Attacks by System V objects, message queues, pipes and keys."""

import ctypes
import os
import struct
import time

from calls import call, children, end, in_child, libc, scratch, table

ATTACKS, attack = table()


@attack
def semaphores_to_undo(scale):
    sets = []
    for _ in range(int(100 * scale) + 1):
        one = libc.semget(0, 500, 0o1600)
        if one < 0:
            break
        sets.append(one)

    def undo():
        ops = b"".join(struct.pack("HhH", i, 1, 0x1000) for i in range(400))
        for one in sets:
            libc.semop(one, ops, 400)

    def go():
        in_child(undo)
    import atexit
    atexit.register(lambda: [libc.semctl(one, 0, 0) for one in sets])
    return go


@attack
def semaphore_with_1000_waiters(scale):
    one = libc.semget(0, 2, 0o1600)

    def waiter():
        libc.semop(one, struct.pack("HhHHhH", 0, -1, 0, 1, -1, 0), 2)
    pids = children(int(1000 * scale) + 1, waiter)

    def go():
        for _ in range(50):
            libc.semop(one, struct.pack("HhH", 0, 1, 0), 1)
            libc.semop(one, struct.pack("HhH", 0, -1, 0x800), 1)
        assert pids
    return go


@attack
def messages_by_type(scale):
    queue = libc.msgget(0, 0o1600)
    sent = 0
    for i in range(int(16000 * scale) + 1):
        if libc.msgsnd(queue, struct.pack("q", 1 + i), 0, 0x800) < 0:
            break
        sent += 1
    out = ctypes.create_string_buffer(64)
    libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]

    def go():
        for _ in range(200):
            libc.msgrcv(queue, out, 8, 1 << 40, 0x800)
            libc.msgrcv(queue, out, 8, -(1 << 40), 0x800)
            libc.msgsnd(queue, struct.pack("q", sent), 0, 0x800)
        libc.msgctl(queue, 2, out)
    return go


@attack
def posix_message_priorities(scale):
    name = f"/victim{os.getpid()}".encode()
    libc.mq_unlink(name)
    rt = libc
    queue = rt.mq_open(name, 0o102, 0o600, None)
    libc.mq_unlink(name)

    def go():
        out = ctypes.create_string_buffer(8192)
        for i in range(2000):
            rt.mq_send(queue, b"x", 1, i % 1000)
            if i % 10 == 9:
                for _ in range(10):
                    rt.mq_receive(queue, out, 8192, None)
    return go


@attack
def keys(scale):
    def many():
        for i in range(int(2000 * scale) + 1):
            if libc.syscall(248, b"user", f"k{i}".encode(), b"x", 1, ctypes.c_int(-2)) < 0:
                break
        with open("/proc/keys", "rb") as f:
            f.read()
        for i in range(200):
            libc.syscall(250, ctypes.c_long(10), ctypes.c_int(-2), b"user", b"nothing", ctypes.c_int(0))
    return lambda: in_child(many)


@attack
def keyrings_in_keyrings(scale):
    def many():
        last = ctypes.c_int(-2)
        made = []
        for i in range(int(150 * scale) + 1):
            ring = libc.syscall(248, b"keyring", f"r{i}".encode(), None, 0, last)
            if ring < 0:
                break
            made.append(ring)
            last = ctypes.c_int(made[i // 8])
        for _ in range(200):
            libc.syscall(250, ctypes.c_long(10), ctypes.c_int(-2), b"user", b"nothing", ctypes.c_int(0))
    return lambda: in_child(many)


@attack
def full_pipes(scale):
    r, w = os.pipe()
    try:
        import fcntl
        fcntl.fcntl(w, 1031, 1 << 20)
    except OSError:
        pass
    os.set_blocking(w, False)
    data = bytes(1 << 20)

    def go():
        for _ in range(100):
            os.write(w, data)
            os.read(r, 1 << 20)
        # Each byte uses a pipe buffer of its own.
        for _ in range(5000):
            try:
                os.write(w, b"x")
            except BlockingIOError:
                break
        os.read(r, 1 << 20)
    return go


@attack
def pipe_with_1000_readers(scale):
    r, w = os.pipe()

    def reader():
        while True:
            os.read(r, 1)
    pids = children(int(1000 * scale) + 1, reader)

    def go():
        for _ in range(100):
            os.write(w, b"x")
        assert pids
    return go


@attack
def pollers_of_one_pipe(scale):
    import select
    r, w = os.pipe()

    def poller():
        p = select.poll()
        p.register(r, select.POLLIN)
        while True:
            p.poll()
            time.sleep(0.05)
    pids = children(int(1000 * scale) + 1, poller)

    def go():
        for _ in range(5):
            os.write(w, b"x")
            os.read(r, 1)
            time.sleep(0.06)
        assert pids
    return go


@attack
def flock_waiters(scale):
    import fcntl
    path = scratch("flock") + "/f"
    held = open(path, "w")
    fcntl.flock(held, fcntl.LOCK_EX)

    def waiter():
        with open(path, "w") as mine:
            while True:
                fcntl.flock(mine, fcntl.LOCK_EX)
                fcntl.flock(mine, fcntl.LOCK_UN)
    pids = children(int(500 * scale) + 1, waiter)

    def go():
        for _ in range(20):
            fcntl.flock(held, fcntl.LOCK_UN)
            fcntl.flock(held, fcntl.LOCK_EX)
        assert pids
    return go


@attack
def shared_memory_segments(scale):
    def go():
        ids = []
        for _ in range(int(1000 * scale) + 1):
            one = libc.shmget(0, 4096, 0o1600)
            if one < 0:
                break
            ids.append(one)
        with open("/proc/sysvipc/shm", "rb") as f:
            f.read()
        for one in ids:
            libc.shmctl(one, 0, None)
    return go


assert call and end
