"""Seccomp filters for guest tests: classic BPF programs, installed by prctl or seccomp."""

import ctypes
import os
import struct

from lib.guest import NR, sc, works

KILL_PROCESS, KILL_THREAD, TRAP, ERRNO = 0x80000000, 0, 0x30000, 0x50000
USER_NOTIF, TRACE, LOG, ALLOW = 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000
TSYNC, FLOG, SPEC_ALLOW, NEW_LISTENER, TSYNC_ESRCH, WAIT_KILLABLE = 1, 2, 4, 8, 16, 32
SET_STRICT, SET_FILTER, GET_AVAIL, GET_SIZES = 0, 1, 2, 3
PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_SET_SECCOMP = 38, 21, 22
ARCH_X86_64 = 0xC000003E
LD, RET, JEQ, JGT, JGE, JSET, JA = 0x20, 0x06, 0x15, 0x25, 0x35, 0x45, 0x05
NR_AT, ARCH_AT, IP_AT, ARGS_AT = 0, 4, 8, 16

_kept = []


def insn(code, k=0, jt=0, jf=0):
    return struct.pack("<HBBI", code, jt, jf, k & 0xFFFFFFFF)


def ld(offset):
    return insn(LD, offset)


def ret(k):
    return insn(RET, k)


def on_call(nr, verdict, otherwise=ALLOW):
    """Makes a program with one verdict for one call, and another for all others."""
    return ld(NR_AT) + insn(JEQ, nr, 0, 1) + ret(verdict) + ret(otherwise)


def fprog(program, length=None):
    """Makes a struct sock_fprog."""
    raw = ctypes.create_string_buffer(program, len(program))
    prog = ctypes.create_string_buffer(16)
    struct.pack_into("<HxxxxxxQ", prog, 0, len(program) // 8 if length is None else length,
                     ctypes.addressof(raw))
    _kept.append((raw, prog))
    return prog


def no_new_privs():
    works(NR.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def install(program, flags=0):
    """Calls seccomp(SECCOMP_SET_MODE_FILTER). Returns its result, or -errno."""
    return sc(NR.seccomp, SET_FILTER, flags, fprog(program))


def mode_of(pid="self"):
    """Returns (Seccomp, Seccomp_filters) of /proc/PID/status."""
    with open("/proc/%s/status" % pid) as f:
        lines = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    return int(lines["Seccomp"]), int(lines["Seccomp_filters"])


def exit_now(code):
    """Exits by exit_group alone, so that a filter can refuse no other call."""
    os._exit(code)
