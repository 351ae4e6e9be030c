"""System V IPC, an error, flag or limit a case: shmget(2), semop(2), msgrcv(2) and related calls.
"""

import ctypes
import os
import struct

from lib.guest import *
from lib.operands import *

SYS.update(shmget=29, shmat=30, shmctl=31, semget=64, semop=65, semctl=66, shmdt=67, msgget=68,
           msgsnd=69, msgrcv=70, msgctl=71, semtimedop=220)
CREAT, EXCL, NOWAIT = 0o1000, 0o2000, 0o4000
RMID, SET, STAT, INFO = 0, 1, 2, 3
GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL = 11, 12, 13, 14, 15, 16, 17
UNDO, RDONLY, RND, REMAP, EXEC = 0x1000, 0o10000, 0o20000, 0o40000, 0o100000
NOERROR, EXCEPT, COPY = 0o10000, 0o20000, 0o40000
MAX = 2**31 - 1


def key():
    return 0x52000000 | (os.getpid() & 0xffff)


def made(r):
    """Returns 1 for a success, or -errno."""
    return min(r, 1)


def shm(fn, size=PAGE, flags=CREAT | 0o600, key=0):
    id = works(NR.shmget, key, size, flags)
    try:
        return fn(id)
    finally:
        sc(NR.shmctl, id, RMID, None)


def sem(fn, n=3, flags=CREAT | 0o600, key=0):
    id = works(NR.semget, key, n, flags)
    try:
        return fn(id)
    finally:
        sc(NR.semctl, id, 0, RMID, 0)


def msg(fn, *messages, flags=CREAT | 0o600, key=0):
    """Runs fn(id) with a queue that has messages of these (type, text)."""
    id = works(NR.msgget, key, flags)
    try:
        for kind, data in messages:
            works(NR.msgsnd, id, struct.pack("q", kind) + data, len(data), NOWAIT)
        return fn(id)
    finally:
        sc(NR.msgctl, id, RMID, None)


def op(num, value, flags=NOWAIT):
    return struct.pack("Hhh", num, value, flags)


def ops(id, *each):
    return sc(NR.semop, id, b"".join(each), len(each))


def at(id, addr=0, flags=0):
    return sc(NR.shmat, id, addr, flags)


def receive(id, kind, size=100, flags=NOWAIT):
    """Returns type and text of the message that is received, or the error."""
    room = buf(8 + 100)
    r = sc(NR.msgrcv, id, room, size, kind, flags)
    if r < 0:
        return spell(r)
    kind, = struct.unpack("q", ctypes.string_at(room, 8))
    return "%d %s" % (kind, ctypes.string_at(room + 8, r).decode())


SHM = [
    ("size 0", "EINVAL", lambda: sc(NR.shmget, 0, 0, CREAT | 0o600)),
    ("size over the limit", "EINVAL", lambda: sc(NR.shmget, 0, 2**64 - 1, CREAT | 0o600)),
    ("size -4096", "EINVAL", lambda: sc(NR.shmget, 0, 2**64 - PAGE, CREAT | 0o600)),
    ("missing key", "ENOENT", lambda: sc(NR.shmget, key(), PAGE, 0o600)),
    ("missing key of size 0", "ENOENT", lambda: sc(NR.shmget, key(), 0, 0)),
    ("exclusive and there", "EEXIST", lambda: shm(
        lambda id: sc(NR.shmget, key(), PAGE, CREAT | EXCL | 0o600), key=key())),
    ("exclusive without create and there", "1", lambda: shm(
        lambda id: made(sc(NR.shmget, key(), PAGE, EXCL | 0o600)), key=key())),
    ("larger than it is", "EINVAL",
     lambda: shm(lambda id: sc(NR.shmget, key(), 2 * PAGE, 0), key=key())),
    ("smaller than it is", "1",
     lambda: shm(lambda id: made(sc(NR.shmget, key(), 1, 0)), key=key())),
    ("noreserve", "0", lambda: shm(lambda id: 0, flags=CREAT | 0o10000 | 0o600)),
    ("unknown flags are ignored", "0", lambda: shm(lambda id: 0, flags=CREAT | 1 << 22 | 0o600)),
    ("attach a bad id", "EINVAL", lambda: at(-1)),
    ("attach id 2^31 - 1", "EINVAL", lambda: at(MAX)),
    ("attach not aligned", "EINVAL", lambda: shm(lambda id: at(id, area() + 1))),
    ("attach not aligned and rounded", "1", lambda: shm(lambda id: made(at(id, free() + 1, RND)))),
    ("attach over a mapping", "EINVAL", lambda: shm(lambda id: at(id, area()))),
    ("attach over a mapping to remap", "1", lambda: shm(lambda id: made(at(id, area(), REMAP)))),
    ("attach to remap without an address", "EINVAL", lambda: shm(lambda id: at(id, 0, REMAP))),
    ("attach at a free place", "1", lambda: shm(lambda id: made(at(id, free())))),
    ("attach in the kernel", "ENOMEM", lambda: shm(lambda id: at(id, KERNEL))),
    ("attach to execute", "1", lambda: shm(lambda id: made(at(id, 0, EXEC)))),
    ("attach a removed segment", "EINVAL", lambda: attach_removed()),
    ("detach at an address without a segment", "EINVAL", lambda: sc(NR.shmdt, area())),
    ("detach null", "EINVAL", lambda: sc(NR.shmdt, 0)),
    ("detach not aligned", "EINVAL", lambda: shm(lambda id: sc(NR.shmdt, at(id) + 1))),
    ("detach in the middle", "EINVAL",
     lambda: shm(lambda id: sc(NR.shmdt, at(id) + PAGE), 2 * PAGE)),
    ("detach twice", "0 EINVAL",
     lambda: shm(lambda id: (lambda p: then(sc(NR.shmdt, p), sc(NR.shmdt, p)))(
        at(id)))),
    ("write to a read-only attachment", "11", lambda: shm(lambda id: readonly(id))),
    ("control a bad id", "EINVAL", lambda: sc(NR.shmctl, -1, STAT, buf())),
    ("control of an unknown command", "EINVAL",
     lambda: shm(lambda id: sc(NR.shmctl, id, 99, buf()))),
    ("control of command -1", "EINVAL", lambda: shm(lambda id: sc(NR.shmctl, id, -1, buf()))),
    ("lock", "0 2600", lambda: shm(lambda id: then(sc(NR.shmctl, id, 11, None), mode(id)))),
    ("unlock", "0 0 600", lambda: shm(lambda id: then(
        sc(NR.shmctl, id, 11, None), sc(NR.shmctl, id, 12, None), mode(id)))),
    ("info", "0", lambda: min(sc(NR.shmctl, 0, INFO, buf()), 0)),
    ("shm_info", "0", lambda: min(sc(NR.shmctl, 0, 14, buf()), 0)),
    ("stat of a bad index", "EINVAL", lambda: sc(NR.shmctl, 32767, 13, buf())),
    ("stat of index -1", "EINVAL", lambda: sc(NR.shmctl, -1, 13, buf())),
    ("stat of any bad index", "EINVAL", lambda: sc(NR.shmctl, 32767, 15, buf())),
    ("stat after removal", "0 EINVAL EINVAL", lambda: after_removal()),
    ("removed and attached shows dest", "1600", lambda: removed_mode()),
    ("set the mode", "0 640", lambda: set_mode(0o640)),
    ("set ignores other bits", "0 640", lambda: set_mode(0o17640)),
    ("set an owner of -1", "EINVAL", lambda: set_owner(2**32 - 1)),
    ("another user may not attach", "EACCES", lambda: shm(lambda id: as_nobody(lambda: at(id)))),
    ("another user may not stat", "EACCES", lambda: shm(lambda id: as_nobody(
        lambda: sc(NR.shmctl, id, STAT, buf())))),
    ("another user may not remove", "EPERM", lambda: shm(lambda id: as_nobody(
        lambda: sc(NR.shmctl, id, RMID, None)), flags=CREAT | 0o666)),
    ("another user may not lock", "EPERM", lambda: shm(lambda id: as_nobody(
        lambda: sc(NR.shmctl, id, 11, None)), flags=CREAT | 0o666)),
    ("another user reads with mode 604", "1", lambda: shm(lambda id: as_nobody(
        lambda: made(at(id, 0, RDONLY))), flags=CREAT | 0o604)),
    ("another user does not write with mode 604", "EACCES", lambda: shm(lambda id: as_nobody(
        lambda: at(id)), flags=CREAT | 0o604)),
    ("another user asks for more than the mode", "EACCES", lambda: shm(lambda id: as_nobody(
        lambda: sc(NR.shmget, key_of(id), 1, 0o6)), flags=CREAT | 0o604, key=key())),
]


def key_of(id):
    ds = buf()
    works(NR.shmctl, id, STAT, ds)
    return ctypes.c_uint32.from_address(ds).value


def free():
    p = area(4)
    works(NR.munmap, p, 4 * PAGE)
    return p + PAGE


def attach_removed():
    id = works(NR.shmget, 0, PAGE, CREAT | 0o600)
    works(NR.shmctl, id, RMID, None)
    return at(id)


def readonly(id):
    p = at(id, 0, RDONLY)
    return in_child(lambda: ctypes.memset(p, 1, 1)) & 0x7F


def mode(id):
    ds = buf()
    works(NR.shmctl, id, STAT, ds)
    return "%o" % ctypes.c_uint32.from_address(ds + 20).value


def after_removal():
    id = works(NR.shmget, 0, PAGE, CREAT | 0o600)
    return then(sc(NR.shmctl, id, RMID, None), sc(NR.shmctl, id, STAT, buf()),
                sc(NR.shmctl, id, RMID, None))


def removed_mode():
    id = works(NR.shmget, 0, PAGE, CREAT | 0o600)
    p = at(id)
    works(NR.shmctl, id, RMID, None)
    r = mode(id)
    sc(NR.shmdt, p)
    return r


def set_mode(bits):
    def change(id):
        ds = buf()
        works(NR.shmctl, id, STAT, ds)
        ctypes.c_uint32.from_address(ds + 20).value = bits
        return then(sc(NR.shmctl, id, SET, ds), mode(id))
    return shm(change)


def set_owner(uid):
    def change(id):
        ds = buf()
        works(NR.shmctl, id, STAT, ds)
        ctypes.c_uint32.from_address(ds + 4).value = uid
        return sc(NR.shmctl, id, SET, ds)
    return shm(change)


SEM = [
    ("none", "EINVAL", lambda: sc(NR.semget, 0, 0, CREAT | 0o600)),
    ("a negative number", "EINVAL", lambda: sc(NR.semget, 0, -1, CREAT | 0o600)),
    ("too many", "EINVAL", lambda: sc(NR.semget, 0, 32001, CREAT | 0o600)),
    ("missing key", "ENOENT", lambda: sc(NR.semget, key(), 1, 0)),
    ("exclusive and there", "EEXIST", lambda: sem(
        lambda id: sc(NR.semget, key(), 1, CREAT | EXCL), key=key())),
    ("more than it has", "EINVAL", lambda: sem(lambda id: sc(NR.semget, key(), 4, 0), key=key())),
    ("0 of one that is there", "1",
     lambda: sem(lambda id: made(sc(NR.semget, key(), 0, 0)), key=key())),
    ("operate on a bad id", "EINVAL", lambda: ops(-1, op(0, 1))),
    ("operate on id 2^31 - 1", "EINVAL", lambda: ops(MAX, op(0, 1))),
    ("no operations", "EINVAL", lambda: sem(lambda id: sc(NR.semop, id, op(0, 1), 0))),
    ("too many operations", "E2BIG", lambda: sem(lambda id: sc(NR.semop, id, buf(8192), 501))),
    ("2^32 operations", "EINVAL", lambda: sem(lambda id: sc(NR.semop, id, buf(), 2**32))),
    ("operation outside the set", "EFBIG", lambda: sem(lambda id: ops(id, op(3, 1)))),
    ("operation outside behind one that is good", "EFBIG 0", lambda: sem(
        lambda id: then(ops(id, op(0, 1), op(9, 1)), sc(NR.semctl, id, 0, GETVAL, 0)))),
    ("over the maximum", "0 ERANGE", lambda: sem(
        lambda id: then(ops(id, op(0, 32767)), ops(id, op(0, 1))))),
    ("below 0", "EAGAIN", lambda: sem(lambda id: ops(id, op(0, -1)))),
    ("below 0 in two steps", "EAGAIN", lambda: sem(lambda id: ops(id, op(0, 1), op(0, -2)))),
    ("up and down at once", "0", lambda: sem(lambda id: ops(id, op(0, 5), op(0, -5)))),
    ("wait for 0 at 0", "0", lambda: sem(lambda id: ops(id, op(0, 0)))),
    ("wait for 0 at 1", "EAGAIN", lambda: sem(lambda id: ops(id, op(0, 1), op(0, 0)))),
    ("the process is noted", "1", lambda: sem(lambda id: (
        ops(id, op(1, 1)), int(sc(NR.semctl, id, 1, GETPID, 0) == os.getpid()))[1])),
    ("the pid is 0 before an operation", "0", lambda: sem(lambda id: sc(NR.semctl, id, 1, GETPID, 0))),
    ("time that is negative", "EINVAL", lambda: sem(lambda id: sc(
        NR.semtimedop, id, op(0, -1, 0), 1, struct.pack("qq", -1, 0)))),
    ("time of 10^9 ns", "EINVAL", lambda: sem(lambda id: sc(
        NR.semtimedop, id, op(0, -1, 0), 1, struct.pack("qq", 0, 10**9)))),
    ("time of 0", "EAGAIN", lambda: sem(lambda id: sc(
        NR.semtimedop, id, op(0, -1, 0), 1, struct.pack("qq", 0, 0)))),
    ("the time is checked though the call need not wait", "EINVAL", lambda: sem(lambda id: sc(
        NR.semtimedop, id, op(0, 1, 0), 1, struct.pack("qq", 0, 10**9)))),
    ("value of a bad number", "EINVAL", lambda: sem(lambda id: sc(NR.semctl, id, 3, GETVAL, 0))),
    ("value of number -1", "EINVAL", lambda: sem(lambda id: sc(NR.semctl, id, -1, GETVAL, 0))),
    ("set a value of -1", "ERANGE", lambda: sem(lambda id: sc(NR.semctl, id, 0, SETVAL, -1))),
    ("set a value of 32768", "ERANGE", lambda: sem(lambda id: sc(NR.semctl, id, 0, SETVAL, 32768))),
    ("set a value of 32767", "0 32767", lambda: sem(lambda id: then(
        sc(NR.semctl, id, 0, SETVAL, 32767), sc(NR.semctl, id, 0, GETVAL, 0)))),
    ("set all with one that is too large", "ERANGE", lambda: sem(lambda id: sc(
        NR.semctl, id, 0, SETALL, struct.pack("HHH", 1, 2, 40000)))),
    ("set all", "0 3", lambda: sem(lambda id: then(
        sc(NR.semctl, id, 0, SETALL, struct.pack("HHH", 1, 2, 3)),
        sc(NR.semctl, id, 2, GETVAL, 0)))),
    ("waiters of a bad number", "EINVAL", lambda: sem(lambda id: sc(NR.semctl, id, 3, GETNCNT, 0))),
    ("no waiters", "0 0", lambda: sem(lambda id: then(
        sc(NR.semctl, id, 0, GETNCNT, 0), sc(NR.semctl, id, 0, GETZCNT, 0)))),
    ("waiters are counted", "1 1 0", lambda: sem(waiters)),
    ("unknown command", "EINVAL", lambda: sem(lambda id: sc(NR.semctl, id, 0, 99, 0))),
    ("control a bad id", "EINVAL", lambda: sc(NR.semctl, -1, 0, STAT, buf())),
    ("remove twice", "0 EINVAL", lambda: removed_twice()),
    ("info", "0", lambda: min(sc(NR.semctl, 0, 0, INFO, buf()), 0)),
    ("sem_info", "0", lambda: min(sc(NR.semctl, 0, 0, 19, buf()), 0)),
    ("stat of a bad index", "EINVAL", lambda: sc(NR.semctl, 32767, 0, 18, buf())),
    ("undo at exit", "0", lambda: sem(lambda id: undone(id, 5, 0))),
    ("undo is bounded at 0", "0", lambda: sem(lambda id: undone(id, 5, 2))),
    ("setting a value forgets undo", "3", lambda: sem(forgotten)),
    ("another user may not operate", "EACCES",
     lambda: sem(lambda id: as_nobody(lambda: ops(id, op(0, 1))))),
    ("another user may not look", "EACCES", lambda: sem(lambda id: as_nobody(
        lambda: sc(NR.semctl, id, 0, GETVAL, 0)))),
    ("another user may not remove", "EPERM", lambda: sem(lambda id: as_nobody(
        lambda: sc(NR.semctl, id, 0, RMID, 0)), flags=CREAT | 0o666)),
    ("another user waits for 0 with mode 604", "0", lambda: sem(lambda id: as_nobody(
        lambda: ops(id, op(0, 0))), flags=CREAT | 0o604)),
    ("another user does not change with mode 604", "EACCES", lambda: sem(lambda id: as_nobody(
        lambda: ops(id, op(0, 1))), flags=CREAT | 0o604)),
]


def waiters(id):
    works(NR.semctl, id, 1, SETVAL, 1)
    pids = [spawn(lambda: ops(id, op(0, -1, 0))), spawn(lambda: ops(id, op(1, 0, 0)))]
    for pid in pids:
        wait_state(pid, "S")
    r = then(sc(NR.semctl, id, 0, GETNCNT, 0), sc(NR.semctl, id, 1, GETZCNT, 0),
             sc(NR.semctl, id, 1, GETNCNT, 0))
    sc(NR.semctl, id, 0, RMID, 0)
    for pid in pids:
        os.waitpid(pid, 0)
    return r


def removed_twice():
    id = works(NR.semget, 0, 1, CREAT | 0o600)
    return then(sc(NR.semctl, id, 0, RMID, 0), sc(NR.semctl, id, 0, RMID, 0))


def undone(id, up, down):
    def child():
        ops(id, op(0, up, UNDO))
    works(NR.semctl, id, 0, SETVAL, 0)
    child_ok(child)
    return sc(NR.semctl, id, 0, GETVAL, 0)


def forgotten(id):
    def child():
        ops(id, op(0, 5, UNDO))
        sc(NR.semctl, id, 0, SETVAL, 3)
    child_ok(child)
    return sc(NR.semctl, id, 0, GETVAL, 0)


def sent(id, kind, size, text=b"x" * 16):
    return sc(NR.msgsnd, id, struct.pack("q", kind) + text, size, NOWAIT)


MSG = [
    ("missing key", "ENOENT", lambda: sc(NR.msgget, key(), 0)),
    ("exclusive and there", "EEXIST", lambda: msg(
        lambda id: sc(NR.msgget, key(), CREAT | EXCL), key=key())),
    ("send to a bad id", "EINVAL", lambda: sent(-1, 1, 4)),
    ("send type 0", "EINVAL", lambda: msg(lambda id: sent(id, 0, 4))),
    ("send type -1", "EINVAL", lambda: msg(lambda id: sent(id, -1, 4))),
    ("send a size of -1", "EINVAL", lambda: msg(lambda id: sent(id, 1, -1))),
    ("send more than the largest", "EINVAL",
     lambda: msg(lambda id: sc(NR.msgsnd, id, buf(16384), 8193, 0))),
    ("send the largest", "0", lambda: msg(
        lambda id: sc(NR.msgsnd, id, buf(16384, struct.pack("q", 1)), 8192, NOWAIT))),
    ("send nothing", "0 1 ", lambda: msg(lambda id: then(sent(id, 1, 0), receive(id, 0)))),
    ("send to a full queue", "0 0 EAGAIN", lambda: msg(lambda id: then(*[
        sc(NR.msgsnd, id, buf(16384, struct.pack("q", 1)), 8192, NOWAIT) for _ in range(3)]))),
    ("receive from a bad id", "EINVAL", lambda: receive(-1, 0)),
    ("receive a size of -1", "EINVAL", lambda: msg(lambda id: receive(id, 0, -1))),
    ("receive from an empty queue", "ENOMSG", lambda: msg(lambda id: receive(id, 0))),
    ("receive the first", "2 two",
     lambda: msg(lambda id: receive(id, 0), (2, b"two"), (1, b"one"))),
    ("receive a type", "1 one", lambda: msg(lambda id: receive(id, 1), (2, b"two"), (1, b"one"))),
    ("receive a missing type", "ENOMSG",
     lambda: msg(lambda id: receive(id, 3), (2, b"two"), (1, b"one"))),
    ("receive all but a type", "1 one", lambda: msg(
        lambda id: receive(id, 2, 100, NOWAIT | EXCEPT), (2, b"two"), (1, b"one"))),
    ("receive all but the only type", "ENOMSG", lambda: msg(
        lambda id: receive(id, 2, 100, NOWAIT | EXCEPT), (2, b"two"))),
    ("receive the lowest up to 3", "2 two", lambda: msg(
        lambda id: receive(id, -3), (3, b"three"), (2, b"two"), (4, b"four"))),
    ("receive the lowest up to 1", "ENOMSG", lambda: msg(lambda id: receive(id, -1), (2, b"two"))),
    ("receive the lowest up to -2^63", "2 two",
     lambda: msg(lambda id: receive(id, -2**63), (2, b"two"))),
    ("receive into too small a buffer", "E2BIG",
     lambda: msg(lambda id: receive(id, 0, 2), (1, b"text"))),
    ("a message that is too large stays", "E2BIG 1 text", lambda: msg(
        lambda id: then(receive(id, 0, 2), receive(id, 0)), (1, b"text"))),
    ("receive a part", "1 te ENOMSG", lambda: msg(
        lambda id: then(receive(id, 0, 2, NOWAIT | NOERROR), receive(id, 0)), (1, b"text"))),
    ("receive 0 bytes of a message", "1 ", lambda: msg(
        lambda id: receive(id, 0, 0, NOWAIT | NOERROR), (1, b"text"))),
    ("copy without nowait", "EINVAL",
     lambda: msg(lambda id: receive(id, 0, 100, COPY), (1, b"text"))),
    ("copy all but", "EINVAL", lambda: msg(
        lambda id: receive(id, 0, 100, COPY | NOWAIT | EXCEPT), (1, b"text"))),
    ("control a bad id", "EINVAL", lambda: sc(NR.msgctl, -1, STAT, buf())),
    ("unknown command", "EINVAL", lambda: msg(lambda id: sc(NR.msgctl, id, 99, buf()))),
    ("remove twice", "0 EINVAL", lambda: msg(lambda id: then(
        sc(NR.msgctl, id, RMID, None), sc(NR.msgctl, id, RMID, None)))),
    ("stat counts", "8 2 16384", lambda: msg(counted, (1, b"text"), (2, b"more"))),
    ("set a smaller size", "0 EAGAIN", lambda: msg(lambda id: resized(id, 10))),
    ("set a larger size by another", "EPERM 0", lambda: by_another()),
    ("info", "0", lambda: min(sc(NR.msgctl, 0, INFO, buf()), 0)),
    ("msg_info", "0", lambda: min(sc(NR.msgctl, 0, 12, buf()), 0)),
    ("stat of a bad index", "EINVAL", lambda: sc(NR.msgctl, 32767, 11, buf())),
    ("another user may not send", "EACCES", lambda: msg(
        lambda id: as_nobody(lambda: sent(id, 1, 4)), flags=CREAT | 0o604)),
    ("another user may not receive", "EACCES", lambda: msg(
        lambda id: as_nobody(lambda: receive(id, 0)), (1, b"text"), flags=CREAT | 0o602)),
    ("another user sends with mode 602", "0", lambda: msg(
        lambda id: as_nobody(lambda: sent(id, 1, 4)), flags=CREAT | 0o602)),
    ("another user may not remove", "EPERM", lambda: msg(
        lambda id: as_nobody(lambda: sc(NR.msgctl, id, RMID, None)), flags=CREAT | 0o666)),
]


def counted(id):
    ds = buf()
    works(NR.msgctl, id, STAT, ds)
    size, number, most = struct.unpack("QQQ", ctypes.string_at(ds + 72, 24))
    return then(size, number, most)


def resized(id, size):
    ds = buf()
    works(NR.msgctl, id, STAT, ds)
    ctypes.c_uint64.from_address(ds + 88).value = size
    return then(sc(NR.msgctl, id, SET, ds), sent(id, 1, 16))


def by_another():
    def child():
        return msg(lambda id: resized(id, 100000))
    return as_nobody(child)


@cases(SHM, shared=True)
def shared_memory(expected, fn):
    need_root()
    judged(expected, fn)


@cases(SEM, shared=True)
def semaphores(expected, fn):
    need_root()
    judged(expected, fn)


@cases(MSG, shared=True)
def messages(expected, fn):
    need_root()
    judged(expected, fn)


run()
