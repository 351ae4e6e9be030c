"""The memory controller of version 2 (cgroup-v2.rst of Linux): delays, counters, memory of files.
"""

import errno
import os
import signal
import time

from lib.cgroups import controlled, end
from lib.guest import between, eq, fails, ok, run, wait_state, wait_until

MB = 1 << 20


def hog(blocks, hold):
    kept = [bytearray(os.urandom(MB)) for _ in range(blocks)]
    os.write(hold, b"x")
    signal.pause()
    return len(kept)


def hog_for_ever(blocks, hold):
    """Does what hog does, then allocates and frees one more block in a loop."""
    kept = [bytearray(os.urandom(MB)) for _ in range(blocks)]
    os.write(hold, b"x")
    while kept:
        bytearray(os.urandom(MB))


def without_swap(group):
    if os.path.exists(group.file("memory.swap.max")):
        group.put("memory.swap.max", "0")


@controlled("memory")
def a_process_that_exceeds_memory_high_is_slowed_and_not_killed(group):
    without_swap(group)
    group.put("memory.high", "29M")
    r, w = os.pipe()
    pid = group.spawn(hog_for_ever, 30, w)
    eq(os.read(r, 1), b"x")
    # dvisor measures usage from time to time.
    wait_until(lambda: group.fields("memory.events")["high"] > 0, "a delay")
    group.put("cgroup.freeze", "1")
    wait_until(lambda: group.fields("cgroup.events")["frozen"] == 1, "the end of the process' turn")
    events = group.fields("memory.events")
    eq((events["max"], events["oom"], events["oom_kill"]), (0, 0, 0))
    eq(group.fields("memory.events.local")["high"], events["high"])
    between(30 * MB, int(group.read("memory.current")), 60 * MB, "memory.current")
    end(pid)


@controlled("memory")
def a_process_that_allocates_nothing_is_not_slowed(group):
    without_swap(group)
    r, w = os.pipe()
    go, went = os.pipe()
    pid = group.spawn(hog, 20, w)

    def work():
        os.write(w, b"y")
        os.read(go, 1)
        for _ in range(1000000):
            pass
        return 0
    quick = group.spawn(work)
    eq(sorted(os.read(r, 1) + os.read(r, 1)), sorted(b"xy"))
    group.put("memory.high", int(group.read("memory.current")) - MB)
    before = time.monotonic()
    os.write(went, b"x")
    eq(os.waitpid(quick, 0)[1], 0)
    ok(time.monotonic() - before < 1, "it took %.2f s" % (time.monotonic() - before))
    end(pid)


@controlled("memory")
def a_slowed_task_can_be_killed(group):
    without_swap(group)
    group.put("memory.high", "8M")
    pid = group.spawn(hog, 400, os.open("/dev/null", os.O_WRONLY))
    wait_until(lambda: group.fields("memory.events")["high"] > 0, "over the limit")
    wait_state(pid, "SD")
    before = time.monotonic()
    end(pid)
    ok(time.monotonic() - before < 1, "it took %.2f s" % (time.monotonic() - before))


@controlled("memory")
def each_open_file_of_memory_peak_can_reset_its_own_peak(group):
    r, w = os.pipe()
    pid = group.spawn(hog, 24, w)
    eq(os.read(r, 1), b"x")
    fd = os.open(group.file("memory.peak"), os.O_RDWR)
    first = int(os.pread(fd, 100, 0))
    between(24 * MB, first, 60 * MB, "peak")
    end(pid)
    wait_until(lambda: int(group.read("memory.current")) < 8 * MB, "memory given back")
    os.write(fd, b"0")
    ok(int(os.pread(fd, 100, 0)) < 8 * MB, "own peak")
    ok(int(group.read("memory.peak")) >= first, "that of all")
    pid = group.spawn(hog, 12, w)
    eq(os.read(r, 1), b"x")
    between(12 * MB, int(os.pread(fd, 100, 0)), 20 * MB, "own peak")
    end(pid)
    os.close(fd)


@controlled("memory")
def memory_reclaim_fails_when_nothing_can_be_reclaimed(group):
    group.put("memory.reclaim", "0")
    fails(errno.EAGAIN, group.put, "memory.reclaim", "1G")
    fails(errno.EAGAIN, group.put, "memory.reclaim", "1G swappiness=60")
    for text in ("x", "1G swappiness=201", "1G swappiness=x", "1G other=1"):
        fails(errno.EINVAL, group.put, "memory.reclaim", text)


@controlled("memory")
def memory_stat_has_the_fields_of_linux(group):
    stat = group.fields("memory.stat")
    for name in ("anon", "file", "kernel", "sock", "shmem", "file_mapped", "inactive_anon",
                 "active_file", "slab", "workingset_refault_file", "pgscan", "pgfault", "pgmajfault"):
        ok(name in stat, name)
    ok(group.read("memory.numa_stat").startswith("anon N0="), "numa_stat")
    group.put("memory.low", "4M")
    group.put("memory.min", "5000")
    eq((group.read("memory.low"), group.read("memory.min")), ("4194304\n", "4096\n"))
    fails(errno.EINVAL, group.put, "memory.oom.group", "2")
    fails(errno.EINVAL, group.put, "memory.high", "-1")


@controlled("memory", "pids")
def groups_of_each_controller_are_counted(group):
    child = group.make("a")
    group.put("cgroup.subtree_control", "+memory")
    stat = group.fields("cgroup.stat")
    eq((stat["nr_descendants"], stat["nr_subsys_memory"], stat["nr_subsys_pids"]), (1, 2, 1))
    eq(child.read("cgroup.subtree_control"), "")
    eq(child.read("cgroup.controllers"), "memory\n")
    group.put("cgroup.subtree_control", "-memory")
    eq(child.read("cgroup.controllers"), "")


run()
