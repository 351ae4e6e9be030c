"""Generic netlink: its controller, and the statistics of tasks (linux/taskstats.h)."""

import os
import socket
import struct
import threading
from errno import *
from lib.guest import *
from lib.netlink import *

CTRL, GETFAMILY = 16, 3
PID, TGID, REGISTER, DEREGISTER = 1, 2, 3, 4
STATS, AGGR_PID, AGGR_TGID = 3, 4, 5


def generic(command, *attrs, version=1, reserved=0):
    return struct.pack("=BBH", command, version, reserved) + b"".join(attrs)


def family(n, name=b"TASKSTATS\0"):
    return n.ask(CTRL, ACK, generic(GETFAMILY, attribute(2, name)))[0]


def stats_id(n):
    return struct.unpack("=H", attributes(family(n)[4][4:])[1])[0]


def word(n):
    return struct.pack("=I", n & 0xFFFFFFFF)


def get(n, kind, data, flags=0, command=1):
    return n.ask(stats_id(n), flags, generic(command, attribute(kind, data)))


def stats(n, kind, pid):
    answer, = get(n, kind, word(pid))
    whole = attributes(answer[4][4:])[AGGR_PID if kind == PID else AGGR_TGID]
    parts = attributes(whole)
    eq(struct.unpack("=I", parts[kind])[0], pid)
    return parts[STATS]


def at(data, offset, form="Q"):
    return struct.unpack_from("=" + form, data, offset)[0]


@test
def the_controller_knows_its_families():
    n = Netlink(GENERIC)
    kind, flags, seq, pid, body = family(n, b"nlctrl\0")
    eq((kind, flags, body[0], body[1]), (CTRL, 0, 1, 2))
    found = attributes(body[4:])
    eq((found[2], found[1], found[3], found[4]), (b"nlctrl\0", b"\x10\0", word(2), word(0)))
    eq(attributes(attributes(found[7])[1])[1], b"notify\0")
    body = family(n)[4]
    found = attributes(body[4:])
    eq((found[2], found[3]), (b"TASKSTATS\0", word(1)))
    operation = attributes(attributes(found[6])[1])
    eq((operation[1], operation[2]), (word(1), word(0xB)))


@test
def all_families_can_be_listed():
    n = Netlink(GENERIC)
    names = [attributes(one[4][4:])[2] for one in n.ask(CTRL, DUMP, generic(GETFAMILY))]
    eq(names[0], b"nlctrl\0")
    ok(b"TASKSTATS\0" in names, "TASKSTATS among %r" % names)


@cases([
    ("no such name", CTRL, generic(3, attribute(2, b"nonesuch\0")), ENOENT),
    ("a long name", CTRL, generic(3, attribute(2, b"x" * 40 + b"\0")), EINVAL),
    ("a name without an end", CTRL, generic(3, attribute(2, b"nlctrl")), EINVAL),
    ("no attribute", CTRL, generic(3), EINVAL),
    ("no header", CTRL, b"\3", EINVAL),
    ("no command", CTRL, generic(99), EOPNOTSUPP),
    ("no such type", 999, generic(3), ENOENT),
    ("no such number", CTRL, generic(3, attribute(1, b"\x0f\x27")), ENOENT),
    ("half a number", CTRL, generic(3, attribute(1, b"\1")), ERANGE),
], shared=True)
def the_controller_refuses(kind, body, code):
    fails(code, Netlink(GENERIC).ask, kind, 0, body)


@test
def a_thread_has_statistics():
    need_root()
    n = Netlink(GENERIC)
    data = stats(n, PID, os.getpid())
    between(14, at(data, 0, "H"), 40)
    ok(len(data) >= 432, "%d bytes" % len(data))
    eq(data[80:112].rstrip(b"\0"), open("/proc/self/comm", "rb").read().strip())
    eq((at(data, 120, "I"), at(data, 124, "I"), at(data, 128, "I")), (0, 0, os.getpid()))
    eq(at(data, 132, "I"), os.getppid())
    eq(at(data, 368, "I"), os.getpid())
    between(time.time() - 60, at(data, 136, "I"), time.time() + 1)
    eq(at(data, 344), at(data, 136, "I"))
    ok(at(data, 144) < 60 * 10**6, "microseconds since the start")
    ok(at(data, 200) > 1000, "KiB of memory")
    eq(at(data, 392), os.stat("/proc/self/exe").st_ino)
    eq(at(data, 8, "B") & 0x21, 1)


@test
def time_spent_is_counted():
    need_root()
    n = Netlink(GENERIC)
    before = stats(n, PID, os.getpid())
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = stats(n, PID, os.getpid())
    ok(at(after, 64) - at(before, 64) > 20 * 10**6, "nanoseconds on a processor")
    ok(at(after, 144) > at(before, 144), "time passes")


@test
def a_process_has_statistics():
    need_root()
    data = stats(Netlink(GENERIC), TGID, os.getpid())
    ok(at(data, 144) > 0, "microseconds since the start")
    eq(at(data, 128, "I"), 0)
    eq(data[80:112], bytes(32))


@cases([
    ("no such thread", PID, word(99999999), 0, 1, ESRCH),
    ("no such process", TGID, word(99999999), 0, 1, ESRCH),
    ("thread 0", PID, word(0), 0, 1, ESRCH),
    ("thread -1", PID, word(-1), 0, 1, ESRCH),
    ("a short number", PID, b"x", 0, 1, ERANGE),
    ("another attribute", 99, word(1), 0, 1, EINVAL),
    ("an event", PID, word(1), 0, 2, EOPNOTSUPP),
    ("a dump", PID, word(1), DUMP, 1, EOPNOTSUPP),
    ("another command", PID, word(1), 0, 3, EOPNOTSUPP),
], shared=True)
def statistics_are_refused_for(kind, data, flags, command, code):
    need_root()
    fails(code, get, Netlink(GENERIC), kind, data, flags, command)


@cases([
    ("one", b"0\0", 0), ("without an end", b"0", 0), ("empty", b"\0", 0), ("a comma", b"0,\0", 0), ("a blank", b" 0\0", 0),
    ("a line", b"0\n\0", 0), ("all", b"all\0", 0), ("the last", b"N\0", 0), ("a part", b"0-0:1/2\0", 0),
    ("no bytes", b"", ERANGE), ("a word", b"x\0", EINVAL), ("backwards", b"1-0\0", EINVAL), ("open", b"0-\0", EINVAL),
    ("negative", b"-1\0", EINVAL), ("none", b"none\0", EINVAL), ("too far", b"0-65000\0", ERANGE),
    ("too large", b"99999999999999\0", EOVERFLOW), ("too long", b"7" * 60000 + b"\0", E2BIG),
], shared=True)
def a_list_of_processors(text, code):
    need_root()
    n = Netlink(GENERIC)
    for kind in (REGISTER, DEREGISTER):
        if code:
            fails(code, get, n, kind, text, ACK)
        else:
            eq(get(n, kind, text, ACK), [])


def ends(n, pid):
    """Collects the exit messages of threads by id, until the message of `pid` has come."""
    found = {}
    deadline = time.time() + 5
    while pid not in found and time.time() < deadline:
        try:
            got = n.receive()
        except OSError as e:
            eq(e.errno, ENOBUFS)
            continue
        for one in got:
            aggregates = attributes(one[4][4:])
            parts = attributes(aggregates[AGGR_PID])
            found[struct.unpack("=I", parts[PID])[0]] = parts[STATS], AGGR_TGID in aggregates
    return found


def watcher():
    need_root()
    n = Netlink(GENERIC)
    n.s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
    get(n, REGISTER, b"all\0", ACK)
    return n


@test
def a_registered_listener_receives_exits():
    n = watcher()
    pid = os.fork()
    if pid == 0:
        os._exit(5)
    os.waitpid(pid, 0)
    data, is_process = ends(n, pid)[pid]
    eq((at(data, 4, "I"), at(data, 128, "I")), (5 << 8, pid))
    eq(at(data, 8, "B") & 0x21, 0x21)
    ok(not is_process, "a process of one thread has no statistics of its own")


@test
def the_exit_of_the_last_thread_includes_its_process():
    n = watcher()
    pid = os.fork()
    if pid == 0:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        while len(os.listdir("/proc/self/task")) > 1:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
    ok(ends(n, pid)[pid][1], "a process of two threads has statistics of its own")


@test
def a_deregistered_listener_receives_nothing():
    n = watcher()
    get(n, DEREGISTER, b"all\0", ACK)
    try:
        n.pending()
    except OSError:
        n.pending()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    eq(n.pending(), [])


@test
def statistics_need_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        n = Netlink(GENERIC)
        fails(EPERM, get, n, PID, word(os.getpid()))
        fails(EPERM, get, n, PID, b"x")
        fails(EPERM, get, n, REGISTER, b"0\0")

    child_ok(nobody)


run()
