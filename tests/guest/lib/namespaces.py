"""Calls on namespaces and mounts, for guest tests about them."""

import ctypes
import os

from lib.guest import NR, Skip, end_with, in_child, libc, need_root, ok, sc, skip, test

NEWTIME, NEWNS, NEWCGROUP, NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
NEWIPC, NEWUSER, NEWPID, NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000
CLONE_FS, CLONE_VM, CLONE_SIGHAND, CLONE_THREAD = 0x200, 0x100, 0x800, 0x10000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC = 32, 4096, 8192, 16384
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH, MNT_EXPIRE = 2, 4


def _check(r, what):
    if r != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def unshare(flags):
    _check(libc.unshare(flags), "unshare")


def setns(fd, kind=0):
    _check(libc.setns(fd, kind), "setns")


def mount(source, target, kind=None, flags=0, data=None):
    enc = lambda s: None if s is None else s.encode()
    _check(libc.mount(enc(source), enc(target), enc(kind), ctypes.c_ulong(flags), enc(data)), target)


def umount(target, flags=0):
    _check(libc.umount2(target.encode(), flags), target)


def ns(name, pid="self"):
    """Returns the target of /proc/PID/ns/NAME: "kind:[number]"."""
    return os.readlink("/proc/%s/ns/%s" % (pid, name))


def open_ns(name, pid="self"):
    return os.open("/proc/%s/ns/%s" % (pid, name), os.O_RDONLY | os.O_CLOEXEC)


def clone(flags, fn, *args):
    """Forks a child with flags of clone(2), which runs fn. Returns its pid."""
    pid = sc(NR.clone, flags | 17, 0, 0, 0, 0)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid), "clone")
    if pid == 0:
        end_with(fn, *args)
    return pid


def clone_ok(flags, fn, *args):
    """Runs fn in a child with flags of clone(2), which must exit with 0."""
    pid = clone(flags, fn, *args)
    status = os.waitpid(pid, 0)[1]
    ok(status == 0, "the child in new namespaces ended with status %#x" % status)


SKIPPED = 77


def contained(fn):
    """Runs fn in a child, so that namespaces that fn unshares end with the child."""
    def body():
        try:
            fn()
        except Skip as e:
            print("skipped:", e, flush=True)
            return SKIPPED
    status = in_child(body)
    if status == SKIPPED << 8:
        skip("see the line above")
    ok(status == 0, "child ended with status %#x" % status)


def own_mounts():
    """Enters a mount namespace whose mounts are private."""
    unshare(NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def mount_test(fn):
    """A test in a mount namespace of its own, in a private tmpfs as the working directory."""
    def inside():
        own_mounts()
        mount("base", os.getcwd(), "tmpfs")
        os.chdir(os.getcwd())
        fn()

    def outer():
        need_root()
        contained(inside)
    outer.__name__ = fn.__name__
    return test(outer)


def mounts_below(prefix):
    """Maps mount points at or below an absolute path to their fields of mountinfo."""
    found = {}
    with open("/proc/self/mountinfo") as f:
        for line in f:
            fields = line.split()
            if fields[4] == prefix or fields[4].startswith(prefix + "/"):
                found[fields[4]] = fields
    return found


def propagation(path):
    """Returns the optional fields of mountinfo: "", "shared master", "unbindable" and so on."""
    fields = mounts_below(os.path.abspath(path))[os.path.abspath(path)]
    return " ".join(f.split(":")[0] for f in fields[6:fields.index("-")])


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


def map_ids(pid, uid_map, gid_map, deny=True):
    if deny:
        write("/proc/%s/setgroups" % pid, "deny")
    write("/proc/%s/uid_map" % pid, uid_map)
    write("/proc/%s/gid_map" % pid, gid_map)


def as_user(uid, fn):
    """
    Runs fn in a child with this uid and gid, without groups or capabilities: its wait status.
    """
    def body():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # Other processes of the user may read its /proc/PID.
        libc.prctl(4, 1, 0, 0, 0)
        return fn()
    return in_child(body)
