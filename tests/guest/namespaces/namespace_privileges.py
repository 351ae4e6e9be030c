"""unshare(2), setns(2), maps of ids and mount propagation, by privilege: an error or a rule a case.
"""

import os

from lib.guest import *
from lib.namespaces import (MS_BIND, MS_PRIVATE, MS_RDONLY, MS_REC, MS_SHARED, MS_SLAVE,
                            MS_UNBINDABLE, NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME,
                            NEWUSER, NEWUTS, as_user, open_ns, own_mounts)
from lib.operands import *

KINDS = dict(mnt=NEWNS, uts=NEWUTS, ipc=NEWIPC, net=NEWNET, pid=NEWPID, cgroup=NEWCGROUP,
             time=NEWTIME, user=NEWUSER)


def result_in(run_it, fn):
    """Returns the result of fn in the process that run_it makes."""
    r, w = os.pipe()
    run_it(lambda: os.write(w, spell(fn()).encode()) and None)
    os.set_blocking(r, False)
    return os.read(r, 999).decode()


def root(fn):
    return result_in(child_ok, fn)


def user(fn):
    return result_in(lambda body: as_user(65534, body), fn)


def unshare(flags):
    return sc(NR.unshare, flags)


def inside(fn):
    """Runs fn as a user, in a user namespace that the user made."""
    return user(lambda: (works(NR.unshare, NEWUSER), fn())[1])


def write(path, text):
    try:
        fd = os.open(path, os.O_WRONLY)
        return os.write(fd, text)
    except OSError as e:
        return -e.errno


def maps(*lines, run_as=inside, deny=False, which="uid"):
    """Writes the lines to the map, one write each."""
    def fn():
        if deny:
            write("/proc/self/setgroups", b"deny")
        return then(*[write("/proc/self/%s_map" % which, line) for line in lines])
    return run_as(fn)


def new_root(fn):
    return root(lambda: (works(NR.unshare, NEWUSER), fn())[1])


def mounting(fn):
    """Runs fn in a mount namespace and a tmpfs of its own."""
    def body():
        own_mounts()
        works(NR.mount, b"base", os.getcwd().encode(), b"tmpfs", 0, None)
        os.chdir(os.getcwd())
        for name in "ab":
            os.mkdir(name)
        return fn()
    return root(body)


def mount(target, flags, source=None, kind=None):
    return sc(NR.mount, source, target, kind, flags, None)


def mounted(flags):
    """Returns the propagation of a tmpfs with this type, then that of a bind of it."""
    return mounting(lambda: then(mount(b"a", 0, b"t", b"tmpfs"), mount(b"a", flags),
                                 mount(b"b", MS_BIND, b"a")))


RULES = [
    ("maps of nothing", "EINVAL", lambda: maps(b"")),
    ("map of itself", "9", lambda: maps(b"0 65534 1")),
    ("map of itself twice", "9 EPERM", lambda: maps(b"0 65534 1", b"0 65534 1")),
    ("map of another", "EPERM", lambda: maps(b"0 0 1")),
    ("map of two", "EPERM", lambda: maps(b"0 65534 2")),
    ("map of two words", "EINVAL", lambda: maps(b"0 65534")),
    ("map of four words", "EINVAL", lambda: maps(b"0 65534 1 1")),
    ("map of letters", "EINVAL", lambda: maps(b"a 65534 1")),
    ("map of length 0", "EINVAL", lambda: maps(b"0 65534 0")),
    ("map of minus 1", "EINVAL", lambda: maps(b"4294967295 65534 1")),
    ("map of a negative number", "EINVAL", lambda: maps(b"-1 65534 1")),
    ("map that wraps", "EINVAL", lambda: maps(b"4294967290 65534 10", run_as=new_root)),
    ("map with a newline", "10", lambda: maps(b"0 65534 1\n")),
    ("map with blanks", "22", lambda: maps(b"   0    65534    1   \n")),
    ("map with an empty line", "EINVAL", lambda: maps(b"\n0 65534 1\n")),
    ("map of groups", "EPERM", lambda: maps(b"0 65534 1", which="gid")),
    ("map of groups without setgroups", "9",
     lambda: maps(b"0 65534 1", which="gid", deny=True)),
    ("map of groups of another", "EPERM", lambda: maps(b"0 0 1", which="gid", deny=True)),
    ("setgroups of another word", "EINVAL", lambda: inside(
        lambda: write("/proc/self/setgroups", b"maybe"))),
    ("setgroups allowed again", "4 EPERM", lambda: inside(lambda: then(
        write("/proc/self/setgroups", b"deny"), write("/proc/self/setgroups", b"allow")))),
    ("setgroups denied twice", "4 5", lambda: inside(lambda: then(
        write("/proc/self/setgroups", b"deny"), write("/proc/self/setgroups", b"deny\n")))),
    ("setgroups before a map", "EPERM", lambda: inside(lambda: sc(NR.setgroups, 0, None))),
    ("setuid before a map", "EINVAL", lambda: inside(lambda: sc(NR.setuid, 0))),
    ("setuid to an unmapped id", "0 EINVAL", lambda: inside(lambda: (
        write("/proc/self/uid_map", b"0 65534 1"), then(sc(NR.setuid, 0), sc(NR.setuid, 1)))[1])),
    ("map of a user outside", "EPERM", lambda: user(lambda: write("/proc/self/uid_map", b"0 0 1"))),
    ("host name of the namespace outside", "EPERM", lambda: inside(
        lambda: sc(NR.sethostname, b"x", 1))),
    ("host name of its own", "0", lambda: inside(lambda: (
        unshare(NEWUTS), sc(NR.sethostname, b"x", 1))[1])),
    ("mount in the namespace outside", "EPERM", lambda: inside(
        lambda: mount(b"/tmp", 0, b"t", b"tmpfs"))),
    ("mount in its own", "0", lambda: inside(lambda: (
        unshare(NEWNS), mount(b"/tmp", 0, b"t", b"tmpfs"))[1])),
    ("chroot in its own", "0", lambda: inside(lambda: sc(NR.chroot, b"/"))),
    ("setns to a closed one", "EBADF", lambda: sc(NR.setns, 899, 0)),
    ("setns to a pipe", "EINVAL", lambda: sc(NR.setns, os.pipe()[0], 0)),
    ("setns to a pidfd with an unknown kind", "EINVAL", lambda: sc(
        NR.setns, works(NR.pidfd_open, os.getpid(), 0), 1)),
    ("setns to the kinds of a pidfd", "0", lambda: root(lambda: sc(
        NR.setns, works(NR.pidfd_open, os.getppid(), 0), NEWUTS | NEWIPC | NEWNET))),
    ("setns to the user of a pidfd", "EINVAL", lambda: root(lambda: sc(
        NR.setns, works(NR.pidfd_open, os.getppid(), 0), NEWUSER))),
    ("shared", "0 0 0", lambda: mounted(MS_SHARED)),
    ("slave", "0 0 0", lambda: mounted(MS_SLAVE)),
    ("private", "0 0 0", lambda: mounted(MS_PRIVATE)),
    ("unbindable", "0 0 EINVAL", lambda: mounted(MS_UNBINDABLE)),
    ("two types", "0 EINVAL 0", lambda: mounted(MS_SHARED | MS_SLAVE)),
    ("a type and a flag", "0 EINVAL 0", lambda: mounted(MS_SHARED | MS_RDONLY)),
    ("a type with all below", "0 0 0", lambda: mounted(MS_SHARED | MS_REC)),
    ("a type of a directory that is no mount", "EINVAL", lambda: mounting(lambda: mount(b"a", MS_SHARED))),
    ("bind of nothing", "ENOENT", lambda: mounting(lambda: mount(b"a", MS_BIND, b"nothing"))),
    ("bind without a source", "EINVAL", lambda: mounting(lambda: mount(b"a", MS_BIND))),
    ("bind of a file on a directory", "ENOTDIR", lambda: mounting(lambda: (
        os.close(file()), mount(b"a", MS_BIND, b"file"))[1])),
    ("an unknown file system", "ENODEV", lambda: mounting(lambda: mount(b"a", 0, b"t", b"nonesuch"))),
    ("no file system", "EINVAL", lambda: mounting(lambda: mount(b"a", 0, b"t"))),
    ("unmount of a directory that is no mount", "EINVAL", lambda: mounting(lambda: sc(NR.umount2, b"a", 0))),
    ("unmount with an unknown flag", "EINVAL", lambda: mounting(lambda: sc(NR.umount2, b"a", 16))),
    ("unmount that expires by force", "EINVAL", lambda: mounting(lambda: sc(NR.umount2, b"a", 5))),
]


@cases([(kind, "0 EPERM 0" if kind != "user" else "0 0 EPERM", flag) for kind, flag in KINDS.items()])
def unshares(expected, flag):
    """Runs a case as root, as a user, and in a user namespace of its own."""
    need_root()
    eq(" ".join(run_as(lambda: unshare(flag)) for run_as in (root, user, inside)), expected)


@cases([(kind, "EINVAL" if kind == "user" else "0", flag) for kind, flag in KINDS.items()
        if kind not in ("time", "mnt")])
def enters_its_own(expected, flag):
    need_root()
    kind = next(k for k, f in KINDS.items() if f == flag)
    eq(root(lambda: sc(NR.setns, open_ns(kind), flag)), expected)


@cases([(kind, "EINVAL" if kind == "user" else "EPERM", flag) for kind, flag in KINDS.items()
        if kind != "time"])
def a_user_enters(expected, flag):
    need_root()
    kind = next(k for k, f in KINDS.items() if f == flag)
    eq(user(lambda: sc(NR.setns, open_ns(kind), flag)), expected)


@cases(RULES)
def rules(expected, fn):
    need_root()
    judged(expected, fn)


run()
