"""System V IPC: shared memory, semaphore sets, message queues (sysvipc(7))."""

import ctypes
import errno
import os
import signal
import struct
import time

from lib.guest import (
    NR, SYS, Pipe, child_ok, eq, gives, in_child, need_root, ok, run, sc, spawn, test, wait_state,
    wait_until, works)

SYS.update(shmget=29, shmat=30, shmctl=31, semget=64, semop=65, semctl=66, shmdt=67, msgget=68,
           msgsnd=69, msgrcv=70, msgctl=71, semtimedop=220)
CREAT, EXCL, NOWAIT = 0o1000, 0o2000, 0o4000
RMID, SET, STAT, INFO = 0, 1, 2, 3
GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL = 11, 12, 13, 14, 15, 16, 17
UNDO = 0x1000
E = errno


def buf(n):
    return ctypes.create_string_buffer(n)


def at(address, n):
    return ctypes.string_at(address, n)


def reap(pid):
    status = os.waitpid(pid, 0)[1]
    ok(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, "child ended with %#x" % status)


def stat_shm(id):
    ds = buf(112)
    works(NR.shmctl, id, STAT, ds)
    segsz, atime, dtime, ctime, cpid, lpid, nattch = struct.unpack_from("QqqqiiQ", ds, 48)
    return dict(mode=struct.unpack_from("I", ds, 20)[0], size=segsz, atime=atime, dtime=dtime,
                ctime=ctime, cpid=cpid, lpid=lpid, nattch=nattch)


class Shm:
    def __init__(self, size=4096, key=0, flags=CREAT | 0o600):
        self.id = works(NR.shmget, key, size, flags)

    def __enter__(self):
        return self.id

    def __exit__(self, *_):
        sc(NR.shmctl, self.id, RMID, 0)


class Sem:
    def __init__(self, n, key=0, flags=CREAT | 0o600):
        self.id = works(NR.semget, key, n, flags)

    def __enter__(self):
        return self.id

    def __exit__(self, *_):
        sc(NR.semctl, self.id, 0, RMID, 0)


class Msg:
    def __init__(self, key=0, flags=CREAT | 0o600):
        self.id = works(NR.msgget, key, flags)

    def __enter__(self):
        return self.id

    def __exit__(self, *_):
        sc(NR.msgctl, self.id, RMID, 0)


def sops(*ops):
    return b"".join(struct.pack("Hhh", num, op, flags) for num, op, flags in ops), len(ops)


def semop(id, *ops):
    data, n = sops(*ops)
    return sc(NR.semop, id, data, n)


def value(id, num=0):
    return works(NR.semctl, id, num, GETVAL, 0)


def key():
    return 0x51000000 | (os.getpid() & 0xffff)


@test
def a_key_finds_its_object():
    k = key()
    gives(-E.ENOENT, NR.shmget, k, 100, 0o600)
    with Shm(5000, k) as a:
        eq(works(NR.shmget, k, 0, 0), a, "size 0 finds it")
        gives(-E.EEXIST, NR.shmget, k, 10, CREAT | EXCL | 0o600)
        gives(-E.EINVAL, NR.shmget, k, 5001, 0o600)
        with Shm(4096) as b:
            ok(a != b, "private ones are new")
    gives(-E.ENOENT, NR.shmget, k, 100, 0o600)
    gives(-E.EINVAL, NR.shmget, 0, 0, CREAT | 0o600)
    gives(-E.EINVAL, NR.shmctl, a, STAT, buf(112))
    gives(-E.EINVAL, NR.semget, k, -1, CREAT | 0o600)
    gives(-E.EINVAL, NR.semget, k, 0, CREAT | 0o600)
    with Sem(3, k) as s:
        eq(works(NR.semget, k, 2, 0o600), s, "fewer semaphores")
        gives(-E.EINVAL, NR.semget, k, 4, 0o600)
    gives(-E.ENOENT, NR.msgget, k, 0o600)


@test
def removed_identifiers_are_not_reused_at_once():
    seen = set()
    for _ in range(70):
        id = works(NR.msgget, 0, 0o600)
        works(NR.msgctl, id, RMID, 0)
        ok(id not in seen, "identifier %d came again" % id)
        seen.add(id)
        gives(-E.EINVAL, NR.msgctl, id, RMID, 0)


@test
def shared_memory_is_shared_with_children():
    with Shm(8192) as id:
        p = works(NR.shmat, id, 0, 0)
        eq(at(p, 8192), bytes(8192), "new memory")

        def child():
            ctypes.memmove(p + 4096, b"kid", 3)
        child_ok(child)
        eq(at(p + 4096, 3), b"kid")
        q = works(NR.shmat, id, 0, 0o10000)
        eq(at(q + 4096, 3), b"kid", "second mapping")
        eq(stat_shm(id)["nattch"], 2)
        gives(-E.EACCES, NR.mprotect, q, 4096, 3)
        works(NR.shmdt, p)
        gives(-E.EINVAL, NR.shmdt, p)
        works(NR.shmdt, q)
        s = stat_shm(id)
        eq((s["nattch"], s["size"], s["cpid"], s["lpid"], s["mode"]),
           (0, 8192, os.getpid(), os.getpid(), 0o600))
        ok(s["atime"] > 0 and s["dtime"] > 0, "times")


@test
def attachments_are_counted_by_areas():
    with Shm(3 * 4096) as id:
        p = works(NR.shmat, id, 0, 0)

        def child():
            eq(stat_shm(id)["nattch"], 2, "in the child")
        child_ok(child)
        eq(stat_shm(id)["nattch"], 1, "after its end")
        works(NR.munmap, p + 4096, 4096)
        eq(stat_shm(id)["nattch"], 2, "split")
        works(NR.shmdt, p)
        eq(stat_shm(id)["nattch"], 0)


@test
def a_removed_segment_lives_until_its_last_detach():
    k = key()
    id = works(NR.shmget, k, 4096, CREAT | 0o640)
    p = works(NR.shmat, id, 0, 0)
    ctypes.memmove(p, b"still", 5)
    works(NR.shmctl, id, RMID, 0)
    gives(-E.ENOENT, NR.shmget, k, 4096, 0o600)
    eq(stat_shm(id)["mode"], 0o1640, "mode with SHM_DEST")
    q = works(NR.shmat, id, 0, 0)
    eq(at(q, 5), b"still")
    works(NR.shmdt, q)
    works(NR.shmdt, p)
    gives(-E.EINVAL, NR.shmctl, id, STAT, buf(112))


@test
def shmat_places_a_segment_as_asked():
    with Shm(4096) as id:
        hole = works(NR.mmap, 0, 3 * 4096, 0, 0x22, -1, 0)
        gives(-E.EINVAL, NR.shmat, id, hole, 0)
        gives(-E.EINVAL, NR.shmat, id, hole + 5, 0)
        gives(-E.EINVAL, NR.shmat, id, 0, 0o40000)
        eq(works(NR.shmat, id, hole + 4096 + 5, 0o40000 | 0o20000), hole + 4096, "SHM_REMAP")
        works(NR.munmap, hole, 4096)
        eq(works(NR.shmat, id, hole, 0), hole, "in a hole")
        eq(works(NR.shmdt, hole + 4096), 0)
        eq(works(NR.shmdt, hole), 0)
        gives(-E.EINVAL, NR.shmat, -1, 0, 0)
        gives(-E.EINVAL, NR.shmctl, id, 999, 0)
        gives(-E.EFAULT, NR.shmctl, id, STAT, 16)


@test
def the_mode_decides_about_access():
    need_root()
    with Shm(4096, 0, CREAT | 0o640) as id, Sem(1, 0, CREAT | 0o444) as sem:
        def child():
            os.setgid(1000)
            os.setuid(1000)
            gives(-E.EACCES, NR.shmat, id, 0, 0)
            gives(-E.EACCES, NR.shmctl, id, STAT, buf(112))
            gives(-E.EPERM, NR.shmctl, id, RMID, 0)
            eq(value(sem), 0, "readable")
            gives(-E.EACCES, NR.semctl, sem, 0, SETVAL, 1)
            eq(semop(sem, (0, 0, 0)), 0, "wait for zero only reads")
            eq(semop(sem, (0, 1, 0)), -E.EACCES)
        child_ok(child)
        ds = buf(112)
        works(NR.shmctl, id, STAT, ds)
        struct.pack_into("III", ds, 4, 1000, 1000, 0)
        struct.pack_into("I", ds, 20, 0o7600)
        works(NR.shmctl, id, SET, ds)
        eq(stat_shm(id)["mode"], 0o600)

        def owner():
            os.setgid(1000)
            os.setuid(1000)
            works(NR.shmdt, works(NR.shmat, id, 0, 0))
        child_ok(owner)
        struct.pack_into("I", ds, 4, 0xffffffff)
        gives(-E.EINVAL, NR.shmctl, id, SET, ds)


@test
def semaphore_operations_happen_all_or_not_at_all():
    with Sem(3) as id:
        eq(semop(id, (0, 2, 0), (1, 1, 0)), 0)
        eq(semop(id, (0, -1, 0), (1, -2, NOWAIT)), -E.EAGAIN)
        eq([value(id, n) for n in range(3)], [2, 1, 0])
        eq(semop(id, (0, -2, 0), (0, 0, 0), (2, 5, 0)), 0, "the same one twice")
        eq([value(id, n) for n in range(3)], [0, 1, 5])
        eq(semop(id, (2, 32767, 0)), -E.ERANGE)
        eq(semop(id, (3, 1, 0)), -E.EFBIG)
        eq(semop(id, (0, 0, 0)), 0, "zero already")
        eq(works(NR.semctl, id, 2, GETPID, 0), os.getpid())
        gives(-E.EINVAL, NR.semop, id, b"", 0)
        gives(-E.E2BIG, NR.semop, id, bytes(6), 501)
        gives(-E.EFAULT, NR.semop, id, 16, 1)
        gives(-E.EINVAL, NR.semop, -1, bytes(6), 1)
        gives(-E.ERANGE, NR.semctl, id, 0, SETVAL, 32768)
        gives(-E.EINVAL, NR.semctl, id, 3, GETVAL, 0)
        works(NR.semctl, id, 0, SETALL, struct.pack("3H", 7, 8, 9))
        out = buf(6)
        works(NR.semctl, id, 0, GETALL, out)
        eq(struct.unpack("3H", out.raw), (7, 8, 9))
        gives(-E.ERANGE, NR.semctl, id, 0, SETALL, struct.pack("3H", 7, 8, 40000))


@test
def a_semaphore_is_a_lock_between_processes():
    with Sem(1) as sem, Shm(4096) as shm:
        works(NR.semctl, sem, 0, SETVAL, 1)
        p = works(NR.shmat, shm, 0, 0)
        word = ctypes.c_int.from_address(p)

        def child():
            for _ in range(200):
                eq(semop(sem, (0, -1, UNDO)), 0)
                n = word.value
                if n % 7 == 0:
                    time.sleep(0)
                word.value = n + 1
                eq(semop(sem, (0, 1, UNDO)), 0)
        pids = [spawn(child) for _ in range(3)]
        for pid in pids:
            reap(pid)
        eq(word.value, 600)
        eq(value(sem), 1)


@test
def waiting_operations_are_carried_out_in_order():
    with Sem(2) as id:
        def child(n):
            eq(semop(id, (0, -n, 0), (1, 1, 0)), 0)
        first = spawn(child, 3)
        wait_state(first, "S")
        second = spawn(child, 1)
        wait_state(second, "S")
        zero = spawn(lambda: eq(semop(id, (1, 1, 0), (1, 0, 0)), 0))
        wait_state(zero, "S")
        eq(works(NR.semctl, id, 0, GETNCNT, 0), 2)
        eq(works(NR.semctl, id, 1, GETZCNT, 0), 1)
        works(NR.semctl, id, 0, SETVAL, 2)
        reap(second)
        eq(value(id), 1, "the one that could")
        works(NR.semctl, id, 0, SETVAL, 3)
        reap(first)
        eq([value(id, 0), value(id, 1)], [0, 2])
        os.kill(zero, signal.SIGKILL)
        os.waitpid(zero, 0)
        eq(works(NR.semctl, id, 1, GETZCNT, 0), 0)


@test
def sem_undo_reverts_operations_at_exit():
    with Sem(2) as id:
        works(NR.semctl, id, 0, SETVAL, 5)

        def child():
            eq(semop(id, (0, -4, UNDO), (1, 9, UNDO)), 0)
            eq(semop(id, (1, 1, 0)), 0)
            os.kill(os.getpid(), signal.SIGKILL)
        in_child(child)
        eq([value(id, 0), value(id, 1)], [5, 1])

        def set_between():
            eq(semop(id, (0, -4, UNDO)), 0)
            works(NR.semctl, id, 0, SETVAL, 3)
        child_ok(set_between)
        eq(value(id), 3, "SETVAL forgets the undo")

        def grandchild():
            eq(semop(id, (0, -1, UNDO)), 0)
            child_ok(lambda: eq(value(id), 2))
            eq(value(id), 2, "a child's end undoes nothing of its parent")
        child_ok(grandchild)
        eq(value(id), 3)

        go = Pipe()

        def takes():
            eq(semop(id, (0, -3, UNDO)), 0)
            go.take()
        taker = spawn(takes)
        wait_until(lambda: value(id) == 0, "the taker")
        waiter = spawn(lambda: eq(semop(id, (0, -2, 0)), 0))
        wait_state(waiter, "S")
        go.post()
        reap(taker)
        reap(waiter)
        eq(value(id), 1, "the waiter got the undone value")


@test
def waits_for_semaphores_end_by_time_signal_and_removal():
    with Sem(1) as id:
        t0 = time.monotonic()
        data, n = sops((0, -1, 0))
        gives(-E.EAGAIN, NR.semtimedop, id, data, n, struct.pack("qq", 0, 30_000_000))
        ok(time.monotonic() - t0 >= 0.03, "it waited")
        gives(-E.EINVAL, NR.semtimedop, id, data, n, struct.pack("qq", 0, -1))
        gives(-E.EFAULT, NR.semtimedop, id, data, n, 16)

        def interrupted():
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.siginterrupt(signal.SIGALRM, False)
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            eq(semop(id, (0, -1, 0)), -E.EINTR, "never restarted")
        child_ok(interrupted)
        waiter = spawn(lambda: eq(semop(id, (0, -1, 0)), -E.EIDRM))
        wait_state(waiter, "S")
        works(NR.semctl, id, 0, RMID, 0)
        reap(waiter)
        eq(semop(id, (0, -1, 0)), -E.EINVAL)


def send(id, kind, text, flags=0):
    return sc(NR.msgsnd, id, struct.pack("q", kind) + text, len(text), flags)


def receive(id, kind=0, flags=NOWAIT, size=100):
    b = buf(8 + size)
    n = sc(NR.msgrcv, id, b, size, kind, flags)
    return n if n < 0 else (struct.unpack_from("q", b)[0], b.raw[8:8 + n])


@test
def messages_are_chosen_by_type():
    with Msg() as id:
        for kind, text in (5, b"five"), (3, b"three"), (2 ** 40, b"big"), (3, b"drei"), (9, b""):
            eq(send(id, kind, text), 0)
        eq(receive(id, 2, NOWAIT | 0o40000), (2 ** 40, b"big"), "MSG_COPY")
        eq(receive(id, 3), (3, b"three"))
        eq(receive(id, -4), (3, b"drei"), "lowest up to 4")
        eq(receive(id, 5, NOWAIT | 0o20000), (2 ** 40, b"big"), "MSG_EXCEPT")
        eq(receive(id, -2), -E.ENOMSG)
        eq(receive(id), (5, b"five"))
        eq(receive(id, -2 ** 63), (9, b""))
        eq(receive(id), -E.ENOMSG)
        eq(send(id, 0, b"x"), -E.EINVAL)
        eq(send(id, -1, b"x"), -E.EINVAL)
        eq(send(id, 1, bytes(8193)), -E.EINVAL)
        gives(-E.EFAULT, NR.msgsnd, id, 16, 1, 0)
        eq(receive(id, 0, 0o40000), -E.EINVAL)
        eq(send(id, 1, b"0123456789"), 0)
        eq(receive(id, 0, NOWAIT, 4), -E.E2BIG)
        eq(receive(id, 0, NOWAIT | 0o10000, 4), (1, b"0123"), "MSG_NOERROR")


@test
def a_full_queue_makes_senders_wait():
    with Msg() as id:
        for _ in range(2):
            eq(send(id, 1, bytes(8192), NOWAIT), 0)
        eq(send(id, 1, b"x", NOWAIT), -E.EAGAIN)
        sender = spawn(lambda: eq(send(id, 2, b"late"), 0))
        wait_state(sender, "S")
        eq(receive(id, 0, NOWAIT, 8192)[0], 1)
        reap(sender)
        ds = buf(120)
        works(NR.msgctl, id, STAT, ds)
        eq(struct.unpack_from("QQQii", ds, 72), (8196, 2, 16384, sender, os.getpid()))
        eq(receive(id, 2), (2, b"late"))
        struct.pack_into("Q", ds, 88, 10)
        works(NR.msgctl, id, SET, ds)
        eq(send(id, 1, bytes(11), NOWAIT), -E.EAGAIN, "qbytes")


@test
def waits_for_messages_end_by_message_signal_and_removal():
    with Msg() as id:
        reader = spawn(lambda: eq(receive(id, 7, 0), (7, b"seven")))
        wait_state(reader, "S")
        eq(send(id, 6, b"six"), 0)
        eq(send(id, 7, b"seven"), 0)
        reap(reader)

        def interrupted():
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.siginterrupt(signal.SIGALRM, False)
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            eq(receive(id, 7, 0), -E.EINTR, "never restarted")
        child_ok(interrupted)
        reader = spawn(lambda: eq(receive(id, 7, 0), -E.EIDRM))
        wait_state(reader, "S")
        works(NR.msgctl, id, RMID, 0)
        reap(reader)


def rows(name):
    with open("/proc/sysvipc/" + name) as f:
        return {int(line.split()[1]): line for line in f.readlines()[1:]}


@test
def proc_lists_the_objects():
    with Shm(5000, 0, CREAT | 0o604) as shm, Sem(4) as sem, Msg() as msg:
        p = works(NR.shmat, shm, 0, 0)
        eq(send(msg, 1, b"abc"), 0)
        me = os.getpid()
        line = rows("shm")[shm].split()
        eq(line[:7], ["0", str(shm), "604", "5000", str(me), str(me), "1"])
        eq(rows("sem")[sem].split()[:4], ["0", str(sem), "600", "4"])
        line = rows("msg")[msg].split()
        eq(line[:7], ["0", str(msg), "600", "3", "1", str(me), "0"])
        maps = [m for m in open("/proc/self/maps") if "SYSV" in m]
        eq([m.split()[1:] for m in maps],
           [["rw-s", "00000000", "00:01", str(shm), "/SYSV00000000", "(deleted)"]])
        works(NR.shmdt, p)


@test
def info_commands_report_limits_and_use():
    b = buf(72)
    works(NR.shmctl, 0, INFO, b)
    eq(struct.unpack_from("QQQQ", b)[1:], (1, 4096, 4096))
    works(NR.semctl, 0, 0, INFO, b)
    eq(struct.unpack_from("10i", b), (1024000000, 32000, 1024000000, 1024000000, 32000, 500, 500,
                                      20, 32767, 32767))
    works(NR.msgctl, 0, INFO, b)
    eq(struct.unpack_from("7iH", b), (512000, 16384, 8192, 16384, 32000, 16, 16384, 65535))
    with Sem(7) as id:
        before = works(NR.semctl, 0, 0, 19, b)
        used, sems = struct.unpack_from("i", b, 28)[0], struct.unpack_from("i", b, 36)[0]
        ok(used >= 1 and sems >= 7, "SEM_INFO %d %d" % (used, sems))
        ds = buf(104)
        found = [works(NR.semctl, i, 0, 18, ds) for i in range(before + 1)
                 if sc(NR.semctl, i, 0, 18, ds) >= 0]
        ok(id in found, "SEM_STAT walks the indexes")


run()
