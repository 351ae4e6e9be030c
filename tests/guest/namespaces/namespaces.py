"""Namespaces: unshare(2), setns(2), clone(2) with CLONE_NEW*, /proc/PID/ns, and the kinds of
namespaces(7).
"""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import time

from lib.guest import (NR, Pipe, child_ok, eq, fails, gives, libc, need_root, ok, run, sc, skip, spawn, stay,
                       test, wait_until)
from lib.namespaces import (CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM, MS_BIND, NEWCGROUP,
                            NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS, clone,
                            clone_ok, contained, mount, ns, open_ns, own_mounts, read,
                            setns, umount, unshare, write)

NS_GET_USERNS, NS_GET_PARENT, NS_GET_NSTYPE, NS_GET_OWNER_UID = 0xb701, 0xb702, 0xb703, 0xb704
KINDS = {"uts": NEWUTS, "ipc": NEWIPC, "mnt": NEWNS, "net": NEWNET, "cgroup": NEWCGROUP,
         "user": NEWUSER, "pid": NEWPID, "time": NEWTIME}


def body(fn):
    """Makes a test whose body runs in a child, so that unshared namespaces end with the test."""
    def outer():
        need_root()
        contained(fn)
    outer.__name__ = fn.__name__
    return test(outer)


@test
def links_name_kinds_and_numbers():
    for name in os.listdir("/proc/self/ns"):
        kind = name.replace("_for_children", "")
        text = ns(name)
        ok(text.startswith(kind + ":[") and text.endswith("]"), text)
        eq(str(os.stat("/proc/self/ns/" + name).st_ino), text[len(kind) + 2:-1], name)


@body
def each_kind_of_namespace_is_unshared_alone():
    for kind in ("uts", "ipc", "mnt", "net", "cgroup"):
        before = {k: ns(k) for k in KINDS}
        unshare(KINDS[kind])
        for k in KINDS:
            ok((ns(k) != before[k]) == (k == kind), "%s after unshare of %s" % (k, kind))


@body
def unknown_flags_and_threads():
    gives(-errno.EINVAL, NR.unshare, 1)
    gives(-errno.EINVAL, NR.clone, NEWNS | CLONE_FS | 17, 0, 0, 0, 0)
    gives(-errno.EINVAL, NR.clone, NEWUSER | CLONE_FS | 17, 0, 0, 0, 0)
    gives(-errno.EINVAL, NR.clone, NEWPID | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, 0, 0, 0, 0)
    gives(-errno.EBADF, NR.setns, -1, 0)
    gives(-errno.EINVAL, NR.setns, os.open("/dev/null", 0), 0)
    gives(-errno.EINVAL, NR.setns, open_ns("uts"), NEWNET)


@body
def host_names_are_apart():
    before = socket.gethostname()
    outer = open_ns("uts")
    unshare(NEWUTS)
    eq(socket.gethostname(), before)
    socket.sethostname("inner-name")
    eq(read("/proc/sys/kernel/hostname").strip(), "inner-name")
    inner = open_ns("uts")
    setns(outer, NEWUTS)
    eq(socket.gethostname(), before)
    setns(inner)
    eq(socket.gethostname(), "inner-name")


@body
def ipc_objects_are_apart():
    queue = sc(68, 0x5ec2e7, 0o1600)
    ok(queue >= 0, "msgget")
    outer = open_ns("ipc")
    unshare(NEWIPC)
    eq(sc(68, 0x5ec2e7, 0), -errno.ENOENT, "msgget in a new namespace")
    eq(len(read("/proc/sysvipc/msg").splitlines()), 1, "lines of /proc/sysvipc/msg")
    setns(outer)
    eq(sc(68, 0x5ec2e7, 0), queue)
    eq(sc(71, queue, 0, 0), 0, "msgctl IPC_RMID")


@body
def a_pid_namespace_counts_from_one():
    def first():
        eq((os.getpid(), os.getppid()), (1, 0))
        eq((os.getpgrp(), os.getsid(0)), (0, 0))
        child_ok(lambda: eq((os.getpid(), os.getppid()), (2, 1)))
        fails(errno.ESRCH, os.kill, 99999, 0)
        os.setsid()
        eq((os.getpgrp(), os.getsid(0)), (1, 1))
    pid = clone(NEWPID, first)
    ok(pid > 1, "its number outside")
    eq(os.waitpid(pid, 0), (pid, 0))


@body
def proc_shows_its_own_processes():
    def first():
        own_mounts()
        mount("proc", "/proc", "proc")
        eq(sorted(int(n) for n in os.listdir("/proc") if n.isdigit()), [1])
        eq(os.readlink("/proc/self"), "1")
        ok("NSpid:\t1\n" in read("/proc/self/status"), "NSpid inside")
    def outside(pid):
        line = [l for l in read("/proc/%d/status" % pid).splitlines() if l.startswith("NSpid")][0]
        eq(line.split(), ["NSpid:", str(pid), "1"])
    clone_ok(NEWPID, first)
    gate = Pipe()
    pid = clone(NEWPID, lambda: gate.take() and None)
    outside(pid)
    gate.post()
    os.waitpid(pid, 0)


@body
def init_takes_orphans_and_no_signals():
    def first():
        done = Pipe()
        def middle():
            spawn(lambda: (wait_until(lambda: os.getppid() == 1, "init as the parent"),
                           os.kill(1, signal.SIGTERM), os.kill(1, signal.SIGKILL),
                           done.post()) and None)
        child_ok(middle)
        done.take()
        eq(os.waitpid(-1, 0)[1], 0)
    clone_ok(NEWPID, first)


@body
def the_end_of_init_ends_all_processes_of_its_namespace():
    r, w = os.pipe()
    def first():
        for _ in range(3):
            spawn(stay)
        os.kill(os.getpid(), 0)
        os.write(w, b"up")
        stay()
    pid = clone(NEWPID, first)
    eq(os.read(r, 2), b"up")
    os.close(w)
    os.kill(pid, signal.SIGKILL)
    eq(os.waitpid(pid, 0), (pid, signal.SIGKILL))
    eq(os.read(r, 1), b"", "no process has the pipe open")


@body
def children_are_made_in_the_new_namespace_after_unshare():
    before = ns("pid")
    unshare(NEWPID)
    eq(ns("pid"), before)
    fails(errno.ENOENT, os.open, "/proc/self/ns/pid_for_children", os.O_RDONLY)
    gives(-errno.EINVAL, NR.unshare, NEWPID)
    gate = Pipe()
    first = spawn(lambda: gate.take() and None)
    ok(ns("pid_for_children") != before, "pid_for_children")
    eq(ns("pid_for_children"), ns("pid", first))
    second = spawn(lambda: eq((os.getpid(), os.getppid()), (2, 0)))
    eq(os.waitpid(second, 0)[1], 0)
    gate.post()
    os.waitpid(first, 0)
    fails(errno.ENOMEM, os.fork)


@body
def a_pid_namespace_can_be_entered_downwards_only():
    gate = Pipe()
    outer = open_ns("pid")
    pid = clone(NEWPID, lambda: gate.take() and None)
    inner = open_ns("pid", pid)
    def enter():
        setns(inner, NEWPID)
        child_ok(lambda: eq((os.getpid(), os.getppid()), (2, 0)))
        def back():
            fails(errno.EINVAL, setns, outer, NEWPID)
        child_ok(back)
    child_ok(enter)
    gate.post()
    os.waitpid(pid, 0)


@body
def nested_pid_namespaces_translate():
    up = Pipe()
    gate = Pipe()
    def first():
        def second():
            eq(os.getpid(), 1)
            up.post(b"%8d" % 0)
            gate.take()
        inner = clone(NEWPID, second)
        line = [l for l in read("/proc/self/status").splitlines() if l.startswith("NSpid")]
        up.post(b"%8d" % inner)
        eq(os.waitpid(inner, 0), (inner, 0))
    pid = clone(NEWPID, first)
    up.take(16)
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = read("/proc/%s/status" % name)
            except OSError:
                continue
            ids = [l for l in text.splitlines() if l.startswith("NSpid")][0].split()[1:]
            if ids[-1] == "1" and len(ids) >= 3 and "PPid:\t%d\n" % pid in text:
                found.append(ids)
    eq(len(found), 1, "processes two levels down")
    eq(found[0][-2:], ["2", "1"])
    gate.post()
    os.waitpid(pid, 0)


@body
def a_file_keeps_a_namespace_and_a_pidfd_leads_there():
    gate = Pipe()
    def first():
        socket.sethostname("kept")
        gate.take()
    pid = clone(NEWUTS | NEWPID, first)
    wait_until(lambda: ns("uts", pid) != ns("uts"), "the namespace")
    pidfd = os.pidfd_open(pid)
    fails(errno.EINVAL, setns, pidfd, 0)
    held = open_ns("uts", pid)
    def enter():
        wait_until(lambda: enter_name(pidfd) == "kept", "the name")
    def enter_name(fd):
        setns(fd, NEWUTS)
        return socket.gethostname()
    child_ok(enter)
    gate.post()
    os.waitpid(pid, 0)
    fails(errno.ESRCH, setns, pidfd, NEWUTS)
    setns(held)
    eq(socket.gethostname(), "kept")


@body
def ioctls_return_kind_owner_and_parent():
    for kind, flag in KINDS.items():
        fd = open_ns(kind)
        eq(fcntl.ioctl(fd, NS_GET_NSTYPE), flag, kind)
        os.close(fd)
    uts = open_ns("uts")
    owner = fcntl.ioctl(uts, NS_GET_USERNS)
    eq(os.fstat(owner).st_ino, os.stat("/proc/self/ns/user").st_ino)
    fails(errno.EINVAL, fcntl.ioctl, uts, NS_GET_PARENT)
    fails(errno.EINVAL, fcntl.ioctl, uts, NS_GET_OWNER_UID, bytearray(4))
    pid = clone(NEWPID, stay)
    inner = open_ns("pid", pid)
    parent = fcntl.ioctl(inner, NS_GET_PARENT)
    eq(os.fstat(parent).st_ino, os.stat("/proc/self/ns/pid").st_ino)
    fails(errno.EPERM, fcntl.ioctl, open_ns("user"), NS_GET_PARENT)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@body
def a_new_network_namespace_has_a_loopback_that_is_down():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    name = "\0guest-%d" % os.getpid()
    named = socket.socket(socket.AF_UNIX)
    named.bind(name)
    unshare(NEWNET)
    eq([n for _, n in socket.if_nameindex()], ["lo"])
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flags = struct.unpack("16xH", fcntl.ioctl(probe, 0x8913, b"lo".ljust(18, b"\0")))[0]
    eq(flags & 1, 0, "IFF_UP")
    fails(errno.ENETUNREACH, socket.create_connection, ("127.0.0.1", port), 2)
    fcntl.ioctl(probe, 0x8914, struct.pack("16sH", b"lo", flags | 1))
    fails(errno.ECONNREFUSED, socket.create_connection, ("127.0.0.1", port), 2)
    mine = socket.create_server(("127.0.0.1", port))
    socket.create_connection(("127.0.0.1", port), 2)
    other = socket.socket(socket.AF_UNIX)
    fails(errno.ECONNREFUSED, other.connect, name)
    other.bind(name)
    server.getsockname()


@body
def credentials_carry_pids_of_the_receiver_s_namespace():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    def cred(s):
        _, control, _, _ = s.recvmsg(8, 64)
        return struct.unpack("3i", control[0][2])[0]
    def first():
        b.send(b"x")
        eq(cred(b), 0, "the sender has no PID in this namespace")
    pid = clone(NEWPID, first)
    eq(cred(a), pid)
    a.send(b"y")
    eq(os.waitpid(pid, 0)[1], 0)


@body
def a_signal_from_outside_has_the_sender_0():
    gate = Pipe()
    def first():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        gate.post()
        info = signal.sigwaitinfo([signal.SIGUSR1])
        eq(info.si_pid, 0)
    pid = clone(NEWPID, first)
    gate.take()
    os.kill(pid, signal.SIGUSR1)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def a_namespace_bound_to_a_file_can_be_entered_later():
    own_mounts()
    mount("none", ".", "tmpfs")
    os.chdir(os.getcwd())
    write("place", "")
    def maker():
        unshare(NEWUTS)
        socket.sethostname("bound")
        mount("/proc/self/ns/uts", "place", None, MS_BIND)
    def later():
        maker()
        child_ok(enter)
    def enter():
        setns(os.open("place", os.O_RDONLY), NEWUTS)
        eq(socket.gethostname(), "bound")
    before = ns("uts")
    child_ok(later)
    child_ok(enter)
    number = os.stat("place").st_ino
    ok(number != os.stat("/proc/self/ns/uts").st_ino, "another one")
    with open("/proc/self/mountinfo") as f:
        roots = [line.split()[3] for line in f if line.split()[4] == os.path.realpath("place")]
    eq(roots, ["uts:[%d]" % number])
    umount("place")


@body
def pid_namespaces_are_bounded():
    def deeper(level):
        try:
            unshare(NEWPID)
        except OSError as e:
            eq(e.errno, errno.ENOSPC)
            return level
        return os.WEXITSTATUS(os.waitpid(spawn(deeper, level + 1), 0)[1])
    levels = deeper(0)
    ok(30 <= levels <= 32, "levels: %d" % levels)


@body
def numbers_start_again_when_all_were_used():
    def first():
        path = "/proc/sys/kernel/ns_last_pid"
        write(path, "4194302")
        eq(read(path), "4194302\n")
        found = []
        for _ in range(3):
            pid = spawn(lambda: 0)
            os.waitpid(pid, 0)
            found.append(pid)
        eq(found, [4194303, 300, 301])
        write(path, "299")
        held = spawn(stay)
        write(path, "299")
        second = spawn(lambda: 0)
        eq((held, second), (300, 301), "a number in use is left out")
        fails(errno.EINVAL, write, path, "-1")
        os.kill(held, signal.SIGKILL)
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        skip("no ns_last_pid here")
    if int(read("/proc/sys/kernel/pid_max")) != 4194304:
        skip("another pid_max")
    clone_ok(NEWPID, first)


@body
def reboot_ends_the_init_of_its_pid_namespace():
    def first(command):
        def inside():
            eq(os.getpid(), 1)
            libc.syscall(169, 0xfee1dead, 672274793, command, 0)
            stay()
        return inside
    for command, sig in ((0x1234567, signal.SIGHUP), (0x4321fedc, signal.SIGINT)):
        pid = clone(NEWPID, first(command))
        eq(os.waitpid(pid, 0)[1], sig)
    def other():
        eq(os.getpid(), 1)
        gives(-errno.EINVAL, 169, 0xfee1dead, 672274793, 0x89abcdef, 0)
        gives(-errno.EINVAL, 169, 0xfee1dead, 1, 0x1234567, 0)
    clone_ok(NEWPID, other)
    def user():
        own = clone(NEWUSER | NEWPID, first(0x1234567))
        eq(os.waitpid(own, 0)[1], signal.SIGHUP)
    child_ok(user)


@body
def the_first_process_has_number_one_when_chosen():
    import ctypes
    ids = (ctypes.c_int * 2)(7, 0)
    args = (ctypes.c_uint64 * 11)()
    args[0], args[4], args[8], args[9] = NEWPID, 17, ctypes.addressof(ids), 1
    eq(sc(435, args, 88), -errno.EINVAL, "clone3 with set_tid 7")
    ids[0] = 1
    pid = sc(435, args, 88)
    if pid == 0:
        os._exit(0 if os.getpid() == 1 else 1)
    ok(pid > 0, "clone3: %d" % pid)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def time_namespaces_shift_the_clocks_of_children():
    unshare(NEWTIME)
    ok(ns("time") != ns("time_for_children"), "the children's is another one")
    eq(read("/proc/self/timens_offsets").split(),
       ["monotonic", "0", "0", "boottime", "0", "0"])
    write("/proc/self/timens_offsets", "monotonic 1000 0\nboottime 2000 500000000\n")
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    def child():
        eq(ns("time"), ns("time_for_children"))
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        ok(1000 <= now - before < 1010, "monotonic moved by %r" % (now - before))
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        ok(2000.5 <= now - boot < 2010, "boottime moved by %r" % (now - boot))
        fails(errno.EACCES, write, "/proc/self/timens_offsets", "monotonic 1 0")
        start = time.monotonic()
        sc(NR.clock_nanosleep, 1, 1, struct.pack("qq", int(start) + 1, 0), 0)
        ok(time.monotonic() >= int(start) + 1, "an absolute sleep ends when it should")
        ok(time.monotonic() < start + 5, "and not later")
    child_ok(child)
    ok(time.clock_gettime(time.CLOCK_MONOTONIC) - before < 100, "the parent's stays")
    fails(errno.EACCES, write, "/proc/self/timens_offsets", "monotonic 1 0")


@body
def siocgskns_returns_the_namespace_of_a_socket():
    SIOCGSKNS = 0x894C
    s, u = socket.socket(), socket.socket(socket.AF_UNIX)
    here = ns("net")
    unshare(NEWNET)
    for one in (s, u):
        fd = fcntl.ioctl(one, SIOCGSKNS)
        eq((os.readlink("/proc/self/fd/%d" % fd), fcntl.fcntl(fd, fcntl.F_GETFD)), (here, fcntl.FD_CLOEXEC))
        eq(fcntl.ioctl(fd, NS_GET_NSTYPE), NEWNET)
    eq(os.readlink("/proc/self/fd/%d" % fcntl.ioctl(socket.socket(), SIOCGSKNS)), ns("net"))
    setns(fcntl.ioctl(s, SIOCGSKNS), NEWNET)
    eq(ns("net"), here)
    os.setresuid(1000, 1000, 1000)
    fails(errno.EPERM, fcntl.ioctl, s, SIOCGSKNS)


if __name__ == "__main__":
    run()
