"""Control groups of version 1 (cgroups(7)): hierarchies with controllers, or with a name and
without controllers.
"""

import errno
import os
import time

from lib.cgroups import Group, end, entered, idle, killed, legacy, read
from lib.guest import between, child_ok, eq, fails, ok, run, spawn, wait_until


def path_of(key, pid="self"):
    for line in read("/proc/%s/cgroup" % pid).splitlines():
        if key in line.split(":")[1].split(","):
            return line.split(":")[2]
    return None


@legacy("pids")
def forks_are_bounded(group):
    group.put("pids.max", "2")
    eq(group.read("pids.max"), "2\n")

    def body():
        group.enter()
        ok(path_of("pids").endswith(os.path.basename(group.path)), path_of("pids"))
        pid = spawn(idle)
        fails(errno.EAGAIN, os.fork)
        eq(group.read("pids.current"), "2\n")
        end(pid)
    child_ok(body)
    eq(group.read("pids.current"), "0\n")
    eq(group.read("pids.events"), "max 1\n")
    fails(errno.EINVAL, group.put, "pids.max", "-1")
    eq(os.path.exists(os.path.join(os.path.dirname(group.path), "pids.max")), False)


@legacy("pids")
def groups_are_made_moved_and_removed(group):
    child = group.make("a")
    os.rename(child.path, group.file("b"))
    child = Group(group.file("b"))
    fails(errno.EPERM, os.unlink, child.file("tasks"))
    pid = spawn(idle)
    child.put("tasks", pid)
    eq(child.procs("tasks"), [pid])
    eq(child.procs(), [pid])
    fails(errno.EBUSY, os.rmdir, child.path)
    # A group of version 1 may have both processes and child groups.
    group.put("cgroup.procs", pid)
    eq(child.procs(), [])
    os.rmdir(child.path)
    end(pid)
    eq(group.procs(), [])


@legacy("freezer")
def freezer(group):
    counter = "counter"

    def count():
        n = 0
        with open(counter, "w") as f:
            while True:
                n += 1
                f.seek(0)
                f.write(str(n))
                f.flush()
    pid = group.spawn(count)
    wait_until(lambda: os.path.exists(counter) and read(counter) != "", "counting")
    eq(group.read("freezer.state"), "THAWED\n")
    group.put("freezer.state", "FROZEN")
    wait_until(lambda: group.read("freezer.state") == "FROZEN\n", "frozen")
    eq(group.read("freezer.self_freezing"), "1\n")
    before = read(counter)
    time.sleep(0.05)
    eq(read(counter), before)
    child = group.make("a")
    eq(child.read("freezer.parent_freezing"), "1\n")
    os.rmdir(child.path)
    group.put("freezer.state", "THAWED")
    wait_until(lambda: read(counter) != before, "going on")
    fails(errno.EINVAL, group.put, "freezer.state", "x")
    killed(end(pid))


@legacy("memory")
def memory_is_bounded(group):
    group.put("memory.limit_in_bytes", "48M")
    eq(group.read("memory.limit_in_bytes"), "50331648\n")
    hog = group.spawn(lambda: len([bytearray(os.urandom(1 << 20)) for _ in range(400)]))
    killed(os.waitpid(hog, 0)[1])
    ok("oom_kill 1" in group.read("memory.oom_control"), group.read("memory.oom_control"))
    ok(int(group.read("memory.max_usage_in_bytes")) > 30 << 20, "peak")
    ok(int(group.read("memory.failcnt")) > 0, "failcnt")
    group.put("memory.failcnt", "0")
    group.put("memory.max_usage_in_bytes", "0")
    eq(group.read("memory.failcnt"), "0\n")
    ok(int(group.read("memory.max_usage_in_bytes")) < 20 << 20, "own peak")
    group.put("memory.limit_in_bytes", "-1")
    ok(int(group.read("memory.limit_in_bytes")) >= 1 << 62, "no limit")


@legacy("cpu")
def processor_time_is_bounded(group):
    eq(group.read("cpu.shares"), "1024\n")
    eq(group.read("cpu.cfs_quota_us"), "-1\n")
    group.put("cpu.shares", "512")
    eq(group.read("cpu.shares"), "512\n")
    group.put("cpu.cfs_period_us", "50000")
    group.put("cpu.cfs_quota_us", "2000")

    def burn():
        begin = time.process_time()
        while time.process_time() < begin + 0.06:
            pass
    pid = group.spawn(burn)
    eq(os.waitpid(pid, 0)[1], 0)
    between(2, group.fields("cpu.stat")["nr_throttled"], 1000, "nr_throttled")


@legacy("cpuacct")
def use_is_counted(group):
    def burn():
        begin = time.process_time()
        while time.process_time() < begin + 0.15:
            pass
    pid = group.spawn(burn)
    eq(os.waitpid(pid, 0)[1], 0)
    between(100000000, int(group.read("cpuacct.usage")), 2000000000, "usage")


@legacy("cpuset")
def a_cpuset_needs_cpus_and_mems_before_a_process_enters(group):
    pid = spawn(idle)
    fails(errno.ENOSPC, group.put, "cgroup.procs", pid)
    last = max(os.sched_getaffinity(0))
    group.put("cpuset.cpus", last)
    group.put("cpuset.mems", "0")
    group.put("cgroup.procs", pid)
    eq(os.sched_getaffinity(pid), {last})
    end(pid)


@legacy("blkio")
def transfers_are_counted(group):
    eq(group.read("blkio.throttle.io_service_bytes"), "Total 0\n")
    eq(group.read("blkio.throttle.io_serviced_recursive"), "Total 0\n")
    for way in ("read_bps", "write_bps", "read_iops", "write_iops"):
        name = "blkio.throttle.%s_device" % way
        eq(group.read(name), "")
        fails(errno.EINVAL, group.put, name, "x")
        fails(errno.ENODEV, group.put, name, "0:4095 1")


@legacy("none,name=dvisor-guest")
def a_hierarchy_can_have_a_name_and_no_controller(group):
    pid = group.spawn(idle)
    entered(group, pid)
    ok(path_of("name=dvisor-guest", pid).endswith(os.path.basename(group.path)), "path")
    eq(path_of("name=dvisor-guest"), "/")
    end(pid)


run()
