"""/proc, /sys and /dev: files that programs read."""

import ctypes
import mmap
import os
import sys
import re
import resource
import signal
import struct
import subprocess
import threading
from errno import *
from lib.guest import *

needs_root("truncating_a_file_of_proc_changes_nothing")


def read(path):
    with open(path) as f:
        return f.read()


def status(pid="self"):
    return dict(line.split(":\t", 1) for line in read("/proc/%s/status" % pid).splitlines()
                if ":\t" in line)


def stat_fields(pid="self"):
    text = read("/proc/%s/stat" % pid)
    head, tail = text.rsplit(")", 1)
    return [head.split(" ", 1)[0], head.split("(", 1)[1]] + tail.split()


@test
def self_links():
    eq(os.readlink("/proc/self"), str(os.getpid()))
    eq(os.readlink("/proc/thread-self"), "%d/task/%d" % (os.getpid(), os.getpid()))
    eq(os.readlink("/proc/self/cwd"), os.getcwd())
    eq(os.readlink("/proc/self/root"), "/")
    eq(os.readlink("/proc/self/exe"), os.path.realpath(sys.executable))
    eq(os.stat("/proc/self/cwd").st_ino, os.stat(".").st_ino)
    fails(ENOENT, os.stat, "/proc/999999")


@test
def stat_file():
    f = stat_fields()
    eq(len(f), 52)
    eq(int(f[0]), os.getpid())
    eq(f[2], "R")
    eq([int(x) for x in f[3:6]], [os.getppid(), os.getpgrp(), os.getsid(0)])
    eq(int(f[19]), 1)
    ok(int(f[22]) > 1 << 20 and int(f[23]) > 100, "sizes in bytes and pages")


@test
def faults_of_all_are_counted():
    def count():
        return int(re.search(r"^pgfault (\d+)$", read("/proc/vmstat"), re.M).group(1))
    before = count()
    for _ in range(3):
        with mmap.mmap(-1, 256 << 20) as area:
            area[200 << 20] = 1
    ok(count() >= before + 3, "three areas were touched")


@test
def status_file():
    s = status()
    eq(s["Pid"], str(os.getpid()))
    eq(s["PPid"], str(os.getppid()))
    eq(s["Uid"].split(), [str(os.getuid())] * 4)
    eq(s["Threads"], "1")
    for key in ("Name", "Umask", "State", "Tgid", "Gid", "Groups", "VmSize", "VmRSS", "SigBlk",
                "SigIgn", "SigCgt", "ShdPnd", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp",
                "Cpus_allowed_list"):
        ok(key in s, "no %s in status" % key)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    s = status()
    ok(int(s["SigCgt"], 16) & 1 << 9, "SigCgt")
    ok(int(s["SigIgn"], 16) & 1 << 11, "SigIgn")
    eq(int(s["SigBlk"], 16), 1)


@test
def state_letters():
    pid = spawn(signal.pause)
    wait_state(pid, "S")
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    eq(status(pid)["State"], "T (stopped)")
    os.kill(pid, signal.SIGKILL)
    wait_state(pid, "Z")
    eq(status(pid)["State"], "Z (zombie)")
    eq(read("/proc/%d/cmdline" % pid), "")
    os.waitpid(pid, 0)


@test
def fdinfo_shows_the_state_of_eventfds():
    shown = []
    for flags in (0, 1):
        fd = works(NR.eventfd2, 0, flags)
        os.eventfd_write(fd, 2 ** 53 + 1)
        lines = [l for l in read("/proc/self/fdinfo/%d" % fd).splitlines() if "eventfd" in l]
        eq([l.split(":")[0] for l in lines], ["eventfd-count", "eventfd-id", "eventfd-semaphore"])
        eq(lines[0], "eventfd-count:   20000000000001")
        eq(lines[2], "eventfd-semaphore: %d" % flags)
        shown.append(int(lines[1].split()[1]))
    ok(0 <= shown[0] != shown[1], "each has a number: %r" % shown)


@test
def descriptors():
    fd = os.open("f", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, b"12345")
    eq(os.readlink("/proc/self/fd/%d" % fd), os.path.abspath("f"))
    info = dict(line.split(":\t", 1) for line in read("/proc/self/fdinfo/%d" % fd).splitlines()
                if ":\t" in line)
    eq(info["pos"], "5")
    eq(int(info["flags"], 8) & 0o2003, os.O_RDWR | os.O_APPEND)
    listed = {int(x) for x in os.listdir("/proc/self/fd")}
    ok({0, 1, 2, fd} <= listed, "all of them are listed: %r" % listed)
    fails(ENOENT, os.readlink, "/proc/self/fd/777")
    eq(os.readlink("/proc/self/fd/%d" % os.open("/dev/null", os.O_RDONLY)), "/dev/null")
    pid = spawn(lambda: (os.chdir("/"), signal.pause())[0] or 0)
    wait_until(lambda: os.readlink("/proc/%d/cwd" % pid) == "/", "its cwd")
    eq(os.readlink("/proc/%d/fd/%d" % (pid, fd)), os.path.abspath("f"))
    os.kill(pid, 9)
    os.waitpid(pid, 0)


@test
def maps_and_memory():
    lines = read("/proc/self/maps").splitlines()
    pattern = r"^[0-9a-f]+-[0-9a-f]+ [r-][w-][x-][ps] [0-9a-f]{8,} [0-9a-f]+:[0-9a-f]+ \d+ *(/.*|\[.*\]|)$"
    for line in lines:
        ok(re.match(pattern, line), "odd line: " + line)
    ok(any("libc.so" in line for line in lines), "libc is there")
    ok(any(line.endswith("[vdso]") for line in lines), "the vDSO is there")
    ends = [(int(a, 16), int(b, 16)) for a, b in
            (line.split()[0].split("-") for line in lines)]
    ok(all(x[1] <= y[0] for x, y in zip(ends, ends[1:-1])), "sorted and apart")
    statm = [int(x) for x in read("/proc/self/statm").split()]
    eq(len(statm), 7)
    buf = ctypes.create_string_buffer(b"find me in mem")
    with open("/proc/self/mem", "rb", 0) as mem:
        mem.seek(ctypes.addressof(buf))
        eq(mem.read(14), b"find me in mem")
    ok("Rss:" in read("/proc/self/smaps"), "smaps has Rss")


@test
def arguments_and_environment():
    pid = os.posix_spawn("/bin/sleep", ["sleep", "33"], {"A": "1", "B": "two"})
    wait_until(lambda: read("/proc/%d/cmdline" % pid) == "sleep\x0033\0", "the exec")
    eq(read("/proc/%d/comm" % pid), "sleep\n")
    eq(sorted(read("/proc/%d/environ" % pid).split("\0")), ["", "A=1", "B=two"])
    auxv = open("/proc/%d/auxv" % pid, "rb").read()
    ok(len(auxv) % 16 == 0 and len(auxv) > 200, "auxv")
    os.kill(pid, 9)
    os.waitpid(pid, 0)


@test
def limits_file():
    resource.setrlimit(resource.RLIMIT_NOFILE, (333, 444))
    line = [x for x in read("/proc/self/limits").splitlines() if x.startswith("Max open files")][0]
    eq(line.split()[3:], ["333", "444", "files"])


@test
def threads_are_listed():
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for t in threads:
        t.start()
    eq(sorted(int(x) for x in os.listdir("/proc/self/task")),
       sorted([os.getpid()] + [t.native_id for t in threads]))
    eq(status()["Threads"], "4")
    eq(status("self/task/%d" % threads[0].native_id)["Tgid"], str(os.getpid()))
    stop.set()
    for t in threads:
        t.join()


@test
def mounts_files():
    mounts = [line.split() for line in read("/proc/self/mounts").splitlines()]
    ok(all(len(m) == 6 for m in mounts), "six fields")
    ok(any(m[1] == "/" for m in mounts), "the root")
    ok(any(m[1] == "/proc" and m[2] == "proc" for m in mounts), "/proc")
    info = [line.split() for line in read("/proc/self/mountinfo").splitlines()]
    ok(all("-" in line for line in info), "mountinfo has its separator")
    eq(len(info), len(mounts))
    eq(read("/proc/mounts"), read("/proc/self/mounts"))
    eq(os.readlink("/proc/mounts"), "self/mounts")


@test
def machine_files():
    cpus = read("/proc/cpuinfo").count("processor\t")
    eq(cpus, os.cpu_count())
    ok("flags\t\t:" in read("/proc/cpuinfo"), "flags of the CPU")
    mem = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines())
    total, free = int(mem["MemTotal"].split()[0]), int(mem["MemAvailable"].split()[0])
    ok(total >= free > 0, "memory")
    ok(re.match(r"^cpu  \d+( \d+){9}\n", read("/proc/stat")), "cpu line of /proc/stat")
    ok(re.search(r"^btime \d+$", read("/proc/stat"), re.M), "btime")
    ok(re.match(r"^\d+\.\d\d \d+\.\d\d\n$", read("/proc/uptime")), "uptime")
    ok(re.match(r"^[\d.]+ [\d.]+ [\d.]+ \d+/\d+ \d+\n$", read("/proc/loadavg")), "loadavg")
    ok(read("/proc/version").startswith("Linux version "), "version")
    ok("\text4\n" in read("/proc/filesystems") or "\ttmpfs\n" in read("/proc/filesystems"), "fs")
    ok(read("/proc/cmdline") is not None, "cmdline")
    for path in ("/proc/vmstat", "/proc/swaps", "/proc/devices", "/proc/partitions",
                 "/proc/diskstats"):
        read(path)


@test
def sysctl_files():
    u = os.uname()
    eq(read("/proc/sys/kernel/hostname").strip(), u.nodename)
    eq(read("/proc/sys/kernel/osrelease").strip(), u.release)
    eq(read("/proc/sys/kernel/ostype").strip(), "Linux")
    ok(int(read("/proc/sys/kernel/pid_max")) >= 1000, "pid_max")
    ok(re.match(r"^[0-9a-f-]{36}\n$", read("/proc/sys/kernel/random/uuid")), "a uuid")
    ok(read("/proc/sys/kernel/random/uuid") != read("/proc/sys/kernel/random/uuid"), "new each time")
    eq(read("/proc/sys/kernel/random/boot_id"), read("/proc/sys/kernel/random/boot_id"))
    ok(int(read("/proc/sys/vm/max_map_count")) > 1000, "max_map_count")
    ok(read("/proc/sys/vm/overcommit_memory").strip() in "012", "overcommit")
    ok(int(read("/proc/sys/kernel/cap_last_cap")) >= 38, "cap_last_cap")
    ok(int(read("/proc/sys/fs/nr_open")) > 1000, "nr_open")
    ok(int(read("/proc/sys/fs/pipe-max-size")) >= 65536, "pipe-max-size")


@test
def proc_is_mostly_read_only():
    fails(ENOENT, os.open, "/proc/nothing", os.O_RDONLY)
    for call in (lambda: os.mkdir("/proc/x"), lambda: os.unlink("/proc/self/maps"),
                 lambda: os.open("/proc/new", os.O_CREAT | os.O_WRONLY)):
        try:
            call()
            ok(False, "it worked")
        except OSError as e:
            ok(e.errno in (ENOENT, EPERM, EACCES, EROFS), "error %s" % errorcode[e.errno])


@test
def comm_can_be_written():
    with open("/proc/self/comm", "w") as f:
        f.write("renamed")
    eq(read("/proc/self/comm"), "renamed\n")
    eq(stat_fields()[1], "renamed")


@test
def truncating_a_file_of_proc_changes_nothing():
    for name in ("self/comm", "self/loginuid", "self/oom_score_adj", "self/mem", "sys/vm/overcommit_memory"):
        fd = os.open("/proc/" + name, os.O_WRONLY)
        for size in (0, 5):
            os.ftruncate(fd, size)
            os.truncate("/proc/" + name, size)
        eq(os.fstat(fd).st_size, 0)
        os.close(fd)
    with open("/proc/self/comm", "r+") as f:
        f.truncate()
        f.write("written")
    eq(read("/proc/self/comm"), "written\n")


@test
def pr_set_ptracer_needs_yama():
    eq(os.path.exists("/proc/sys/kernel/yama"), ctypes.CDLL(None).prctl(0x59616D61, 0, 0, 0, 0) == 0)


@test
def ordinary_programs_read_proc():
    out = subprocess.run(["ps", "-o", "pid=,comm=", "-p", str(os.getpid())],
                         capture_output=True, text=True).stdout.split()
    eq(out[0], str(os.getpid()))
    ok(subprocess.run(["free"], capture_output=True).returncode == 0, "free")
    out = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True).stdout
    ok("libc.so.6 => " in out, "ldd: " + out)
    out = subprocess.run(["nproc"], capture_output=True, text=True).stdout
    eq(int(out), len(os.sched_getaffinity(0)))


@test
def dev_is_populated():
    import stat
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8),
                               ("urandom", 1, 9), ("tty", 5, 0)):
        st = os.stat("/dev/" + name)
        ok(stat.S_ISCHR(st.st_mode), name)
        eq((os.major(st.st_rdev), os.minor(st.st_rdev)), (major, minor))
    eq(os.readlink("/dev/fd"), "/proc/self/fd")
    eq(os.readlink("/dev/stdin"), "/proc/self/fd/0")
    ok(os.path.isdir("/dev/pts") and os.path.isdir("/dev/shm"), "pts and shm")
    fd = os.open("/dev/shm/guest-test-%d" % os.getpid(), os.O_RDWR | os.O_CREAT, 0o600)
    os.unlink("/dev/shm/guest-test-%d" % os.getpid())


@test
def sys_lists_processors():
    online = read("/sys/devices/system/cpu/online").strip()
    ok(re.match(r"^\d+(-\d+)?(,\d+(-\d+)?)*$", online), online)
    ok(os.path.isdir("/sys/devices/system/cpu/cpu0"), "cpu0")


@test
def sysinfo_agrees():
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        pass
    buf = ctypes.create_string_buffer(128)
    gives(0, NR.sysinfo, buf)
    uptime, one, five, fifteen, total = struct.unpack_from("<qQQQQ", buf)
    said = [float(n) for n in read("/proc/loadavg").split()[:3]]
    for mine, theirs in zip((one, five, fifteen), said):
        between(theirs - 0.2, mine / 65536, theirs + 0.2, "load average")
    between(float(read("/proc/uptime").split()[0]) - 1, uptime,
            float(read("/proc/uptime").split()[0]) + 1, "uptime")
    unit = struct.unpack_from("<I", buf, 104)[0]
    kib = int(re.search(r"MemTotal:\s+(\d+) kB", read("/proc/meminfo")).group(1))
    eq(total * unit // 1024, kib)


@test
def directories_of_an_ended_process():
    pid = spawn(lambda: signal.pause())
    top = "/proc/%d" % pid
    fds = {name: os.open(top + name, os.O_RDONLY) for name in ("", "/task", "/fdinfo", "/ns", "/task/%d" % pid)}
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    for fd in fds.values():
        os.close(os.open(".", os.O_RDONLY, dir_fd=fd))
    os.waitpid(pid, 0)
    for name, fd in fds.items():
        eq(os.listdir(fd), [])
        if name in ("", "/task", "/fdinfo"):
            fails(ESRCH, os.open, ".", os.O_RDONLY, dir_fd=fd)
        if name != "":
            fails(ESRCH, os.open, "..", os.O_RDONLY, dir_fd=fd)
        fails(ENOENT, os.listdir, top + name)


run()
