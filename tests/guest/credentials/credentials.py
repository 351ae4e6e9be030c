"""Users, groups, capabilities, no_new_privs, resource limits, umask and names of the machine."""

import ctypes
import os
import resource
import signal
import struct
import subprocess
from errno import *
from lib.guest import *

CHOWN, DAC_OVERRIDE, KILL, SETUID, SYS_ADMIN = 0, 1, 5, 7, 21


def capget(pid=0):
    header = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, pid), 8)
    data = ctypes.create_string_buffer(24)
    works(NR.capget, header, data)
    e0, p0, i0, e1, p1, i1 = struct.unpack("<6I", data.raw)
    return e0 | e1 << 32, p0 | p1 << 32, i0 | i1 << 32


def capset(e, p, i):
    header = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0), 8)
    low, m = 0xFFFFFFFF, lambda x: x & 0xFFFFFFFF
    data = ctypes.create_string_buffer(
        struct.pack("<6I", m(e), m(p), m(i), e >> 32, p >> 32, i >> 32), 24)
    return sc(NR.capset, header, data)


@test
def ids_of_an_ordinary_user():
    need_root()

    def child():
        os.setresgid(20, 21, 22)
        os.setresuid(10, 11, 12)
        eq((os.getresuid(), os.getresgid()), ((10, 11, 12), (20, 21, 22)))
        os.setresuid(12, 10, 11)
        eq(os.getresuid(), (12, 10, 11))
        fails(EPERM, os.setresuid, 13, -1, -1)
        os.seteuid(12)
        os.setreuid(-1, 11)
        eq(os.getresuid(), (12, 11, 11))
        os.setuid(12)
        eq(os.getresuid(), (12, 12, 11))
        fails(EPERM, os.setgid, 99)
        fails(EPERM, os.setgroups, [1])
    child_ok(child)


@test
def root_changes_to_any_user_once():
    need_root()

    def child():
        os.setuid(1000)
        eq(os.getresuid(), (1000,) * 3)
        fails(EPERM, os.setuid, 0)
        fails(EPERM, os.seteuid, 0)
    child_ok(child)

    def saved():
        os.seteuid(1000)
        os.seteuid(0)
        eq(os.getresuid(), (0, 0, 0))
    child_ok(saved)


@test
def groups():
    need_root()

    def child():
        os.setgroups([5, 3, 900, 3])
        eq(sorted(set(os.getgroups())), [3, 5, 900])
        os.setgroups([])
        eq(os.getgroups(), [])
        gives(-EINVAL, NR.setgroups, 70000, None)
        os.setgroups(list(range(100)))
        gives(100, NR.getgroups, 0, None)
        gives(-EINVAL, NR.getgroups, 5, ctypes.create_string_buffer(400))
    child_ok(child)


@test
def file_system_ids():
    need_root()

    def child():
        os.chmod(".", 0o777)
        eq(sc(NR.setfsuid, 500), 0)
        eq(sc(NR.setfsuid, -1), 500)
        open("f", "w").close()
        eq(os.stat("f").st_uid, 500)
        os.seteuid(0)
        eq(sc(NR.setfsuid, -1), 0)
    child_ok(child)


@test
def capabilities_and_user_changes():
    need_root()

    def child():
        before = capget()
        ok(before[1] >> CHOWN & 1, "root has capabilities: %x" % before[1])
        os.seteuid(1000)
        eq(capget()[0], 0)
        eq(capget()[1], before[1])
        os.seteuid(0)
        eq(capget()[0], before[0])
        os.setuid(1000)
        eq(capget()[:2], (0, 0))
    child_ok(child)

    def keeps():
        before = capget()
        works(NR.prctl, 8, 1, 0, 0, 0)
        os.setuid(1000)
        eq(capget()[:2], (0, before[1]))
        eq(capset(1 << CHOWN, before[1], 0), 0)
        eq(capget()[0], 1 << CHOWN)
    child_ok(keeps)


@test
def dropping_capabilities():
    need_root()
    open("f", "w").close()
    os.chmod("f", 0)
    os.chown("f", 7, 7)

    def child():
        e, p, i = capget()
        drop = ~(1 << CHOWN | 1 << DAC_OVERRIDE | 1 << 2)
        eq(capset(e & drop, p & drop, 0), 0)
        fails(EPERM, os.chown, "f", 1, 1)
        fails(EACCES, os.open, "f", os.O_RDONLY)
        eq(capset(e, p, 0), -EPERM)
    child_ok(child)
    gives(-EINVAL, NR.capget, ctypes.create_string_buffer(8), ctypes.create_string_buffer(24))


@test
def bounding_set():
    need_root()

    def child():
        eq(sc(NR.prctl, 23, SYS_ADMIN, 0, 0, 0), 1)
        eq(sc(NR.prctl, 24, SYS_ADMIN, 0, 0, 0), 0)
        eq(sc(NR.prctl, 23, SYS_ADMIN, 0, 0, 0), 0)
        gives(-EINVAL, NR.prctl, 23, 200, 0, 0, 0)
        out = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
        eff = int([x for x in out.splitlines() if x.startswith("CapEff")][0].split()[1], 16)
        eq(eff >> SYS_ADMIN & 1, 0)
    if not capget()[0] >> SYS_ADMIN & 1:
        skip("no CAP_SYS_ADMIN to drop")
    child_ok(child)


@test
def ambient_capabilities():
    need_root()

    def child():
        e, p, i = capget()
        eq(capset(e, p, 1 << KILL), 0)
        eq(sc(NR.prctl, 47, 2, KILL, 0, 0), 0)
        eq(sc(NR.prctl, 47, 1, KILL, 0, 0), 1)
        works(NR.prctl, 8, 1, 0, 0, 0)
        os.setresuid(1000, 1000, 1000)
        eq(sc(NR.prctl, 47, 1, KILL, 0, 0), 0, "changing from root drops them")
        eq(sc(NR.prctl, 47, 2, KILL, 0, 0), 0)
        out = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
        eff = int([x for x in out.splitlines() if x.startswith("CapEff")][0].split()[1], 16)
        eq(eff, 1 << KILL)
    child_ok(child)


@test
def no_new_privileges():
    works(NR.prctl, 38, 1, 0, 0, 0)
    eq(sc(NR.prctl, 39, 0, 0, 0, 0), 1)
    gives(-EINVAL, NR.prctl, 38, 0, 0, 0, 0)
    gives(-EINVAL, NR.prctl, 38, 1, 1, 0, 0)
    child_ok(lambda: eq(sc(NR.prctl, 39, 0, 0, 0, 0), 1))


@test
def prctl_of_dumpable_and_timer_slack():
    gives(-EINVAL, NR.prctl, 9999, 0, 0, 0, 0)
    eq(sc(NR.prctl, 3, 0, 0, 0, 0), 1, "dumpable")
    eq(sc(NR.prctl, 4, 0, 0, 0, 0), 0)
    eq(sc(NR.prctl, 3, 0, 0, 0, 0), 0)
    gives(-EINVAL, NR.prctl, 4, 7, 0, 0, 0)
    gives(0, NR.prctl, 29, 77, 0, 0, 0)
    between(50, sc(NR.prctl, 30, 0, 0, 0, 0), 10**6, "timer slack")


@test
def resource_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
    eq(resource.getrlimit(resource.RLIMIT_NOFILE), (100, 200))
    child_ok(lambda: eq(resource.getrlimit(resource.RLIMIT_NOFILE), (100, 200)))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 200))
        ok(False, "soft above hard")
    except ValueError:
        pass
    old = (ctypes.c_uint64 * 2)()
    gives(0, NR.prlimit64, os.getpid(), 7, (ctypes.c_uint64 * 2)(50, 150), old)
    eq(list(old), [100, 200])
    gives(-EINVAL, NR.prlimit64, 0, 16, None, old)
    gives(-ESRCH, NR.prlimit64, 999999, 7, None, old)
    gives(-EINVAL, NR.getrlimit, 99, old)

    def user():
        if is_root():
            os.setuid(1234)
        gives(-EPERM, NR.setrlimit, 7, (ctypes.c_uint64 * 2)(50, 151))
        gives(0, NR.setrlimit, 7, (ctypes.c_uint64 * 2)(50, 149))
    child_ok(user)


@test
def cpu_limit():
    def child():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
        while True:
            pass
    status = in_child(child)
    eq(status & 0x7F, signal.SIGXCPU)


@test
def a_cpu_limit_that_is_already_reached_acts_at_once():
    """
    A soft limit of 0 is a limit: SIGXCPU comes at once, each time the limit is set, and Linux
    raises the soft limit.
    """
    def child():
        came = []
        signal.signal(signal.SIGXCPU, lambda *_: came.append(1))
        deadline = time.monotonic() + 10
        while len(came) < 3 and time.monotonic() < deadline:
            resource.setrlimit(resource.RLIMIT_CPU, (0, resource.RLIM_INFINITY))
        eq(len(came), 3)
        while resource.getrlimit(resource.RLIMIT_CPU)[0] < 1 and time.monotonic() < deadline:
            pass
        ok(resource.getrlimit(resource.RLIMIT_CPU)[0] >= 1, "soft limit")
    child_ok(child)

    def ended():
        resource.setrlimit(resource.RLIMIT_CPU, (0, 0))
        while True:
            pass
    eq(in_child(ended) & 0x7F, signal.SIGKILL)


@test
def machine_names():
    u = os.uname()
    eq((u.sysname, u.machine), ("Linux", "x86_64"))
    ok(int(u.release.split(".")[0]) >= 4, u.release)
    buf = ctypes.create_string_buffer(390)
    gives(0, NR.uname, buf)
    gives(-EFAULT, NR.uname, 8)

    def child():
        if is_root():
            os.setuid(999)
        gives(-EPERM, NR.sethostname, b"x", 1)
    child_ok(child)


@test
def system_information():
    buf = ctypes.create_string_buffer(112)
    gives(0, NR.sysinfo, buf)
    up, = struct.unpack_from("<q", buf.raw, 0)
    total, free = struct.unpack_from("<QQ", buf.raw, 32)
    ok(up >= 0 and total >= free > 0, "uptime and memory")
    a, b = os.getrandom(16), os.getrandom(16)
    ok(a != b, "random")
    gives(-EINVAL, NR.getrandom, buf, 8, 0x100)
    gives(-EFAULT, NR.getrandom, 8, 8, 0)


run()
