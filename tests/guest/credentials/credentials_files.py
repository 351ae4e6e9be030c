"""Credentials that checks use: files of /proc and control groups, overlays, and the set-ID
bits that a write clears.
"""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct

from lib.cgroups import end, grouped, idle
from lib.guest import NR, Pipe, child_ok, eq, fails, in_child, libc, ok, sc, skip, spawn, works
from lib.namespaces import (NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, clone, map_ids, mount,
                            own_mounts, read, unshare, write)
from lib.passing import acting_as, become, body, give, take

USER = 1000


def namespace_of(uid, flags=0):
    """Starts a process in a new user namespace of this user, without maps. Returns its pid."""
    ready = Pipe()
    def user():
        become(uid)
        pid = clone(NEWUSER | flags, idle)
        ready.post(struct.pack("i", pid))
        os.waitpid(pid, 0)
    spawn(user)
    return struct.unpack("i", ready.take(4))[0]


@body
def a_map_needs_its_opener_and_its_writer():
    pid = namespace_of(USER)
    path = "/proc/%d/uid_map" % pid
    with acting_as(USER):
        users = os.open(path, os.O_RDWR)
    roots = os.open(path, os.O_RDWR)
    # Root writes to a file that a user opened, as a set-ID program does whose output goes there.
    fails(errno.EPERM, os.write, users, b"0 0 1")
    fails(errno.EPERM, os.write, users, b"0 0 4294967295")
    # A user writes to a file that root opened.
    with acting_as(USER):
        fails(errno.EPERM, os.write, roots, b"0 0 1")
        fails(errno.EPERM, os.write, roots, b"0 1000 1")
    eq(read(path), "")
    # A map of the opener's own id needs no privilege of opener or writer.
    eq(os.write(users, b"0 1000 1"), 8)
    eq(read(path).split(), ["0", "1000", "1"])
    os.kill(pid, signal.SIGKILL)


@body
def a_map_of_groups_needs_its_opener_and_its_writer():
    pid = namespace_of(USER)
    with acting_as(USER):
        groups = os.open("/proc/%d/gid_map" % pid, os.O_RDWR)
        write("/proc/%d/setgroups" % pid, "deny")
    fails(errno.EPERM, os.write, groups, b"0 0 1")
    eq(os.write(groups, b"0 1000 1"), 8)
    os.kill(pid, signal.SIGKILL)


@body
def the_opener_must_be_in_the_namespace_or_its_parent():
    pid = namespace_of(USER)
    ours, theirs = socket.socketpair()
    def stranger():
        become(USER)
        unshare(NEWUSER)
        give(theirs, os.open("/proc/%d/uid_map" % pid, os.O_RDWR))
    child_ok(stranger)
    fd, = take(ours)
    fails(errno.EPERM, os.write, fd, b"0 1000 1")
    os.kill(pid, signal.SIGKILL)


@body
def setgroups_is_decided_when_it_is_opened():
    pid = namespace_of(USER)
    path = "/proc/%d/setgroups" % pid
    with acting_as(USER):
        fd = os.open(path, os.O_RDWR)
    with acting_as(2000):
        eq(os.write(fd, b"deny"), 4)
    eq(read(path), "deny\n")
    os.kill(pid, signal.SIGKILL)


@body
def every_user_may_write_a_map_of_project_ids():
    pid = namespace_of(USER)
    path = "/proc/%d/projid_map" % pid
    with acting_as(USER):
        eq(read(path), "")
        write(path, "5 7 10")
        eq(read(path).split(), ["5", "7", "10"])
        fails(errno.EPERM, write, path, "5 7 10")
    os.kill(pid, signal.SIGKILL)


@body
def clock_offsets_need_a_capable_opener():
    try:
        unshare(NEWTIME)
    except OSError as e:
        skip("no time namespaces: %s" % e.strerror)
    roots = os.open("/proc/self/timens_offsets", os.O_RDWR)
    with acting_as(USER):
        users = os.open("/proc/self/timens_offsets", os.O_RDWR)
    fails(errno.EPERM, os.write, users, b"monotonic 100 0\n")
    with acting_as(USER):
        eq(os.write(roots, b"monotonic 100 0\n"), 16)


@body
def a_login_uid_is_shown_in_the_opener_s_namespace():
    if not os.path.exists("/proc/self/loginuid"):
        skip("no loginuid here")
    write("/proc/self/loginuid", "1000")
    before = os.open("/proc/self/loginuid", os.O_RDONLY)
    unshare(NEWUSER)
    libc.prctl(4, 1, 0, 0, 0)
    eq(os.read(before, 20), b"1000")
    eq(read("/proc/self/loginuid"), "4294967295")


@body
def attributes_are_written_by_their_opener():
    path = "/proc/thread-self/attr/current"
    if not os.path.exists(path):
        skip("no attributes of security modules here")
    fd = os.open(path, os.O_RDWR)
    def other():
        fails(errno.EPERM, os.write, fd, b"x")
    child_ok(other)
    fails(errno.EINVAL, os.write, fd, b"x")


# /proc/sys

def opened_inside(path, flags, then=None):
    """
    Opens a file as a user in namespaces of its own: (fd, socket, pid). The user lives until the
    socket is closed.
    """
    ours, theirs = socket.socketpair()
    def user():
        ours.close()
        become(USER)
        unshare(NEWUSER | flags)
        map_ids("self", "0 1000 1", "0 1000 1")
        give(theirs, os.open(path, os.O_RDWR))
        while theirs.recv(1):
            theirs.send(read(path).encode())
    pid = spawn(user)
    theirs.close()
    return take(ours)[0], ours, pid


def asked(s):
    s.send(b"?")
    return s.recv(100).decode()


@body
def network_settings_are_those_of_the_opener():
    path = "/proc/sys/net/ipv4/ip_default_ttl"
    before = read(path)
    fd, user, pid = opened_inside(path, NEWNET)
    inside = asked(user)
    with acting_as(USER):
        eq(os.pread(fd, 100, 0).decode(), inside)
        eq(os.pwrite(fd, b"77\n", 0), 3)
    eq((read(path), asked(user)), (before, "77\n"))
    # Root's write changes the setting of the opener's namespace, not of root's own.
    eq(os.pwrite(fd, b"78\n", 0), 3)
    eq((read(path), asked(user)), (before, "78\n"))
    user.close()
    os.waitpid(pid, 0)


@body
def settings_of_links_are_those_of_the_opener():
    path = "/proc/sys/net/ipv4/conf/all/log_martians"
    before = read(path)
    fd, user, pid = opened_inside(path, NEWNET)
    with acting_as(USER):
        eq(os.pwrite(fd, b"1\n", 0), 2)
    eq((read(path), asked(user)), (before, "1\n"))
    user.close()
    os.waitpid(pid, 0)


@body
def limits_of_namespaces_are_those_of_the_opener():
    path = "/proc/sys/user/max_uts_namespaces"
    before = read(path)
    fd, user, pid = opened_inside(path, 0)
    with acting_as(USER):
        eq(os.pwrite(fd, b"3\n", 0), 2)
    eq((read(path), asked(user)), (before, "3\n"))
    user.close()
    os.waitpid(pid, 0)


@body
def settings_need_uid_0_and_no_capability():
    path = "/proc/sys/kernel/panic"
    if not os.access(path, os.W_OK):
        skip("/proc/sys cannot be written here")
    def capable():
        libc.prctl(8, 1, 0, 0, 0)
        os.setresuid(USER, USER, USER)
        header, data = struct.pack("Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
        works(NR.capget, header, data)
        _, low, inherited, _, high, _ = struct.unpack("6I", data.raw)
        works(NR.capset, header, struct.pack("6I", low, low, inherited, high, high, 0))
        os.close(os.open("/etc/shadow", os.O_RDWR))
        fails(errno.EACCES, os.open, path, os.O_WRONLY)
        fails(errno.EACCES, os.open, path, os.O_RDWR)
        os.close(os.open(path, os.O_RDONLY))
    child_ok(capable)
    def powerless():
        header = struct.pack("Ii", 0x20080522, 0)
        works(NR.capset, header, bytes(24))
        os.close(os.open(path, os.O_WRONLY))
    child_ok(powerless)


# Control groups

@grouped
def moving_needs_the_opener_s_rights(group):
    a, b = group.make("a"), group.make("b")
    pid = a.spawn(idle)
    while a.procs() != [pid]:
        os.sched_yield()
    for g in (a, b):
        os.chown(g.file("cgroup.procs"), USER, USER)
    os.chmod(group.path, 0o755)
    with acting_as(USER):
        users = os.open(b.file("cgroup.procs"), os.O_RDWR)
    # The opener may not write to the common ancestor: the user's write fails, and so does root's
    # write to the user's descriptor.
    fails(errno.EACCES, os.write, users, b"%d" % pid)
    roots = os.open(b.file("cgroup.procs"), os.O_RDWR)
    with acting_as(USER):
        eq(os.write(roots, b"%d" % pid), len(b"%d" % pid))
    eq((a.procs(), b.procs()), ([], [pid]))
    end(pid)


@grouped
def members_of_a_group_are_shown_in_the_reader_s_namespace(group):
    ours, theirs = socket.socketpair()
    def first():
        give(theirs, os.open(group.file("cgroup.procs"), os.O_RDWR))
        idle()
    pid = clone(NEWPID, first)
    fd, = take(ours)
    eq(os.write(fd, b"%d" % pid), len(b"%d" % pid))
    eq(os.pread(fd, 100, 0), b"%d\n" % pid)
    end(pid)


# Writes

CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def privileged(name, mode=0o6777):
    fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"x" * 100)
    os.fchmod(fd, mode)
    try:
        os.setxattr(name, "security.capability", CAP_NET_RAW)
    except OSError as e:
        skip("no capabilities of files here: %s" % e.strerror)
    return fd


def left(name):
    """Returns the mode of a file, and whether the file has capabilities."""
    return os.stat(name).st_mode & 0o7777, "security.capability" in os.listxattr(name)


def by_write(fd):
    os.write(fd, b"y")


def by_splice(fd):
    r, w = os.pipe()
    os.write(w, b"abc")
    eq(os.splice(r, fd, 3), 3)


def by_sendfile(fd):
    source = os.open("source", os.O_RDONLY)
    eq(os.sendfile(fd, source, 0, 3), 3)


def by_copy(fd):
    source = os.open("source", os.O_RDONLY)
    eq(os.copy_file_range(source, fd, 3), 3)


WRITES = [by_write, by_splice, by_sendfile, by_copy, lambda fd: os.ftruncate(fd, 10),
          lambda fd: os.posix_fallocate(fd, 0, 8192)]


@body
def a_write_drops_set_id_bits_by_the_writer_s_rights():
    write("source", "source")
    os.chmod("source", 0o644)
    for i, change in enumerate(WRITES):
        name = "file%d" % i
        fd = privileged(name)
        def user():
            become(USER)
            change(fd)
        eq(left(name), (0o6777, True), name)
        child_ok(user)
        eq(left(name), (0o777, False), name)


@body
def a_writer_with_cap_fsetid_keeps_set_id_bits():
    for i, change in enumerate((by_write, lambda fd: os.ftruncate(fd, 10))):
        name = "file%d" % i
        privileged(name)
        with acting_as(USER):
            fd = os.open(name, os.O_RDWR)
        change(fd)
        # A write removes the capabilities of a file in any case.
        eq(left(name), (0o6777, False), name)


# Descriptors that root opened and a user has

FS_IOC_SETFLAGS, FS_IMMUTABLE = 0x40086602, 0x10
SIOCSIFFLAGS, SIOCGIFFLAGS = 0x8914, 0x8913
AT_EMPTY_PATH = 0x1000


@body
def a_call_on_a_descriptor_checks_the_caller_not_the_opener():
    fd = os.open("file", os.O_CREAT | os.O_RDWR, 0o600)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    request = struct.pack("16sh14x", b"lo", 0)
    flags = struct.unpack_from("h", fcntl.ioctl(s, SIOCGIFFLAGS, request), 16)[0]
    with acting_as(USER):
        # The open has decided about reading and writing.
        eq(os.pwrite(fd, b"x", 0), 1)
        fails(errno.EPERM, os.fchmod, fd, 0o666)
        fails(errno.EPERM, os.fchown, fd, USER, USER)
        fails(errno.EPERM, fcntl.fcntl, fd, fcntl.F_SETFL, os.O_NOATIME)
        fails(errno.EPERM, fcntl.ioctl, s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))
        try:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", FS_IMMUTABLE))
        except OSError as e:
            ok(e.errno in (errno.EPERM, errno.ENOTTY, errno.EOPNOTSUPP), str(e))
        else:
            raise AssertionError("a user made root's file immutable")


@body
def a_reopened_descriptor_has_the_caller_s_rights():
    fd = os.open("file", os.O_CREAT | os.O_RDWR, 0o600)
    path = os.open("file", os.O_PATH)
    def user():
        become(USER)
        for one in (fd, path):
            fails(errno.EACCES, os.open, "/proc/self/fd/%d" % one, os.O_RDONLY)
            fails(errno.EPERM, os.chmod, "/proc/self/fd/%d" % one, 0o666)
            # Only the process that opened the descriptor may link its file.
            eq(sc(NR.linkat, one, b"", -100, b"name", AT_EMPTY_PATH), -errno.ENOENT)
    child_ok(user)


# Overlays

def overlaid(fn):
    """
    Runs fn as root of a user's namespaces, with an overlay `merged` of lower and upper that the
    user mounted.
    """
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(name)
        if name != "lower":
            os.chown(name, USER, USER)
    os.mkdir("lower/secret")
    write("lower/secret/text", "secret")
    os.mkdir("lower/dir")
    write("lower/dir/tool", "tool")
    os.chmod("lower/dir/tool", 0o4755)
    os.chmod("lower/secret", 0o700)
    for name in ("upper/secret", "upper/dir"):
        os.mkdir(name)
        os.chown(name, USER, USER)
    def user():
        become(USER)
        unshare(NEWUSER | NEWNS)
        map_ids("self", "0 1000 1", "0 1000 1")
        try:
            mount("none", "merged", "overlay", 0,
                  "lowerdir=lower,upperdir=upper,workdir=work,userxattr")
        except OSError as e:
            print("no overlay for users here: %s" % e.strerror)
            return 77
        fn()
    status = in_child(user)
    if status == 77 << 8:
        skip("no overlay for users here")
    eq(status, 0)


@body
def an_overlay_reads_with_the_rights_of_its_mounter():
    def look():
        # The directory belongs to the user in the overlay, but not in the lower layer.
        eq(os.stat("merged/secret").st_uid, 0)
        fails(errno.EACCES, os.listdir, "merged/secret")
        fails(errno.EACCES, os.stat, "merged/secret/text")
        fails(errno.EACCES, os.open, "merged/secret/text", os.O_RDONLY)
        eq(sorted(os.listdir("merged/dir")), ["tool"])
        eq(read("merged/dir/tool"), "tool")
    overlaid(look)


@body
def an_overlay_copies_up_files_of_its_mounter_s_users_only():
    def move():
        # The user owns the directory and may rename, but the copy would belong to root and keep
        # its set-ID bit.
        fails(errno.EOVERFLOW, os.rename, "merged/dir/tool", "merged/dir/mine")
        eq(os.listdir("upper/dir"), [])
        write("merged/dir/new", "new")
        os.rename("merged/dir/new", "merged/dir/newer")
    overlaid(move)


# Mount descriptors

FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432


@body
def a_file_system_belongs_to_the_opener_of_its_context():
    ours, theirs = socket.socketpair()
    def user():
        become(USER)
        unshare(NEWUSER | NEWNS)
        map_ids("self", "0 1000 1", "0 1000 1")
        give(theirs, works(FSOPEN, b"tmpfs", 0))
    pid = spawn(user)
    fd, = take(ours)
    os.waitpid(pid, 0)
    own_mounts()
    works(FSCONFIG, fd, 6, None, None, 0)
    top = works(FSMOUNT, fd, 0, 0)
    # The namespace has no id for root of the initial namespace.
    fails(errno.EOVERFLOW, os.mknod, "null", 0o20666, os.makedev(1, 3), dir_fd=top)
    fails(errno.EOVERFLOW, os.open, "file", os.O_CREAT | os.O_RDWR, dir_fd=top)


if __name__ == "__main__":
    from lib.guest import run
    run()
