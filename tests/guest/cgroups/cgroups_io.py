"""The io controller of version 2 (cgroup-v2.rst of Linux): counters, and tasks that wait."""

import errno
import mmap
import os
import time

from lib.cgroups import Group, controlled
from lib.guest import eq, fails, ok, run, skip

KB = 1 << 10
FILE = "bytes"


def device_of(path):
    """Returns the device of a file, as io.max writes it."""
    dev = os.stat(path).st_dev
    return "%d:%d" % (os.major(dev), os.minor(dev))


def use(group, device):
    for line in group.read("io.stat").splitlines():
        name, *fields = line.split()
        if name == device:
            return {k: int(v) for k, v in (field.split("=") for field in fields)}
    return {}


def transfer(blocks, block, writes):
    """Transfers with O_DIRECT, past the page cache."""
    fd = os.open(FILE, os.O_RDWR | os.O_DIRECT)
    buf = mmap.mmap(-1, block)
    begin = time.monotonic()
    for i in range(blocks):
        n = os.pwritev(fd, [buf], i * block) if writes else os.preadv(fd, [buf], i * block)
        eq(n, block)
    os.close(fd)
    return time.monotonic() - begin


def made():
    """Makes a file on a device that can be limited; skips the test if there is none."""
    with open(FILE, "wb") as f:
        f.write(bytes(512 * KB))
        os.fsync(f.fileno())
    return device_of(FILE)


def limited(fn):
    """Makes a test that gets a group and a device that the test may limit."""
    def body(group):
        device = made()
        try:
            group.put("io.max", device + " rbps=max")
        except OSError as e:
            if e.errno != errno.ENODEV:
                raise
            skip("files are on no device that can be limited")
        fn(group, device)
    body.__name__ = fn.__name__
    return controlled("io")(body)


@limited
def transfers_are_counted(group, device):
    def body():
        group.enter()
        transfer(4, 64 * KB, True)
        transfer(2, 128 * KB, False)
        return 0
    before = use(Group(os.path.dirname(group.path)), device)
    eq(os.waitpid(group.spawn(body), 0)[1], 0)
    after = use(group, device)
    ok(after["wbytes"] >= 256 * KB and after["wios"] >= 4, after)
    ok(after["rbytes"] >= 256 * KB and after["rios"] >= 2, after)
    eq((after["dbytes"], after["dios"]), (0, 0))
    root = use(Group(os.path.dirname(group.path)), device)
    ok(root["wbytes"] >= before.get("wbytes", 0) + 256 * KB, root)


@limited
def limits_are_kept_and_shown(group, device):
    eq(group.read("io.max"), "")
    group.put("io.max", device + " wbps=1048576 riops=7")
    eq(group.read("io.max"), device + " rbps=max wbps=1048576 riops=7 wiops=max\n")
    group.put("io.max", device + " riops=max")
    eq(group.read("io.max"), device + " rbps=max wbps=1048576 riops=max wiops=max\n")
    for text, code in (("0:4095 wbps=1", errno.ENODEV), (device + " wbps=0", errno.ERANGE),
                       (device + " x=1", errno.EINVAL), (device + " wbps=-1", errno.EINVAL),
                       (device + " wbps=1M", errno.EINVAL), (device + " wbps", errno.EINVAL),
                       (device + " rbps=5 bad=1", errno.EINVAL), ("bad", errno.EINVAL)):
        fails(code, group.put, "io.max", text)
    group.put("io.max", device + "\n")
    eq(group.read("io.max"), device + " rbps=max wbps=1048576 riops=max wiops=max\n")
    group.put("io.max", device + " wbps=max")
    eq(group.read("io.max"), "")


def takes(least, most, group, *how):
    def body():
        taken = transfer(*how)
        ok(least < taken < most, "it took %.2f s" % taken)
        return 0
    eq(os.waitpid(group.spawn(body), 0)[1], 0)


@limited
def bytes_per_second_are_bounded(group, device):
    group.put("io.max", device + " wbps=%d rbps=%d" % (256 * KB, 256 * KB))
    takes(0.3, 5, group, 8, 32 * KB, True)
    takes(0.3, 5, group, 8, 32 * KB, False)


@limited
def transfers_per_second_are_bounded(group, device):
    group.put("io.max", device + " wiops=16")
    takes(0.2, 5, group, 8, 4 * KB, True)


@limited
def a_limit_holds_for_groups_below(group, device):
    child = group.make("a")
    group.put("io.max", device + " wbps=%d" % (256 * KB))
    takes(0.3, 5, child, 8, 32 * KB, True)


run()
