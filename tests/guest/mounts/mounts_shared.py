"""Shared subtrees and mount namespaces: mount_namespaces(7), pivot_root(2), umount2(2), locked
mounts.
"""

import errno
import os

from lib.guest import NR, Pipe, eq, fails, gives, ok, run
from lib.namespaces import (MNT_DETACH, MNT_EXPIRE, MS_BIND, MS_MOVE, MS_NODEV, MS_NOEXEC,
                            MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SHARED,
                            MS_SLAVE, MS_UNBINDABLE, NEWNS, NEWUSER, clone, clone_ok, map_ids,
                            mount, mount_test, mounts_below, ns, open_ns, propagation, read,
                            setns, umount, write)


def dirs(*names):
    for name in names:
        os.makedirs(name, exist_ok=True)


def tmpfs(path, mark=None):
    mount("t", path, "tmpfs")
    if mark is not None:
        write(path + "/" + mark, "")


def bind(source, target, flags=0):
    mount(source, target, None, MS_BIND | flags)


def change(path, flags):
    mount(None, path, None, flags)


def seen(path):
    return sorted(os.listdir(path))


@mount_test
def types_change_one_at_a_time():
    dirs("a")
    tmpfs("a")
    eq(propagation("a"), "")
    change("a", MS_SHARED)
    eq(propagation("a"), "shared")
    change("a", MS_SLAVE)
    eq(propagation("a"), "", "a slave without a master is private")
    change("a", MS_SHARED)
    change("a", MS_UNBINDABLE)
    eq(propagation("a"), "unbindable")
    change("a", MS_PRIVATE)
    eq(propagation("a"), "")
    fails(errno.EINVAL, change, "a", MS_SHARED | MS_PRIVATE)
    dirs("a/sub")
    fails(errno.EINVAL, change, "a/sub", MS_SHARED)


@mount_test
def peers_see_mounts_both_ways():
    dirs("a", "b")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x", "a/y")
    bind("a", "b")
    eq(propagation("b"), "shared")
    eq(mounts_below(os.path.abspath("a"))[os.path.abspath("a")][6],
       mounts_below(os.path.abspath("b"))[os.path.abspath("b")][6], "one peer group")
    tmpfs("a/x", "from-a")
    eq(seen("b/x"), ["from-a"])
    eq(propagation("b/x"), "shared")
    tmpfs("b/y", "from-b")
    eq(seen("a/y"), ["from-b"])
    umount("b/x")
    eq(seen("a/x"), [])
    umount("a/y")
    eq(seen("b/y"), [])


@mount_test
def a_slave_receives_mounts_and_sends_none():
    dirs("a", "b")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x", "a/y")
    bind("a", "b")
    change("b", MS_SLAVE)
    eq(propagation("b"), "master")
    tmpfs("a/x", "from-a")
    eq(seen("b/x"), ["from-a"])
    eq(propagation("b/x"), "master")
    tmpfs("b/y", "from-b")
    eq(seen("a/y"), [])
    umount("a/x")
    eq(seen("b/x"), [])


@mount_test
def a_shared_slave_passes_on():
    dirs("a", "b", "c", "d")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x", "a/y")
    bind("a", "b")
    change("b", MS_SLAVE)
    change("b", MS_SHARED)
    eq(propagation("b"), "shared master")
    bind("b", "c")
    bind("b", "d")
    change("d", MS_SLAVE)
    tmpfs("a/x", "from-a")
    for name in "bcd":
        eq(seen(name + "/x"), ["from-a"], name)
    eq(propagation("b/x"), "shared master")
    eq(propagation("c/x"), "shared master")
    tmpfs("c/y", "from-c")
    eq([seen(n + "/y") for n in "abcd"], [[], ["from-c"], ["from-c"], ["from-c"]])
    umount("a/x")
    eq([seen(n + "/x") for n in "abcd"], [[], [], [], []])


@mount_test
def the_last_peer_leaves_its_slaves_alone():
    dirs("a", "b")
    tmpfs("a")
    change("a", MS_SHARED)
    bind("a", "b")
    change("b", MS_SLAVE)
    eq(propagation("b"), "master")
    change("a", MS_PRIVATE)
    eq(propagation("b"), "")


@mount_test
def a_hidden_master_is_shown_with_the_nearest_visible_peer():
    dirs("a", "b", "c", "r")
    tmpfs("a")
    change("a", MS_SHARED)
    bind("a", "b")
    change("b", MS_SLAVE)
    change("b", MS_SHARED)
    bind("b", "c")
    change("c", MS_SLAVE)
    def group(path, kind):
        fields = mounts_below(os.path.abspath(path))[os.path.abspath(path)]
        return [f.split(":")[1] for f in fields if f.startswith(kind + ":")][0]
    first, second = group("a", "shared"), group("b", "shared")
    eq(group("c", "master"), second)
    tmpfs("r")
    dirs("r/a", "r/c", "r/proc")
    bind("a", "r/a")
    bind("c", "r/c")
    mount("proc", "r/proc", "proc")
    os.chroot("r")
    line = [l for l in read("/proc/self/mountinfo").splitlines() if l.split()[4] == "/c"][0]
    eq(line.split()[6:8], ["master:" + second, "propagate_from:" + first])


@mount_test
def a_private_mount_receives_nothing():
    dirs("a", "b")
    tmpfs("a")
    dirs("a/x")
    bind("a", "b")
    tmpfs("a/x", "from-a")
    eq(seen("b/x"), [])


@mount_test
def an_unbindable_mount_is_left_out():
    dirs("a", "b", "c")
    tmpfs("a")
    dirs("a/x", "a/y")
    tmpfs("a/x", "x")
    tmpfs("a/y", "y")
    change("a/x", MS_UNBINDABLE)
    fails(errno.EINVAL, bind, "a/x", "b")
    bind("a", "c", MS_REC)
    eq([seen("c/x"), seen("c/y")], [[], ["y"]])


@mount_test
def a_bind_below_a_shared_mount_is_shared():
    dirs("a", "b", "src")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x")
    bind("a", "b")
    tmpfs("src")
    dirs("src/in")
    tmpfs("src/in", "deep")
    bind("src", "a/x", MS_REC)
    eq(seen("b/x/in"), ["deep"])
    eq([propagation("a/x"), propagation("a/x/in"), propagation("src")], ["shared", "shared", ""])
    umount("a/x", MNT_DETACH)
    eq(seen("b/x"), [])


@mount_test
def a_bind_of_a_part_receives_mounts_within_it():
    dirs("a", "b")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x/in", "a/y")
    bind("a/x", "b")
    tmpfs("a/x/in", "inside")
    tmpfs("a/y", "outside")
    eq(seen("b/in"), ["inside"])
    eq(len(mounts_below(os.path.abspath("b"))), 2)


@mount_test
def a_shared_tree_is_bound_onto_itself_and_unmounted():
    dirs("a")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x")
    counts = []
    for _ in range(4):
        bind("a", "a/x", MS_REC)
        with open("/proc/self/mountinfo") as f:
            counts.append(sum(1 for l in f if l.split()[4].startswith(os.path.abspath("a"))))
    eq(counts, [2, 6, 18, 54])
    umount("a", MNT_DETACH)
    with open("/proc/self/mountinfo") as f:
        eq(sum(1 for l in f if l.split()[4].startswith(os.path.abspath("a"))), 1)


@mount_test
def moves_from_shared_mounts_are_refused():
    dirs("a", "b", "c")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x")
    tmpfs("a/x")
    fails(errno.EINVAL, mount, "a/x", "b", None, MS_MOVE)
    tmpfs("c")
    change("c", MS_UNBINDABLE)
    dirs("a/y")
    fails(errno.EINVAL, mount, "c", "a/y", None, MS_MOVE)
    change("c", MS_PRIVATE)
    write("c/mark", "")
    mount("c", "a/y", None, MS_MOVE)
    eq(seen("a/y"), ["mark"])
    eq(propagation("a/y"), "shared")


@mount_test
def a_namespace_copy_keeps_the_group():
    dirs("a")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x", "a/y")
    up, gate = Pipe(), Pipe()
    def other():
        up.post()
        gate.take()
        eq(seen("a/x"), ["from-outside"])
        tmpfs("a/y", "from-inside")
        up.post()
        gate.take()
        eq(seen("a/x"), [])
    pid = clone(NEWNS, other)
    up.take()
    tmpfs("a/x", "from-outside")
    gate.post()
    up.take()
    eq(seen("a/y"), ["from-inside"])
    umount("a/x")
    gate.post()
    eq(os.waitpid(pid, 0)[1], 0)
    eq(seen("a/y"), ["from-inside"], "it stays without the other namespace")


@mount_test
def a_private_namespace_is_apart():
    dirs("a")
    def other():
        tmpfs("a", "inside")
        eq(seen("a"), ["inside"])
    clone_ok(NEWNS, other)
    eq(seen("a"), [])


@mount_test
def busy_mounts_and_lazy_umount():
    dirs("a")
    tmpfs("a", "mark")
    fd = os.open("a/mark", os.O_RDWR)
    fails(errno.EBUSY, umount, "a")
    dirs("a/in")
    tmpfs("a/in")
    fails(errno.EBUSY, umount, "a")
    umount("a", MNT_DETACH)
    eq(seen("a"), [])
    eq(os.write(fd, b"still"), 5)
    fails(errno.EINVAL, umount, "a")


@mount_test
def a_busy_copy_keeps_all_mounts():
    dirs("a", "b")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x")
    bind("a", "b")
    tmpfs("a/x", "mark")
    fd = os.open("b/x/mark", os.O_RDONLY)
    fails(errno.EBUSY, umount, "a/x")
    os.close(fd)
    umount("a/x")
    eq(seen("b/x"), [])


@mount_test
def expiry_takes_two_calls():
    dirs("a")
    tmpfs("a", "mark")
    fails(errno.EINVAL, umount, "a", MNT_EXPIRE | MNT_DETACH)
    fails(errno.EAGAIN, umount, "a", MNT_EXPIRE)
    os.stat("a/mark")
    fails(errno.EAGAIN, umount, "a", MNT_EXPIRE)
    umount("a", MNT_EXPIRE)
    eq(seen("a"), [])


@mount_test
def pivot_root_needs_private_parents():
    dirs("new")
    tmpfs("new")
    dirs("new/old")
    here = os.getcwd()
    change(here, MS_SHARED)
    gives(-errno.EINVAL, NR.pivot_root, b"new", b"new/old")
    change(here, MS_PRIVATE)
    gives(-errno.EINVAL, NR.pivot_root, b"new/old", b"new/old")
    change("/", MS_SHARED)
    change("/", MS_PRIVATE)
    gives(0, NR.pivot_root, b"new", b"new/old")
    os.chdir("/")
    eq(seen("/"), ["old"])
    umount("/old", MNT_DETACH)
    eq(seen("/old"), [])
    eq([line.split()[4] for line in _lines("/")], ["/"])


def _lines(_):
    mount("proc", "/old", "proc")
    with open("/old/self/mountinfo") as f:
        return [l for l in f if l.split()[4] != "/old"]


@mount_test
def another_user_namespace_gets_slaves_and_cannot_clear_flags():
    dirs("a", "ro")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x", "a/y")
    mount("r", "ro", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV)
    write_map = Pipe()
    ready, go = Pipe(), Pipe()
    def other():
        ready.post()
        write_map.take()
        eq(propagation("a"), "master")
        fails(errno.EINVAL, umount, "ro")
        fails(errno.EPERM, mount, None, "ro", None, MS_REMOUNT | MS_BIND)
        fails(errno.EPERM, mount, None, "ro", None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        mount(None, "ro", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
        fails(errno.EINVAL, bind, os.getcwd(), "a/y")
        tmpfs("a/y", "inside")
        ready.post()
        go.take()
        eq(seen("a/x"), ["outside"])
        umount("a/y")
    pid = clone(NEWUSER | NEWNS, other)
    ready.take()
    map_ids(pid, "0 0 1", "0 0 1", False)
    write_map.post()
    ready.take()
    eq(seen("a/y"), [])
    tmpfs("a/x", "outside")
    go.post()
    eq(os.waitpid(pid, 0)[1], 0)


@mount_test
def a_tree_moves_below_a_peer_of_its_own():
    dirs("a", "b", "c", "d")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x")
    bind("a", "b")
    bind("a", "c")
    mount("a", "b/x", None, MS_MOVE)
    here = os.getcwd()
    below = [p[len(here):] for p in mounts_below(here)]
    # The moved tree gets a copy of itself, without that copy.
    eq(sorted(below), ["", "/b", "/b/x", "/b/x/x", "/c", "/c/x"])


@mount_test
def a_slave_below_a_shared_mount_has_a_copy_that_is_not_shared():
    dirs("t", "s")
    tmpfs("s")
    change("s", MS_SHARED)
    dirs("s/x")
    tmpfs("t")
    dirs("t/in")
    bind("s", "t/in")
    change("t/in", MS_SLAVE)
    mount("t", "s/x", None, MS_MOVE)
    eq(propagation("s/x"), "shared")
    eq(propagation("s/x/in"), "shared master")
    eq(propagation("s/x/in/x"), "master")


@mount_test
def a_mount_on_a_propagated_copy_takes_its_place():
    dirs("a", "b")
    tmpfs("a")
    change("a", MS_SHARED)
    dirs("a/x")
    bind("a", "b")
    change("b", MS_SLAVE)
    tmpfs("a/x", "first")
    tmpfs("b/x", "second")
    umount("a/x")
    eq(seen("b/x"), ["second"])
    umount("b/x")
    eq(seen("b/x"), [])


@mount_test
def the_caller_of_clone_keeps_its_mounts():
    eq(ns("mnt"), ns("mnt", os.getpid()))
    before = ns("mnt")
    def other():
        ok(ns("mnt") != before, "another one")
        setns_back = open_ns("mnt", os.getppid())
        setns(setns_back, NEWNS)
        eq(ns("mnt"), before)
        eq(os.getcwd(), "/")
    clone_ok(NEWNS, other)


if __name__ == "__main__":
    run()
