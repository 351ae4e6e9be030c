"""ptrace(2): memory, registers, single steps, breakpoints; /proc/PID/mem."""

import ctypes
import errno
import os
import signal
import struct

from lib.guest import NR, eq, ok, run, sc, test, wait_state, works
from lib.native import code
from lib.trace import *

E = errno
USR1 = signal.SIGUSR1


def raised(fn, options=0):
    """
    Starts a tracee that runs fn(ready), and waits until ready() stops it by SIGUSR1.
    """
    pid = tracee(lambda: fn(lambda: os.kill(os.getpid(), USR1)) or 0, options)
    go(CONT, pid)
    stops(pid, USR1)
    return pid


@test
def memory_is_read_and_written():
    buf = ctypes.create_string_buffer(b"abcdefgh12345678", 16)
    at = ctypes.addressof(buf)
    pid = raised(lambda ready: ready() or (0 if buf.raw == b"abcdWXYZ!2345678" else 1))
    eq(peek(pid, at), struct.unpack("<Q", b"abcdefgh")[0])
    eq(peek(pid, at + 3), struct.unpack("<Q", b"defgh123")[0])
    works(NR.ptrace, POKE, pid, at + 4, struct.unpack("<Q", b"WXYZ!234")[0])
    eq(pt(PEEK, pid, 8, at), -E.EIO)
    eq(pt(POKE, pid, 8, 1), -E.EIO)
    eq(pt(PEEK, pid, at, 8), -E.EFAULT)
    eq(pt(PEEK, pid, 1 << 63, at), -E.EIO)
    eq(buf.raw, b"abcdefgh12345678", "the tracer's own memory")
    go(CONT, pid)
    ends(pid)


@test
def a_tracer_ignores_page_protection():
    page = works(NR.mmap, 0, 4096, 3, 0x22, -1, 0)
    ctypes.memmove(page, b"readonly", 8)
    works(NR.mprotect, page, 4096, 0)
    fn, at = code("b8 01000000 c3", ctypes.c_int)
    pid = raised(lambda ready: ready() or fn())
    eq(peek(pid, page), struct.unpack("<Q", b"readonly")[0])
    works(NR.ptrace, POKE, pid, page, 5)
    eq(peek(pid, page), 5)
    word = peek(pid, at)
    works(NR.ptrace, POKE, pid, at, word & ~0xFF00 | 0x2A00)
    go(CONT, pid)
    ends(pid, ("exit", 42))
    eq(fn(), 1, "the code of the tracer")


@test
def proc_pid_mem_reads_and_writes_memory():
    buf = ctypes.create_string_buffer(b"original", 8)
    at = ctypes.addressof(buf)
    pid = raised(lambda ready: ready() or (0 if buf.raw == b"changed!" else 1))
    fd = os.open("/proc/%d/mem" % pid, os.O_RDWR)
    eq(os.pread(fd, 8, at), b"original")
    eq(os.pwrite(fd, b"changed!", at), 8)
    os.close(fd)
    go(CONT, pid)
    ends(pid)


@test
def registers_are_read_and_written():
    # mov rbx, 0x1122334455667788; push/pop through a signal; mov eax, ebx is what the caller sees.
    fn, at = code("""
        53 48bb 8877665544332211 b8 3e000000 4889fe 0f05 4889d8 5b c3
    """, ctypes.c_uint64, ctypes.c_ulong, ctypes.c_ulong)
    # rdi = pid, rsi = signal: kill(pid, sig) with rsi as it came.
    fn, at = code("""
        53 48bb 8877665544332211 b8 3e000000 0f05 4889d8 5b c3
    """, ctypes.c_uint64, ctypes.c_ulong, ctypes.c_ulong)
    pid = tracee(lambda: 0 if fn(os.getpid(), USR1) == 0xABCD else 1)
    go(CONT, pid)
    stops(pid, USR1)
    r = regs(pid)
    eq(r.rbx, 0x1122334455667788)
    eq((r.cs, r.ss, r.ds), (0x33, 0x2B, 0))
    eq((r.nr, r.result), (NR.kill, 0))
    eq(r.rip, at + 18)
    eq(user(pid, 5 * 8), r.rbx)
    eq(user(pid, 16 * 8), r.rip)
    eq(user(pid, 15 * 8), NR.kill)
    works(NR.ptrace, POKEUSR, pid, 5 * 8, 0xABCD)
    eq(regs(pid).rbx, 0xABCD)
    ok(r.fs_base != 0, "the thread's base")
    go(CONT, pid)
    ends(pid)


@test
def the_user_area_has_bounds():
    pid = tracee(lambda: 0)
    word = ctypes.c_uint64(7)
    at = ctypes.addressof(word)
    for offset in (1, 4, 928, 1 << 40, 1 << 63):
        eq(pt(PEEKUSR, pid, offset, at), -E.EIO, "peek at %d" % offset)
        eq(pt(POKEUSR, pid, offset, 0), -E.EIO, "poke at %d" % offset)
    eq(user(pid, 848), 0, "debug register 0")
    eq(user(pid, 848 + 56), 0, "debug register 7")
    eq(pt(PEEKUSR, pid, 0, 8), -E.EFAULT)
    r = regs(pid)
    r.fs_base = 1 << 63
    raw = ctypes.create_string_buffer(r.pack(), 216)
    eq(pt(SETREGS, pid, 0, ctypes.addressof(raw)), -E.EIO)
    eq(pt(SETREGS, pid, 0, 8), -E.EFAULT)
    eq(pt(GETREGS, pid, 0, 8), -E.EFAULT)
    go(CONT, pid)
    os.waitpid(pid, WALL)


def regset(request, pid, kind, raw, size=None):
    iov = ctypes.create_string_buffer(struct.pack("<QQ", ctypes.addressof(raw), size or len(raw)), 16)
    r = pt(request, pid, kind, ctypes.addressof(iov))
    return r if r < 0 else struct.unpack("<QQ", iov.raw)[1]


# Room for an XSAVE area with AMX, which has 11 KB.
SET_BYTES = 16384


@test
def register_sets_are_read_and_written():
    pid = tracee(lambda: 0)
    raw = ctypes.create_string_buffer(SET_BYTES)
    eq(regset(GETREGSET, pid, 1, raw), 216)
    eq(raw.raw[:216], regs(pid).pack())
    eq(regset(GETREGSET, pid, 1, raw, 16), 16)
    eq(regset(GETREGSET, pid, 1, raw, 12), -E.EINVAL)
    eq(regset(GETREGSET, pid, 77, raw), -E.EINVAL)
    eq(pt(GETREGSET, pid, 1, 8), -E.EFAULT)
    eq(regset(SETREGSET, pid, 1, raw, 216), 216)
    eq(regset(GETREGSET, pid, 2, raw), 512)
    n = regset(GETREGSET, pid, 0x202, raw)
    ok(n > 576, "XSAVE area of %d bytes" % n)
    features = struct.unpack_from("<Q", raw.raw, 464)[0]
    ok(features & 7 == 7, "features %#x" % features)
    eq(regset(SETREGSET, pid, 0x202, raw, n), n)
    eq(regset(SETREGSET, pid, 0x202, raw, n - 8), -E.EFAULT)
    eq(regset(SETREGSET, pid, 0x202, raw, n - 4), -E.EINVAL)
    eq(regset(SETREGSET, pid, 2, raw, 504), -E.EINVAL)
    go(CONT, pid)
    ends(pid)


@test
def floating_point_registers_are_read_and_written():
    # movq xmm3, rdx; kill(rdi, rsi); movq rax, xmm3
    fn, _ = code("66480f6eda b8 3e000000 0f05 66480f7ed8 c3", ctypes.c_uint64,
                 ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
    for request in (GETFPREGS, GETREGSET):
        pid = tracee(lambda: 0 if fn(os.getpid(), USR1, 0x123456789) == 0x777 else 1)
        go(CONT, pid)
        stops(pid, USR1)
        raw = ctypes.create_string_buffer(SET_BYTES)
        at = 160 + 16 * 3
        if request == GETFPREGS:
            works(NR.ptrace, GETFPREGS, pid, 0, ctypes.addressof(raw))
            eq(struct.unpack_from("<Q", raw.raw, at)[0], 0x123456789)
            struct.pack_into("<Q", raw, at, 0x777)
            works(NR.ptrace, SETFPREGS, pid, 0, ctypes.addressof(raw))
        else:
            n = regset(GETREGSET, pid, 0x202, raw)
            eq(struct.unpack_from("<Q", raw.raw, at)[0], 0x123456789)
            struct.pack_into("<Q", raw, at, 0x777)
            eq(regset(SETREGSET, pid, 0x202, raw, n), n)
        go(CONT, pid)
        ends(pid)


def stepped(text, *args):
    """Starts a tracee that stops at the first instruction of the code. Returns its address too."""
    fn, at = code("cc" + text, ctypes.c_int, *[ctypes.c_ulong] * len(args))
    pid = tracee(lambda: fn(*args))
    go(CONT, pid)
    stops(pid, TRAP)
    eq(regs(pid).rip, at + 1)
    return pid, at + 1


def step(pid):
    go(STEP, pid)
    stops(pid, TRAP)
    return regs(pid).rip


@test
def a_breakpoint_is_a_trap():
    pid, at = stepped("b8 05000000 c3")
    signo, error, why, _, _ = siginfo(pid)
    eq((signo, why), (TRAP, 0x80), "SI_KERNEL")
    go(CONT, pid)
    ends(pid, ("exit", 5))


@test
def a_breakpoint_is_set_and_removed():
    fn, at = code("b8 05000000 83c001 c3", ctypes.c_int)
    pid = raised(lambda ready: ready() or fn())
    word = peek(pid, at + 5)
    works(NR.ptrace, POKE, pid, at + 5, word & ~0xFF | 0xCC)
    go(CONT, pid)
    stops(pid, TRAP)
    r = regs(pid)
    eq((r.rip, r.rax), (at + 6, 5))
    works(NR.ptrace, POKE, pid, at + 5, word)
    r.rip = at + 5
    set_regs(pid, r)
    go(CONT, pid)
    ends(pid, ("exit", 6))


@test
def ptrace_singlestep_runs_one_instruction():
    pid, at = stepped("b8 01000000 83c002 90 ffc0 c3")
    eq(step(pid), at + 5)
    eq(siginfo(pid)[2], 2, "TRAP_TRACE")
    eq(step(pid), at + 8)
    eq(step(pid), at + 9)
    eq(step(pid), at + 11)
    r = regs(pid)
    eq(r.rax, 4)
    eq(r.eflags & 0x100, 0, "the trap flag is not shown")
    go(CONT, pid)
    ends(pid, ("exit", 4))


@test
def a_call_is_one_step():
    pid, at = stepped("b8 6e000000 0f05 b8 09000000 c3")
    eq(step(pid), at + 5)
    eq(step(pid), at + 7)
    eq(regs(pid).result, os.getpid())
    eq(step(pid), at + 12)
    go(CONT, pid)
    ends(pid, ("exit", 9))


@test
def loops_are_stepped_through():
    pid, at = stepped("b9 64000000 31c0 ffc0 ffc9 75fa c3")
    n = 0
    while regs(pid).rip != at + 13:
        step(pid)
        n += 1
    eq(n, 2 + 3 * 100)
    go(CONT, pid)
    ends(pid, ("exit", 100))


@test
def a_step_can_go_into_a_handler():
    handler, at = code("c3")

    def body():
        signal_now, _ = code("b8 3e000000 0f05 c3", ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong)
        from lib.native import action_at
        action_at(USR1, at)
        return signal_now(os.getpid(), USR1)
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, USR1)
    go(STEP, pid, USR1)
    stops(pid, TRAP)
    eq(regs(pid).rip, at, "the first instruction of the handler")
    go(CONT, pid)
    ends(pid)


def debug(pid, index, value=None):
    if value is None:
        return user(pid, 848 + 8 * index)
    return pt(POKEUSR, pid, 848 + 8 * index, value)


@test
def writes_can_be_watched():
    buf = ctypes.create_string_buffer(16)
    word = (ctypes.addressof(buf) + 7) // 8 * 8
    # mov dword [rdi+4], 1; mov dword [rdi], 2; mov byte [rdi], 2; mov dword [rdi], 7; mov eax, 3;
    # ret
    pid, at = stepped("c7470401000000 c70702000000 b803000000 c70707000000 c3", word)
    eq(debug(pid, 0, word), 0)
    eq(debug(pid, 7, 1 | 0xD << 16), 0, "4 bytes, written")
    eq((debug(pid, 0), debug(pid, 7) & 0xD0001), (word, 0xD0001))
    go(CONT, pid)
    stops(pid, TRAP)
    eq((regs(pid).rip, siginfo(pid)[2]), (at + 13, 4), "TRAP_HWBKPT")
    eq(debug(pid, 6) & 0xF, 1)
    eq(debug(pid, 6, 0), 0)
    go(CONT, pid)
    stops(pid, TRAP)
    eq(regs(pid).rip, at + 24)
    eq(debug(pid, 7, 0), 0)
    go(CONT, pid)
    ends(pid, ("exit", 3))


@test
def breakpoints_can_be_in_registers():
    pid, at = stepped("b9 05000000 31c0 ffc0 ffc9 75fa 90 c3")
    eq(debug(pid, 1, at + 13), 0)
    eq(debug(pid, 7, 4), 0)
    go(CONT, pid)
    stops(pid, TRAP)
    r = regs(pid)
    eq((r.rip, r.rax, debug(pid, 6) & 0xF), (at + 13, 5, 2))
    eq(debug(pid, 7, 0), 0)
    go(CONT, pid)
    ends(pid, ("exit", 5))


@test
def debug_registers_are_checked():
    pid = tracee(lambda: 0)
    eq(debug(pid, 4, 1), -E.EIO)
    eq(debug(pid, 0, 1 << 63), -E.EINVAL)
    buf = ctypes.create_string_buffer(16)
    eq(debug(pid, 0, ctypes.addressof(buf) // 4 * 4 + 1), 0)
    eq(debug(pid, 7, 1 | 0xD << 16), -E.EINVAL, "unaligned")
    eq(debug(pid, 7, 1 | 0xC << 16), -E.EINVAL, "four bytes to execute")
    eq(debug(pid, 7, 1 | 0x2 << 16), -E.EINVAL, "ports")
    go(CONT, pid)
    ends(pid)


@test
def children_do_not_inherit_steps():
    # fork; the child exits with 4, and the parent waits for it in Python.
    fn, at = code("cc b8 39000000 0f05 85c0 7401 c3 bf 04000000 b8 3c000000 0f05", ctypes.c_int)

    def body():
        kid = fn()
        return os.waitstatus_to_exitcode(os.waitpid(kid, 0)[1])
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, TRAP)
    step(pid)
    step(pid)
    go(CONT, pid)
    what = wait(pid)
    while what[0] == "stop":
        eq(what[1], signal.SIGCHLD)
        go(CONT, pid, signal.SIGCHLD)
        what = wait(pid)
    eq(what, ("exit", 4))


@test
def a_fault_stops_with_its_signal():
    pid, at = stepped("31c0 8b00 c3")
    go(CONT, pid)
    stops(pid, signal.SIGSEGV)
    r = regs(pid)
    eq((r.rip, r.nr), (at + 2, -1))
    raw = ctypes.create_string_buffer(128)
    works(NR.ptrace, GETSIGINFO, pid, 0, ctypes.addressof(raw))
    eq(struct.unpack_from("<iiixxxxQ", raw.raw), (signal.SIGSEGV, 0, 1, 0))
    # The tracer moves rip past the instruction that faults and sets another result.
    r.rip, r.rax = at + 4, 17
    set_regs(pid, r)
    go(CONT, pid)
    ends(pid, ("exit", 17))


@test
def a_function_can_be_called():
    """
    Calls a function as a debugger does: saves registers, and puts a breakpoint at the return.
    """
    fn, at = code("8d0477 c3", ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong)
    trap, trap_at = code("cc")
    pid = raised(lambda ready: ready())
    kept = regs(pid)
    r = regs(pid)
    sp = (r.rsp - 256) // 16 * 16 - 8
    works(NR.ptrace, POKE, pid, sp, trap_at)
    r.rsp, r.rip, r.rdi, r.rsi, r.orig_rax = sp, at, 5, 10, -1
    set_regs(pid, r)
    go(CONT, pid)
    stops(pid, TRAP)
    r = regs(pid)
    eq((r.rip, r.rax), (trap_at + 1, 25))
    set_regs(pid, kept)
    go(CONT, pid)
    ends(pid)


@test
def an_interrupted_call_continues_after_a_signal_stop():
    r, w = os.pipe()
    fn, at = code("b8 21000000 c3", ctypes.c_int)
    pid = tracee(lambda: sc(NR.read, r, ctypes.create_string_buffer(4), 4))
    go(CONT, pid)
    wait_state(pid, "S")
    os.kill(pid, USR1)
    stops(pid, USR1)
    got = regs(pid)
    eq((got.nr, got.result), (NR.read, -512))
    # The tracer changes nothing, so the call continues.
    go(CONT, pid)
    wait_state(pid, "S")
    os.write(w, b"abc")
    ends(pid, ("exit", 3))


@test
def masks_are_read_and_written():
    def body(ready):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        ready()
        now = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return 0 if now == {signal.SIGTERM} else 1
    pid = raised(body)
    mask = ctypes.c_uint64(0)
    at = ctypes.addressof(mask)
    eq(pt(GETSIGMASK, pid, 4, at), -E.EINVAL)
    eq(pt(GETSIGMASK, pid, 8, 8), -E.EFAULT)
    works(NR.ptrace, GETSIGMASK, pid, 8, at)
    eq(mask.value, 1 << signal.SIGHUP - 1)
    mask.value = 1 << signal.SIGTERM - 1 | 1 << signal.SIGKILL - 1
    works(NR.ptrace, SETSIGMASK, pid, 8, at)
    go(CONT, pid)
    ends(pid)


@test
def ptrace_peeksiginfo_lists_pending_signals():
    def body(ready):
        signal.pthread_sigmask(signal.SIG_BLOCK, [40, 41])
        for n in (40, 40, 41):
            sc(NR.tgkill, os.getpid(), os.getpid(), n)
        os.kill(os.getpid(), 41)
        ready()
        return 0
    pid = raised(body)

    def look(off, flags, count):
        args = ctypes.create_string_buffer(struct.pack("<QIi", off, flags, count), 16)
        raw = ctypes.create_string_buffer(128 * 8)
        n = pt(PEEKSIGINFO, pid, ctypes.addressof(args), ctypes.addressof(raw))
        return n if n < 0 else [struct.unpack_from("<i", raw.raw, 128 * i)[0] for i in range(n)]
    eq(look(0, 0, 8), [40, 40, 41])
    eq(look(1, 0, 1), [40])
    eq(look(3, 0, 8), [])
    eq(look(0, 1, 8), [41])
    eq(look(0, 2, 8), -E.EINVAL)
    eq(look(0, 0, -1), -E.EINVAL)
    go(KILL, pid)
    ends(pid, ("signal", 9))


if __name__ == "__main__":
    run()
