"""Commands and flags of System V IPC, message queues and futexes, one by one: each acts, by an
expression whose value Linux gave.
"""

import ctypes
import os
import struct
from errno import *
from lib.guest import *

SYS.update(semget=64, semop=65, semctl=66, msgget=68, msgsnd=69, msgrcv=70, msgctl=71, semtimedop=220,
           mq_open=240, mq_unlink=241, futex_waitv=449)
CREAT, EXCL, NOWAIT = 0o1000, 0o2000, 0o4000
KEY = 0x4C1A0000 + os.getpid() % 30000


def sem(n=2, flags=CREAT | 0o600):
    return works(64, 0, n, flags)


def with_sem(fn, n=2):
    i = sem(n)
    try:
        return fn(i)
    finally:
        sc(66, i, 0, 0)


def semctl(command, arg=0, index=0):
    return with_sem(lambda i: sc(66, i, index, command, arg))


def semop(op, flags, first=0):
    def body(i):
        sc(66, i, 0, 16, first)
        return sc(65, i, struct.pack("Hhh", 0, op, flags), 1), sc(66, i, 0, 12)
    return with_sem(body)


def undone():
    def body(i):
        child_ok(lambda: works(65, i, struct.pack("Hhh", 0, 3, 0o10000), 1) and 0)
        return sc(66, i, 0, 12)
    return with_sem(body)


def with_queue(fn):
    i = works(68, 0, CREAT | 0o600)
    try:
        return fn(i)
    finally:
        sc(71, i, 0, 0)


def send(i, kind, text, flags=NOWAIT):
    return sc(69, i, struct.pack("q", kind) + text, len(text), flags)


def take(i, size, kind, flags):
    buf = ctypes.create_string_buffer(64)
    r = sc(70, i, buf, size, kind, flags)
    return r if r < 0 else (struct.unpack_from("q", buf.raw)[0], buf.raw[8:8 + r])


def msgctl(command, size=120):
    return with_queue(lambda i: sc(71, i, command, ctypes.create_string_buffer(size)))


def queue(name, flags, mode=0o600, attr=0):
    r = sc(240, name, flags, mode, attr)
    return min(r, 0)


def mq(fn):
    try:
        return fn()
    finally:
        sc(241, b"flags")


def word(value=0, shared=False):
    w = ctypes.c_uint32.from_address(works(NR.mmap, 0, 4096, 3, 0x21 if shared else 0x22, -1, 0))
    w.value = value
    return w


def at(value, other=5):
    w = word(value)
    return w


def futex(op, w, value=0, timeout=None, second=None, third=0):
    return sc(NR.futex, w, op, value, timeout, second, third)


def soon(ns=1000):
    return (ctypes.c_int64 * 2)(0, ns)


@cases([
    ("IPC_CREAT",
     lambda: (min(sc(64, KEY, 1, 0o600), 0), (lambda i: (min(i, 0), sc(66, i, 0, 0)))(sc(64, KEY, 1, CREAT | 0o600))),
     (-ENOENT, (0, 0))),
    ("IPC_EXCL",
     lambda: (lambda i: (min(sc(68, KEY, CREAT | EXCL | 0o600), 0), sc(71, i, 0, 0)))(works(68, KEY, CREAT | 0o600)),
     (-EEXIST, 0)),
    ("IPC_PRIVATE", lambda: with_sem(lambda i: with_sem(lambda j: i != j)), True),
])
def gets(call, expected):
    eq(call(), expected)


@cases([
    ("IPC_RMID", lambda: (lambda i: (sc(66, i, 0, 0), sc(66, i, 0, 0)))(sem()), (0, -EINVAL)),
    ("IPC_SET",
     lambda: with_sem(lambda i: sc(66, i, 0, 1, struct.pack("iIIIII", 0, os.getuid(), os.getgid(), 0, 0, 0o400) + bytes(80))),
     0),
    ("IPC_STAT",
     lambda: with_sem(lambda i: (lambda b: (sc(66, i, 0, 2, b), struct.unpack_from("Q", b.raw, 80)[0]))(ctypes.create_string_buffer(104))),
     (0, 2)),
    ("IPC_INFO", lambda: semctl(3, ctypes.create_string_buffer(40)) >= 0, True),
    ("SEM_INFO", lambda: semctl(19, ctypes.create_string_buffer(40)) >= 0, True),
    ("SEM_STAT", lambda: min(sc(66, 1 << 20, 0, 18, ctypes.create_string_buffer(104)), 0), -EINVAL),
    ("SEM_STAT_ANY", lambda: min(sc(66, 1 << 20, 0, 20, ctypes.create_string_buffer(104)), 0), -EINVAL),
    ("GETALL",
     lambda: with_sem(lambda i: (lambda b: (sc(66, i, 0, 13, b), b.raw[:4]))(ctypes.create_string_buffer(8))),
     (0, b'\x00\x00\x00\x00')),
    ("SETALL",
     lambda: with_sem(lambda i: (sc(66, i, 0, 17, struct.pack("HH", 3, 4)), sc(66, i, 0, 12), sc(66, i, 1, 12), sc(66, i, 0, 17, struct.pack("HH", 3, 40000)))),
     (0, 3, 4, -ERANGE)),
    ("GETPID",
     lambda: with_sem(lambda i: (sc(66, i, 0, 11), sc(66, i, 0, 16, 1), sc(66, i, 0, 11) == os.getpid())),
     (0, 0, True)),
    ("GETVAL", lambda: semctl(12), 0),
    ("SETVAL",
     lambda: with_sem(lambda i: (sc(66, i, 0, 16, 7), sc(66, i, 0, 12), sc(66, i, 0, 16, 32768), sc(66, i, 9, 16, 1))),
     (0, 7, -ERANGE, -EINVAL)),
    ("GETNCNT", lambda: semctl(14), 0),
    ("GETZCNT", lambda: semctl(15), 0),
    ("UNKNOWN", lambda: (semctl(21), semctl(-1), semctl(10)), (-EINVAL, -EINVAL, -EINVAL)),
])
def semaphore_commands(call, expected):
    eq(call(), expected)


@cases([
    ("IPC_NOWAIT",
     lambda: (semop(-1, NOWAIT), semop(0, NOWAIT, 1), semop(1, NOWAIT)),
     ((-EAGAIN, 0), (-EAGAIN, 1), (0, 1))),
    ("SEM_UNDO", lambda: undone(), 0),
])
def semaphore_flags(call, expected):
    eq(call(), expected)


@cases([
    ("IPC_RMID", lambda: with_queue(lambda i: (sc(71, i, 0, 0), sc(71, i, 0, 0))), (0, -EINVAL)),
    ("IPC_SET",
     lambda: with_queue(lambda i: (lambda b: (sc(71, i, 2, b), sc(71, i, 1, b)))(ctypes.create_string_buffer(120))),
     (0, 0)),
    ("IPC_STAT",
     lambda: with_queue(lambda i: (lambda b: (send(i, 1, b"abc"), sc(71, i, 2, b), struct.unpack_from("QQ", b.raw, 72)[0], struct.unpack_from("Q", b.raw, 80)[0]))(ctypes.create_string_buffer(120))),
     (0, 0, 3, 1)),
    ("IPC_INFO", lambda: msgctl(3) >= 0, True),
    ("MSG_INFO", lambda: msgctl(12) >= 0, True),
    ("MSG_STAT", lambda: sc(71, 1 << 20, 11, ctypes.create_string_buffer(120)), -EINVAL),
    ("MSG_STAT_ANY", lambda: sc(71, 1 << 20, 13, ctypes.create_string_buffer(120)), -EINVAL),
    ("UNKNOWN", lambda: (msgctl(14), msgctl(-1), msgctl(10)), (-EINVAL, -EINVAL, -EINVAL)),
])
def queue_commands(call, expected):
    eq(call(), expected)


@cases([
    ("IPC_NOWAIT", lambda: with_queue(lambda i: take(i, 8, 0, NOWAIT)), -ENOMSG),
    ("MSG_NOERROR",
     lambda: with_queue(lambda i: (send(i, 1, b"abcdef"), take(i, 2, 0, NOWAIT), take(i, 2, 0, NOWAIT | 0o10000))),
     (0, -E2BIG, (1, b'ab'))),
    ("MSG_EXCEPT",
     lambda: with_queue(lambda i: (send(i, 1, b"a"), send(i, 2, b"b"), take(i, 8, 1, NOWAIT | 0o20000))),
     (0, 0, (2, b'b'))),
    ("MSG_COPY",
     lambda: with_queue(lambda i: (send(i, 1, b"a"), take(i, 8, 0, NOWAIT | 0o40000), take(i, 8, 0, 0o40000), take(i, 8, 9, NOWAIT | 0o40000))),
     (0, (1, b'a'), -EINVAL, -ENOMSG)),
])
def message_flags(call, expected):
    eq(call(), expected)


@cases([
    ("O_CREAT",
     lambda: mq(lambda: (queue(b"flags", 2), queue(b"flags", 2 | 0o100), queue(b"flags", 2))),
     (-ENOENT, 0, 0)),
    ("O_EXCL", lambda: mq(lambda: (queue(b"flags", 0o302), queue(b"flags", 0o302))), (0, -EEXIST)),
    ("O_NONBLOCK",
     lambda: mq(lambda: sc(243, works(240, b"flags", 2 | 0o100 | 0o4000, 0o600, 0), ctypes.create_string_buffer(8192), 8192, 0, 0)),
     -EAGAIN),
    ("O_RDONLY",
     lambda: mq(lambda: sc(242, works(240, b"flags", 0o100, 0o600, 0), b"x", 1, 0, 0)),
     -EBADF),
    ("O_WRONLY",
     lambda: mq(lambda: sc(243, works(240, b"flags", 0o101, 0o600, 0), ctypes.create_string_buffer(8192), 8192, 0, 0)),
     -EBADF),
    ("O_RDWR", lambda: mq(lambda: sc(242, works(240, b"flags", 0o102, 0o600, 0), b"x", 1, 0, 0)), 0),
    ("O_CLOEXEC",
     lambda: mq(lambda: (sc(NR.fcntl, works(240, b"flags", 0o102, 0o600, 0), 1), sc(NR.fcntl, works(240, b"flags", 0o102 | 0o2000000, 0o600, 0), 1))),
     (1, 1)),
])
def queue_flags(call, expected):
    eq(call(), expected)


@cases([
    ("SIGEV_NONE",
     lambda: mq(lambda: (lambda q: (sc(244, q, struct.pack("qii", 0, 0, 1) + bytes(48)), sc(244, q, 0)))(works(240, b"flags", 0o102, 0o600, 0))),
     (0, 0)),
    ("SIGEV_SIGNAL",
     lambda: mq(lambda: (lambda q: (sc(244, q, struct.pack("qii", 0, 10, 0) + bytes(48)), sc(244, q, struct.pack("qii", 0, 10, 0) + bytes(48)), sc(244, q, 0)))(works(240, b"flags", 0o102, 0o600, 0))),
     (0, -EBUSY, 0)),
    ("SIGEV_THREAD",
     lambda: mq(lambda: (lambda q: sc(244, q, struct.pack("qii", 0, 0, 2) + bytes(48)))(works(240, b"flags", 0o102, 0o600, 0))),
     -EFAULT),
    ("SIGEV_UNKNOWN",
     lambda: mq(lambda: (lambda q: sc(244, q, struct.pack("qii", 0, 0, 5) + bytes(48)))(works(240, b"flags", 0o102, 0o600, 0))),
     -EINVAL),
])
def queue_notices(call, expected):
    eq(call(), expected)


@cases([
    ("FUTEX_WAIT", lambda: (futex(0, word(1), 2), futex(0, word(1), 1, soon())), (-EAGAIN, -ETIMEDOUT)),
    ("FUTEX_WAKE", lambda: (futex(1, word(1), 1), futex(1, ctypes.c_void_p(1), 1)), (0, 0)),
    ("FUTEX_FD", lambda: futex(2, word(1), 1), -ENOSYS),
    ("FUTEX_REQUEUE", lambda: futex(3, word(1), 1, 1, word()), 0),
    ("FUTEX_CMP_REQUEUE",
     lambda: (futex(4, word(1), 1, 1, word(), 1), futex(4, word(1), 1, 1, word(), 2)),
     (0, -EAGAIN)),
    ("FUTEX_WAKE_OP",
     lambda: (lambda w: (futex(5, word(1), 1, 1, w, 0x01003004), w.value))(word(7)),
     (0, 3)),
    ("FUTEX_LOCK_PI",
     lambda: (lambda w: (futex(6, w), w.value == os.getpid(), futex(6, w), futex(7, w)))(word()),
     (0, True, -EDEADLOCK, 0)),
    ("FUTEX_UNLOCK_PI", lambda: (futex(7, word()), futex(7, word(1))), (-EPERM, -EPERM)),
    ("FUTEX_TRYLOCK_PI",
     lambda: (lambda w: (futex(8, w), futex(8, w), w.value == os.getpid()))(word()),
     (0, -EDEADLOCK, True)),
    ("FUTEX_WAIT_BITSET",
     lambda: (futex(9, word(1), 2, None, None, 1), futex(9, word(1), 1, None, None, 0), futex(9, word(1), 1, soon(), None, 1)),
     (-EAGAIN, -EINVAL, -ETIMEDOUT)),
    ("FUTEX_WAKE_BITSET",
     lambda: (futex(10, word(1), 1, None, None, 1), futex(10, word(1), 1, None, None, 0)),
     (0, -EINVAL)),
    ("FUTEX_LOCK_PI2", lambda: (lambda w: (futex(13, w), w.value == os.getpid()))(word()), (0, True)),
    ("FUTEX_UNKNOWN",
     lambda: (futex(14, word()), futex(63, word()), futex(64, word())),
     (-ENOSYS, -ENOSYS, -ENOSYS)),
    ("FUTEX_PRIVATE_FLAG", lambda: (futex(128, word(1), 2), futex(129, word(1), 1)), (-EAGAIN, 0)),
    ("FUTEX_CLOCK_REALTIME",
     lambda: (futex(256 | 9, word(1), 1, soon(), None, 1), futex(256 | 0, word(1), 1, soon()), futex(256 | 1, word(1), 1)),
     (-ETIMEDOUT, -ENOSYS, -ENOSYS)),
])
def futex_operations(call, expected):
    eq(call(), expected)


@cases([
    ("FUTEX2_SIZE_U32",
     lambda: sc(449, struct.pack("QQII", 2, ctypes.addressof(word(1)), 2, 0), 1, 0, 0, 1),
     -EAGAIN),
    ("FUTEX2_SIZE_OTHERS",
     lambda: (sc(449, struct.pack("QQII", 2, ctypes.addressof(word(1)), 0, 0), 1, 0, 0, 1), sc(449, struct.pack("QQII", 2, ctypes.addressof(word(1)), 3, 0), 1, 0, 0, 1)),
     (-EINVAL, -EINVAL)),
    ("FUTEX2_PRIVATE",
     lambda: sc(449, struct.pack("QQII", 2, ctypes.addressof(word(1)), 2 | 128, 0), 1, 0, 0, 1),
     -EAGAIN),
])
def futex_vectors(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
