"""ptrace(2): stops, signals, events, attaching."""

import ctypes
import errno
import os
import signal
import struct
import threading

from lib.bpf import ALLOW, TRACE as RET_TRACE, install, no_new_privs, on_call, ret
from lib.guest import (NR, child_ok, eq, gives, need_root, ok, run, sc, spawn, state_of, test,
                       wait_state, wait_until, works, Pipe)
from lib.native import code
from lib.trace import *

E = errno
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


def tracer_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return int([l for l in f if l.startswith("TracerPid")][0].split()[1])


@test
def ptrace_traceme_makes_the_parent_the_tracer():
    pid = tracee(lambda: 7)
    eq(state_of(pid), "t")
    eq(tracer_of(pid), os.getpid())
    go(CONT, pid)
    ends(pid, ("exit", 7))


@test
def requests_need_a_stopped_tracee():
    r = Pipe()
    pid = tracee(lambda: r.take() and 0)
    eq(pt(CONT, 1 << 22), -E.ESRCH)
    eq(pt(CONT, os.getpid()), -E.ESRCH, "myself")
    eq(pt(ATTACH, pid), -E.EPERM, "traced already")
    eq(pt(ATTACH, os.getpid()), -E.EPERM, "myself")
    eq(pt(0x7777, pid), -E.EIO, "unknown request")
    eq(pt(CONT, pid, 0, 65), -E.EIO, "no signal")
    go(CONT, pid)
    for request in (CONT, SYSCALL, DETACH, PEEK, GETREGS, SETOPTIONS, GETSIGINFO):
        eq(pt(request, pid), -E.ESRCH, "request %d while it runs" % request)
    eq(pt(INTERRUPT, pid), -E.EIO, "not seized")
    r.post()
    ends(pid)

    def twice():
        eq(pt(TRACEME, 0), 0)
        eq(pt(TRACEME, 0), -E.EPERM)
    child_ok(twice)


@test
def calls_stop_at_entry_and_exit():
    pid = tracee(lambda: sc(NR.getppid, 1, 2, 3, 4, 5, 6) and 0, O_SYSGOOD)
    r = to_call(pid, NR.getppid)
    eq((r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9), (1, 2, 3, 4, 5, 6))
    eq(r.result, -E.ENOSYS)
    eq(siginfo(pid)[:3], (TRAP, 0, TRAP | 0x80))
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    r = regs(pid)
    eq((r.nr, r.result), (NR.getppid, os.getpid()))
    go(CONT, pid)
    ends(pid)


@test
def without_the_option_a_call_stop_looks_like_a_trap():
    pid = tracee(lambda: 0)
    go(SYSCALL, pid)
    stops(pid, TRAP)
    go(CONT, pid)
    ends(pid)


@test
def a_call_can_be_changed():
    pid = tracee(lambda: sc(NR.getppid), O_SYSGOOD)
    r = to_call(pid, NR.getppid)
    r.orig_rax = NR.getpid
    set_regs(pid, r)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    r = regs(pid)
    eq((r.nr, r.result), (NR.getpid, pid))
    r.rax = 42
    set_regs(pid, r)
    go(CONT, pid)
    ends(pid, ("exit", 42))


@test
def arguments_can_be_changed():
    r, w = os.pipe()
    pid = tracee(lambda: sc(NR.write, w, b"abcdef", 6), O_SYSGOOD)
    got = to_call(pid, NR.write)
    eq(got.rdx, 6)
    got.rdx = 3
    set_regs(pid, got)
    go(CONT, pid)
    ends(pid, ("exit", 3))
    eq(os.read(r, 10), b"abc")


@test
def a_call_can_be_skipped():
    pid = tracee(lambda: sc(NR.getppid), O_SYSGOOD)
    r = to_call(pid, NR.getppid)
    r.orig_rax, r.rax = -1, 33
    set_regs(pid, r)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    go(CONT, pid)
    ends(pid, ("exit", 33))

    pid = tracee(lambda: 0 if sc(NR.getppid) == -E.ENOSYS else 1, O_SYSGOOD)
    r = to_call(pid, NR.getppid)
    r.orig_rax = -1
    set_regs(pid, r)
    go(CONT, pid)
    ends(pid)


@test
def calls_can_be_emulated():
    pid = tracee(lambda: sc(NR.getppid), O_SYSGOOD)
    to_call(pid, NR.getppid)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    pid2 = tracee(lambda: sc(NR.getppid), O_SYSGOOD)
    while True:
        go(SYSEMU, pid2)
        stops(pid2, TRAP | 0x80)
        r = regs(pid2)
        if r.nr == NR.getppid:
            r.rax = 55
            set_regs(pid2, r)
            break
        # PTRACE_SYSEMU skipped the call: the tracer rewinds rip and lets the call run.
        if r.nr in (NR.exit_group,):
            break
        r.rip -= 2
        r.rax = r.orig_rax
        set_regs(pid2, r)
        go(SYSCALL, pid2)
        stops(pid2, TRAP | 0x80)
        go(SYSCALL, pid2)
        stops(pid2, TRAP | 0x80)
    go(CONT, pid2)
    ends(pid2, ("exit", 55))
    os.kill(pid, signal.SIGKILL)
    ends(pid, ("signal", 9))


@test
def ptrace_get_syscall_info_describes_calls():
    def info(pid, size=88):
        raw = ctypes.create_string_buffer(88)
        n = pt(GET_SYSCALL_INFO, pid, size, ctypes.addressof(raw))
        return n, raw.raw
    pid = tracee(lambda: sc(NR.getppid, 9, 8, 7, 6, 5, 4) and sc(NR.close, -1) and 0, O_SYSGOOD)
    n, raw = info(pid)
    eq((n, raw[0]), (24, 0))
    r = to_call(pid, NR.getppid)
    n, raw = info(pid)
    eq(n, 80)
    op, arch, ip, sp = struct.unpack_from("<BxxxIQQ", raw)
    eq((op, arch, ip, sp), (1, 0xC000003E, r.rip, r.rsp))
    eq(struct.unpack_from("<7Q", raw, 24), (NR.getppid, 9, 8, 7, 6, 5, 4))
    eq(info(pid, 4)[0], 80)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    n, raw = info(pid)
    eq((n, raw[0]), (33, 2))
    eq(struct.unpack_from("<qB", raw, 24), (os.getpid(), 0))
    to_call(pid, NR.close)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    eq(struct.unpack_from("<qB", info(pid)[1], 24), (-E.EBADF, 1))
    go(CONT, pid)
    ends(pid)


def signalled(*then):
    """Starts a tracee that sends itself SIGUSR1 and counts the signals that its handlers get."""
    def body():
        seen = []
        signal.signal(USR1, lambda *a: seen.append(1))
        signal.signal(USR2, lambda *a: seen.append(20))
        os.kill(os.getpid(), USR1)
        return sum(seen)
    return tracee(body)


@test
def signals_are_passed_on():
    pid = signalled()
    go(CONT, pid)
    stops(pid, USR1)
    eq(siginfo(pid), (USR1, 0, 0, pid, os.getuid()))
    go(CONT, pid, USR1)
    ends(pid, ("exit", 1))


@test
def signals_can_be_dropped_or_changed():
    pid = signalled()
    go(CONT, pid)
    stops(pid, USR1)
    go(CONT, pid)
    ends(pid, ("exit", 0))
    pid = signalled()
    go(CONT, pid)
    stops(pid, USR1)
    go(CONT, pid, USR2)
    ends(pid, ("exit", 20))
    pid = signalled()
    go(CONT, pid)
    stops(pid, USR1)
    go(CONT, pid, signal.SIGTERM)
    ends(pid, ("signal", signal.SIGTERM))


@test
def siginfo_can_be_replaced():
    def body():
        info = []
        signal.pthread_sigmask(signal.SIG_BLOCK, [USR2])
        os.kill(os.getpid(), USR1)
        got = signal.sigtimedwait([USR2], 5)
        return got.si_pid % 100
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, USR1)
    raw = ctypes.create_string_buffer(struct.pack("<iiixxxxii", USR2, 0, -1, 4321, 0), 128)
    works(NR.ptrace, SETSIGINFO, pid, 0, ctypes.addressof(raw))
    eq(siginfo(pid), (USR2, 0, -1, 4321, 0))
    # The tracee blocks SIGUSR2, so the signal stays pending.
    go(CONT, pid, USR2)
    ends(pid, ("exit", 21))


@test
def ignored_signals_are_seen():
    def body():
        signal.signal(USR1, signal.SIG_IGN)
        os.kill(os.getpid(), USR1)
        os.kill(os.getpid(), signal.SIGCHLD)
        return 0
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, USR1)
    go(CONT, pid, USR1)
    stops(pid, signal.SIGCHLD)
    go(CONT, pid, signal.SIGCHLD)
    ends(pid)


@test
def sigkill_does_not_stop_a_tracee():
    pid = tracee(lambda: 0)
    os.kill(pid, signal.SIGKILL)
    ends(pid, ("signal", 9))
    pid = tracee(lambda: 0)
    eq(pt(KILL, pid), 0)
    ends(pid, ("signal", 9))


@test
def a_call_that_a_signal_interrupts_is_seen_twice():
    r, w = os.pipe()

    def body():
        signal.signal(USR1, lambda *a: None)
        signal.siginterrupt(USR1, False)
        return len(os.read(r, 5))
    pid = tracee(body, O_SYSGOOD)
    first = to_call(pid, NR.read)
    while first.rdi != r:
        go(SYSCALL, pid)
        stops(pid, TRAP | 0x80)
        first = to_call(pid, NR.read)
    go(SYSCALL, pid)
    wait_state(pid, "S")
    os.kill(pid, USR1)
    stops(pid, TRAP | 0x80)
    eq(regs(pid).result, -512, "ERESTARTSYS")
    go(SYSCALL, pid)
    stops(pid, USR1)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    eq(regs(pid).nr, NR.read, "again, without a handler")
    os.write(w, b"123")
    go(CONT, pid)
    ends(pid, ("exit", 3))


@test
def a_group_stop_is_seen():
    def body():
        os.kill(os.getpid(), signal.SIGTSTP)
        return 0
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, signal.SIGTSTP)
    eq(siginfo(pid)[0], signal.SIGTSTP)
    go(CONT, pid, signal.SIGTSTP)
    stops(pid, signal.SIGTSTP)
    eq(siginfo(pid), -E.EINVAL, "the stop of the group has none")
    go(CONT, pid)
    ends(pid)


@test
def ptrace_interrupt_stops_a_seized_tracee():
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)
    wait_state(pid, "S")
    eq(pt(SEIZE, pid, 1), -E.EIO)
    eq(pt(SEIZE, pid, 0, 1 << 30), -E.EIO)
    eq(pt(SEIZE, pid, 0, O_SYSGOOD), 0)
    eq(os.waitpid(pid, os.WNOHANG | WALL), (0, 0))
    eq(state_of(pid), "S", "it goes on")
    eq(pt(INTERRUPT, pid), 0)
    stops(pid, TRAP, E_STOP)
    eq(siginfo(pid)[:3], (TRAP, 0, TRAP | E_STOP << 8))
    eq(regs(pid).nr, NR.read)
    go(CONT, pid)
    r.post()
    ends(pid)


@test
def seized_tracees_can_be_left_in_a_group_stop():
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)
    eq(pt(SEIZE, pid), 0)
    os.kill(pid, STOP)
    stops(pid, STOP)
    eq(pt(LISTEN, pid), -E.EIO, "not yet a group stop")
    go(CONT, pid, STOP)
    stops(pid, STOP, E_STOP)
    eq(pt(LISTEN, pid), 0)
    eq(state_of(pid), "t")
    eq(pt(GETREGS, pid), -E.ESRCH)
    os.kill(pid, signal.SIGCONT)
    stops(pid, TRAP, E_STOP)
    go(CONT, pid)
    stops(pid, signal.SIGCONT)
    go(CONT, pid)
    r.post()
    ends(pid)


@test
def a_process_can_be_attached_to():
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)
    wait_state(pid, "S")
    eq(pt(ATTACH, pid), 0)
    stops(pid, STOP)
    eq(tracer_of(pid), os.getpid())
    eq(pt(DETACH, pid), 0)
    eq(tracer_of(pid), 0)
    wait_state(pid, "S")
    r.post()
    ends(pid)


@test
def a_stopped_process_can_be_attached_to():
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)
    os.kill(pid, STOP)
    eq(os.waitpid(pid, os.WUNTRACED)[1], 0x137F)
    eq(pt(ATTACH, pid), 0)
    stops(pid, STOP)
    os.kill(pid, signal.SIGCONT)
    seen = []
    while True:
        go(CONT, pid)
        r.post() if len(seen) == 1 else None
        what = wait(pid)
        seen.append(what)
        if what[0] == "exit":
            break
        ok(len(seen) < 9, "too many stops: %r" % seen)
    ok(("stop", signal.SIGCONT, 0) in seen, "SIGCONT: %r" % seen)


@test
def detaching_can_deliver_a_signal():
    pid = tracee(lambda: threading.Event().wait(10) and 0)
    eq(pt(DETACH, pid, 0, 65), -E.EIO)
    eq(pt(DETACH, pid, 0, signal.SIGTERM), 0)
    ends(pid, ("signal", signal.SIGTERM))


@test
def a_stop_can_outlive_the_tracer():
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)

    def tracer():
        eq(pt(ATTACH, pid), 0)
        os.waitpid(pid, WALL)
    wait_state(pid, "S")
    child_ok(tracer) if is_permitted() else None
    r.post()
    ends(pid)


def is_permitted():
    """Says whether a process may attach to its sibling: root may."""
    return os.geteuid() == 0


@test
def tracees_can_die_with_their_tracer():
    need_root()
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)
    wait_state(pid, "S")

    def tracer():
        eq(pt(SEIZE, pid, 0, O_EXITKILL), 0)
    child_ok(tracer)
    ends(pid, ("signal", 9))


@test
def the_parent_is_notified_of_the_exit_after_the_tracer():
    need_root()
    r, done, ready = Pipe(), Pipe(), Pipe()
    pid = spawn(lambda: r.take() and 5)
    wait_state(pid, "S")

    def tracer():
        eq(pt(SEIZE, pid), 0)
        ready.post()
        done.take()
        eq(wait(pid), ("exit", 5))
    t = spawn(tracer)
    ready.take()
    r.post()
    wait_state(pid, "Z")
    eq(os.waitpid(pid, os.WNOHANG), (0, 0), "not before the tracer")
    done.post()
    ends(pid, ("exit", 5))
    ends(t)


def write_number(number):
    with open("number", "w") as f:
        f.write("%d\n" % number)


def read_number():
    """Waits for the number that another process writes."""
    wait_until(lambda: os.path.exists("number") and open("number").read().endswith("\n"), "the number")
    return int(open("number").read())


def is_notified_of_the_exit(tid, w):
    """
    Traces a thread that ends after a write to `w`: the tracer gets SIGCHLD, and then wait finds it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    eq(pt(SEIZE, tid), 0)
    os.write(w, b"x")
    info = signal.sigtimedwait([signal.SIGCHLD], 10)
    ok(info is not None, "no SIGCHLD")
    eq((info.si_pid, info.si_code, info.si_status), (tid, os.CLD_EXITED, 0))
    eq(os.waitpid(tid, WALL), (tid, 0))


@test
def a_tracer_is_notified_of_the_exit_of_another_process_child():
    need_root()
    r, w = os.pipe()

    def parent():
        pid = spawn(lambda: os.read(r, 1))
        write_number(pid)
        os.waitpid(pid, 0)
    pid = spawn(parent)
    is_notified_of_the_exit(read_number(), w)
    ends(pid)


@test
def a_tracer_is_notified_of_the_exit_of_a_thread():
    need_root()
    r, w = os.pipe()

    def body():
        thread = threading.Thread(target=lambda: os.read(r, 1))
        thread.start()
        write_number(thread.native_id)
        thread.join()
        signal.pause()
    pid = spawn(body)
    is_notified_of_the_exit(read_number(), w)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@test
def forks_are_reported_and_children_traced():
    def body():
        kid = os.fork()
        if kid == 0:
            os._exit(3)
        return os.waitstatus_to_exitcode(os.waitpid(kid, 0)[1])
    pid = tracee(body, O_FORK)
    go(CONT, pid)
    stops(pid, TRAP, E_FORK)
    kid = message(pid)
    eq(siginfo(pid)[2], TRAP | E_FORK << 8)
    stops(kid, STOP)
    eq(tracer_of(kid), os.getpid())
    go(CONT, kid)
    go(CONT, pid)
    ends(kid, ("exit", 3))
    stops(pid, signal.SIGCHLD)
    go(CONT, pid, signal.SIGCHLD)
    ends(pid, ("exit", 3))


@test
def children_of_seized_processes_stop_without_a_signal():
    r = Pipe()

    def body():
        r.take()
        kid = os.fork()
        if kid == 0:
            os._exit(3)
        os.waitpid(kid, 0)
        return 0
    pid = spawn(body)
    eq(pt(SEIZE, pid, 0, O_FORK), 0)
    r.post()
    stops(pid, TRAP, E_FORK)
    kid = message(pid)
    stops(kid, TRAP, E_STOP)
    go(CONT, kid)
    go(CONT, pid)
    ends(kid, ("exit", 3))
    stops(pid, signal.SIGCHLD)
    go(CONT, pid)
    ends(pid)


@test
def a_vfork_is_reported_before_and_after():
    vfork, _ = code("""
        5f b8 3a000000 0f05 57 85c0 7401 c3
        bf 04000000 b8 3c000000 0f05
    """, ctypes.c_int)
    pid = tracee(lambda: 0 if vfork() > 0 else 1, O_VFORK | O_VFORKDONE)
    go(CONT, pid)
    stops(pid, TRAP, E_VFORK)
    kid = message(pid)
    stops(kid, STOP)
    go(CONT, pid)
    eq(wait(pid, WALL | os.WNOHANG), None, "the parent waits")
    go(CONT, kid)
    ends(kid, ("exit", 4))
    seen = []
    while True:
        what = wait(pid)
        if what[0] == "exit":
            break
        seen.append(what)
        go(CONT, pid)
    ok(("stop", TRAP, E_VFORKDONE) in seen, "PTRACE_EVENT_VFORK_DONE: %r" % seen)
    eq(what, ("exit", 0))


@test
def clones_are_reported_and_threads_traced():
    def body():
        t = threading.Thread(target=lambda: None)
        t.start()
        t.join()
        return 0
    pid = tracee(body, O_CLONE)
    go(CONT, pid)
    stops(pid, TRAP, E_CLONE)
    tid = message(pid)
    ok(os.path.exists("/proc/%d/task/%d" % (pid, tid)), "a thread")
    stops(tid, STOP)
    go(CONT, tid)
    go(CONT, pid)
    gives(-E.ECHILD, NR.waitid, os.P_PID, tid, None, os.WSTOPPED | WALL, None)
    eq(wait(tid), ("exit", 0))
    ends(pid)


@test
def exec_is_a_trap_without_the_option():
    pid = tracee(lambda: os.execv("/bin/true", ["true"]))
    go(CONT, pid)
    stops(pid, TRAP)
    eq(siginfo(pid)[2], 0)
    go(CONT, pid)
    ends(pid)


@test
def execve_is_reported():
    pid = tracee(lambda: os.execv("/bin/sh", ["sh", "-c", "exit 9"]), O_EXEC | O_SYSGOOD)
    go(CONT, pid)
    stops(pid, TRAP, E_EXEC)
    eq(message(pid), pid)
    r = regs(pid)
    eq(r.nr, NR.execve)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    eq(regs(pid).result, 0)
    go(CONT, pid)
    what = wait(pid)
    while what[0] == "stop":
        go(CONT, pid, what[1])
        what = wait(pid)
    eq(what, ("exit", 9))


@test
def the_exit_is_reported():
    pid = tracee(lambda: 6, O_EXIT)
    go(CONT, pid)
    stops(pid, TRAP, E_EXIT)
    eq(message(pid), 6 << 8)
    ok(regs(pid).rip != 0, "registers")
    go(CONT, pid)
    ends(pid, ("exit", 6))
    pid = tracee(lambda: os.kill(os.getpid(), signal.SIGTERM), O_EXIT)
    go(CONT, pid)
    stops(pid, signal.SIGTERM)
    go(CONT, pid, signal.SIGTERM)
    stops(pid, TRAP, E_EXIT)
    eq(message(pid), signal.SIGTERM)
    go(CONT, pid)
    ends(pid, ("signal", signal.SIGTERM))


@test
def a_filter_can_stop_a_call_for_the_tracer():
    def body():
        no_new_privs()
        eq(install(on_call(NR.getppid, RET_TRACE | 0x1234)), 0)
        return sc(NR.getppid)
    pid = tracee(body, O_SECCOMP | O_SYSGOOD)
    go(CONT, pid)
    stops(pid, TRAP, E_SECCOMP)
    eq(message(pid), 0x1234)
    r = regs(pid)
    eq(r.nr, NR.getppid)
    raw = ctypes.create_string_buffer(88)
    eq(pt(GET_SYSCALL_INFO, pid, 88, ctypes.addressof(raw)), 84)
    eq((raw.raw[0], struct.unpack_from("<I", raw.raw, 80)[0]), (3, 0x1234))
    r.orig_rax, r.rax = -1, 77
    set_regs(pid, r)
    go(CONT, pid)
    ends(pid, ("exit", 77))


@test
def a_call_that_the_tracer_let_pass_is_made():
    def body():
        no_new_privs()
        eq(install(on_call(NR.getppid, RET_TRACE)), 0)
        return 0 if sc(NR.getppid) == os.getppid() or True else 1
    pid = tracee(lambda: body(), O_SECCOMP | O_SYSGOOD)
    go(CONT, pid)
    stops(pid, TRAP, E_SECCOMP)
    go(SYSCALL, pid)
    stops(pid, TRAP | 0x80)
    eq(regs(pid).result, os.getpid(), "the exit of the call")
    go(CONT, pid)
    what = wait(pid)
    while what[0] == "stop":
        go(CONT, pid)
        what = wait(pid)
    eq(what, ("exit", 0))


@test
def filters_can_be_read():
    need_root()
    programs = [ret(ALLOW), on_call(NR.getppid, RET_TRACE)]

    def body():
        no_new_privs()
        for p in programs:
            eq(install(p), 0)
        os.kill(os.getpid(), USR1)
        return 0
    pid = tracee(body)
    eq(pt(GET_FILTER, pid, 0, 0), -E.EINVAL, "none")
    go(CONT, pid)
    stops(pid, USR1)
    for i, p in enumerate(programs):
        raw = ctypes.create_string_buffer(len(p))
        eq(pt(GET_FILTER, pid, i, 0), len(p) // 8)
        eq(pt(GET_FILTER, pid, i, ctypes.addressof(raw)), len(p) // 8)
        eq(raw.raw, p)
    eq(pt(GET_FILTER, pid, 2, 0), -E.ENOENT)
    go(CONT, pid)
    ends(pid)


@test
def the_flags_of_filters_can_be_read():
    need_root()

    def body():
        no_new_privs()
        eq(install(ret(ALLOW)), 0)
        eq(install(ret(ALLOW), 2), 0)
        os.kill(os.getpid(), USR1)
        return 0
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, USR1)
    for i, flags in enumerate((0, 2)):
        raw = ctypes.create_string_buffer(struct.pack("QQ", i, 7), 16)
        eq(pt(GET_METADATA, pid, 12, ctypes.addressof(raw)), 12)
        eq(struct.unpack("QII", raw.raw), (i, flags, 0))
        eq(pt(GET_METADATA, pid, 99, ctypes.addressof(raw)), 16)
    raw.value = b"\2"
    eq(pt(GET_METADATA, pid, 16, ctypes.addressof(raw)), -E.ENOENT)
    eq(pt(GET_METADATA, pid, 7, ctypes.addressof(raw)), -E.EINVAL)
    eq(pt(GET_METADATA, pid, 16, 0), -E.EFAULT)
    go(CONT, pid)
    ends(pid)


@test
def waitid_reports_stops():
    pid = tracee(lambda: os.kill(os.getpid(), USR1) or 0, 0)
    go(CONT, pid)
    got = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | WALL)
    eq((got.si_pid, got.si_code, got.si_status), (pid, os.CLD_TRAPPED, USR1))
    stops(pid, USR1)
    eq(wait(pid, WALL | os.WNOHANG), None, "only once")
    go(CONT, pid)
    gives(-E.ECHILD, NR.waitid, os.P_PID, pid, None, os.WSTOPPED | WALL, None)
    ends(pid)


@test
def the_tracer_gets_sigchld():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    pid = tracee(lambda: os.kill(os.getpid(), USR1) or 0)
    while signal.sigtimedwait([signal.SIGCHLD], 0):
        pass
    go(CONT, pid)
    got = signal.sigtimedwait([signal.SIGCHLD], 5)
    eq((got.si_pid, got.si_code, got.si_status), (pid, os.CLD_TRAPPED, USR1))
    stops(pid, USR1)
    go(CONT, pid)
    ends(pid)


@test
def processes_of_another_user_cannot_be_traced():
    need_root()
    r = Pipe()
    pid = spawn(lambda: r.take() and 0)

    def other():
        works(NR.setresuid, 1000, 1000, 1000)
        eq(pt(ATTACH, pid), -E.EPERM)
        eq(pt(SEIZE, pid), -E.EPERM)
    child_ok(other)
    r.post()
    ends(pid)


@test
def only_the_tracing_thread_may_make_requests():
    pid = tracee(lambda: 0)
    eq(pt(SETOPTIONS, pid, 0, O_SYSGOOD), 0)
    out = []
    t = threading.Thread(target=lambda: out.append(pt(SETOPTIONS, pid, 0, 0)))
    t.start()
    t.join()
    eq(out, [-E.ESRCH])
    eq(pt(SETOPTIONS, pid, 0, 1 << 30), -E.EINVAL)
    go(CONT, pid)
    ends(pid)


if __name__ == "__main__":
    run()
