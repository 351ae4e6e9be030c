"""User namespaces: user_namespaces(7): maps of ids, rights of their root, access from outside."""

import ctypes
import errno
import os
import signal
import socket
import stat
import struct

from lib.guest import (Pipe, child_ok, eq, fails, gives, libc, need_root, ok, run, sc, skip, spawn,
                       test)
from lib.namespaces import (NEWIPC, NEWNET, NEWNS, NEWUSER, NEWUTS, as_user, clone, contained,
                            map_ids, mount, open_ns, read, setns, unshare, write)


def body(fn):
    """Makes a test whose body runs in a child, in a directory that all users may enter."""
    def outer():
        need_root()
        os.chmod(".", 0o755)
        contained(fn)
    outer.__name__ = fn.__name__
    return test(outer)


def user_ok(uid, fn):
    status = as_user(uid, fn)
    ok(status == 0, "child of uid %d ended with status %#x" % (uid, status))


def own_namespace(more=0):
    """Makes the caller root of a user namespace of its own, as unshare -r does."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(NEWUSER | more)
    map_ids("self", "0 %d 1" % uid, "0 %d 1" % gid)


def caps():
    with open("/proc/self/status") as f:
        return {l.split()[0]: int(l.split()[1], 16) for l in f if l.startswith("Cap")}


def mapped(fn, uid_map, gid_map, flags=0, deny=False):
    """Runs fn as root of a new user namespace whose maps are written from outside: wait status."""
    ready, go = Pipe(), Pipe()
    def inner():
        ready.post()
        go.take()
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        libc.prctl(4, 1, 0, 0, 0)
        return fn()
    pid = clone(NEWUSER | flags, inner)
    ready.take()
    map_ids(pid, uid_map, gid_map, deny)
    go.post()
    return os.waitpid(pid, 0)[1]


@body
def without_a_map_every_user_is_the_overflow_user():
    def user():
        unshare(NEWUSER)
        eq((os.getuid(), os.geteuid(), os.getgid()), (65534, 65534, 65534))
        eq(os.getresuid(), (65534,) * 3)
        eq(read("/proc/self/uid_map"), "")
        full = caps()
        eq(full["CapEff:"], full["CapBnd:"])
        ok(full["CapEff:"] & 0xff == 0xff, "all capabilities")
        eq(os.stat("/etc/passwd").st_uid, 65534)
        fails(errno.EINVAL, os.setuid, 0)
        fails(errno.EINVAL, os.chown, ".", 0, 0)
    user_ok(1000, user)


@body
def an_ordinary_user_maps_itself():
    def user():
        own_namespace()
        eq((os.getuid(), os.getgid()), (0, 0))
        eq(read("/proc/self/uid_map").split(), ["0", "1000", "1"])
        eq(read("/proc/self/setgroups"), "deny\n")
        fails(errno.EPERM, os.setgroups, [0])
        fails(errno.EINVAL, os.setuid, 1)
        eq(os.stat("/etc/passwd").st_uid, 65534)
        fails(errno.EPERM, os.chown, "/etc/passwd", 0, 0)
        fails(errno.EACCES, open, "/etc/shadow")
        fails(errno.EPERM, write, "/proc/self/uid_map", "0 1000 1")
    user_ok(1000, user)


@body
def rules_for_maps():
    def user():
        unshare(NEWUSER)
        fails(errno.EPERM, write, "/proc/self/uid_map", "0 0 1")
        fails(errno.EPERM, write, "/proc/self/uid_map", "0 1000 2")
        fails(errno.EINVAL, write, "/proc/self/uid_map", "0 1000")
        fails(errno.EINVAL, write, "/proc/self/uid_map", "0 1000 0")
        fails(errno.EINVAL, write, "/proc/self/uid_map", "x")
        fails(errno.EPERM, write, "/proc/self/gid_map", "0 1000 1")
        write("/proc/self/setgroups", "deny")
        write("/proc/self/gid_map", "0 1000 1")
        fails(errno.EPERM, write, "/proc/self/setgroups", "deny")
        fails(errno.EPERM, write, "/proc/self/setgroups", "allow")
        write("/proc/self/uid_map", "5 1000 1\n")
        eq(os.getuid(), 5)
    user_ok(1000, user)


@body
def overlapping_ranges_are_refused():
    pid = clone(NEWUSER, lambda: signal.pause())
    path = "/proc/%d/uid_map" % pid
    fails(errno.EINVAL, write, path, "0 0 10\n5 100 10\n")
    fails(errno.EINVAL, write, path, "0 0 10\n20 5 10\n")
    fails(errno.EINVAL, write, path, "0 0 4294967295\n4294967295 0 1\n")
    write(path, "0 100000 1000\n2000 0 10\n")
    eq(read(path).split(), ["0", "100000", "1000", "2000", "0", "10"])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@body
def forms_of_a_map():
    def tried(*texts):
        pid = clone(NEWUSER, lambda: signal.pause())
        fd = os.open("/proc/%d/uid_map" % pid, os.O_RDWR)
        try:
            return [os.write(fd, text) for text in texts], os.pread(fd, 4096, 0).split()[:3]
        finally:
            os.close(fd)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    eq(tried(b"0 0 1 \t"), ([7], [b"0", b"0", b"1"]))
    eq(tried(b"0 0 1" + b" " * 4090), ([4095], [b"0", b"0", b"1"]))
    eq(tried(b"0 0 1\n" + b"\0" * 100), ([106], [b"0", b"0", b"1"]))
    # A number of more than 32 bits wraps.
    eq(tried(b"4294967296 0 4294967297\n"), ([24], [b"0", b"0", b"1"]))
    for text in (b"0 0 1" + b" " * 4091, b"0 0 1\n" + b"\0" * 5000, b"0 0 1\n\n", b"\n0 0 1", b"", b"0 0 1 x", b"0x10 0 1"):
        fails(errno.EINVAL, tried, text)
    # A second write, at the offset behind the first.
    fails(errno.EINVAL, tried, b"0 0 1\n", b"1 1 1\n")


@body
def setgroups_is_one_word():
    pid = clone(NEWUSER, lambda: signal.pause())
    for text in (b"den", b"denyx", b"deny    ", b"", b"allow\n\n\n"):
        fd = os.open("/proc/%d/setgroups" % pid, os.O_WRONLY)
        fails(errno.EINVAL, os.write, fd, text)
    eq(os.write(fd, b"deny\0xx"), 7)
    fails(errno.EINVAL, os.write, fd, b"deny")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@body
def root_maps_a_range_and_ids_are_translated():
    write("mine", "")
    os.chown("mine", 100007, 100008)
    write("outside", "")
    os.chown("outside", 4242, 4242)
    os.chmod(".", 0o777)
    def inside():
        os.setgroups([3, 4])
        eq(sorted(os.getgroups()), [3, 4])
        s = os.stat("mine")
        eq((s.st_uid, s.st_gid), (7, 8))
        os.chown("mine", 9, 9)
        fails(errno.EINVAL, os.chown, "mine", 1000, -1)
        fails(errno.EPERM, os.chown, "outside", 9, 9)
        fails(errno.EPERM, os.chmod, "outside", 0o777)
        os.setresgid(5, 5, 5)
        os.setresuid(5, 6, 7)
        eq(os.getresuid(), (5, 6, 7))
        write("made", "")
        eq(os.stat("made").st_uid, 6)
        line = [l for l in read("/proc/self/status").splitlines() if l.startswith("Uid")][0]
        eq(line.split()[1:], ["5", "6", "7", "6"])
    eq(mapped(inside, "0 100000 1000", "0 100000 1000"), 0)
    eq((os.stat("mine").st_uid, os.stat("made").st_uid), (100009, 100006))
    eq(os.stat("made").st_gid, 100005)


@body
def capabilities_count_over_mapped_files_only():
    os.chmod(".", 0o777)
    os.mkdir("theirs")
    write("theirs/file", "text")
    os.chown("theirs/file", 100001, 100001)
    os.chown("theirs", 100001, 100001)
    os.chmod("theirs/file", 0)
    os.chmod("theirs", 0)
    os.mkdir("foreign")
    write("foreign/file", "text")
    os.chmod("foreign/file", 0)
    def inside():
        eq(read("theirs/file"), "text")
        fails(errno.EACCES, open, "foreign/file")
        os.unlink("theirs/file")
        fails(errno.EACCES, os.unlink, "foreign/file")
        fails(errno.EPERM, os.mknod, "node", stat.S_IFCHR, os.makedev(1, 3))
    eq(mapped(inside, "0 100000 1000", "0 100000 1000"), 0)


@body
def root_of_a_namespace_owns_its_own_namespaces_only():
    def user():
        fails(errno.EPERM, unshare, NEWUTS)
        own_namespace()
        fails(errno.EPERM, socket.sethostname, "x")
        unshare(NEWUTS | NEWNS | NEWIPC | NEWNET)
        socket.sethostname("inside")
        mount("none", "/tmp", "tmpfs")
        write("/tmp/file", "")
        eq(os.stat("/tmp/file").st_uid, 0)
        fails(errno.EPERM, os.mknod, "/tmp/null", stat.S_IFCHR, os.makedev(1, 3))
        os.chroot("/tmp")
        gives(-errno.EPERM, 164, struct.pack("4q", 1, 0, 0, 0), 0)
    user_ok(1000, user)


@body
def a_process_in_a_chroot_makes_no_user_namespace():
    os.mkdir("root")
    os.chroot("root")
    os.chdir("/")
    fails(errno.EPERM, unshare, NEWUSER)


@body
def threads_and_shared_contexts():
    import threading
    done = threading.Event()
    t = threading.Thread(target=done.wait)
    t.start()
    fails(errno.EINVAL, unshare, NEWUSER)
    done.set()
    t.join()
    fails(errno.EINVAL, setns, open_ns("user"))


@body
def the_maker_has_all_capabilities_inside():
    ready = Pipe()
    def user():
        def inner():
            ready.post()
            signal.pause()
        pid = clone(NEWUSER | NEWUTS, inner)
        ready.take()
        map_ids(pid, "0 1000 1", "0 1000 1")
        fd, uts = open_ns("user", pid), open_ns("uts", pid)
        def enter():
            setns(fd, NEWUSER)
            eq(os.getuid(), 0)
            setns(uts, NEWUTS)
            socket.sethostname("entered")
        child_ok(enter)
        fails(errno.EPERM, setns, uts, NEWUTS)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    user_ok(1000, user)


@body
def another_user_may_not_enter():
    ready = Pipe()
    def inner():
        ready.post()
        signal.pause()
    pid = clone(NEWUSER, inner)
    ready.take()
    map_ids(pid, "0 100000 10", "0 100000 10", False)
    fd = open_ns("user", pid)
    def user():
        fails(errno.EPERM, setns, fd, NEWUSER)
        fails(errno.EACCES, os.readlink, "/proc/%d/ns/user" % pid)
        fails(errno.EPERM, os.kill, pid, 0)
    user_ok(1000, user)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@body
def nested_namespaces_map_through():
    def inside():
        def deeper():
            eq(os.getuid(), 0)
            eq(read("/proc/self/uid_map").split(), ["0", "5", "3"])
            write("deep", "")
            eq(os.stat("deep").st_uid, 0)
        eq(mapped(deeper, "0 5 3", "0 5 3"), 0)
        pid = clone(NEWUSER, lambda: signal.pause())
        fails(errno.EPERM, write, "/proc/%d/uid_map" % pid, "0 9 2")
        os.kill(pid, signal.SIGKILL)
    os.chmod(".", 0o777)
    eq(mapped(inside, "0 100000 10", "0 100000 10"), 0)
    eq(os.stat("deep").st_uid, 100005)


@body
def set_user_id_of_an_unmapped_owner_has_no_effect():
    import shutil
    shutil.copy("/bin/sh" if os.path.exists("/bin/sh") else "/usr/bin/sh", "prog")
    shutil.copy(shutil.which("id") or "/usr/bin/id", "id")
    os.chown("id", 0, 0)
    os.chmod("id", 0o4755)
    def inside():
        os.setresuid(1, 1, 1)
        r, w = os.pipe()
        pid = spawn(lambda: (os.dup2(w, 1), os.execv("./id", ["id", "-u"])))
        os.close(w)
        os.waitpid(pid, 0)
        eq(os.read(r, 64), b"1\n", "the namespace does not map root outside")
    eq(mapped(inside, "0 100000 10", "0 100000 10"), 0)
    os.chown("id", 100003, 100003)
    os.chmod("id", 0o4755)
    def inside2():
        os.setresuid(1, 1, 1)
        r, w = os.pipe()
        pid = spawn(lambda: (os.dup2(w, 1), os.execv("./id", ["id", "-u"])))
        os.close(w)
        os.waitpid(pid, 0)
        eq(os.read(r, 64), b"3\n")
    eq(mapped(inside2, "0 100000 10", "0 100000 10"), 0)


@body
def levels_are_bounded():
    def deeper(level):
        try:
            unshare(NEWUSER)
        except OSError as e:
            eq(e.errno, errno.ENOSPC)
            return level
        map_ids("self", "0 0 1", "0 0 1")
        return os.WEXITSTATUS(os.waitpid(spawn(deeper, level + 1), 0)[1])
    levels = deeper(0)
    ok(levels in (32, 33), "levels: %d" % levels)


@body
def file_capabilities_name_the_root_of_their_namespace():
    os.chmod(".", 0o777)
    write("prog", "")
    os.chown("prog", 100001, 100001)
    write("foreign", "")
    v2 = struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0)
    def inside():
        os.setxattr("prog", "security.capability", v2)
        eq(os.getxattr("prog", "security.capability"), v2, "inside it is the plain form")
        fails(errno.EPERM, os.setxattr, "foreign", "security.capability", v2)
    eq(mapped(inside, "0 100000 10", "0 100000 10"), 0)
    eq(os.getxattr("prog", "security.capability"),
       struct.pack("<6I", 0x03000001, 0x2000, 0, 0, 0, 100000))
    os.setxattr("foreign", "security.capability", v2)
    eq(os.getxattr("foreign", "security.capability"), v2)
    fails(errno.EINVAL, os.setxattr, "prog", "security.capability", b"xx")
    def other():
        fails(errno.EOVERFLOW, os.getxattr, "prog", "security.capability")
        eq(os.getxattr("foreign", "security.capability"), v2)
    eq(mapped(other, "0 200000 10", "0 200000 10"), 0)


@body
def acls_are_translated():
    os.chmod(".", 0o777)
    write("file", "")
    os.chown("file", 100000, 100000)
    def acl(uid):
        return struct.pack("<I", 2) + b"".join(
            struct.pack("<HHI", *e) for e in ((1, 6, 0xffffffff), (2, 4, uid), (4, 4, 0xffffffff),
                                              (16, 4, 0xffffffff), (32, 0, 0xffffffff)))
    name = "system.posix_acl_access"
    def inside():
        try:
            os.setxattr("file", name, acl(5))
        except OSError as e:
            if e.errno == errno.EOPNOTSUPP:
                return 42
            raise
        eq(os.getxattr("file", name), acl(5))
        fails(errno.EINVAL, os.setxattr, "file", name, acl(50))
    status = mapped(inside, "0 100000 10", "0 100000 10")
    if status == 42 << 8:
        skip("no ACLs on this file system")
    eq(status, 0)
    eq(os.getxattr("file", name), acl(100005))


@body
def ipc_objects_show_translated_owners():
    def inside():
        unshare(NEWIPC)
        queue = sc(68, 0, 0o600)
        ok(queue >= 0, "msgget")
        os.setresgid(4, 4, 4)
        os.setresuid(3, 3, 3)
        other = sc(68, 0, 0o600)
        ok(other >= 0, "msgget")
        buf = bytearray(120)
        import ctypes
        raw = (ctypes.c_char * 120).from_buffer(buf)
        eq(sc(71, other, 2, raw), 0, "msgctl IPC_STAT")
        eq(struct.unpack_from("<4I", buf, 4), (3, 4, 3, 4))
        eq(sc(71, queue, 0, 0), -errno.EPERM)
        eq(sc(71, other, 0, 0), 0)
    eq(mapped(inside, "0 100000 10", "0 100000 10"), 0)


@body
def messages_carry_translated_ids():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    def cred(s):
        _, control, _, _ = s.recvmsg(8, 64)
        return struct.unpack("3i", control[0][2])[1:]
    def inside():
        eq(cred(b), (65534, 65534), "root outside")
        os.setresgid(4, 4, 4)
        os.setresuid(3, 3, 3)
        b.send(b"y")
    a.send(b"x")
    eq(mapped(inside, "0 100000 10", "0 100000 10"), 0)
    eq(cred(a), (100003, 100004))


@body
def signals_carry_the_uid_that_the_receiver_sees():
    gate = Pipe()
    def inside():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        gate.post()
        info = signal.sigwaitinfo([signal.SIGUSR1])
        eq(info.si_uid, 65534)
        ppid = os.getppid()
        os.setresuid(3, 3, 3)
        fails(errno.EPERM, os.kill, ppid, signal.SIGUSR2)
    ready, go = Pipe(), Pipe()
    def inner():
        ready.post()
        go.take()
        inside()
    pid = clone(NEWUSER, inner)
    ready.take()
    map_ids(pid, "0 100000 10", "0 100000 10", False)
    go.post()
    gate.take()
    os.kill(pid, signal.SIGUSR1)
    eq(os.waitpid(pid, 0)[1], 0)


if __name__ == "__main__":
    run()
