"""Events of processes on the connector of netlink (linux/cn_proc.h)."""

import os
import resource
import signal
import socket
import struct
import threading
from errno import *
from lib.guest import *
from lib.netlink import *

FORK, EXEC, UID, GID, SID, PTRACE, COMM = 1, 2, 4, 0x40, 0x80, 0x100, 0x200
NONZERO_EXIT, COREDUMP, EXIT = 0x20000000, 0x40000000, 0x80000000
LISTEN, IGNORE = 1, 2
PR_SET_NAME = 15


def control(op, mask=None, idx=1, val=1, length=None, ack=0):
    data = struct.pack("=I", op) + (b"" if mask is None else struct.pack("=I", mask))
    length = len(data) if length is None else length
    return struct.pack("=IIIIHH", idx, val, 0, ack, length, 0) + data


def listener(*args, **kwargs):
    need_root()
    n = Netlink(CONNECTOR, 1)
    n.s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    n.send(3, 0, control(LISTEN, *args, **kwargs))
    return n


def decoded(one):
    what, cpu, time = struct.unpack_from("=IIQ", one[4], 20)
    return what, struct.unpack_from("=6I", one[4], 36), one[4][36:]


def events_of(n, pid):
    """Collects the events of a process (a fork: of its child) by kind, up to its exit."""
    found = {}
    deadline = time.time() + 5
    while EXIT not in found and time.time() < deadline:
        for one in n.receive():
            what, words, data = decoded(one)
            if (words[2] if what == FORK else words[0]) == pid:
                found[what] = (words, data)
    return found


def child(fn):
    pid = os.fork()
    if pid == 0:
        try:
            fn()
        finally:
            os._exit(3)
    os.waitpid(pid, 0)
    return pid


@test
def fork_and_exit_are_events():
    n = listener()
    pid, me = child(lambda: None), os.getpid()
    found = events_of(n, pid)
    eq(list(found), [FORK, EXIT])
    eq(found[FORK][0][:4], (me, me, pid, pid))
    eq(found[EXIT][0], (pid, pid, 3 << 8, signal.SIGCHLD, me, me))


@test
def a_message_has_the_form_of_the_connector():
    n = listener()
    pid = child(lambda: None)
    kind, flags, seq, port, body = next(
        one for one in n.receive() + n.pending() if decoded(one)[0] == FORK and decoded(one)[1][2] == pid)
    eq((kind, flags, port, len(body)), (DONE, 0, 0, 60))
    idx, val, cn_seq, ack, length, cn_flags = struct.unpack_from("=IIIIHH", body)
    eq((idx, val, ack, length, cn_flags), (1, 1, 0, 40, 0))
    eq(cn_seq, seq)
    when, = struct.unpack_from("=Q", body, 28)
    between(time.monotonic_ns() - 60 * 10**9, when, time.monotonic_ns())


@test
def execve_is_an_event():
    n = listener()
    pid = child(lambda: os.execv("/bin/true", ["true"]))
    found = events_of(n, pid)
    eq(list(found), [FORK, EXEC, EXIT])
    eq(found[EXEC][0][:2], (pid, pid))
    eq(found[EXIT][0][2], 0)


@test
def a_change_of_ids_is_an_event():
    n = listener()

    def change():
        os.setgid(12)
        os.setresuid(34, 35, 36)

    pid = child(change)
    found = events_of(n, pid)
    eq(list(found), [FORK, GID, UID, EXIT])
    eq(found[GID][0][:4], (pid, pid, 12, 12))
    eq(found[UID][0][:4], (pid, pid, 34, 35))


@test
def a_new_session_and_a_new_name_are_events():
    n = listener()

    def change():
        os.setsid()
        libc.prctl(PR_SET_NAME, b"a name of many letters", 0, 0, 0)

    pid = child(change)
    found = events_of(n, pid)
    eq(list(found), [FORK, SID, COMM, EXIT])
    eq(found[SID][0][:2], (pid, pid))
    eq(found[COMM][1][:24], struct.pack("=II16s", pid, pid, b"a name of many "))


@test
def a_name_written_to_proc_is_an_event():
    n = listener()

    def change():
        with open("/proc/self/comm", "w") as f:
            f.write("other")

    found = events_of(n, child(change))
    eq(found[COMM][1][8:24], b"other" + bytes(11))


@test
def a_signal_that_dumps_core_is_an_event():
    n = listener()

    def die():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.abort()

    pid, me = child(die), os.getpid()
    found = events_of(n, pid)
    eq(list(found), [FORK, COREDUMP, EXIT])
    eq(found[COREDUMP][0][:4], (pid, pid, me, me))
    eq(found[EXIT][0][2] & 0x7F, signal.SIGABRT)


@test
def events_of_a_thread_name_its_process():
    n = listener()
    me, parent = os.getpid(), os.getppid()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    tid = thread.native_id
    thread.join()
    found = events_of(n, tid)
    eq(found[FORK][0][1:4], (parent, tid, me))
    eq(found[EXIT][0][:4], (tid, me, 0, 0xFFFFFFFF))


@test
def attach_and_detach_of_a_tracer_are_events():
    n = listener()
    me, pid = os.getpid(), os.fork()
    if pid == 0:
        signal.pause()
    works(NR.ptrace, 16, pid, 0, 0)
    os.waitpid(pid, 0)
    works(NR.ptrace, 17, pid, 0, 0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    events_seen = [decoded(one)[1][:4] for one in n.pending() if decoded(one)[0] == PTRACE]
    eq(events_seen, [(pid, pid, me, me), (pid, pid, 0, 0)])


@test
def a_mask_chooses_events():
    n = listener(UID | EXIT)
    pid = child(lambda: os.setuid(5))
    eq(list(events_of(n, pid)), [UID, EXIT])


@test
def a_mask_can_choose_failed_exits_only():
    n = listener(NONZERO_EXIT)
    good = child(lambda: os._exit(0))
    bad = child(lambda: os._exit(1))
    ends = [decoded(one)[1][0] for one in n.pending() if decoded(one)[0] == EXIT]
    ok(bad in ends and good not in ends, "exits reported: %r" % ends)


@test
def listening_is_acknowledged_to_the_group():
    n = listener(ack=41)
    what, words, _ = decoded(n.receive()[0])
    eq((what, words[0]), (0, 0))
    n.pending()
    n.send(3, 0, control(9, ack=7))
    acks = [one for one in n.receive() + n.pending() if decoded(one)[0] == 0]
    eq(struct.unpack_from("=I", acks[0][4], 12), (8,))
    eq(decoded(acks[0])[1][0], EINVAL)


@test
def a_listener_that_ignores_receives_nothing():
    n = listener()
    n.pending()
    n.send(3, 0, control(IGNORE))
    child(lambda: None)
    eq(n.pending(), [])


@test
def malformed_requests_are_ignored():
    need_root()
    n = Netlink(CONNECTOR, 1)
    body = control(LISTEN)
    for bad in (control(LISTEN, idx=5), control(LISTEN, val=9), control(LISTEN, length=2), control(LISTEN, length=100),
                control(LISTEN, length=0xFFFF), body[:20], body[:3]):
        n.send(3, REQUEST | ACK, bad)
    n.s.send(b"abc")
    n.s.send(bytes(16))
    n.s.send(struct.pack("=IHHII", 4, 3, 0, 0, 0) + body)
    n.s.send(struct.pack("=IHHII", 9999, 3, 0, 0, 0) + body)
    n.s.send(struct.pack("=IHHII", 0xFFFFFFFF, 3, 0, 0, 0) + body)
    eq(n.pending(), [])


@test
def a_closed_socket_is_no_listener():
    n, other = listener(), listener()
    other.s.close()
    pid = child(lambda: None)
    eq(list(events_of(n, pid)), [FORK, EXIT])


@test
def a_full_queue_fails_with_enobufs():
    n = listener()
    n.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(40):
        child(lambda: None)
    try:
        while True:
            n.s.recv(4096, socket.MSG_DONTWAIT)
    except OSError as e:
        eq(e.errno, ENOBUFS)


@test
def joining_a_group_needs_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        n = Netlink(CONNECTOR)
        n.join(1)
        n.join(3)
        fails(EPERM, n.join, 2)
        fails(EPERM, n.join, 4)
        fails(EPERM, Netlink, CONNECTOR, 2)
        fails(EPERM, n.s.sendto, bytes(40), (12345, 0))

    child_ok(nobody)
    n = Netlink(CONNECTOR)
    fails(EINVAL, n.join, 33)
    fails(EINVAL, n.join, 0)
    fails(EINVAL, n.join, -1)
    fails(ECONNREFUSED, n.s.sendto, bytes(40), (12345, 0))


@test
def another_network_namespace_has_no_connector():
    need_root()

    def elsewhere():
        works(NR.unshare, 0x40000000)
        n = Netlink(CONNECTOR, 1)
        fails(ECONNREFUSED, n.send, 3, 0, control(LISTEN))

    child_ok(elsewhere)


@test
def another_pid_namespace_receives_no_events():
    need_root()

    def outer():
        works(NR.unshare, 0x20000000)
        status = in_child(inner)
        return os.waitstatus_to_exitcode(status)

    def inner():
        n = Netlink(CONNECTOR, 1)
        n.send(3, 0, control(LISTEN))
        acks = [one for one in n.pending() if decoded(one)[0] == 0]
        eq(acks, [])

    child_ok(outer)


run()
