"""Threaded control groups (cgroup-v2.rst of Linux, "Threads"): types, threads of one process in
several groups.
"""

import errno
import os
import threading

from lib.cgroups import controlled, end, entered, grouped, idle, read
from lib.guest import child_ok, eq, fails, run


def types(*groups):
    return [group.read("cgroup.type").strip() for group in groups]


def threaded(group):
    group.put("cgroup.type", "threaded")


def group_of(tid):
    line = [l for l in read("/proc/self/task/%d/cgroup" % tid).splitlines() if l.startswith("0::")][0]
    return os.path.basename(line)


class Threads:
    """Starts threads that wait until the block ends; gives their ids."""

    def __enter__(self):
        self.hold = threading.Event()
        self.all = [threading.Thread(target=self.hold.wait) for _ in range(2)]
        for t in self.all:
            t.start()
        return [t.native_id for t in self.all]

    def __exit__(self, *_):
        self.hold.set()
        for t in self.all:
            t.join()


@grouped
def the_type_of_a_group_follows_from_its_parent(group):
    a = group.make("a")
    b, c = a.make("b"), a.make("c")
    d = b.make("d")
    eq(types(group, a, b, d), ["domain"] * 4)
    for text in ("domain", "x"):
        fails(errno.EINVAL, a.put, "cgroup.type", text)
    threaded(d)
    eq(types(group, a, b, d), ["domain", "domain", "domain threaded", "threaded"])
    threaded(b)
    eq(types(group, a, b, c, d), ["domain", "domain threaded", "threaded", "domain invalid", "threaded"])
    fails(errno.EOPNOTSUPP, c.put, "cgroup.procs", os.getpid())
    threaded(b)
    threaded(c)
    eq(types(c), ["threaded"])
    fails(errno.EOPNOTSUPP, b.read, "cgroup.procs")
    eq(b.read("cgroup.threads"), "")
    fails(errno.EOPNOTSUPP, b.put, "cgroup.kill", 1)
    for inner in (d, b, c):
        os.rmdir(inner.path)
    eq(types(a), ["domain"])


@grouped
def threads_of_one_process_in_several_groups(group):
    a = group.make("a")
    b, c = a.make("b"), a.make("c")
    threaded(b)
    threaded(c)

    def body():
        me = os.getpid()
        with Threads() as (first, second):
            fails(errno.EOPNOTSUPP, b.put, "cgroup.threads", first)
            a.put("cgroup.procs", me)
            b.put("cgroup.threads", first)
            c.put("cgroup.threads", second)
            eq([g.procs("cgroup.threads") for g in (a, b, c)], [[me], [first], [second]])
            eq(a.procs(), [me])
            eq([group_of(tid) for tid in (me, first, second)], ["a", "b", "c"])
            eq([g.is_populated() for g in (group, a, b, c)], [True] * 4)
            fails(errno.EOPNOTSUPP, group.put, "cgroup.threads", first)
            # cgroup.procs moves the whole process.
            b.put("cgroup.procs", me)
            eq(sorted(b.procs("cgroup.threads")), sorted([me, first, second]))
            eq((a.procs(), c.is_populated()), ([me], False))
            group.put("cgroup.procs", me)
            eq(b.is_populated(), False)
    child_ok(body)


@grouped
def groups_that_cannot_become_threaded(group):
    a = group.make("a")
    pid = a.spawn(idle)
    try:
        entered(a, pid)
        fails(errno.EOPNOTSUPP, a.put, "cgroup.type", "threaded")
        # A sibling cannot either: the parent has domain children with processes.
        b = group.make("b")
        fails(errno.EOPNOTSUPP, b.put, "cgroup.type", "threaded")
        # A child of the group with processes can.
        c = a.make("c")
        threaded(c)
        eq(types(a, c), ["domain threaded", "threaded"])
    finally:
        end(pid)


@controlled("pids")
def a_threaded_group_has_controllers_of_threads(group):
    a = group.make("a")
    b = a.make("b")
    group.put("cgroup.subtree_control", "+pids")
    threaded(b)
    a.put("cgroup.subtree_control", "+pids")
    eq(b.read("cgroup.controllers").split(), ["pids"])

    def body():
        with Threads() as (first, _):
            a.put("cgroup.procs", os.getpid())
            b.put("cgroup.threads", first)
            eq((a.read("pids.current"), b.read("pids.current")), ("3\n", "1\n"))
    child_ok(body)


@controlled("memory")
def a_threaded_group_has_no_domain_controllers(group):
    group.put("cgroup.subtree_control", "+memory +pids")
    a = group.make("a")
    b = a.make("b")
    threaded(b)
    fails(errno.EOPNOTSUPP, a.put, "cgroup.subtree_control", "+memory")
    a.put("cgroup.subtree_control", "+pids")
    fails(errno.ENOENT, b.put, "cgroup.subtree_control", "+memory")
    c = group.make("c")
    d = c.make("d")
    c.put("cgroup.subtree_control", "+memory")
    fails(errno.EOPNOTSUPP, d.put, "cgroup.type", "threaded")


run()
