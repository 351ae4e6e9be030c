"""ptrace(2) for guest tests: requests, registers, and tracees that are functions."""

import ctypes
import os
import signal
import struct

from lib.guest import NR, eq, ok, sc, spawn, works

TRACEME, PEEK, PEEKUSR, POKE, POKEUSR, CONT, KILL, STEP = 0, 2, 3, 5, 6, 7, 8, 9
GETREGS, SETREGS, GETFPREGS, SETFPREGS, ATTACH, DETACH, SYSCALL = 12, 13, 14, 15, 16, 17, 24
SYSEMU, SETOPTIONS, GETEVENTMSG, GETSIGINFO, SETSIGINFO = 31, 0x4200, 0x4201, 0x4202, 0x4203
GETREGSET, SETREGSET, SEIZE, INTERRUPT, LISTEN = 0x4204, 0x4205, 0x4206, 0x4207, 0x4208
PEEKSIGINFO, GETSIGMASK, SETSIGMASK, GET_FILTER = 0x4209, 0x420A, 0x420B, 0x420C
GET_METADATA, GET_SYSCALL_INFO = 0x420D, 0x420E
O_SYSGOOD, O_FORK, O_VFORK, O_CLONE, O_EXEC, O_VFORKDONE, O_EXIT, O_SECCOMP = (
    1, 2, 4, 8, 16, 32, 64, 128)
O_EXITKILL = 0x100000
E_FORK, E_VFORK, E_CLONE, E_EXEC, E_VFORKDONE, E_EXIT, E_SECCOMP, E_STOP = 1, 2, 3, 4, 5, 6, 7, 128
WALL = 0x40000000
TRAP, STOP = signal.SIGTRAP, signal.SIGSTOP

FIELDS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
          "fs_base gs_base ds es fs gs").split()


class Regs:
    """struct user_regs_struct."""

    def __init__(self, raw):
        for name, value in zip(FIELDS, struct.unpack("<27Q", raw)):
            setattr(self, name, value)

    def pack(self):
        return struct.pack("<27Q", *[getattr(self, n) & (2**64 - 1) for n in FIELDS])

    @property
    def result(self):
        return ctypes.c_int64(self.rax).value

    @property
    def nr(self):
        return ctypes.c_int64(self.orig_rax).value


def pt(request, pid, addr=0, data=0):
    return sc(NR.ptrace, request, pid, addr, data)


def peek(pid, addr):
    word = ctypes.c_uint64(0)
    works(NR.ptrace, PEEK, pid, addr, ctypes.addressof(word))
    return word.value


def user(pid, offset):
    word = ctypes.c_uint64(0)
    works(NR.ptrace, PEEKUSR, pid, offset, ctypes.addressof(word))
    return word.value


def regs(pid):
    raw = ctypes.create_string_buffer(216)
    works(NR.ptrace, GETREGS, pid, 0, ctypes.addressof(raw))
    return Regs(raw.raw)


def set_regs(pid, r):
    raw = ctypes.create_string_buffer(r.pack(), 216)
    works(NR.ptrace, SETREGS, pid, 0, ctypes.addressof(raw))


def message(pid):
    word = ctypes.c_uint64(0)
    works(NR.ptrace, GETEVENTMSG, pid, 0, ctypes.addressof(word))
    return word.value


def siginfo(pid):
    """Returns (signo, errno, code, pid, uid), or -errno."""
    raw = ctypes.create_string_buffer(128)
    r = pt(GETSIGINFO, pid, 0, ctypes.addressof(raw))
    return r if r < 0 else struct.unpack_from("<iiixxxxii", raw.raw)


def wait(pid, options=WALL):
    """Waits for ("stop", signal, event), ("exit", code) or ("signal", number) of a process."""
    got, status = os.waitpid(pid, options)
    if got == 0:
        return None
    if pid > 0:
        eq(got, pid, "pid of the wait")
    return meaning(status)


def meaning(status):
    if status & 0xFF == 0x7F:
        return ("stop", status >> 8 & 0xFF, status >> 16)
    return ("exit", status >> 8) if status & 0x7F == 0 else ("signal", status & 0x7F)


def stops(pid, signo, event=0, options=WALL):
    eq(wait(pid, options), ("stop", signo, event))


def go(request, pid, data=0):
    works(NR.ptrace, request, pid, 0, data)


def tracee(fn, options=0):
    """Starts a traced child that stops by SIGSTOP, and then runs fn. Returns its pid."""

    def body():
        eq(pt(TRACEME, 0), 0, "PTRACE_TRACEME")
        os.kill(os.getpid(), STOP)
        return fn()
    pid = spawn(body)
    stops(pid, STOP)
    if options:
        works(NR.ptrace, SETOPTIONS, pid, 0, options)
    return pid


def ends(pid, what=("exit", 0)):
    eq(wait(pid), what, "the end of the tracee")


def to_call(pid, nr):
    """Runs the tracee to the entry of a call of this number."""
    for _ in range(20000):
        go(SYSCALL, pid)
        eq(wait(pid), ("stop", TRAP | 0x80, 0))
        if regs(pid).nr == nr:
            return regs(pid)
        go(SYSCALL, pid)
        eq(wait(pid), ("stop", TRAP | 0x80, 0))
    ok(False, "the call never came")
