"""Mounts of a more privileged namespace: locked mounts, and mounts of a new proc or sysfs below
them.
"""

import errno as E
import os
import struct

from lib.guest import NR, SYS, eq, fails, gives, ok, run, works
from lib.namespaces import (MNT_DETACH, MS_BIND, MS_MOVE, MS_NODEV, MS_NOEXEC, MS_NOSUID,
                            MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SHARED, MS_UNBINDABLE,
                            NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWUSER, clone_ok,
                            map_ids, mount, mount_test, mounts_below, propagation, umount,
                            unshare, write)

SYS.update(open_tree=428, move_mount=429, fsopen=430, fsconfig=431, fsmount=432, mount_setattr=442,
           pivot_root=155)
MS_NOATIME, MS_STRICTATIME, MS_RELATIME = 1024, 1 << 24, 1 << 21
MNT_FORCE = 1
CREATE, CLONE, EMPTY, RECURSIVE, T_EMPTY = 6, 1, 0x1000, 0x8000, 0x40
RDONLY, NOATIME, STRICT, ATIME = 1, 0x10, 0x20, 0x70
CWD = -100 & 2**64 - 1


def as_less(fn, more=NEWPID):
    """Runs fn in a child, as root of user and mount namespaces below the caller's."""
    here = os.getcwd()
    unshare(NEWUSER | NEWNS | more)
    map_ids("self", "0 0 1", "0 0 1")
    os.chdir(here)
    clone_ok(0, fn)


def dirs(*names):
    for name in names:
        os.makedirs(name, exist_ok=True)


def hide_others(kind):
    """Covers a file of each mount of the type: only mounts of the test then show all files."""
    for at, fields in mounts_below("").items():
        if fields[fields.index("-") + 1] == kind:
            mount("/dev/null", at + ("/uptime" if kind == "proc" else "/kernel/uevent_seqnum"),
                  None, MS_BIND)


def proc(at, flags=0):
    mount("proc", at, "proc", flags)


@mount_test
def a_proc_without_covered_parts_may_be_mounted_again():
    dirs("p", "q")
    hide_others("proc")
    proc("p")
    def less():
        proc("q")
        ok(os.path.exists("q/uptime"), "it is one")
        # A mount of the namespace's own root hides nothing of another namespace.
        mount("/dev/null", "q/uptime", None, MS_BIND)
        proc("q")
    as_less(less)


@mount_test
def a_proc_with_covered_parts_may_not_be_mounted_again():
    dirs("p", "q")
    hide_others("proc")
    proc("p")
    mount("t", "p/sys", "tmpfs")
    def less():
        fails(E.EPERM, proc, "q")
        fails(E.EPERM, proc, "q", MS_RDONLY)
        fd = works(NR.fsopen, b"proc", 1)
        works(NR.fsconfig, fd, CREATE, 0, 0, 0)
        gives(-E.EPERM, NR.fsmount, fd, 1, 0)
    as_less(less)


@mount_test
def a_bind_of_a_part_of_proc_does_not_count_as_proc():
    dirs("p", "q")
    hide_others("proc")
    mount("/proc/sys", "p", None, MS_BIND)
    as_less(lambda: fails(E.EPERM, proc, "q"))


@mount_test
def a_new_proc_is_as_read_only_as_the_old():
    dirs("p", "q")
    hide_others("proc")
    proc("p", MS_RDONLY)
    def less():
        fails(E.EPERM, proc, "q")
        proc("q", MS_RDONLY)
        fails(E.EPERM, mount, None, "q", None, MS_REMOUNT | MS_BIND)
        fails(E.EPERM, mount, None, "q", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME)
    as_less(less)


@mount_test
def a_new_proc_keeps_access_times_as_the_old():
    dirs("p", "q")
    hide_others("proc")
    proc("p", MS_NOATIME)
    def less():
        fails(E.EPERM, proc, "q")
        fails(E.EPERM, proc, "q", MS_STRICTATIME)
        proc("q", MS_NOATIME | MS_NOSUID)
    as_less(less)


@mount_test
def a_proc_needs_a_pid_namespace_of_its_own():
    dirs("p", "q")
    proc("p")
    as_less(lambda: fails(E.EPERM, proc, "q"), 0)


def sysfs(at, flags=0):
    mount("sysfs", at, "sysfs", flags)


@mount_test
def sysfs_needs_a_network_namespace_of_its_own():
    dirs("p", "q")
    hide_others("sysfs")
    sysfs("p")
    as_less(lambda: fails(E.EPERM, sysfs, "q"), 0)


@mount_test
def directories_of_sysfs_for_mounts_may_be_covered():
    dirs("p", "q")
    hide_others("sysfs")
    sysfs("p")
    mount("t", "p/fs/cgroup", "tmpfs")
    as_less(lambda: sysfs("q"), NEWNET)


@mount_test
def other_directories_of_sysfs_may_not_be_covered():
    dirs("p", "q")
    hide_others("sysfs")
    sysfs("p")
    mount("t", "p/devices", "tmpfs")
    as_less(lambda: fails(E.EPERM, sysfs, "q"), NEWNET)


@mount_test
def types_that_root_of_a_user_namespace_mounts():
    dirs("q", "l", "u", "w")
    def less():
        mount("t", "q", "tmpfs")
        mount("t", "q", "ramfs")
        mount("t", "q", "devpts", 0, "newinstance,ptmxmode=0666")
        os.close(os.open("q/ptmx", os.O_RDWR | os.O_NOCTTY))
        mount("t", "q", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w")
        fails(E.EPERM, mount, "t", "q", "devtmpfs")
        fails(E.EPERM, mount, "t", "q", "mqueue")
        fails(E.EPERM, mount, "t", "q", "cgroup2")
        fails(E.ENODEV, mount, "t", "q", "nothing")
        unshare(NEWIPC)
        mount("t", "q", "mqueue")
    as_less(less, 0)


@mount_test
def cgroup2_with_a_cgroup_namespace():
    dirs("q")
    as_less(lambda: mount("t", "q", "cgroup2"), NEWCGROUP)


def secret():
    """Makes t/dir with a file that a mount covers, and t/plain without a mount."""
    dirs("t", "q")
    mount("t", "t", "tmpfs")
    dirs("t/dir", "t/plain", "t/old")
    write("t/dir/secret", "s")
    mount("c", "t/dir", "tmpfs")


@mount_test
def a_locked_mount_is_not_unmounted_alone():
    secret()
    def less():
        for flags in 0, MNT_DETACH, 4:
            fails(E.EINVAL, umount, "t/dir", flags)
        fails(E.EINVAL, umount, "t", MNT_DETACH)
        fails(E.EINVAL, mount, "t/dir", "q", None, MS_MOVE)
        fd = os.open("t/dir", os.O_PATH)
        gives(-E.EINVAL, NR.move_mount, fd, b"", CWD, b"q", 4)
        os.chdir("t")
        gives(-E.EINVAL, NR.pivot_root, b".", b"old")
        os.chdir("..")
        # The result is the same in a further mount namespace.
        unshare(NEWNS)
        fails(E.EINVAL, umount, "t/dir", MNT_DETACH)
        mount("own", "t/dir", "tmpfs")
        umount("t/dir")
        eq(os.listdir("t/dir"), [])
    as_less(less)


@mount_test
def files_below_a_locked_mount_are_not_bound():
    secret()
    def less():
        fails(E.EINVAL, mount, "t", "q", None, MS_BIND)
        gives(-E.EINVAL, NR.open_tree, CWD, b"t", CLONE)
        mount("t/plain", "q", None, MS_BIND)
        umount("q")
        mount("t", "q", None, MS_BIND | MS_REC)
        eq(os.listdir("q/dir"), [])
        fails(E.EINVAL, umount, "q/dir", MNT_DETACH)
        fails(E.EBUSY, umount, "q")
        umount("q", MNT_DETACH)
    as_less(less)


@mount_test
def files_below_a_locked_mount_stay_hidden_after_a_lazy_unmount():
    secret()
    def less():
        mount("t", "q", None, MS_BIND | MS_REC)
        fd = os.open("q", os.O_RDONLY)
        umount("q", MNT_DETACH)
        eq(sorted(os.listdir(fd)), ["dir", "old", "plain"])
        inner = os.open("dir", os.O_RDONLY, dir_fd=fd)
        eq(os.listdir(inner), [])
        os.close(fd)
        eq(os.listdir(inner), [])
        fd = works(NR.open_tree, CWD, b"t", CLONE | RECURSIVE)
        inner = os.open(".", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        eq(os.listdir(os.open("dir", os.O_RDONLY, dir_fd=inner)), [])
    as_less(less)


@mount_test
def an_unlocked_mount_is_unmounted_alone_after_a_lazy_unmount():
    dirs("t")
    mount("t", "t", "tmpfs")
    dirs("t/dir")
    write("t/dir/seen", "s")
    mount("c", "t/dir", "tmpfs")
    fd = os.open("t", os.O_RDONLY)
    umount("t", MNT_DETACH)
    eq(os.listdir(os.open("dir", os.O_RDONLY, dir_fd=fd)), ["seen"])


@mount_test
def locked_and_unbindable_keeps_a_tree_from_being_bound():
    secret()
    mount(None, "t/dir", None, MS_UNBINDABLE)
    def less():
        eq(propagation("t/dir"), "", "a copy is not")
        mount(None, "t/dir", None, MS_UNBINDABLE)
        fails(E.EPERM, mount, "t", "q", None, MS_BIND | MS_REC)
        gives(-E.EPERM, NR.open_tree, CWD, b"t", CLONE | RECURSIVE)
        mount("t/plain", "q", None, MS_BIND | MS_REC)
    as_less(less)


def attr(set=0, clear=0):
    return struct.pack("QQQQ", set, clear, 0, 0)


@mount_test
def flags_of_a_more_privileged_namespace_stay():
    dirs("t", "q")
    all_flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("t", "t", "tmpfs", all_flags)
    def less():
        def again(path, flags):
            mount(None, path, None, MS_REMOUNT | MS_BIND | flags)
        mount("t", "q", None, MS_BIND)
        for path in "t", "q":
            for flag in MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC:
                fails(E.EPERM, again, path, all_flags & ~flag)
            fails(E.EPERM, again, path, all_flags | MS_NOATIME)
            fails(E.EPERM, again, path, all_flags | MS_STRICTATIME)
            again(path, all_flags)
            again(path, all_flags | MS_RELATIME)
            # Another user namespace owns the file system.
            fails(E.EPERM, mount, None, path, None, MS_REMOUNT | all_flags)
            for clear in 1, 2, 4, 8:
                gives(-E.EPERM, NR.mount_setattr, CWD, path.encode(), 0, attr(0, clear), 32)
            for atime in NOATIME, STRICT:
                gives(-E.EPERM, NR.mount_setattr, CWD, path.encode(), 0, attr(atime, ATIME), 32)
            gives(0, NR.mount_setattr, CWD, path.encode(), 0, attr(0, ATIME), 32)
            gives(0, NR.mount_setattr, CWD, path.encode(), RECURSIVE, attr(0x200000), 32)
    as_less(less)


@mount_test
def a_namespace_may_set_further_flags():
    dirs("t")
    mount("t", "t", "tmpfs")
    def less():
        mount(None, "t", None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        mount(None, "t", None, MS_REMOUNT | MS_BIND)
    as_less(less)


@mount_test
def a_file_system_of_the_namespace_itself_can_be_remounted():
    dirs("q", "t")
    mount("t", "t", "tmpfs")
    def less():
        mount("t", "q", "tmpfs")
        mount(None, "q", None, MS_REMOUNT | MS_RDONLY, "size=64k")
        mount(None, "q", None, MS_REMOUNT | MS_NOATIME)
        umount("q", MNT_FORCE)
        mount("t", "q", None, MS_BIND)
        fails(E.EPERM, umount, "q", MNT_FORCE)
    as_less(less)


@mount_test
def mounts_of_another_namespace_are_not_changed():
    dirs("t", "q")
    mount("t", "t", "tmpfs")
    fd = os.open("t", os.O_PATH)
    path = "/proc/self/fd/%d" % fd
    def less():
        for flags in MS_PRIVATE, MS_SHARED, MS_SHARED | MS_REC, MS_UNBINDABLE:
            fails(E.EINVAL, mount, None, path, None, flags)
        fails(E.EINVAL, mount, None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        fails(E.EINVAL, mount, path, "q", None, MS_BIND)
        fails(E.EINVAL, mount, path, "q", None, MS_MOVE)
        fails(E.EINVAL, umount, path, MNT_DETACH)
        gives(-E.EINVAL, NR.mount_setattr, fd, b"", EMPTY, attr(RDONLY), 32)
    as_less(less)


@mount_test
def a_mount_namespace_file_is_mounted_in_older_namespaces_only():
    write("f", "")
    fails(E.EINVAL, mount, "/proc/self/ns/mnt", "f", None, MS_BIND)
    def other():
        fails(E.EINVAL, mount, "/proc/%d/ns/mnt" % os.getppid(), "f", None, MS_BIND)
    clone_ok(NEWNS, other)
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        unshare(NEWNS)
        os.write(w, b"x")
        os.read(r, 0)
        os.kill(os.getpid(), 19)
        os._exit(0)
    os.read(r, 1)
    mount("/proc/%d/ns/mnt" % pid, "f", None, MS_BIND)
    ok(os.path.abspath("f") in mounts_below(os.path.abspath("f")), "mounted")
    def copied():
        eq(mounts_below(os.path.abspath("f")), {})
    clone_ok(NEWNS, copied)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    umount("f")


if __name__ == "__main__":
    run()
