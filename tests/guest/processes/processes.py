"""Processes: fork, vfork, clone, wait, exit status, process groups and sessions, pidfds."""

import ctypes
import os
import resource
import signal
import struct
from errno import *
from lib.guest import *

P_ALL, P_PID, P_PGID, P_PIDFD = 0, 1, 2, 3
WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT = 1, 2, 4, 8, 0x1000000


@test
def exit_statuses():
    for code in (0, 1, 42, 127, 255):
        status = in_child(lambda: code)
        eq(os.waitstatus_to_exitcode(status), code)
    status = in_child(lambda: os._exit(0x1234))
    eq(status, 0x3400)
    status = in_child(lambda: os.kill(os.getpid(), signal.SIGTERM))
    eq(status, signal.SIGTERM)
    status = in_child(lambda: signal.pthread_kill(__import__("threading").get_ident(),
                                                  signal.SIGKILL))
    eq(status, 9)


@test
def fork_copies_memory():
    data = bytearray(b"before" * 1000)
    r, w = os.pipe()

    def child():
        data[0:6] = b"CHILD!"
        os.write(w, bytes(data[:6]))
    child_ok(child)
    eq(os.read(r, 10), b"CHILD!")
    eq(bytes(data[:6]), b"before")


@test
def pids_and_parents():
    me = os.getpid()
    p = Pipe()

    def child():
        p.post(struct.pack("iii", os.getpid(), os.getppid(), sc(NR.gettid)))
    pid = spawn(child)
    got = struct.unpack("iii", p.take(12))
    eq(os.waitpid(pid, 0), (pid, 0))
    eq(got, (pid, me, pid))


@test
def orphans_get_a_new_parent():
    p = Pipe()
    go = Pipe()

    def middle():
        def grandchild():
            go.take()
            p.post(struct.pack("i", os.getppid()))
        spawn(grandchild)
    eq(in_child(middle), 0)
    go.post()
    parent = struct.unpack("i", p.take(4))[0]
    ok(parent != os.getpid(), "not the grandparent")


@test
def child_subreaper():
    works(NR.prctl, 36, 1, 0, 0, 0)
    p = Pipe()

    def middle():
        pid = spawn(lambda: 5)
        p.post(struct.pack("i", pid))
        wait_state(pid, "Z")
    in_child(middle)
    pid = struct.unpack("i", p.take(4))[0]
    eq(os.waitpid(pid, 0), (pid, 5 << 8))


@test
def waiting_errors():
    fails(ECHILD, os.waitpid, -1, 0)
    fails(ECHILD, os.waitpid, os.getpid(), 0)
    gives(-EINVAL, NR.wait4, -1, None, 0x100, None)
    pid = spawn(signal.pause)
    eq(os.waitpid(pid, os.WNOHANG), (0, 0))
    fails(ECHILD, os.waitpid, pid + 100000, 0)
    os.kill(pid, signal.SIGKILL)
    gives(-EFAULT, NR.wait4, pid, 1, 0, None)
    gives(-ECHILD, NR.wait4, pid, None, 0, None)


@test
def waitid_forms():
    buf = ctypes.create_string_buffer(128)
    pid = spawn(lambda: 33)
    eq(sc(NR.waitid, P_PID, pid, buf, WEXITED | WNOWAIT, None), 0)
    signo, _, code, _, sender, uid, status = struct.unpack_from("<iiiiiii", buf.raw, 0)
    eq((signo, code, sender, status), (signal.SIGCHLD, 1, pid, 33))
    eq(sc(NR.waitid, P_PID, pid, buf, WEXITED, None), 0)
    gives(-ECHILD, NR.waitid, P_PID, pid, buf, WEXITED, None)
    gives(-EINVAL, NR.waitid, P_PID, pid, buf, 0, None)
    gives(-EINVAL, NR.waitid, 17, pid, buf, WEXITED, None)
    gives(-EINVAL, NR.waitid, P_PID, 0, buf, WEXITED, None)
    pid = spawn(signal.pause)
    eq(sc(NR.waitid, P_ALL, 0, buf, WEXITED | WNOHANG, None), 0)
    eq(struct.unpack_from("<i", buf.raw, 16)[0], 0)
    os.kill(pid, signal.SIGABRT)
    eq(sc(NR.waitid, P_ALL, 0, buf, WEXITED, None), 0)
    signo, _, code, _, sender, uid, status = struct.unpack_from("<iiiiiii", buf.raw, 0)
    ok(code in (2, 3) and (sender, status) == (pid, signal.SIGABRT), "killed or dumped by SIGABRT")


@test
def wait_by_process_group():
    def leader():
        os.setpgid(0, 0)
        signal.pause()
    a = spawn(leader)
    wait_until(lambda: os.getpgid(a) == a, "the child leads a group")
    b = spawn(lambda: 3)
    fails(ECHILD, os.waitpid, -b, 0)
    eq(os.waitpid(0, 0)[0], b)
    os.killpg(a, signal.SIGTERM)
    eq(os.waitpid(-a, 0), (a, signal.SIGTERM))


@test
def stops_and_continues_are_reported():
    pid = spawn(signal.pause)
    os.kill(pid, signal.SIGSTOP)
    got, status = os.waitpid(pid, os.WUNTRACED)
    ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP, "stopped")
    eq(state_of(pid), "T")
    eq(os.waitpid(pid, os.WUNTRACED | os.WNOHANG), (0, 0))
    os.kill(pid, signal.SIGCONT)
    got, status = os.waitpid(pid, os.WCONTINUED)
    ok(os.WIFCONTINUED(status), "continued")
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    got, status = os.waitpid(pid, 0)
    eq(status, 9)


@test
def sigchld_ignored_reaps_by_itself():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pids = [spawn(lambda: 0) for _ in range(5)]
    fails(ECHILD, os.wait)
    for pid in pids:
        fails(ESRCH, os.kill, pid, 0)


@test
def resource_usage_of_children():
    def burn():
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass
    pid = spawn(burn)
    _, status, usage = os.wait4(pid, 0)
    between(0.05, usage.ru_utime + usage.ru_stime, 5, "CPU seconds of the child")
    total = resource.getrusage(resource.RUSAGE_CHILDREN)
    ok(total.ru_utime + total.ru_stime >= 0.05, "counted in RUSAGE_CHILDREN")
    gives(-EINVAL, NR.getrusage, 77, ctypes.create_string_buffer(144))


@test
def process_groups_and_sessions():
    def session():
        os.setsid()
        eq((os.getpgrp(), os.getsid(0)), (os.getpid(),) * 2)
        fails(EPERM, os.setsid)
        fails(EPERM, os.setpgid, 0, os.getppid())
        child = spawn(signal.pause)
        eq((os.getpgid(child), os.getsid(child)), (os.getpid(),) * 2)
        os.setpgid(child, child)
        eq(os.getpgid(child), child)
        other = spawn(signal.pause)
        os.setpgid(other, child)
        eq(os.getpgid(other), child)
        fails(EPERM, os.setpgid, other, 999999)
        fails(ESRCH, os.setpgid, 999999, 0)
        gives(-EINVAL, NR.setpgid, 0, -1)
        os.killpg(child, signal.SIGTERM)
        eq(os.waitpid(child, 0)[1], 15)
        eq(os.waitpid(other, 0)[1], 15)
        fails(ESRCH, os.killpg, child, 0)
    child_ok(session)
    fails(ESRCH, os.getpgid, 999999)
    fails(ESRCH, os.getsid, 999999)


@test
def setpgid_after_exec_is_refused():
    go = Pipe()

    def child():
        os.execv("/bin/sleep", ["sleep", "30"])
    pid = spawn(child)
    wait_until(lambda: b"sleep\0" in open("/proc/%d/cmdline" % pid, "rb").read(), "the exec")
    fails(EACCES, os.setpgid, pid, pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@test
def pidfds():
    fd_holder = spawn(signal.pause)
    fd = sc(NR.pidfd_open, fd_holder, 0)
    if fd == -ENOSYS:
        skip("no pidfd_open here")
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    eq(poll.poll(0), [])
    gives(0, NR.pidfd_send_signal, fd, 0, None, 0)
    gives(0, NR.pidfd_send_signal, fd, signal.SIGTERM, None, 0)
    eq(poll.poll(5000), [(fd, select.POLLIN)])
    buf = ctypes.create_string_buffer(128)
    eq(sc(NR.waitid, P_PIDFD, fd, buf, WEXITED, None), 0)
    eq(struct.unpack_from("<i", buf.raw, 16)[0], fd_holder)
    gives(-ESRCH, NR.pidfd_send_signal, fd, 0, None, 0)
    gives(-EINVAL, NR.pidfd_open, -1, 0)
    gives(-EINVAL, NR.pidfd_open, os.getpid(), 1)
    gives(-ESRCH, NR.pidfd_open, 999999, 0)


@test
def directories_of_proc_as_pidfds():
    pid = spawn(signal.pause)
    fd = os.open("/proc/%d" % pid, os.O_RDONLY)
    task = os.open("/proc/%d/task/%d" % (pid, pid), os.O_RDONLY)
    path = os.open("/proc/%d" % pid, os.O_PATH)
    for bad in (task, path, os.open("/proc", os.O_RDONLY), os.open("/", os.O_RDONLY)):
        gives(-EBADF, NR.pidfd_send_signal, bad, 0, None, 0)
    gives(0, NR.pidfd_send_signal, fd, 0, None, 0)
    gives(0, NR.pidfd_send_signal, fd, signal.SIGTERM, None, 0)
    gives(-EBADF, NR.waitid, P_PIDFD, fd, None, WEXITED, None)
    eq(os.waitpid(pid, 0), (pid, signal.SIGTERM))
    gives(-ESRCH, NR.pidfd_send_signal, fd, 0, None, 0)


@test
def clone_with_exit_signal_none():
    # clone(0): no signal at exit; only waits with __WALL or __WCLONE find the child.
    r = sc(NR.clone, 0, 0, 0, 0, 0)
    if r == 0:
        sc(NR.exit_group, 9)
    fails(ECHILD, os.waitpid, r, 0)
    status = ctypes.c_int()
    eq(sc(NR.wait4, r, status, 0x40000000, None), r)
    eq(status.value, 9 << 8)


@test
def clone3_and_pidfd():
    fd = ctypes.c_int(-1)
    args = (ctypes.c_uint64 * 11)()
    args[0] = 0x1000
    args[1] = ctypes.addressof(fd)
    args[4] = signal.SIGCHLD
    r = sc(NR.clone3, args, 88)
    if r == -ENOSYS:
        skip("no clone3 here")
    if r == 0:
        sc(NR.exit_group, 4)
    ok(r > 0 and fd.value >= 0, "clone3 gives a pid and a pidfd")
    eq(os.waitpid(r, 0), (r, 4 << 8))
    gives(-EINVAL, NR.clone3, args, 8)
    args[0] = 1 << 50
    gives(-EINVAL, NR.clone3, args, 88)


@test
def clone_flag_errors():
    CLONE_THREAD, CLONE_SIGHAND, CLONE_VM, CLONE_FS, NEWNS = 0x10000, 0x800, 0x100, 0x200, 0x20000
    gives(-EINVAL, NR.clone, CLONE_SIGHAND, 0, 0, 0, 0)
    gives(-EINVAL, NR.clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0)
    gives(-EINVAL, NR.clone, CLONE_FS | NEWNS, 0, 0, 0, 0)


@test
def vfork_by_posix_spawn():
    r, w = os.pipe()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "echo spawned; exit 3"], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, w, 1)])
    eq(os.read(r, 100), b"spawned\n")
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)
    fails(ENOENT, os.posix_spawn, "/no/such", ["x"], {})


@test
def many_children_at_once():
    pids = [spawn(lambda i=i: i % 7) for i in range(60)]
    codes = {}
    for _ in pids:
        pid, status = os.wait()
        codes[pid] = os.waitstatus_to_exitcode(status)
    eq([codes[p] for p in pids], [i % 7 for i in range(60)])


@test
def process_limit():
    need_root()

    def limited():
        os.setgid(54321)
        os.setuid(54321)
        resource.setrlimit(resource.RLIMIT_NPROC, (5, 5))
        kids = []
        try:
            while len(kids) < 10:
                pid = os.fork()
                if pid == 0:
                    signal.pause()
                kids.append(pid)
        except BlockingIOError:
            pass
        for pid in kids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        eq(len(kids), 4)
    child_ok(limited)


@test
def parent_death_signal():
    p = Pipe()

    def middle():
        ready = Pipe()

        def grandchild():
            signal.signal(signal.SIGUSR1, lambda *_: (p.post(b"d"), os._exit(0)))
            works(NR.prctl, 1, signal.SIGUSR1, 0, 0, 0)
            ready.post()
            serve_signals()
        spawn(grandchild)
        ready.take()
    in_child(middle)
    eq(p.take(), b"d")


@test
def process_names():
    works(NR.prctl, 15, b"a-name-that-is-too-long", 0, 0, 0)
    buf = ctypes.create_string_buffer(16)
    works(NR.prctl, 16, buf, 0, 0, 0)
    eq(buf.value, b"a-name-that-is-")
    eq(open("/proc/self/comm").read(), "a-name-that-is-\n")


@test
def exit_with_threads_alive():
    import threading

    def child():
        for _ in range(3):
            threading.Thread(target=lambda: signal.pause(), daemon=True).start()
        os._exit(17)
    for _ in range(5):
        eq(os.waitstatus_to_exitcode(in_child(child)), 17)


@test
def scheduling_calls():
    eq(os.sched_getscheduler(0), os.SCHED_OTHER)
    eq(os.sched_get_priority_max(os.SCHED_FIFO), 99)
    ok(len(os.sched_getaffinity(0)) >= 1, "some CPU")
    fails(EINVAL, os.sched_setaffinity, 0, [])
    fails(ESRCH, os.sched_getaffinity, 999999)
    start = os.getpriority(os.PRIO_PROCESS, 0)
    eq(os.nice(3), start + 3)
    eq(in_child(lambda: os.getpriority(os.PRIO_PROCESS, 0)) >> 8, (start + 3) & 0xFF)
    os.sched_yield()


@test
def kcmp_compares_shared_objects():
    kcmp = 312
    FILE, VM, FILES, FS, SIGHAND, IO, SYSVSEM = range(7)
    me, child = os.getpid(), spawn(stay)
    try:
        for kind in FILE, VM, FILES, FS, SIGHAND, IO, SYSVSEM:
            gives(0, kcmp, me, me, kind, 1, 1)
        for kind in VM, FILES, FS, SIGHAND:
            ok(sc(kcmp, me, child, kind, 0, 0) in (1, 2), "different: %d" % kind)
        gives(0, kcmp, me, child, SYSVSEM, 0, 0)
        # Either no process has an I/O context, or only the parent has one.
        ok(sc(kcmp, me, child, IO, 0, 0) in (0, 1, 2), "the parent's or none")
        gives(0, kcmp, me, child, FILE, 1, 1)
        gives(-EBADF, kcmp, me, child, FILE, 1, 999)
        gives(-EINVAL, kcmp, me, me, 99, 0, 0)
        gives(-ESRCH, kcmp, me, 999999, VM, 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


run()
