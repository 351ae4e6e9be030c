"""Control groups of version 2 (cgroups(7), cgroup-v2.rst of Linux): tree, members, controllers."""

import ctypes
import errno
import os
import select
import signal
import struct
import threading
import time

from lib.cgroups import (Group, clear, controlled, end, entered, grouped, idle, killed, put, read)
from lib.guest import (NR, between, child_ok, eq, fails, ok, run, sc, skip, spawn, test,
                       wait_until)
from lib.namespaces import (NEWCGROUP, NEWNS, clone_ok, end_with, mount, mounts_below, umount,
                            unshare)


def path_of(pid="self"):
    line = [l for l in read("/proc/%s/cgroup" % pid).splitlines() if l.startswith("0::")][0]
    return line[3:]


@grouped
def a_new_group_has_its_files(group):
    names = os.listdir(group.path)
    for name in ("controllers", "events", "freeze", "kill", "max.depth", "max.descendants", "procs",
                 "stat", "subtree_control", "threads", "type"):
        ok("cgroup." + name in names, name)
    ok("cpu.stat" in names, "cpu.stat")
    eq(group.read("cgroup.type"), "domain\n")
    eq(group.read("cgroup.events"), "populated 0\nfrozen 0\n")
    eq(group.read("cgroup.max.depth"), "max\n")
    eq(group.read("cgroup.procs"), "")
    eq(os.stat(group.file("cgroup.procs")).st_mode & 0o777, 0o644)
    eq(os.stat(group.file("cgroup.kill")).st_mode & 0o777, 0o200)
    eq(os.stat(group.file("cgroup.events")).st_mode & 0o777, 0o444)
    eq(os.stat(group.path).st_nlink, 2)
    eq(os.statvfs(group.path).f_namemax, 255)


@grouped
def the_root_group_has_no_limits(group):
    root = Group(os.path.dirname(group.path))
    names = os.listdir(root.path)
    for name in ("controllers", "max.depth", "max.descendants", "procs", "stat", "subtree_control",
                 "threads"):
        ok("cgroup." + name in names, name)
    for name in ("cgroup.events", "cgroup.freeze", "cgroup.kill", "cgroup.type", "cpu.max",
                 "memory.max", "memory.current", "pids.max", "pids.current"):
        ok(name not in names, name)
    depth = root.read("cgroup.max.depth").strip()
    root.put("cgroup.max.depth", depth)


@test
def the_hierarchy_is_mounted_at_sys_fs_cgroup():
    with open("/proc/self/mounts") as f:
        kinds = [line.split()[2] for line in f if line.split()[1].startswith("/sys/fs/cgroup")]
    ok("cgroup2" in kinds, "mounts: %s" % kinds)


@grouped
def attributes_of_groups_and_files(group):
    for path in group.path, group.file("cgroup.procs"):
        for name in "user.note", "trusted.note":
            fails(errno.ENODATA, os.getxattr, path, name)
            fails(errno.ENODATA, os.removexattr, path, name)
            os.setxattr(path, name, b"value")
            eq(os.getxattr(path, name), b"value")
            fails(errno.EEXIST, os.setxattr, path, name, b"", os.XATTR_CREATE)
        eq(sorted(os.listxattr(path)), ["trusted.note", "user.note"])
        fails(errno.EOPNOTSUPP, os.setxattr, path, "system.note", b"")
        os.removexattr(path, "trusted.note")
    for i in range(127):
        os.setxattr(group.path, "user.%d" % i, b"")
    for name in "user.one_more", "user.note":
        fails(errno.ENOSPC, os.setxattr, group.path, name, b"")
    for i in range(127):
        os.removexattr(group.path, "user.%d" % i)
    os.setxattr(group.path, "user.1", bytes(65536))
    fails(errno.ENOSPC, os.setxattr, group.path, "user.2", bytes(65536))


@grouped
def only_groups_are_made_in_a_hierarchy(group):
    fails(errno.EACCES, os.open, group.file("x"), os.O_CREAT | os.O_RDWR)
    fails(errno.EPERM, os.unlink, group.file("cgroup.procs"))
    fails(errno.EPERM, os.symlink, "a", group.file("x"))
    fails(errno.EINVAL, os.mkdir, group.file("a\nb"))
    fails(errno.EEXIST, os.mkdir, group.file("cgroup.procs"))
    group.make("a")
    fails(errno.EEXIST, os.mkdir, group.file("a"))
    fails(errno.EPERM, os.rename, group.file("a"), group.file("b"))
    eq(os.stat(group.path).st_nlink, 3)
    os.rmdir(group.file("a"))
    fails(errno.ENOENT, os.stat, group.file("a"))
    eq(os.stat(group.path).st_nlink, 2)


@grouped
def bad_values_are_refused(group):
    for name, text, code in (
            ("cgroup.freeze", "2", errno.ERANGE), ("cgroup.freeze", "x", errno.EINVAL),
            ("cgroup.kill", "0", errno.ERANGE), ("cgroup.kill", "x", errno.EINVAL),
            ("cgroup.type", "domain", errno.EINVAL), ("cgroup.events", "x", errno.EINVAL),
            ("cgroup.procs", "999999", errno.ESRCH), ("cgroup.procs", "abc", errno.EINVAL),
            ("cgroup.procs", "-5", errno.EINVAL), ("cgroup.max.depth", "-1", errno.ERANGE),
            ("cgroup.max.descendants", "x", errno.EINVAL),
            ("cgroup.subtree_control", "+nothing", errno.EINVAL),
            ("cgroup.subtree_control", "pids", errno.EINVAL)):
        fails(code, group.put, name, text)
    fails(errno.EINVAL, group.read, "cgroup.kill")


@grouped
def a_moved_process_populates_its_group(group):
    child = group.make("a")
    before = path_of()
    pid = spawn(idle)
    child.put("cgroup.procs", " %d\n" % pid)
    eq(child.procs(), [pid])
    eq(group.procs(), [])
    eq((child.is_populated(), group.is_populated()), (True, True))
    ok(path_of(pid).endswith("/a"), path_of(pid))
    fails(errno.EBUSY, os.rmdir, child.path)
    fails(errno.EBUSY, os.rmdir, group.path)
    group.put("cgroup.procs", pid)
    eq((child.is_populated(), group.is_populated()), (False, True))
    eq(group.procs(), [pid])
    os.rmdir(child.path)
    end(pid)
    eq((group.is_populated(), path_of()), (False, before))


@grouped
def children_and_threads_start_in_the_group_of_their_maker(group):
    def body():
        group.enter()
        pid = spawn(idle)
        hold = threading.Event()
        thread = threading.Thread(target=hold.wait)
        thread.start()
        eq(sorted(group.procs()), sorted([os.getpid(), pid]))
        eq(sorted(group.procs("cgroup.threads")), sorted([os.getpid(), pid, thread.native_id]))
        hold.set()
        thread.join()
        end(pid)
    child_ok(body)
    eq(group.procs(), [])


@grouped
def all_threads_move_together(group):
    def body():
        hold = threading.Event()
        thread = threading.Thread(target=hold.wait)
        thread.start()
        group.put("cgroup.procs", thread.native_id)
        eq(group.procs(), [os.getpid()])
        eq(len(group.procs("cgroup.threads")), 2)
        other = group.make("a")
        fails(errno.EOPNOTSUPP, other.put, "cgroup.threads", thread.native_id)
        hold.set()
        thread.join()
    child_ok(body)


@grouped
def limits_of_depth_and_descendants_hold(group):
    group.put("cgroup.max.descendants", "1")
    child = group.make("a")
    fails(errno.EAGAIN, os.mkdir, group.file("b"))
    fails(errno.EAGAIN, os.mkdir, child.file("b"))
    group.put("cgroup.max.descendants", "max")
    group.put("cgroup.max.depth", "1")
    fails(errno.EAGAIN, os.mkdir, child.file("b"))
    group.make("b")
    eq(group.fields("cgroup.stat")["nr_descendants"], 2)


@grouped
def a_removed_group_has_no_files(group):
    child = group.make("a")
    procs = os.open(child.file("cgroup.procs"), os.O_RDWR)
    where = os.open(child.path, os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir(child.path)
    fails(errno.ENODEV, os.read, procs, 10)
    fails(errno.ENODEV, os.write, procs, b"0")
    fails(errno.ENOENT, os.open, "cgroup.procs", os.O_RDONLY, dir_fd=where)
    fails(errno.ENOENT, os.mkdir, "b", dir_fd=where)


@grouped
def events_can_be_polled(group):
    fd = os.open(group.file("cgroup.events"), os.O_RDONLY)
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    os.read(fd, 100)
    eq(poll.poll(0), [])
    pid = spawn(idle)
    group.put("cgroup.procs", pid)
    eq(poll.poll(5000), [(fd, select.POLLPRI | select.POLLERR)])
    eq(os.pread(fd, 100, 0), b"populated 1\nfrozen 0\n")
    eq(poll.poll(0), [])
    os.kill(pid, signal.SIGKILL)
    eq(poll.poll(5000), [(fd, select.POLLPRI | select.POLLERR)])
    os.waitpid(pid, 0)


@grouped
def events_reach_inotify(group):
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init1(os.O_NONBLOCK)
    ok(libc.inotify_add_watch(fd, group.file("cgroup.events").encode(), 2) >= 0, "watch")
    pid = spawn(idle)
    group.put("cgroup.procs", pid)
    ok(select.select([fd], [], [], 5)[0], "no event")
    eq(struct.unpack("iI", os.read(fd, 1000)[:8])[1], 2)
    end(pid)


@grouped
def a_frozen_process_does_not_run(group):
    counter = "counter"

    def count():
        with open(counter, "w") as f:
            n = 0
            while True:
                n += 1
                f.seek(0)
                f.write(str(n))
                f.flush()
    pid = group.spawn(count)
    wait_until(lambda: os.path.exists(counter) and read(counter) != "", "counting")
    group.put("cgroup.freeze", "1")
    wait_until(group.is_frozen, "frozen")
    before = read(counter)
    time.sleep(0.1)
    eq(read(counter), before)
    eq(group.read("cgroup.freeze"), "1\n")
    group.put("cgroup.freeze", "0")
    wait_until(lambda: read(counter) != before, "going on")
    eq(group.is_frozen(), False)
    end(pid)


@grouped
def freezing_includes_descendants_and_later_members(group):
    child = group.make("a")
    pid = child.spawn(idle)
    entered(child, pid)
    group.put("cgroup.freeze", "1")
    wait_until(child.is_frozen, "child frozen")
    eq(child.read("cgroup.freeze"), "0\n")
    wait_until(group.is_frozen, "group frozen")

    def spin():
        while True:
            pass
    late = spawn(spin)
    child.put("cgroup.procs", late)
    wait_until(group.is_frozen, "frozen again")
    killed(end(late))
    killed(end(pid))
    eq(group.is_populated(), False)


@grouped
def a_write_that_leaves_a_group_frozen_notifies_watchers(group):
    """A program that freezes a group waits for an event, even if the state does not change."""
    child = group.make("a")
    pid = child.spawn(idle)
    entered(child, pid)
    group.put("cgroup.freeze", "1")
    wait_until(child.is_frozen, "frozen")
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init1(os.O_NONBLOCK)
    ok(libc.inotify_add_watch(fd, child.file("cgroup.events").encode(), 2) >= 0, "watch")
    for text in ("1", "0"):
        child.put("cgroup.freeze", text)
        ok(select.select([fd], [], [], 5)[0], "no event")
        os.read(fd, 1000)
        eq(child.is_frozen(), True)
    # A write of the present value has no event.
    child.put("cgroup.freeze", "0")
    eq(select.select([fd], [], [], 0)[0], [])
    killed(end(pid))


@grouped
def a_new_group_below_a_frozen_one_is_frozen(group):
    group.put("cgroup.freeze", "1")
    child = group.make("a")
    eq((child.is_frozen(), child.read("cgroup.freeze")), (True, "0\n"))
    group.put("cgroup.freeze", "0")
    eq(child.is_frozen(), False)


@grouped
def the_0_of_cgroup_procs_is_the_writer(group):
    """A process writes "0" to a file that another process opened."""
    child = group.make("a")

    def body():
        own = spawn(lambda: os.write(fd, b"0") - 1 or child.procs() != [os.getpid()])
        eq(os.waitpid(own, 0)[1], 0)
    fd = os.open(child.file("cgroup.procs"), os.O_WRONLY)
    body()
    eq(child.procs(), [])


@grouped
def a_process_thaws_when_it_leaves_a_frozen_group(group):
    pipe = os.pipe()
    group.put("cgroup.freeze", "1")
    pid = spawn(lambda: (group.enter(), os.write(pipe[1], b"x"), 0)[2])
    wait_until(lambda: pid in group.procs() and group.is_frozen(), "frozen")
    eq(select.select([pipe[0]], [], [], 0.05)[0], [])
    other = Group(os.path.dirname(group.path))
    other.put("cgroup.procs", pid)
    eq(os.waitpid(pid, 0)[1], 0)
    eq(os.read(pipe[0], 1), b"x")


@grouped
def killing_a_group_ends_all_members(group):
    child = group.make("a")
    pids = [group.spawn(idle), child.spawn(idle), child.spawn(idle)]
    wait_until(lambda: len(group.procs()) == 1 and len(child.procs()) == 2, "all there")
    group.put("cgroup.kill", "1")
    for pid in pids:
        killed(os.waitpid(pid, 0)[1])
    eq(group.is_populated(), False)


def clone3(fd, flags=0x200000000):
    return sc(NR.clone3, struct.pack("11Q", flags, 0, 0, 0, 17, 0, 0, 0, 0, 0, fd), 88)


@grouped
def clone3_makes_a_child_in_a_group(group):
    where = os.open(group.path, os.O_RDONLY | os.O_DIRECTORY)
    pid = clone3(where)
    if pid == 0:
        end_with(lambda: 0 if group.procs() == [os.getpid()] else 1)
    ok(pid > 0, pid)
    eq(os.waitpid(pid, 0)[1], 0)
    eq(clone3(os.open("/", os.O_RDONLY)), -errno.EBADF)
    eq(clone3(999), -errno.EBADF)
    child = group.make("a")
    where = os.open(child.path, os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir(child.path)
    eq(clone3(where), -errno.ENOENT)


@grouped
def a_namespace_has_its_own_root(group):
    child = group.make("a")
    outside = group.spawn(idle)
    entered(group, outside)

    def inner():
        eq(path_of(), "/")
        eq(path_of(outside), "/..")
        os.mkdir("inner")
        mount("none", os.path.abspath("inner"), "cgroup2")
        own = Group(os.path.abspath("inner"))
        eq(own.procs(), sorted([os.getppid(), os.getpid()]))
        own.make("b").enter()
        eq(path_of(), "/b")
        fails(errno.EBUSY, os.rmdir, own.file("b"))
        own.enter()
        clear(own.file("b"))
        umount(os.path.abspath("inner"))

    def body():
        child.enter()
        unshare(NEWCGROUP)
        clone_ok(NEWNS, inner)
    child_ok(body)
    end(outside)


@grouped
def namespaces_are_boundaries(group):
    if "nsdelegate" not in mounts_below(os.path.dirname(group.path)).popitem()[1][-1]:
        skip("version 2 is mounted without nsdelegate here")
    child = group.make("a")

    def body():
        child.enter()
        unshare(NEWCGROUP)
        # The process cannot leave its namespace, nor change the limits of the root of it.
        fails(errno.ENOENT, group.put, "cgroup.procs", "0")
        os.mkdir("inner")
        mount("none", os.path.abspath("inner"), "cgroup2")
        for name, text in (("cgroup.freeze", "1"), ("cgroup.max.depth", "3"), ("cgroup.kill", "1")):
            fails(errno.EPERM, put, "inner/" + name, text)
        put("inner/cgroup.procs", "0")
        umount(os.path.abspath("inner"))
    pid = spawn(body)
    eq(os.waitpid(pid, 0)[1], 0)


@grouped
def delegation(group):
    """
    A user owns a group and its cgroup.procs, and may move processes within it, but not out of it.
    """
    own = group.make("user")
    os.chmod(group.path, 0o755)
    for path in (own.path, own.file("cgroup.procs"), own.file("cgroup.subtree_control")):
        os.chown(path, 1234, 1234)

    def body():
        own.enter()
        os.setresgid(1234, 1234, 1234)
        os.setresuid(1234, 1234, 1234)
        inner = own.make("a")
        eq(os.stat(inner.file("cgroup.procs")).st_uid, 1234)
        inner.enter()
        fails(errno.EACCES, group.put, "cgroup.procs", "0")
        fails(errno.EACCES, os.mkdir, group.file("other"))
        fails(errno.EACCES, own.put, "cgroup.freeze", "1")
        own.enter()
        os.rmdir(inner.path)
    os.chmod(".", 0o755)
    child_ok(body)


@controlled("pids")
def controllers_are_enabled_and_disabled(group):
    ok("pids" in group.read("cgroup.controllers").split(), "no pids")
    child = group.make("a")
    eq(os.path.exists(child.file("pids.max")), False)
    fails(errno.ENOENT, child.put, "cgroup.subtree_control", "+pids")
    group.put("cgroup.subtree_control", "+pids")
    eq(child.read("pids.max"), "max\n")
    child.put("cgroup.subtree_control", "+pids")
    fails(errno.EBUSY, group.put, "cgroup.subtree_control", "-pids")
    child.put("cgroup.subtree_control", "-pids")
    child.put("pids.max", "5")
    group.put("cgroup.subtree_control", "-pids")
    group.put("cgroup.subtree_control", "+pids")
    eq(child.read("pids.max"), "max\n")
    fails(errno.EINVAL, child.put, "pids.max", "-1")
    fails(errno.EINVAL, child.put, "pids.max", "x")


@controlled("memory")
def a_group_with_processes_enables_no_controller(group):
    child = group.make("a")
    pid = group.spawn(idle)
    entered(group, pid)
    fails(errno.EBUSY, group.put, "cgroup.subtree_control", "+memory")
    child.put("cgroup.procs", pid)
    group.put("cgroup.subtree_control", "+memory")
    fails(errno.EBUSY, group.put, "cgroup.procs", pid)
    end(pid)


@controlled("pids")
def fork_fails_where_a_group_is_full(group):
    child = group.make("a")
    group.put("pids.max", "3")

    def body():
        child.enter()
        pids = [spawn(idle), spawn(idle)]
        fails(errno.EAGAIN, os.fork)
        eq(group.read("pids.current"), "3\n")
        eq(group.read("pids.events"), "max 1\n")
        end(pids.pop())
        pids.append(spawn(idle))
        for pid in pids:
            end(pid)
    child_ok(body)
    eq(group.read("pids.current"), "0\n")
    between(3, int(group.read("pids.peak")), 4)
    where = os.open(group.path, os.O_RDONLY | os.O_DIRECTORY)
    group.put("pids.max", "0")
    eq(clone3(where), -errno.EAGAIN)


@controlled("memory")
def memory_is_charged_and_bounded(group):
    group.put("memory.max", "48M")
    eq(group.read("memory.max"), "50331648\n")
    group.put("memory.swap.max", "0") if os.path.exists(group.file("memory.swap.max")) else None

    def hog(blocks, hold):
        kept = [bytearray(os.urandom(1 << 20)) for _ in range(blocks)]
        os.write(hold, b"x")
        signal.pause()
        return len(kept)
    r, w = os.pipe()
    pid = group.spawn(hog, 16, w)
    eq(os.read(r, 1), b"x")
    between(16 << 20, int(group.read("memory.current")), 40 << 20, "memory.current")
    eq(group.fields("memory.events")["oom_kill"], 0)
    end(pid)
    wait_until(lambda: int(group.read("memory.current")) < 8 << 20, "memory given back")
    pid = group.spawn(hog, 400, w)
    killed(os.waitpid(pid, 0)[1])
    eq(group.fields("memory.events")["oom_kill"], 1)


@controlled("memory")
def files_in_memory_are_charged(group):
    os.mkdir("t")
    mount("none", os.path.abspath("t"), "tmpfs")

    def fill():
        with open("t/f", "wb") as f:
            for _ in range(16):
                f.write(os.urandom(1 << 20))
    pid = group.spawn(fill)
    eq(os.waitpid(pid, 0)[1], 0)
    between(16 << 20, int(group.read("memory.current")), 40 << 20, "memory.current")
    os.unlink("t/f")
    wait_until(lambda: int(group.read("memory.current")) < 8 << 20, "memory given back")
    umount(os.path.abspath("t"))


@controlled("memory")
def the_oom_killer_can_end_a_whole_group(group):
    group.put("memory.max", "48M")
    group.put("memory.oom.group", "1")
    quiet = group.spawn(idle)
    entered(group, quiet)
    hog = group.spawn(lambda: len([bytearray(os.urandom(1 << 20)) for _ in range(400)]))
    killed(os.waitpid(hog, 0)[1])
    killed(os.waitpid(quiet, 0)[1])
    eq(group.fields("memory.events")["oom_group_kill"], 1)


def used_s(seconds):
    """Uses this much CPU time, however long it takes."""
    begin = time.process_time()
    while time.process_time() < begin + seconds:
        pass
    return 0


@controlled("cpu")
def processor_time_is_bounded(group):
    eq(group.read("cpu.max"), "max 100000\n")
    group.put("cpu.max", "2000 50000")
    eq(group.read("cpu.max"), "2000 50000\n")
    for text in ("10 50000", "10000 10", "x", "10000 50000 1"):
        fails(errno.EINVAL, group.put, "cpu.max", text)
    pid = group.spawn(used_s, 0.06)
    eq(os.waitpid(pid, 0)[1], 0)
    stat = group.fields("cpu.stat")
    # Later periods pay for a period that exceeds its quota.
    between(2, stat["nr_throttled"], stat["nr_periods"], "nr_throttled")
    ok(stat["throttled_usec"] > 20000, stat)
    between(40000, stat["usage_usec"], 1000000, "usage")
    group.put("cpu.max", "max")
    eq(group.read("cpu.max"), "max 50000\n")


@controlled("cpu")
def weights(group):
    eq(group.read("cpu.weight"), "100\n")
    group.put("cpu.weight", "200")
    eq(group.read("cpu.weight"), "200\n")
    fails(errno.ERANGE, group.put, "cpu.weight", "0")
    fails(errno.ERANGE, group.put, "cpu.weight", "10001")
    group.put("cpu.weight.nice", "0")
    eq(group.read("cpu.weight"), "100\n")


@controlled("cpuset")
def cpusets_bound_affinity(group):
    all_cpus = os.sched_getaffinity(0)
    last = max(all_cpus)
    child = group.make("a")
    group.put("cgroup.subtree_control", "+cpuset")
    group.put("cpuset.cpus", last)
    eq(group.read("cpuset.cpus"), "%d\n" % last)
    eq(child.read("cpuset.cpus"), "\n")
    eq(child.read("cpuset.cpus.effective"), "%d\n" % last)

    def body():
        child.enter()
        eq(os.sched_getaffinity(0), {last})
        if len(all_cpus) > 1:
            fails(errno.EINVAL, os.sched_setaffinity, 0, {min(all_cpus)})
    child_ok(body)
    fails(errno.EINVAL, group.put, "cpuset.cpus", "x")


@grouped
def use_is_counted(group):
    before = group.fields("cpu.stat")["usage_usec"]
    pid = group.spawn(used_s, 0.15)
    eq(os.waitpid(pid, 0)[1], 0)
    stat = group.fields("cpu.stat")
    between(100000, stat["usage_usec"] - before, 2000000, "usage")
    between(0, abs(stat["usage_usec"] - stat["user_usec"] - stat["system_usec"]), 1, "sum")


run()
