"""seccomp(2): modes, programs, verdicts, chains, inheritance, threads."""

import ctypes
import errno
import os
import signal
import struct
import threading

from lib.bpf import (
    ALLOW, ARCH_AT, ARCH_X86_64, ARGS_AT, ERRNO, FLOG, GET_AVAIL, GET_SIZES, IP_AT, JA, JEQ, JGE,
    JGT, JSET, KILL_PROCESS, KILL_THREAD, LOG, NEW_LISTENER, NR_AT, PR_GET_SECCOMP,
    PR_SET_SECCOMP, SET_FILTER, SET_STRICT, SPEC_ALLOW, TRACE, TRAP, TSYNC, TSYNC_ESRCH,
    WAIT_KILLABLE, fprog, insn, install, ld, mode_of, no_new_privs, on_call, ret,
)
from lib.guest import (
    NR, child_ok, eq, gives, in_child, need_root, ok, run, sc, spawn, test, wait_until, works,
)
from lib.native import action, code

E = errno
BAD = 0x10


def killed_by(fn, signo, what=""):
    status = in_child(fn)
    eq((os.WIFSIGNALED(status), os.WTERMSIG(status)), (True, signo), what or "end of the child")


def taken(program, what):
    """Installs a program in a child; only an unused call runs all of it."""
    guard = ld(NR_AT) + insn(JEQ, 9999, 1, 0) + ret(ALLOW)

    def body():
        no_new_privs()
        eq(install(guard + program), 0, what)
    child_ok(body)


def refused(program, what, code=-E.EINVAL):
    no_new_privs()
    eq(install(program), code, what)


@test
def strict_mode_allows_four_calls():
    def allowed():
        r, w = os.pipe()
        works(NR.prctl, PR_SET_SECCOMP, 1)
        buf = ctypes.create_string_buffer(8)
        gives(1, NR.write, w, b"x", 1)
        gives(1, NR.read, r, buf, 1)
        sc(NR.exit, 7)
    eq(os.waitstatus_to_exitcode(in_child(allowed)), 7)

    def other():
        works(NR.seccomp, SET_STRICT, 0, 0)
        sc(NR.getppid)
        sc(NR.exit, 0)
    killed_by(other, signal.SIGKILL)


@test
def strict_mode_and_filters_exclude_each_other():
    gives(-E.EINVAL, NR.seccomp, SET_STRICT, 1, 0)
    gives(-E.EINVAL, NR.seccomp, SET_STRICT, 0, 1)
    gives(-E.EINVAL, NR.prctl, PR_SET_SECCOMP, 3, 0)
    gives(-E.EINVAL, NR.seccomp, 4, 0, 0)

    def filtered():
        no_new_privs()
        eq(install(ret(ALLOW)), 0)
        gives(-E.EINVAL, NR.prctl, PR_SET_SECCOMP, 1)
        gives(-E.EINVAL, NR.seccomp, SET_STRICT, 0, 0)
        gives(2, NR.prctl, PR_GET_SECCOMP)
    child_ok(filtered)


@test
def privilege_is_needed():
    def body():
        works(NR.setresuid, 1000, 1000, 1000)
        eq(install(ret(ALLOW)), -E.EACCES)
        gives(-E.EACCES, NR.prctl, PR_SET_SECCOMP, 2, fprog(ret(ALLOW)))
        # Linux checks length and address before the privilege, and the program after it.
        eq(install(b""), -E.EINVAL, "no instruction")
        gives(-E.EFAULT, NR.seccomp, SET_FILTER, 0, 0)
        gives(-E.EACCES, NR.seccomp, SET_FILTER, 0, fprog(b"", 1))
        no_new_privs()
        eq(install(ret(ALLOW)), 0)
        gives(0, NR.prctl, PR_SET_SECCOMP, 2, fprog(ret(ALLOW)))
        eq(mode_of(), (2, 2))
    need_root()
    child_ok(body)


@test
def arguments_are_checked():
    no_new_privs()
    gives(-E.EFAULT, NR.seccomp, SET_FILTER, 0, 0)
    gives(-E.EFAULT, NR.seccomp, SET_FILTER, 0, 8)
    gives(-E.EINVAL, NR.seccomp, SET_FILTER, 64, fprog(ret(ALLOW)))
    gives(-E.EINVAL, NR.seccomp, SET_FILTER, 64, 0)
    gives(-E.EINVAL, NR.seccomp, SET_FILTER, TSYNC | NEW_LISTENER, fprog(ret(ALLOW)))
    gives(-E.EINVAL, NR.seccomp, SET_FILTER, WAIT_KILLABLE, fprog(ret(ALLOW)))
    null = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, 0), 16)
    gives(-E.EINVAL, NR.seccomp, SET_FILTER, 0, null)
    wild = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, 4096), 16)
    gives(-E.EFAULT, NR.seccomp, SET_FILTER, 0, wild)
    kernel = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, 1 << 63), 16)
    gives(-E.EFAULT, NR.seccomp, SET_FILTER, 0, kernel)
    eq(install(ret(ALLOW) * 4097), -E.EINVAL, "4097 instructions")
    eq(mode_of(), (0, 0))


@test
def get_action_avail_knows_the_actions():
    for known in (KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, 0x7FC00000, TRACE, LOG, ALLOW):
        gives(0, NR.seccomp, GET_AVAIL, 0, ctypes.c_uint32(known))
    for unknown in (1, 0x10000, ALLOW | 1, 0xFFFFFFFF, ERRNO | 5):
        gives(-E.EOPNOTSUPP, NR.seccomp, GET_AVAIL, 0, ctypes.c_uint32(unknown))
    gives(-E.EINVAL, NR.seccomp, GET_AVAIL, 1, ctypes.c_uint32(ALLOW))
    gives(-E.EFAULT, NR.seccomp, GET_AVAIL, 0, 0)
    sizes = ctypes.create_string_buffer(8)
    gives(0, NR.seccomp, GET_SIZES, 0, sizes)
    eq(struct.unpack("<HHH", sizes.raw[:6]), (80, 24, 64))
    gives(-E.EINVAL, NR.seccomp, GET_SIZES, 1, sizes)
    gives(-E.EFAULT, NR.seccomp, GET_SIZES, 0, 8)
    with open("/proc/sys/kernel/seccomp/actions_avail") as f:
        eq(f.read(), "kill_process kill_thread trap errno user_notif trace log allow\n")


@test
def programs_must_end_in_a_verdict():
    refused(ld(0), "no return")
    refused(ret(ALLOW) + ld(0), "a load at the end")
    refused(insn(JA, 0) + insn(JA, 0), "a jump at the end")
    taken(ld(0) + insn(0x16), "ret a")


@test
def jumps_stay_inside():
    end = ret(ALLOW)
    refused(insn(JA, 1) + end, "ja behind the end")
    refused(insn(JA, 0xFFFFFFFF) + end, "ja backwards")
    refused(insn(JEQ, 0, 1, 0) + end, "jt behind the end")
    refused(insn(JEQ, 0, 0, 1) + end, "jf behind the end")
    taken(insn(JA, 0) + end, "ja to the end")
    taken(insn(JEQ, 0, 1, 0) + end + end, "jt to the end")


@test
def loads_are_of_words_of_the_data():
    end = ret(ALLOW)
    for offset in (1, 2, 3, 62, 64, 68, 0xFFFFF000, 0xFFFFFFFC):
        refused(ld(offset) + end, "ld [%d]" % offset)
    for bad in (0x28, 0x30, 0x40, 0x48, 0x50, 0xA1, 0xB1, 0x21, 0x61, 0x94, 0x9C, 0x0E, 0x120):
        refused(insn(bad, 0) + end, "code %#x" % bad)
    for offset in range(0, 64, 4):
        taken(ld(offset) + end, "ld [%d]" % offset)
    for good in (0x00, 0x01, 0x80, 0x81, 0x04, 0x0C, 0x14, 0x1C, 0x24, 0x2C, 0x3C, 0x44, 0x4C,
                 0x54, 0x5C, 0x64, 0x6C, 0x74, 0x7C, 0x84, 0xA4, 0xAC, 0x07, 0x87, 0x1D, 0x2D):
        taken(insn(good, 0) + end, "code %#x" % good)


@test
def constants_of_arithmetic_are_checked():
    end = ret(ALLOW)
    refused(insn(0x34, 0) + end, "div by 0")
    refused(insn(0x64, 32) + end, "lsh 32")
    refused(insn(0x74, 32) + end, "rsh 32")
    taken(insn(0x34, 1) + insn(0x64, 31) + insn(0x74, 31) + end, "good ones")


@test
def scratch_memory_must_be_written_before_it_is_read():
    end = ret(ALLOW)
    refused(insn(0x60, 0) + end, "ld M[0]")
    refused(insn(0x61, 3) + end, "ldx M[3]")
    refused(insn(0x02, 16) + end, "st M[16]")
    refused(insn(0x02, 0) + insn(0x60, 16) + end, "ld M[16]")
    refused(insn(JEQ, 0, 0, 1) + insn(0x02, 1) + insn(0x60, 1) + end, "on one way only")
    taken(insn(0x02, 15) + insn(0x61, 15) + end, "st and ldx")
    taken(insn(JEQ, 0, 0, 2) + insn(0x02, 1) + insn(JA, 1) + insn(0x02, 1) + insn(0x60, 1) + end,
          "on both ways")


def verdict_of(program, nr=NR.getppid, args=()):
    """Returns the result of a call under the program, or -errno."""
    r, w = os.pipe()

    def body():
        no_new_privs()
        eq(install(program), 0, "the program")
        result = sc(nr, *args)
        os.write(w, struct.pack("<q", result))
    status = in_child(body)
    os.close(w)
    got = os.read(r, 8)
    os.close(r)
    return struct.unpack("<q", got)[0] if len(got) == 8 else "status %#x" % status


def computes(steps, expected, what):
    """Checks register A after the steps: its low 12 bits are the errno of a call."""
    program = ld(NR_AT) + insn(JEQ, NR.getppid, 1, 0) + ret(ALLOW) + b"".join(steps)
    program += insn(0x54, 0xFFF) + insn(0x44, ERRNO) + insn(0x16)
    eq(verdict_of(program), -expected, what)


LDI, LDXI, TAX, TXA = 0x00, 0x01, 0x07, 0x87


@test
def arithmetic_is_of_32_bits():
    def a(k): return insn(LDI, k)
    def x(k): return insn(LDXI, k)
    computes([a(0xFFFFFFFF), insn(0x04, 6)], 5, "add wraps")
    computes([a(3), x(5), insn(0x0C)], 8, "add x")
    computes([a(3), insn(0x14, 5), insn(0x74, 28)], 15, "sub wraps")
    computes([a(9), x(5), insn(0x1C)], 4, "sub x")
    computes([a(0x10001), insn(0x24, 0x10001), insn(0x74, 16)], 2, "mul keeps the low half")
    computes([a(0xFFFFFFFF), x(0xFFFFFFFF), insn(0x2C)], 1, "mul x")
    computes([a(0xFFFFFFFE), insn(0x34, 0x80000000)], 1, "div is unsigned")
    computes([a(100), x(7), insn(0x3C)], 14, "div x")
    computes([a(5), insn(0x44, 8)], 13, "or")
    computes([a(5), x(8), insn(0x4C)], 13, "or x")
    computes([a(13), x(9), insn(0x5C)], 9, "and x")
    computes([a(1), insn(0x64, 4)], 16, "lsh")
    computes([a(1), x(36), insn(0x6C)], 16, "lsh x is modulo 32")
    computes([a(0x80000000), insn(0x74, 31)], 1, "rsh is logical")
    computes([a(0x80000000), x(63), insn(0x7C)], 1, "rsh x is modulo 32")
    computes([a(0xFF), insn(0xA4, 0xF0)], 15, "xor")
    computes([a(0xFF), x(0xF0), insn(0xAC)], 15, "xor x")
    computes([a(0xFFFFFFF9), insn(0x84)], 7, "neg")
    computes([a(42), insn(TAX), a(0), insn(TXA)], 42, "tax, txa")
    computes([insn(0x80)], 64, "ld len")
    computes([insn(0x81), insn(TXA)], 64, "ldx len")
    computes([a(77), insn(0x02, 3), a(0), insn(0x60, 3)], 77, "st, ld M")
    computes([x(78), insn(0x03, 4), x(0), insn(0x61, 4), insn(TXA)], 78, "stx, ldx M")


@test
def division_by_a_zero_x_kills():
    program = ld(NR_AT) + insn(JEQ, NR.getppid, 1, 0) + ret(ALLOW)
    program += insn(LDI, 5) + insn(LDXI, 0) + insn(0x3C) + ret(ALLOW)

    def body():
        no_new_privs()
        eq(install(program), 0)
        sc(NR.getppid)
    killed_by(body, signal.SIGSYS)


@test
def comparisons_are_unsigned():
    def jump(code, a, k, expected, what, x=None):
        steps = [insn(LDI, a)]
        if x is not None:
            steps.append(insn(LDXI, x))
        steps += [insn(code, k, 0, 2), insn(LDI, 11), insn(JA, 1), insn(LDI, 22)]
        computes(steps, 11 if expected else 22, what)
    big = 0xFFFFFFFF
    jump(JEQ, big, big, True, "jeq")
    jump(JEQ, 1, 2, False, "jeq not")
    jump(JGT, big, 1, True, "jgt")
    jump(JGT, 5, 5, False, "jgt equal")
    jump(JGE, big, 0x80000000, True, "jge")
    jump(JGE, 5, 5, True, "jge equal")
    jump(JGE, 4, 5, False, "jge less")
    jump(JSET, 0x80000000, 0x80000001, True, "jset")
    jump(JSET, 6, 9, False, "jset not")
    jump(JEQ | 8, 7, 0, True, "jeq x", x=7)
    jump(JGT | 8, big, 0, True, "jgt x", x=1)
    jump(JGE | 8, 1, 0, False, "jge x", x=big)
    jump(JSET | 8, 6, 0, True, "jset x", x=2)


@test
def the_data_is_that_of_the_call():
    args = (0x1122334455667788, 2, 0xFFFFFFFFFFFFFFFF, 0x0102030400000000, 5, 6)

    def word_is(offset, value):
        program = ld(NR_AT) + insn(JEQ, NR.getppid, 1, 0) + ret(ALLOW)
        program += ld(offset) + insn(JEQ, value, 0, 1) + ret(ERRNO | 1) + ret(ERRNO | 2)
        eq(verdict_of(program, NR.getppid, args), -1, "word at %d" % offset)
    word_is(NR_AT, NR.getppid)
    word_is(ARCH_AT, ARCH_X86_64)
    for i, arg in enumerate(args):
        word_is(ARGS_AT + 8 * i, arg & 0xFFFFFFFF)
        word_is(ARGS_AT + 8 * i + 4, arg >> 32)


@test
def the_instruction_pointer_is_behind_the_call():
    call, at = code("b8 6e000000 0f05 c3")  # mov eax, getppid; syscall; ret
    behind = at + 7
    program = ld(NR_AT) + insn(JEQ, NR.getppid, 1, 0) + ret(ALLOW)
    program += ld(IP_AT) + insn(JEQ, behind & 0xFFFFFFFF, 0, 3)
    program += ld(IP_AT + 4) + insn(JEQ, behind >> 32, 0, 1) + ret(ERRNO | 9) + ret(ALLOW)

    def body():
        no_new_privs()
        eq(install(program), 0)
        for _ in range(3):
            eq(call(), -9)
        gives(os.getppid(), NR.getppid)
    child_ok(body)


@test
def errno_gives_errors_and_results():
    eq(verdict_of(on_call(NR.getppid, ERRNO | 77)), -77)
    eq(verdict_of(on_call(NR.getppid, ERRNO)), 0, "no error")
    eq(verdict_of(on_call(NR.getppid, ERRNO | 0xFFFF)), -4095, "the largest error")
    eq(verdict_of(on_call(NR.getppid, TRACE | 1)), -E.ENOSYS, "no tracer")
    eq(verdict_of(on_call(NR.getppid, LOG)), os.getpid(), "logged and allowed")


@test
def unknown_calls_are_filtered():
    eq(verdict_of(on_call(9999, ERRNO | 5), 9999), -5)
    eq(verdict_of(on_call(9999, ALLOW), 9999), -E.ENOSYS)
    eq(verdict_of(on_call(0x40000000 | NR.getpid, ERRNO | 6), 0x40000000 | NR.getpid), -6, "x32")


@test
def killing_the_process():
    def body():
        no_new_privs()
        eq(install(on_call(NR.getppid, KILL_PROCESS)), 0)
        signal.signal(signal.SIGSYS, signal.SIG_IGN)
        t = threading.Thread(target=lambda: sc(NR.getppid))
        t.start()
        t.join()
        return 0
    killed_by(body, signal.SIGSYS)

    def unknown():
        no_new_privs()
        eq(install(on_call(NR.getppid, 0x10000)), 0)
        t = threading.Thread(target=lambda: sc(NR.getppid))
        t.start()
        t.join()
    killed_by(unknown, signal.SIGSYS, "an unknown action")


@test
def killing_one_thread():
    def body():
        r, w = os.pipe()
        no_new_privs()
        eq(install(on_call(NR.getppid, KILL_THREAD)), 0)
        # The thread is made by hand: the interpreter would wait for a killed thread of its own.
        stack = ctypes.create_string_buffer(65536)
        call, at = code("b8 6e000000 0f05 bf 05000000 b8 3c000000 0f05")
        tid_word = ctypes.c_int(-1)
        top = (ctypes.addressof(stack) + 65536 - 64) & ~15
        struct.pack_into("<Q", stack, top - ctypes.addressof(stack), at)
        make, _ = code("""
            b8 38000000 0f05 85c0 7401 c3 c3
        """, ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p,
                       ctypes.c_ulong)
        flags = 0x00000100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x00200000 | 0x01000000
        tid_addr = ctypes.addressof(tid_word)
        set_r10, _ = code("""
            4989ca b8 38000000 0f05 85c0 7401 c3 c3
        """, ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p,
                          ctypes.c_ulong)
        tid = set_r10(flags, top, tid_addr, tid_addr, 0)
        ok(tid > 0, "clone")
        for _ in range(2000):
            if tid_word.value == 0:
                break
            os.sched_yield()
            threading.Event().wait(0.001)
        eq(tid_word.value, 0, "the thread is gone")
        gives(os.getpid(), NR.getpid)
        # The end of the last thread ends the process.
        sc(NR.getppid)
        return 0
    killed_by(body, signal.SIGSYS)


@test
def traps_raise_sigsys():
    call, at = code("b8 6e000000 bf 07000000 0f05 c3")
    seen = []

    def on_sys(signo, info, context):
        raw = ctypes.string_at(info, 128)
        seen.append(struct.unpack_from("<iii", raw) + struct.unpack_from("<QiI", raw, 16))
        seen.append(struct.unpack("<Q", ctypes.string_at(context + 40 + 13 * 8, 8))[0])
        seen.append(struct.unpack("<Q", ctypes.string_at(context + 40 + 16 * 8, 8))[0])
        ctypes.memmove(context + 40 + 13 * 8, struct.pack("<q", -1234), 8)
    action(signal.SIGSYS, on_sys)
    no_new_privs()
    eq(install(on_call(NR.getppid, TRAP | 0x1234)), 0)
    eq(call(), -1234, "what the handler made of rax")
    behind = at + 12
    eq(seen[0], (31, 0x1234, 1, behind, NR.getppid, ARCH_X86_64), "siginfo")
    eq(seen[1], NR.getppid, "rax in the handler")
    eq(seen[2], behind, "rip in the handler")
    eq(call(), -1234, "again")


@test
def a_trap_that_is_blocked_kills():
    def blocked():
        no_new_privs()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSYS])
        signal.signal(signal.SIGSYS, lambda *a: None)
        eq(install(on_call(NR.getppid, TRAP)), 0)
        sc(NR.getppid)
    killed_by(blocked, signal.SIGSYS)

    def ignored():
        no_new_privs()
        signal.signal(signal.SIGSYS, signal.SIG_IGN)
        eq(install(on_call(NR.getppid, TRAP)), 0)
        sc(NR.getppid)
    killed_by(ignored, signal.SIGSYS)


@test
def the_strictest_verdict_counts():
    order = [TRAP, ERRNO | 5, TRACE, LOG, ALLOW]

    def both(first, second):
        no_new_privs()
        eq(install(on_call(NR.getppid, first)), 0)
        eq(install(on_call(NR.getppid, second)), 0)
        return sc(NR.getppid)

    def result(first, second):
        r, w = os.pipe()
        status = in_child(lambda: os.write(w, struct.pack("<q", both(first, second))) and 0)
        os.close(w)
        got = os.read(r, 8)
        os.close(r)
        return struct.unpack("<q", got)[0] if got else -os.WTERMSIG(status) - 10000
    parent = os.getpid()
    expected = {TRAP: -10031, ERRNO | 5: -5, TRACE: -E.ENOSYS, LOG: parent, ALLOW: parent}
    for i, a in enumerate(order):
        for b in order[i:]:
            eq(result(a, b), expected[a], "%#x, then %#x" % (a, b))
            eq(result(b, a), expected[a], "%#x, then %#x" % (b, a))
    eq(result(ERRNO | 5, ERRNO | 9), -9, "of two equal actions the newest")


@test
def filters_stack_and_are_counted():
    no_new_privs()
    for i in range(40):
        eq(install(on_call(NR.getppid, ERRNO | (i + 1))), 0)
        eq(mode_of(), (2, i + 1))
        gives(-(i + 1), NR.getppid)
    gives(2, NR.prctl, PR_GET_SECCOMP)


@test
def filters_together_have_a_limit():
    def count(program):
        no_new_privs()
        n = 0
        while n < 40000:
            r = install(program)
            if r != 0:
                eq(r, -E.ENOMEM, "the limit")
                return n
            n += 1
        raise AssertionError("no limit")

    def body():
        eq(count(ret(ALLOW)), 3641, "filters of one instruction")

    def jumps():
        # A jump with an else counts twice, and so does one with a constant that is negative as s32.
        program = insn(JEQ, 1, 0, 0) * 500 + insn(JEQ, 1, 1, 1) * 500
        program += insn(JEQ, 0x80000000, 0, 1) * 100 + insn(JSET, 1, 0, 1) * 100
        program += insn(0x3C) * 10 + ret(ALLOW) * 3
        eq(count(insn(LDXI, 1) + program), 16, "jumps")

    def large():
        # 4096 classic instructions: Linux adds 3 in front, and a return counts twice.
        program = insn(LDI, 0) * 4095 + ret(ALLOW)
        eq(count(program), 7, "large filters")
        eq(count(insn(LDI, 0) * 2000 + ret(ALLOW)), 2, "filters in the remaining room")
    child_ok(body)
    child_ok(large)
    child_ok(jumps)


@test
def children_inherit_filters():
    no_new_privs()
    eq(install(on_call(NR.getppid, ERRNO | 33)), 0)

    def child():
        eq(mode_of(), (2, 1))
        gives(-33, NR.getppid)
        eq(install(on_call(NR.getpid, ERRNO | 34)), 0)
        gives(-34, NR.getpid)
    child_ok(child)
    works(NR.getpid)
    eq(mode_of(), (2, 1), "the parent is not concerned")


@test
def a_new_program_inherits_filters():
    no_new_privs()
    eq(install(on_call(NR.getppid, ERRNO | 3)), 0)
    r, w = os.pipe()
    os.set_inheritable(w, True)
    pid = os.fork()
    if pid == 0:
        os.dup2(w, 1)
        os.execv("/bin/sh", ["sh", "-c", "grep Seccomp /proc/self/status"])
    os.close(w)
    text = b""
    while True:
        part = os.read(r, 4096)
        if not part:
            break
        text += part
    os.waitpid(pid, 0)
    eq(text, b"Seccomp:\t2\nSeccomp_filters:\t1\n")


@test
def exec_can_be_refused():
    def body():
        no_new_privs()
        eq(install(on_call(NR.execve, ERRNO | E.EPERM)), 0)
        try:
            os.execv("/bin/true", ["true"])
        except PermissionError:
            return 0
        return 1
    child_ok(body)


@test
def a_call_that_waits_is_filtered_at_its_start():
    def body():
        no_new_privs()
        r, w = os.pipe()
        hits = []
        signal.signal(signal.SIGALRM, lambda *a: (hits.append(1), os.write(w, b"x")))
        eq(install(on_call(NR.getppid, ERRNO | 1)), 0)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        eq(os.read(r, 1), b"x")
        eq(len(hits), 1)
    child_ok(body)


@test
def a_restarted_sleep_is_restart_syscall():
    def body():
        no_new_privs()
        eq(install(on_call(219, ERRNO | 99)), 0)
        me = os.getpid()
        pid = spawn(lambda: (threading.Event().wait(0.2), os.kill(me, signal.SIGSTOP),
                             threading.Event().wait(0.2), os.kill(me, signal.SIGCONT)) and 0)
        r = sc(NR.nanosleep, struct.pack("<qq", 1, 0), 0)
        eq(r, -99, "the sleep, continued")
        os.waitpid(pid, 0)
    child_ok(body)


@test
def all_threads_get_a_filter():
    def body():
        no_new_privs()
        start, done, out = threading.Event(), threading.Event(), []

        def other():
            start.wait()
            out.append((sc(NR.getppid), mode_of("self/task/%d" % threading.get_native_id())))
            done.set()
        t = threading.Thread(target=other)
        t.start()
        eq(install(on_call(NR.getppid, ERRNO | 21), TSYNC), 0)
        start.set()
        t.join()
        eq(out, [(-21, (2, 1))])
    child_ok(body)


@test
def threads_of_their_own_filters_are_not_synchronized():
    def body():
        no_new_privs()
        go, ready, tid = threading.Event(), threading.Event(), []

        def other():
            tid.append(threading.get_native_id())
            eq(install(ret(ALLOW)), 0)
            ready.set()
            go.wait()
        t = threading.Thread(target=other)
        t.start()
        ready.wait()
        eq(install(ret(ALLOW), TSYNC), tid[0], "the id of the other thread")
        eq(install(ret(ALLOW), TSYNC | TSYNC_ESRCH), -E.ESRCH)
        eq(mode_of(), (0, 0))
        eq(install(ret(ALLOW)), 0)
        eq(install(ret(ALLOW), TSYNC), tid[0])
        go.set()
        t.join()
        wait_until(lambda: len(os.listdir("/proc/self/task")) == 1, "the end of the thread")
        eq(install(ret(ALLOW), TSYNC), 0)
        eq(mode_of(), (2, 2))
    child_ok(body)


@test
def tsync_brings_other_threads_up_to_date():
    def body():
        no_new_privs()
        eq(install(on_call(NR.getppid, ERRNO | 1)), 0)
        go, ready, out = threading.Event(), threading.Event(), []

        def other():
            ready.set()
            go.wait()
            out.append(sc(NR.getppid))
        t = threading.Thread(target=other)
        t.start()
        ready.wait()
        eq(install(on_call(NR.getppid, ERRNO | 2)), 0)
        eq(install(on_call(NR.getppid, ERRNO | 3), TSYNC | FLOG | SPEC_ALLOW), 0)
        go.set()
        t.join()
        eq(out, [-3])
        eq(mode_of(), (2, 3))
    child_ok(body)


@test
def no_new_privs_comes_with_the_filters():
    need_root()

    def body():
        go, out, ready = threading.Event(), [], threading.Event()

        def other():
            ready.set()
            go.wait()
            out.append(sc(NR.prctl, 39, 0, 0, 0, 0))
        t = threading.Thread(target=other)
        t.start()
        ready.wait()
        no_new_privs()
        eq(install(ret(ALLOW), TSYNC), 0)
        go.set()
        t.join()
        eq(out, [1])
    child_ok(body)


if __name__ == "__main__":
    run()
