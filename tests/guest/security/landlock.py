"""landlock(7): arguments, layers, inheritance, network, scopes, ptrace. Files: landlock_files.py.
"""

import ctypes
import errno
import os
import signal
import socket
import struct
import threading

from lib import landlock as ll
from lib.guest import NR, Pipe, child_ok, eq, fails, gives, need_root, ok, run, sc, skip, spawn, test


def reap(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@test
def create_returns_the_version():
    ll.need()
    ok(6 <= ll.version() < 20, "a version")
    for attr, size, flags in ((0, 0, 0x80000000), (0, 0, 1 | 0x8000), (0, 8, 1), (1, 0, 1), (4096, 8, 1)):
        gives(-errno.EINVAL, NR.landlock_create_ruleset, attr, size, flags)


@test
def create_checks_its_struct():
    ll.need()
    one = struct.pack("=QQQ", 1, 0, 0)
    for attr, size, code in (
        (0, 24, errno.EFAULT), (0, 0, errno.EFAULT), (one, 7, errno.EINVAL), (one, 0, errno.EINVAL),
        (one, 4097, errno.E2BIG), (one, (1 << 64) - 1, errno.E2BIG), (4096, 24, errno.EFAULT),
        (1 << 63, 24, errno.EFAULT), ((1 << 64) - 8, 24, errno.EFAULT),
        (struct.pack("=QQQ", 0, 0, 0), 24, errno.ENOMSG), (struct.pack("=Q", 0), 8, errno.ENOMSG),
        (struct.pack("=QQQ", 1 << 40, 0, 0), 24, errno.EINVAL), (struct.pack("=QQQ", 1 << 16, 0, 0), 24, errno.EINVAL),
        (struct.pack("=QQQ", 0, 4, 0), 24, errno.EINVAL), (struct.pack("=QQQ", 0, 0, 4), 24, errno.EINVAL),
        (struct.pack("=QQQ", 1, 1 << 32, 0), 24, errno.EINVAL), (one + b"\0" * 7 + b"\1", 32, errno.E2BIG),
    ):
        gives(-code, NR.landlock_create_ruleset, attr, size, 0)
    for size in (8, 16, 24, 100, 4096):
        fd = sc(NR.landlock_create_ruleset, one + b"\0" * 4096, size, 0)
        ok(fd >= 0, "size %d" % size)
        ok(os.get_inheritable(fd) is False, "closed by exec")
        eq(os.readlink("/proc/self/fd/%d" % fd), "anon_inode:[landlock-ruleset]")
        fails(errno.EINVAL, os.read, fd, 1)
        fails(errno.EINVAL, os.write, fd, b"x")
        os.close(fd)


@test
def path_rules_check_their_arguments():
    fd = ll.create(ll.READ_FILE | ll.READ_DIR)
    here = os.open(".", os.O_PATH)
    os.mkfifo("fifo")
    rule = lambda access, parent: struct.pack("=Qi", access, parent)
    r, _ = os.pipe()
    memory = os.memfd_create("x")
    null = os.open("/dev/null", os.O_RDONLY)
    file = os.open("file", os.O_CREAT | os.O_RDWR)
    for ruleset, kind, attr, flags, code in (
        (fd, 1, rule(4, here), 1, errno.EINVAL), (fd, 0, rule(4, here), 0, errno.EINVAL),
        (fd, 3, rule(4, here), 0, errno.EINVAL), (fd, -1, rule(4, here), 0, errno.EINVAL),
        (999, 1, rule(4, here), 0, errno.EBADF), (here, 1, rule(4, here), 0, errno.EBADF),
        (null, 1, rule(4, here), 0, errno.EBADFD), (fd, 1, 0, 0, errno.EFAULT),
        (fd, 1, 1 << 63, 0, errno.EFAULT), (fd, 1, (1 << 64) - 4, 0, errno.EFAULT),
        (fd, 1, rule(0, here), 0, errno.ENOMSG), (fd, 1, rule(2, here), 0, errno.EINVAL),
        (fd, 1, rule(1 << 40, here), 0, errno.EINVAL), (fd, 1, rule(4, 999), 0, errno.EBADF),
        (fd, 1, rule(4, -1), 0, errno.EBADF), (fd, 1, rule(4, r), 0, errno.EBADFD),
        (fd, 1, rule(4, fd), 0, errno.EBADFD), (fd, 1, rule(4, memory), 0, errno.EBADFD),
        (fd, 1, rule(8, file), 0, errno.EINVAL), (fd, 1, rule(12, file), 0, errno.EINVAL),
    ):
        gives(-code, NR.landlock_add_rule, ruleset, kind, attr, flags)
    gives(0, NR.landlock_add_rule, fd, 1, rule(4, here), 0)
    gives(0, NR.landlock_add_rule, fd, 1, rule(8, here), 0)
    gives(0, NR.landlock_add_rule, fd, 1, rule(4, file), 0)


@test
def port_rules_check_their_arguments():
    fd = ll.create(0, ll.BIND)
    rule = lambda access, port: struct.pack("=QQ", access, port)
    for attr, code in (
        (0, errno.EFAULT), (rule(0, 80), errno.ENOMSG), (rule(2, 80), errno.EINVAL), (rule(1, 65536), errno.EINVAL),
        (rule(1, 1 << 63), errno.EINVAL), (rule(1 << 33, 1), errno.EINVAL), ((1 << 64) - 8, errno.EFAULT),
    ):
        gives(-code, NR.landlock_add_rule, fd, 2, attr, 0)
    gives(-errno.EINVAL, NR.landlock_add_rule, fd, 2, rule(1, 80), 1)
    gives(-errno.EINVAL, NR.landlock_add_rule, fd, 1, struct.pack("=Qi", 4, os.open(".", os.O_PATH)), 0)
    for port in (0, 80, 65535):
        gives(0, NR.landlock_add_rule, fd, 2, rule(1, port), 0)


@test
def enforcing_checks_its_arguments():
    fd = ll.create(ll.READ_FILE)
    sc(NR.prctl, 38, 1, 0, 0, 0)
    gives(-errno.EINVAL, NR.landlock_restrict_self, fd, 0x80000000)
    gives(-errno.EBADF, NR.landlock_restrict_self, -1, 0)
    gives(-errno.EBADF, NR.landlock_restrict_self, 999, 0)
    gives(-errno.EBADFD, NR.landlock_restrict_self, os.open("/dev/null", os.O_RDONLY), 0)
    gives(-errno.EBADF, NR.landlock_restrict_self, os.open("/dev/null", os.O_PATH), 0)


@test
def enforcing_needs_no_new_privs_or_a_capability():
    need_root()
    fd = ll.create(ll.READ_FILE)

    def child():
        os.setuid(1000)
        gives(-errno.EPERM, NR.landlock_restrict_self, fd, 0)
        gives(-errno.EPERM, NR.landlock_restrict_self, -1, 99)
        sc(NR.prctl, 38, 1, 0, 0, 0)
        gives(0, NR.landlock_restrict_self, fd, 0)
    child_ok(child)
    gives(0, NR.landlock_restrict_self, fd, 0)


@test
def sixteen_layers():
    fd = ll.create(ll.MAKE_BLOCK)
    for _ in range(16):
        ll.enforce(fd)
    fails(errno.E2BIG, ll.enforce, fd)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if sc(NR.landlock_restrict_self, fd, 0) == -errno.E2BIG else 1)
    eq(reap(pid), 0)


@test
def a_ruleset_that_changes_changes_no_domain():
    open("file", "w").close()
    fd = ll.create(ll.READ_FILE)
    ll.enforce(fd)
    fails(errno.EACCES, open, "file")
    ll.allow(fd, ".", ll.READ_FILE)
    fails(errno.EACCES, open, "file")


@test
def children_and_programs_inherit():
    open("file", "w").close()
    ll.restrict(ll.MAKE_REG)
    child_ok(lambda: fails(errno.EACCES, open, "new", "w") and 0)
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", "(: > new) 2> /dev/null && exit 1; cat file"])
    eq(reap(pid), 0)


@test
def other_threads_are_not_restricted():
    go, done = threading.Event(), []

    def other():
        go.wait()
        open("new", "w").close()
        done.append(1)
    t = threading.Thread(target=other)
    t.start()
    ll.restrict(ll.MAKE_REG)
    fails(errno.EACCES, open, "mine", "w")
    go.set()
    t.join()
    eq(done, [1])


@test
def tcp_ports():
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.listen()
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    closed = other.getsockname()[1]
    ll.restrict(net=ll.BIND | ll.CONNECT, ports=[(port, ll.CONNECT), (0, ll.BIND)])
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        s = socket.socket(family)
        fails(errno.EACCES, s.bind, (host, closed))
        fails(errno.EACCES, s.connect, (host, closed))
        fails(errno.EACCES, s.connect, (host, 0))
    s = socket.socket()
    s.connect(("127.0.0.1", port))
    b = socket.socket()
    b.bind(("127.0.0.1", 0))
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", 0))
    u.connect(("127.0.0.1", closed))


@test
def addresses_of_restricted_sockets():
    ll.restrict(net=ll.BIND | ll.CONNECT)
    s = socket.socket()
    inet = struct.pack("=H2s4s8s", socket.AF_INET, b"\1\1", b"\x7f\0\0\1", b"")
    unspec = struct.pack("=H2s4s8s", 0, b"\1\1", b"\x7f\0\0\1", b"")
    any_ = struct.pack("=H2s4s8s", 0, b"\1\1", b"", b"")
    six = struct.pack("=H26s", socket.AF_INET6, b"")
    unix = struct.pack("=H26s", socket.AF_UNIX, b"x")
    for nr in (NR.bind, NR.connect):
        for address, size, code in (
            (inet, 16, errno.EACCES), (inet, 15, errno.EINVAL), (inet, 1, errno.EINVAL), (inet, 0, errno.EINVAL),
            (six, 28, errno.EINVAL), (six, 23, errno.EINVAL), (inet, -1, errno.EINVAL), (0, 16, errno.EFAULT),
        ):
            gives(-code, nr, s.fileno(), address, size)
    gives(-errno.EAFNOSUPPORT, NR.bind, s.fileno(), unix, 28)
    gives(-errno.EAFNOSUPPORT, NR.bind, s.fileno(), unspec, 16)
    gives(-errno.EACCES, NR.bind, s.fileno(), any_, 16)
    gives(-errno.EINVAL, NR.bind, s.fileno(), any_, 15)
    gives(0, NR.connect, s.fileno(), unspec, 16)
    gives(0, NR.connect, s.fileno(), unspec, 2)
    s = socket.socket(socket.AF_INET6)
    none = struct.pack("=H26s", 0, b"")
    gives(-errno.EAFNOSUPPORT, NR.bind, s.fileno(), none, 24)
    gives(-errno.EINVAL, NR.bind, s.fileno(), none, 23)
    gives(0, NR.connect, s.fileno(), none, 2)


@test
def sends_that_connect():
    if not os.uname().release.startswith("6.12."):
        skip("not every kernel judges MSG_FASTOPEN as it does connect(2)")
    server = socket.create_server(("127.0.0.1", 0))
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    host, port = server.getsockname()
    ll.restrict(net=ll.CONNECT, ports=[(port, ll.CONNECT)])
    s = socket.socket()
    fails(errno.EACCES, s.sendto, b"x", socket.MSG_FASTOPEN, other.getsockname())
    fails(errno.EACCES, s.sendmsg, [b"x"], [], socket.MSG_FASTOPEN, other.getsockname())
    eq(s.sendto(b"x", socket.MSG_FASTOPEN, (host, port)), 1)


@test
def layers_of_ports_add_up():
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    free.listen()
    port = free.getsockname()[1]
    ll.restrict(net=ll.CONNECT, ports=[(port, ll.CONNECT)])
    socket.create_connection(("127.0.0.1", port)).close()
    ll.restrict(ll.MAKE_REG)
    socket.create_connection(("127.0.0.1", port)).close()
    ll.restrict(net=ll.CONNECT)
    fails(errno.EACCES, socket.create_connection, ("127.0.0.1", port))


@test
def signals_stay_within_the_scope():
    target = spawn(lambda: signal.pause())
    pipe = Pipe()

    def child():
        ll.restrict(scoped=ll.SIGNAL)
        for sig in (0, signal.SIGTERM):
            fails(errno.EPERM, os.kill, target, sig)
            fails(errno.EPERM, os.kill, os.getppid(), 0)
        os.kill(os.getpid(), 0)
        inner = spawn(lambda: signal.pause())
        os.kill(inner, signal.SIGKILL)
        eq(reap(inner), -9)
        fails(errno.EPERM, signal.pidfd_send_signal, os.pidfd_open(target), 0)
        gives(-errno.EPERM, NR.tgkill, target, target, 0)
        pipe.post()
        signal.pause()
    pid = spawn(child)
    pipe.take()
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)
    os.kill(target, signal.SIGKILL)
    eq((reap(pid), reap(target)), (-9, -9))


@test
def a_nested_domain_signals_within_the_scope_of_its_parent():
    pipe, end = Pipe(), Pipe()

    def middle():
        ll.restrict(scoped=ll.SIGNAL)
        sibling = spawn(lambda: signal.pause())

        def inner():
            ll.restrict(ll.MAKE_REG)
            os.kill(sibling, 0)
            fails(errno.EPERM, os.kill, os.getpgrp() and int(outer), 0)
            ll.restrict(scoped=ll.SIGNAL)
            fails(errno.EPERM, os.kill, sibling, 0)
        child_ok(inner)
        os.kill(sibling, signal.SIGKILL)
        eq(reap(sibling), -9)
    outer = os.getpid()
    child_ok(middle)


@test
def threads_of_a_process_reach_each_other():
    tid = []
    stop = threading.Event()

    def other():
        tid.append(threading.get_native_id())
        stop.wait()
    t = threading.Thread(target=other)
    t.start()
    while not tid:
        pass
    ll.restrict(scoped=ll.SIGNAL)
    gives(0, NR.tgkill, os.getpid(), tid[0], 0)
    stop.set()
    t.join()


@test
def abstract_names_stay_within_the_scope():
    name = b"\0landlock-%d" % os.getpid()
    outside = socket.socket(socket.AF_UNIX)
    outside.bind(name)
    outside.listen()
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(name + b"d")
    before = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    before.connect(name + b"d")
    at_path = socket.socket(socket.AF_UNIX)
    at_path.bind("socket")
    at_path.listen()
    ll.restrict(scoped=ll.ABSTRACT)
    fails(errno.EPERM, socket.socket(socket.AF_UNIX).connect, name)
    d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    fails(errno.EPERM, d.connect, name + b"d")
    fails(errno.EPERM, d.sendto, b"x", name + b"d")
    before.send(b"x")
    before.sendto(b"x", name + b"d")
    socket.socket(socket.AF_UNIX).connect("socket")
    inside = socket.socket(socket.AF_UNIX)
    inside.bind(name + b"in")
    inside.listen()
    socket.socket(socket.AF_UNIX).connect(name + b"in")
    fails(errno.ECONNREFUSED, socket.socket(socket.AF_UNIX).connect, name + b"none")


@test
def only_an_enclosing_domain_traces_a_process():
    PTRACE_ATTACH, PTRACE_DETACH, PTRACE_TRACEME = 16, 17, 0
    free, confined, ready = Pipe(), Pipe(), Pipe()
    target = spawn(lambda: signal.pause())

    def child():
        ll.restrict(ll.MAKE_REG)
        gives(-errno.EPERM, NR.ptrace, PTRACE_ATTACH, target, 0, 0)
        gives(-errno.EPERM, NR.ptrace, PTRACE_ATTACH, os.getppid(), 0, 0)
        fails(errno.EACCES, os.readlink, "/proc/%d/cwd" % target)
        buf = ctypes.create_string_buffer(8)
        iov = struct.pack("=QQ", ctypes.addressof(buf), 8)
        gives(-errno.EPERM, NR.process_vm_readv, target, iov, 1, iov, 1, 0)
        own = spawn(lambda: signal.pause())
        gives(0, NR.ptrace, PTRACE_ATTACH, own, 0, 0)
        os.waitpid(own, 0)
        os.kill(own, signal.SIGKILL)
        os.waitpid(own, 0)
        ready.post()
        signal.pause()
    pid = spawn(child)
    ready.take()
    if os.getuid() == 0:
        gives(0, NR.ptrace, PTRACE_ATTACH, pid, 0, 0)
        os.waitpid(pid, 0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.kill(target, signal.SIGKILL)
    reap(target)


@test
def a_confined_parent_cannot_trace_a_freer_child():
    def child():
        ready, go = Pipe(), Pipe()

        def inner():
            ready.post()
            go.take()
            gives(-errno.EPERM, NR.ptrace, 0, 0, 0, 0)
        pid = spawn(inner)
        ready.take()
        ll.restrict(ll.MAKE_REG)
        go.post()
        eq(reap(pid), 0)
    child_ok(child)


@test
def mounts_cannot_be_changed():
    need_root()

    def child():
        eq(sc(NR.unshare, 0x20000), 0)
        os.mkdir("m")
        ll.restrict(net=ll.BIND)
        gives(0, NR.mount, b"t", b"m", b"tmpfs", 0, 0)
        ll.restrict(ll.MAKE_BLOCK)
        gives(-errno.EPERM, NR.mount, b"t", b"m", b"tmpfs", 0, 0)
        gives(-errno.EPERM, NR.mount, 0, b"m", 0, 0x20, 0)
        gives(-errno.EPERM, NR.mount, 0, b"m", 0, 0x40000, 0)
        gives(-errno.EPERM, NR.umount2, b"m", 0)
        gives(-errno.EPERM, NR.pivot_root, b"m", b"m")
    child_ok(child)


run()
