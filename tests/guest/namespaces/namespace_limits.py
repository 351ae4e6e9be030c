"""Limits on the namespaces of a user: /proc/sys/user (namespaces(7), "The /proc/sys/user
directory").
"""

import errno
import os
import stat

from lib.guest import (Pipe, eq, fails, libc, need_root, ok, run, spawn, test,
                       wait_until)
from lib.namespaces import (NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS,
                            as_user, clone, clone_ok, contained, map_ids, unshare)

KINDS = {"cgroup": NEWCGROUP, "ipc": NEWIPC, "mnt": NEWNS, "net": NEWNET, "pid": NEWPID,
         "time": NEWTIME, "user": NEWUSER, "uts": NEWUTS}
UNLIMITED = 2 ** 31 - 1
ONES_OF_CLONE = {k: f for k, f in KINDS.items() if k != "time"}


def path(kind):
    return "/proc/sys/user/max_%s_namespaces" % kind


def limit(kind):
    with open(path(kind)) as f:
        return int(f.read())


def set_limit(kind, text):
    fd = os.open(path(kind), os.O_WRONLY)
    try:
        return os.write(fd, str(text).encode())
    finally:
        os.close(fd)


def body(fn):
    """Makes a test whose body runs in a child, as root of a user namespace of its own."""
    def outer():
        need_root()
        def inner():
            nest()
            fn()
        contained(inner)
    outer.__name__ = fn.__name__
    return test(outer)


def nest():
    """Makes a user namespace below that of the caller, which becomes its root."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(NEWUSER)
    map_ids("self", "0 %d 1" % uid, "0 %d 1" % gid)


def soon(fn):
    """Waits for a count that Linux lowers a moment after the last member of a namespace ended."""
    def tried():
        try:
            fn()
            return True
        except OSError as e:
            eq(e.errno, errno.ENOSPC)
            return False
    wait_until(tried, "it works again")


def one(flags):
    """Makes namespaces in a child, which ends; raises the error of the child's call."""
    def inner():
        try:
            unshare(flags)
        except OSError as e:
            return e.errno
    pid = spawn(inner)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != 0:
        raise OSError(code, os.strerror(code))


@test
def the_first_namespace_has_limits():
    for kind in KINDS:
        ok(limit(kind) > 100, kind)
        eq(stat.S_IMODE(os.stat(path(kind)).st_mode), 0o644)


@body
def another_user_namespace_has_no_limits():
    for kind in KINDS:
        eq(limit(kind), UNLIMITED, kind)


@body
def limits_belong_to_the_namespace_of_the_reader():
    set_limit("user", 7)
    eq(limit("user"), 7)
    def inner():
        unshare(NEWUSER)
        eq(limit("user"), UNLIMITED)
    pid = spawn(inner)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def a_refused_value_changes_nothing():
    for text in "-1", "2147483648", "x", "1x":
        fails(errno.EINVAL, set_limit, "user", text)
    eq(limit("user"), UNLIMITED)
    eq(set_limit("user", "5\n"), 2)
    eq(limit("user"), 5)


@body
def a_limit_of_0_makes_unshare_fail():
    for kind, flag in KINDS.items():
        set_limit(kind, 0)
        fails(errno.ENOSPC, one, flag)
        set_limit(kind, UNLIMITED)
        one(flag)


@body
def a_limit_of_0_makes_clone_fail():
    for kind, flag in ONES_OF_CLONE.items():
        set_limit(kind, 0)
        fails(errno.ENOSPC, clone, flag, lambda: 0)
        set_limit(kind, UNLIMITED)
        clone_ok(flag, lambda: 0)


@body
def a_namespace_is_uncounted_when_its_last_member_ends():
    for kind, flag in KINDS.items():
        set_limit(kind, 1)
        for _ in range(3):
            soon(lambda: one(flag))


@body
def a_namespace_is_counted_while_it_has_a_member():
    set_limit("uts", 1)
    ready, go = Pipe(), Pipe()
    def holder():
        unshare(NEWUTS)
        ready.post()
        go.take()
    pid = spawn(holder)
    ready.take()
    fails(errno.ENOSPC, one, NEWUTS)
    one(NEWIPC)
    go.post()
    eq(os.waitpid(pid, 0)[1], 0)
    soon(lambda: one(NEWUTS))


@body
def an_open_file_keeps_a_namespace_counted():
    set_limit("uts", 1)
    ready, go = Pipe(), Pipe()
    def holder():
        unshare(NEWUTS)
        ready.post()
        go.take()
    pid = spawn(holder)
    ready.take()
    fd = os.open("/proc/%d/ns/uts" % pid, os.O_RDONLY)
    go.post()
    os.waitpid(pid, 0)
    fails(errno.ENOSPC, one, NEWUTS)
    os.close(fd)
    soon(lambda: one(NEWUTS))


@body
def a_failed_call_counts_no_namespace():
    set_limit("ipc", 0)
    set_limit("uts", 1)
    set_limit("mnt", 1)
    for _ in range(5):
        fails(errno.ENOSPC, one, NEWUTS | NEWNS | NEWIPC)
        fails(errno.ENOSPC, clone, NEWUTS | NEWNS | NEWIPC, lambda: 0)
    soon(lambda: one(NEWUTS | NEWNS))


@body
def a_user_namespace_inside_is_counted_outside():
    set_limit("user", 2)
    def second():
        nest()
        nest()
        fails(errno.ENOSPC, unshare, NEWUSER)
    pid = spawn(second)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def other_namespaces_inside_are_counted_outside():
    set_limit("uts", 1)
    def second():
        nest()
        unshare(NEWUTS)
        fails(errno.ENOSPC, unshare, NEWUTS)
    pid = spawn(second)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def a_lower_limit_keeps_existing_namespaces():
    def second():
        unshare(NEWUTS)
        set_limit("uts", 0)
        fails(errno.ENOSPC, unshare, NEWUTS)
        os.uname()
    pid = spawn(second)
    eq(os.waitpid(pid, 0)[1], 0)


@body
def children_hold_the_user_namespace():
    set_limit("user", 1)
    eq(libc.prctl(36, 1, 0, 0, 0), 0)  # PR_SET_CHILD_SUBREAPER
    ready, go = Pipe(), Pipe()
    def holder():
        nest()
        def child():
            ready.post()
            go.take()
        spawn(child)
        os._exit(0)
    pid = spawn(holder)
    ready.take()
    os.waitpid(pid, 0)
    fails(errno.ENOSPC, one, NEWUSER)
    go.post()
    os.wait()
    soon(lambda: one(NEWUSER))


@test
def every_user_may_read_limits():
    need_root()
    os.chmod(".", 0o755)
    def inner():
        ok(limit("user") > 0, "limit")
        fails(errno.EACCES, os.open, path("user"), os.O_WRONLY)
        fails(errno.EACCES, os.open, path("user"), os.O_RDWR)
        ok(os.access(path("user"), os.R_OK), "reads")
        ok(not os.access(path("user"), os.W_OK), "writes")
    eq(as_user(1000, inner), 0)


@test
def an_ordinary_user_changes_limits_of_its_own_namespace():
    need_root()
    os.chmod(".", 0o755)
    def inner():
        nest()
        set_limit("user", 1)
        eq(limit("user"), 1)
        nest()
        fails(errno.ENOSPC, unshare, NEWUSER)
    eq(as_user(1000, inner), 0)


@body
def without_the_capability_root_only_reads():
    CAP_SYS_RESOURCE = 24
    eq(libc.prctl(24, CAP_SYS_RESOURCE, 0, 0, 0), 0)
    os.execv("/bin/sh", ["sh", "-c", "cat %s > /dev/null || exit 1; ! (: > %s) 2> /dev/null" %
                         (path("user"), path("user"))])


@body
def a_zombie_keeps_its_user_namespace():
    set_limit("user", 1)

    def attempt():
        pid = os.fork()
        if pid == 0:
            os._exit(-libc.unshare(NEWUSER))
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return pid
    first, second = attempt(), attempt()
    eq([os.waitpid(pid, 0)[1] >> 8 for pid in (first, second)], [0, 1])
    soon(lambda: unshare(NEWUSER))


if __name__ == "__main__":
    run()
