"""Credentials that execve(2), ptrace(2) and /proc/PID check, and when Linux takes them."""

import ctypes
import errno as E
import os
import resource
import select
import signal
import struct
import threading

from lib.guest import *
from lib.namespaces import (
    CLONE_FS, MS_PRIVATE, MS_REC, NEWNS, NEWPID, NEWUSER, clone, mount, umount, unshare,
)
from lib.native import code
from lib.setid import *
from lib.trace import *

USR1, CHLD = signal.SIGUSR1, signal.SIGCHLD
NO_RANDOMIZE = 0x40000
PTRACE = 101
PIDFD_GET_UTS = 0xFF0A
SYS.update(process_vm_readv=310, kcmp=312, prlimit64=302, ioprio_set=251, get_robust_list=274, setpriority=141,
           personality=135, sched_setscheduler=144, setns=308, pidfd_open=434, pidfd_getfd=438, sched_setaffinity=203)


def answers(fn):
    """Starts a child that posts the result of fn. Returns (pid, pipe)."""
    pipe = Pipe()
    return spawn(lambda: pipe.post(struct.pack("<q", fn())) and 0), pipe


def answer(pid, pipe):
    r, = struct.unpack("<q", pipe.take(8))
    os.waitpid(pid, 0)
    return r


def is_there(pipe):
    return bool(select.select([pipe.r], [], [], 0)[0])


# execve(2) that waits for threads

def try_to_attach(request):
    become()
    return pt(request, victim.pid)


@cases([("seize", SEIZE), ("attach", ATTACH)])
def attaching_waits_for_an_execve(request):
    need_root()
    global victim
    victim = WaitingExec(program())
    pid, pipe = answers(lambda: try_to_attach(request))
    wait_until(lambda: is_there(pipe) or calls(pid, PTRACE), "the tracer's call")
    victim.let_go()
    eq(victim.run.report().euid, 0)
    eq(answer(pid, pipe), -E.EPERM, "ptrace")
    victim.run.end(victim.pid)


@test
def a_signal_does_not_end_the_wait_for_an_execve():
    need_root()
    global victim
    victim = WaitingExec(program())

    def signalled():
        signal.signal(USR1, lambda *_: None)
        return try_to_attach(SEIZE)
    pid, pipe = answers(signalled)
    wait_until(lambda: is_there(pipe) or calls(pid, PTRACE), "the tracer's call")
    os.kill(pid, USR1)
    wait_until(lambda: is_there(pipe) or (not signals_of(pid) and calls(pid, PTRACE)), "its restart")
    victim.let_go()
    eq(victim.run.report().euid, 0)
    eq(answer(pid, pipe), -E.EPERM, "ptrace")
    victim.run.end(victim.pid)


@test
def a_tracer_that_waits_can_be_killed():
    need_root()
    global victim
    victim = WaitingExec(program())
    pid, pipe = answers(lambda: try_to_attach(SEIZE))
    wait_until(lambda: is_there(pipe) or calls(pid, PTRACE), "the tracer's call")
    os.kill(pid, signal.SIGKILL)
    eq(wait(pid), ("signal", signal.SIGKILL))
    victim.let_go()
    eq(victim.run.report().euid, 0)
    victim.run.end(victim.pid)


@test
def an_execve_that_is_killed_ends_the_wait_for_it():
    need_root()
    global victim
    victim = WaitingExec(program())
    pid, pipe = answers(lambda: try_to_attach(SEIZE))
    wait_until(lambda: is_there(pipe) or calls(pid, PTRACE), "the tracer's call")
    os.kill(victim.pid, signal.SIGKILL)
    eq(wait(victim.tid), ("signal", signal.SIGKILL))
    ok(answer(pid, pipe) in (-E.EPERM, -E.ESRCH, 0), "ptrace")
    eq(wait(victim.pid), ("signal", signal.SIGKILL))


@test
def attaching_succeeds_behind_an_execve_of_the_same_user():
    need_root()
    global victim
    victim = WaitingExec(program(mode=0o755))
    pid, pipe = answers(lambda: try_to_attach(SEIZE))
    wait_until(lambda: is_there(pipe) or calls(pid, PTRACE), "the tracer's call")
    ok(not is_there(pipe), "the tracer waits")
    victim.let_go()
    eq(victim.run.report()[:3], (USER, USER, 1))
    eq(answer(pid, pipe), 0, "ptrace")
    victim.run.end(victim.pid)


# Tracers and privilege

def traced_exec(path, tracer):
    """
    Returns the report of a set-ID program that is traced at its execve; tracer(pid) runs in a
    child.
    """
    run, go_on, ready = Run(), Pipe(), Pipe()

    def body():
        become()
        ready.post()
        go_on.take()
        run.exec(path)
    pid = spawn(body)
    ready.take()
    attached = Pipe()

    def trace():
        tracer(pid)
        attached.post()
        ends(pid)
    other = spawn(trace)
    attached.take()
    go_on.post()
    report = run.report()
    run.stdin.post()
    eq(wait(other), ("exit", 0))
    eq(wait(pid), ("exit", 0))
    return report


@test
def a_program_gains_nothing_under_a_weaker_tracer():
    need_root()

    def tracer(pid):
        become()
        eq(pt(SEIZE, pid), 0)
    eq(traced_exec(program(gid=0, mode=0o6755), tracer)[:2], (USER, USER))


@test
def a_tracer_counts_with_the_capabilities_at_its_attach():
    need_root()

    def tracer(pid):
        eq(pt(SEIZE, pid), 0)
        become()
    eq(traced_exec(program(), tracer).euid, 0)


@test
def ptrace_traceme_uses_the_credentials_of_the_tracee():
    need_root()
    # The parent is root, the child that called PTRACE_TRACEME is not: CVE-2019-13272.
    path, run = program(), Run()

    def body():
        become()
        eq(pt(TRACEME, 0), 0)
        run.exec(path)
    pid = spawn(body)
    stops(pid, TRAP)
    go(CONT, pid)
    eq(run.report().euid, USER)
    run.end(pid)


@test
def a_parent_does_not_trace_a_child_that_can_do_more():
    need_root()

    def parent():
        asks, replies = Pipe(), Pipe()

        def child():
            asks.take()
            replies.post(struct.pack("<q", pt(TRACEME, 0)))
        pid = spawn(child)
        become()
        asks.post()
        eq(answer(pid, replies), -E.EPERM)
    child_ok(parent)


@test
def a_tracee_that_becomes_undumpable_hides_its_memory():
    need_root()
    word = ctypes.create_string_buffer(8)

    def parent():
        become()

        def secret():
            works(NR.prctl, PR_SET_DUMPABLE, 0, 0, 0, 0)
            os.kill(os.getpid(), STOP)
        at = ctypes.addressof(word)
        pid = tracee(secret)
        out = ctypes.c_uint64(0)
        eq(sc(NR.ptrace, PEEK, pid, at, ctypes.addressof(out)), 0)
        eq(pt(POKE, pid, at, 1), 0)
        go(CONT, pid)
        stops(pid, STOP)
        eq(sc(NR.ptrace, PEEK, pid, at, ctypes.addressof(out)), -E.EIO)
        eq(pt(POKE, pid, at, 1), -E.EIO)
        regs(pid)
        go(CONT, pid)
        ends(pid)
    child_ok(parent)


@test
def a_child_inherits_the_tracers_credentials():
    need_root()
    # The tracer is root, but the tracing began with the credentials of the tracee.
    path, run = program(), Run()

    def body():
        become()
        eq(pt(TRACEME, 0), 0)
        os.kill(os.getpid(), STOP)
        pid = os.fork()
        if pid == 0:
            run.exec(path)
        os.waitpid(pid, 0)
    pid = spawn(body)
    stops(pid, STOP)
    works(NR.ptrace, SETOPTIONS, pid, 0, O_FORK)
    go(CONT, pid)
    stops(pid, TRAP, E_FORK)
    child = message(pid)
    stops(child, STOP)
    go(CONT, child)
    stops(child, TRAP)
    go(CONT, pid)
    go(CONT, child)
    eq(run.report().euid, USER)
    run.stdin.post()
    ends(child)
    stops(pid, CHLD)
    go(CONT, pid)
    ends(pid, ("exit", 0))


# What is shared

def exec_beside(path, before):
    """Returns the report of a program of an ordinary user; before() runs in its process first."""
    run = Run()

    def body():
        become()
        before()
        run.exec(path)
    pid = spawn(body)
    report = run.report()
    run.end(pid)
    return report


@test
def a_program_gains_nothing_when_a_process_shares_its_root():
    need_root()
    run, path, hold = Run(), program(), Pipe()

    def body():
        become()
        clone(CLONE_FS, lambda: hold.take() and 0)
        run.exec(path)
    pid = spawn(body)
    eq(run.report().euid, USER)
    hold.post()
    run.end(pid)


@test
def a_thread_with_a_root_of_its_own_does_not_hide_a_shared_root():
    need_root()
    run, path, hold = Run(), program(), Pipe()

    def body():
        become()
        ready = Pipe()

        def apart():
            unshare(CLONE_FS)
            ready.post()
            os.read(hold.r, 0)
            os.read(Pipe().r, 1)
        threading.Thread(target=apart, daemon=True).start()
        ready.take()
        clone(CLONE_FS, lambda: hold.take() and 0)
        run.exec(path)
    pid = spawn(body)
    eq(run.report().euid, USER)
    hold.post()
    run.end(pid)


@test
def threads_that_share_a_root_do_not_keep_a_program_from_gaining():
    need_root()

    def before():
        threading.Thread(target=lambda: os.read(Pipe().r, 1), daemon=True).start()
    eq(exec_beside(program(), before).euid, 0)


@test
def no_new_privs_keeps_a_program_from_gaining():
    need_root()
    eq(exec_beside(program(mode=0o6755), lambda: works(NR.prctl, 38, 1, 0, 0, 0))[:2], (USER, USER))


@cases([("loses its bits", 0o4755, 0o755, 0), ("gets them", 0o755, 0o4755, USER)])
def a_file_that_changes_while_execve_waits(before, after, expected):
    need_root()
    path = program(mode=before)
    waiting = WaitingExec(path)
    os.chmod(path, after)
    waiting.let_go()
    eq(waiting.run.report().euid, expected)
    waiting.run.end(waiting.pid)


# Signals of children and parents

def child_signal_after(path):
    """
    Returns signals pending for a process that calls execve before its child ends; the child's
    exit signal was SIGUSR1.
    """
    run, hold = Run(), Pipe()

    def body():
        become()
        signal.pthread_sigmask(signal.SIG_BLOCK, [USR1, CHLD])
        pid = sc(NR.clone, int(USR1), 0, 0, 0, 0)
        if pid == 0:
            hold.take()
            os._exit(0)
        run.exec(path)
    pid = spawn(body)
    run.report()
    hold.post()
    wait_until(lambda: signals_of(pid), "the child's signal")
    found = signals_of(pid)
    run.end(pid)
    return found


@cases([("a set-ID program", 0o4755), ("a plain one", 0o755)])
def an_older_child_sends_the_usual_signal_to(mode):
    need_root()
    eq(child_signal_after(program(mode=mode)), [CHLD])


@test
def a_child_sends_the_signal_it_was_made_for():
    need_root()
    signal.pthread_sigmask(signal.SIG_BLOCK, [USR1, CHLD])
    pid = sc(NR.clone, int(USR1), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    eq(signal.sigwait([USR1, CHLD]), USR1)
    eq(wait(pid), ("exit", 0))


def death_signal():
    found = ctypes.c_int(-1)
    works(NR.prctl, PR_GET_PDEATHSIG, ctypes.addressof(found), 0, 0, 0)
    return found.value


@test
def a_set_id_program_forgets_the_signal_for_its_parents_end():
    need_root()
    set_it = lambda: works(NR.prctl, PR_SET_PDEATHSIG, int(USR1), 0, 0, 0)
    eq(exec_beside(program("set", mode=0o4755), set_it).pdeathsig, 0)
    eq(exec_beside(program("group", mode=0o2755), set_it).pdeathsig, 0)
    eq(exec_beside(program("plain", mode=0o755), set_it).pdeathsig, USR1)


@cases([
    ("setresuid", lambda: os.setresuid(-1, 5, -1), 0),
    ("setresgid", lambda: os.setresgid(-1, 5, -1), 0),
    ("setfsuid", lambda: sc(NR.setfsuid, 5), 0),
    ("setfsgid", lambda: sc(NR.setfsgid, 5), 0),
    ("setreuid of the real id", lambda: os.setresuid(5, -1, -1), 1),
    ("setgroups", lambda: os.setgroups([7]), 1),
])
def a_change_of_ids_clears_dumpable(change, expected):
    need_root()

    def body():
        works(NR.prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
        works(NR.prctl, PR_SET_PDEATHSIG, int(USR1), 0, 0, 0)
        change()
        eq(sc(NR.prctl, PR_GET_DUMPABLE, 0, 0, 0, 0), expected)
        eq(death_signal(), USR1 if expected else 0)
    child_ok(body)


@test
def a_parent_sends_no_signal_that_it_may_not_send():
    need_root()
    ready, found = Pipe(), Pipe()

    def parent(uid):
        def child():
            signal.pthread_sigmask(signal.SIG_BLOCK, [USR1])
            works(NR.prctl, PR_SET_PDEATHSIG, int(USR1), 0, 0, 0)
            before = os.getppid()
            ready.post()
            wait_until(lambda: os.getppid() != before, "another parent")
            found.post(b"y" if USR1 in signal.sigpending() else b"n")
        spawn(child)
        ready.take()
        os.setresuid(uid, uid, uid)
    child_ok(parent, USER)
    eq(found.take(), b"n")
    child_ok(parent, 0)
    eq(found.take(), b"y")


# Memory that other processes may not read

@test
def an_unreadable_program_is_not_dumpable():
    need_root()
    eq(exec_beside(program("readable", mode=0o755), lambda: None).dumpable, 1)
    run, path = Run(), program("unreadable", mode=0o711)
    pid = spawn(lambda: (become(), run.exec(path)))
    eq(run.report()[:3], (USER, USER, 0))
    st = os.stat("/proc/%d/environ" % pid)
    eq((st.st_uid, st.st_gid), (0, 0))

    def user():
        become()
        fails(E.EACCES, os.readlink, "/proc/%d/exe" % pid)
        eq(pt(SEIZE, pid), -E.EPERM)
    child_ok(user)
    run.end(pid)


@test
def a_set_id_program_is_not_dumpable():
    need_root()
    for mode in (0o4755, 0o2755, 0o6755):
        eq(exec_beside(program("p%o" % mode, mode=mode), lambda: None).dumpable, 0)
    eq(exec_beside(program("own", USER, USER, 0o6755), lambda: None).dumpable, 1)


# A child by vfork(2) calls setresuid(-1, 5, -1) and exit(0).
VFORK_SETEUID = """
    b838000000bf1141000031f631d24531d24531c00f0585c07523b87500000048c7c7ffffffffbe0500000048c7c2ffffffff
    0f05b83c00000031ff0f05c3
"""


@test
def dumpable_belongs_to_memory_not_to_a_process():
    need_root()

    def body():
        works(NR.prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
        os.waitpid(code(VFORK_SETEUID)[0](), 0)
        eq(sc(NR.prctl, PR_GET_DUMPABLE, 0, 0, 0, 0), 0)
    child_ok(body)


@test
def a_set_id_program_gets_a_random_layout():
    need_root()

    def fixed():
        works(NR.personality, NO_RANDOMIZE)
    eq(exec_beside(program("set"), fixed).personality & NO_RANDOMIZE, 0)
    eq(exec_beside(program("own", USER, USER, 0o4755), fixed).personality & NO_RANDOMIZE, 0)
    eq(exec_beside(program("plain", mode=0o755), fixed).personality, NO_RANDOMIZE)


@test
def root_of_a_namespace_is_none_over_memory_from_outside():
    need_root()
    path, run, maps, go_on = program("unreadable", OTHER, OTHER, 0o711), Run(), Pipe(), Pipe()

    def body():
        become()
        unshare(NEWUSER)
        maps.post()
        go_on.take()
        pid = spawn(lambda: run.exec(path))
        # Root of its namespace, with all capabilities there; the namespace does not map the
        # owner of the file.
        maps.post(struct.pack("<I", pid))
        go_on.take()
        eq(pt(SEIZE, pid), -E.EPERM)
        fails(E.EACCES, os.readlink, "/proc/%d/exe" % pid)
        run.end(pid)
    child = spawn(body)
    maps.take()
    for name in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (child, name), "w") as f:
            f.write("0 %d 1" % USER)
    go_on.post()
    inner, = struct.unpack("<I", maps.take(4))
    report = run.report()
    eq(report.dumpable, 0)
    eq(os.stat("/proc/%d/environ" % inner).st_uid, 0)
    go_on.post()
    eq(wait(child), ("exit", 0))


# /proc/PID

SECRETS = ["environ", "auxv", "maps", "smaps", "smaps_rollup", "numa_maps", "pagemap", "io", "syscall", "personality", "timers"]
LINKS = ["exe", "cwd", "root", "ns/net", "fd/0"]


def refused(directory):
    """Checks that an ordinary user cannot use the /proc directory of a process."""
    for name in SECRETS + ["mem"]:
        try:
            with open("%s/%s" % (directory, name), "rb") as f:
                f.read(1)
        except OSError as e:
            ok(e.errno in (E.EACCES, E.EPERM), "%s: %s" % (name, e))
        except ValueError:
            raise
        else:
            ok(False, "%s can be read" % name)
    fails(E.EACCES, os.open, directory + "/mem", os.O_RDWR)
    for name in LINKS:
        fails(E.EACCES, os.readlink, "%s/%s" % (directory, name))
    fails(E.EACCES, os.listdir, directory + "/fd")
    fails(E.EACCES, os.listdir, directory + "/map_files")
    fails(E.EACCES, os.listdir, directory + "/fdinfo")
    fails(E.EACCES, os.open, directory + "/fdinfo/0", os.O_RDONLY)
    fails(E.EACCES, os.stat, directory + "/fdinfo/0")
    with open(directory + "/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    # startcode and endcode are 1 for a reader without rights; startstack and start_data are 0.
    eq((fields[23], fields[24], fields[25], fields[42]), ("1", "1", "0", "0"))


@test
def a_reader_outside_the_pid_namespace_of_a_mount_is_checked():
    need_root()
    unshare(NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    os.mkdir("inner", 0o755)
    os.chmod(".", 0o755)
    os.chmod("..", 0o755)
    ready, leave = Pipe(), Pipe()

    def init():
        mount("proc", "inner", "proc")
        ready.post()
        leave.take()
    pid = clone(NEWPID, init)
    ready.take()
    try:
        def user():
            become()
            eq(os.listdir("inner").count("1"), 1)
            refused("inner/1")
        child_ok(user)
        with open("inner/1/environ", "rb") as f:
            f.read()
        with open("inner/1/mem", "rb"):
            pass
    finally:
        leave.post()
        os.waitpid(pid, 0)
        umount("inner", 2)


@test
def a_reader_within_the_pid_namespace_of_a_mount_is_checked():
    need_root()
    me = os.getpid()

    def user():
        become()
        refused("/proc/%d" % me)
    child_ok(user)


@test
def hidden_processes_stay_hidden_from_outside():
    need_root()
    unshare(NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    os.mkdir("inner", 0o755)
    os.chmod(".", 0o755)
    os.chmod("..", 0o755)
    ready, leave = Pipe(), Pipe()

    def init():
        mount("proc", "inner", "proc", 0, "hidepid=2")
        ready.post()
        leave.take()
    pid = clone(NEWPID, init)
    ready.take()
    try:
        def user():
            become()
            eq(os.listdir("inner").count("1"), 0)
            fails(E.ENOENT, os.listdir, "inner/1/task")
        child_ok(user)
        eq(os.listdir("inner").count("1"), 1)
    finally:
        leave.post()
        os.waitpid(pid, 0)
        umount("inner", 2)


@test
def descriptors_do_not_see_the_memory_of_a_later_program():
    need_root()
    path = program()

    def user():
        run, go_on = Run(), Pipe()
        become()

        def body():
            go_on.take()
            run.exec(path)
        pid = spawn(body)
        mem = os.open("/proc/%d/mem" % pid, os.O_RDWR)
        texts = [os.open("/proc/%d/%s" % (pid, name), os.O_RDONLY)
                 for name in ("maps", "smaps", "environ", "pagemap")]
        go_on.post()
        eq(run.report()[:3], (0, USER, 0))
        eq(os.pread(mem, 8, 0x400000), b"")
        eq(os.pwrite(mem, b"x", 0x400000), 0)
        for fd in texts:
            eq(os.read(fd, 8), b"")
        run.end(pid)
    child_ok(user)


@test
def a_read_of_proc_checks_the_reader_again():
    need_root()
    path = program()

    def user():
        run, go_on = Run(), Pipe()
        become()

        def body():
            go_on.take()
            run.exec(path)
        pid = spawn(body)
        fds = {name: os.open("/proc/%d/%s" % (pid, name), os.O_RDONLY)
               for name in ("io", "syscall", "personality", "stat", "cmdline")}
        directory = os.open("/proc/%d" % pid, os.O_RDONLY)
        descriptors = os.open("/proc/%d/fd" % pid, os.O_RDONLY)
        namespaces = os.open("/proc/%d/ns" % pid, os.O_PATH)
        go_on.post()
        eq(run.report()[:3], (0, USER, 0))
        fails(E.EACCES, os.read, fds["io"], 10)
        fails(E.EPERM, os.read, fds["syscall"], 10)
        fails(E.EPERM, os.read, fds["personality"], 10)
        eq(os.read(fds["stat"], 4096).decode().rsplit(")", 1)[1].split()[23], "1")
        eq(os.read(fds["cmdline"], 10), b"program\0")
        for name in ("mem", "environ", "maps"):
            fails(E.EACCES, os.open, name, os.O_RDONLY, dir_fd=directory)
        fails(E.EACCES, os.readlink, "exe", dir_fd=directory)
        fails(E.EACCES, os.open, "0", os.O_RDONLY, dir_fd=descriptors)
        fails(E.EACCES, os.readlink, "net", dir_fd=namespaces)
        run.end(pid)
    child_ok(user)


@test
def an_undumpable_process_inspects_itself():
    need_root()

    def user():
        become(dumpable=False)
        eq(os.stat("/proc/self/environ").st_uid, 0)
        eq(os.stat("/proc/self").st_uid, USER)
        fails(E.EACCES, os.open, "/proc/self/environ", os.O_RDONLY)
        os.listdir("/proc/self/fd")
        os.readlink("/proc/self/exe")
        os.readlink("/proc/self/fd/1")
        ok(open("/proc/self/maps").read(), "maps")
    child_ok(user)


# Real ids and file system ids

def ids(real, effective):
    """Sets group and user ids; the file system uid follows the effective one."""
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(real, effective, effective)


def other_call(call, pid):
    buf = ctypes.create_string_buffer(64)
    at = ctypes.addressof(buf)
    mine, theirs = struct.pack("<QQ", at, 8), struct.pack("<QQ", at, 8)
    if call == "link":
        try:
            return os.readlink("/proc/%d/cwd" % pid) and 0
        except OSError as e:
            return -e.errno
    if call in ("getfd", "namespace"):
        fd = works(NR.pidfd_open, pid, 0)
        return min(sc(NR.pidfd_getfd, fd, 0, 0) if call == "getfd" else sc(NR.ioctl, fd, PIDFD_GET_UTS, 0), 0)
    return {
        "vm": lambda: min(sc(NR.process_vm_readv, pid, mine, 1, theirs, 1, 0), 0),
        "kcmp": lambda: min(sc(NR.kcmp, os.getpid(), pid, 1, 0, 0), 0),
        "robust": lambda: sc(NR.get_robust_list, pid, buf, ctypes.c_uint64()),
        "seize": lambda: pt(SEIZE, pid),
        "prlimit": lambda: sc(NR.prlimit64, pid, resource.RLIMIT_CORE, None, buf),
        "nice": lambda: sc(NR.setpriority, 0, pid, 5),
        "affinity": lambda: sc(NR.sched_setaffinity, pid, 8, struct.pack("<Q", 1)),
        "batch": lambda: sc(NR.sched_setscheduler, pid, 3, struct.pack("<i", 0)),
        "ioprio": lambda: sc(NR.ioprio_set, 1, pid, 2 << 13 | 4),
    }[call]()


@cases([
    ("process_vm_readv", "vm", 0, -E.EPERM),
    ("kcmp", "kcmp", 0, -E.EPERM),
    ("get_robust_list", "robust", 0, -E.EPERM),
    ("ptrace", "seize", 0, -E.EPERM),
    ("prlimit", "prlimit", 0, -E.EPERM),
    ("pidfd_getfd", "getfd", 0, -E.EPERM),
    ("a namespace of a pidfd", "namespace", -E.EACCES, 0),
    ("a link of proc", "link", -E.EACCES, 0),
    ("setpriority", "nice", -E.EPERM, 0),
    ("sched_setaffinity", "affinity", -E.EPERM, 0),
    ("ioprio_set", "ioprio", 0, 0),
])
def ids_that_count_in(call, by_real, by_effective):
    need_root()
    ready, leave = Pipe(), Pipe()

    def target():
        become()
        ready.post()
        leave.take()
    pid = spawn(target)
    ready.take()

    def tries(real, effective):
        ids(real, effective)
        return other_call(call, pid)
    eq(answer(*answers(lambda: tries(USER, OTHER))), by_real, "real id alone")
    eq(answer(*answers(lambda: tries(OTHER, USER))), by_effective, "effective id alone")
    eq(answer(*answers(lambda: tries(OTHER, OTHER))), min(by_real, by_effective) or -E.EPERM, "none")
    leave.post()
    os.waitpid(pid, 0)


# (pid, local, remote): a child by vfork(2) becomes user 1000, and ends with the result of
# process_vm_readv.
VFORK_READ = """
    4154415541564989fc4989f54989d6b838000000bf1141000031f631d24531d24531c00f0585c0753db875000000bfe80300
    00bee8030000bae80300000f05b8360100004c89e74c89eeba010000004d89f241b8010000004531c90f0589c7b83c000000
    0f05415e415d415cc3
"""


@cases([
    ("setpriority", "nice"), ("sched_setaffinity", "affinity"), ("sched_setscheduler", "batch"),
    ("ioprio_set", "ioprio"),
])
def a_set_id_program_is_not_slowed_down_by_its_user_with(call):
    need_root()
    run, path = Run(), program()

    def body():
        become()
        run.exec(path)
    pid = spawn(body)
    eq(run.report().euid, 0)

    def user():
        become()
        return other_call(call, pid)
    eq(answer(*answers(user)), -E.EPERM)
    run.end(pid)


@test
def a_leader_that_ended_has_no_memory_and_no_descriptors():
    need_root()
    ready, leave = Pipe(), Pipe()

    def body():
        def last():
            ready.post()
            leave.take()
            os._exit(0)
        threading.Thread(target=last).start()
        sc(NR.exit, 0)
    pid = spawn(body)
    ready.take()
    wait_state(pid, "Z")
    eq(pt(SEIZE, pid), -E.EPERM)
    for name in ("environ", "mem", "pagemap"):
        fails(E.ESRCH, os.open, "/proc/%d/%s" % (pid, name), os.O_RDONLY)
    fd = works(NR.pidfd_open, pid, 0)
    eq(sc(NR.pidfd_getfd, fd, 0, 0), -E.ESRCH)
    eq(sc(NR.ioctl, fd, PIDFD_GET_UTS, 0), -E.ESRCH)
    eq(sc(NR.setns, fd, 0x4000000), -E.ESRCH)
    leave.post()
    os.waitpid(pid, 0)


@test
def a_child_in_the_same_memory_may_read_it():
    need_root()
    # A child that runs in its parent's memory and has other ids may still read that memory.
    buf, got = ctypes.create_string_buffer(b"shared", 8), ctypes.create_string_buffer(8)
    mine = struct.pack("<QQ", ctypes.addressof(got), 8)
    theirs = struct.pack("<QQ", ctypes.addressof(buf), 8)

    def body():
        fn = code(VFORK_READ, ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p)[0]
        eq(wait(fn(os.getpid(), mine, theirs)), ("exit", 8))
        eq(got.value, b"shared")
    child_ok(body)


run()
