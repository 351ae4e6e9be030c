"""Signals that the processor raises: siginfo, machine context, return after a repair, and the
default action.
"""

import ctypes
import os
import signal
import struct
from errno import *
from lib.guest import *
from lib.native import code, action

RIP, RSP, RAX, ERR, TRAPNO, CR2 = 16, 15, 13, 19, 20, 22
PROT = {"": 0, "r": 1, "rw": 3, "rx": 5}


def pages(n=1, prot="rw", flags=0x22, fd=-1, off=0):
    return works(NR.mmap, 0, n * 4096, PROT[prot], flags, fd, off)


def protect(at, prot, n=1):
    works(NR.mprotect, at, n * 4096, PROT[prot])


def greg(u, index):
    return struct.unpack("<q", ctypes.string_at(u + 40 + index * 8, 8))[0]


def set_greg(u, index, value):
    ctypes.memmove(u + 40 + index * 8, struct.pack("<q", value), 8)


def fault_info(i):
    raw = ctypes.string_at(i, 32)
    signo, err, code = struct.unpack_from("<iii", raw, 0)
    return signo, code, struct.unpack_from("<Q", raw, 16)[0]


store = lambda at: ctypes.memset(at, 65, 1)
load = lambda at: ctypes.string_at(at, 1)


@test
def write_to_a_read_only_page():
    at = pages(1, "r")
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i), greg(u, TRAPNO), greg(u, ERR) & 6, greg(u, CR2)))
        protect(at, "rw")
    action(signal.SIGSEGV, handler)
    store(at + 123)
    eq(seen, [((signal.SIGSEGV, 2, at + 123), 14, 6, at + 123)])
    eq(load(at + 123), b"A")


@test
def access_to_unmapped_memory():
    at = pages(1)
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i), greg(u, ERR) & 7))
        works(NR.mmap, at, 4096, 3, 0x32, -1, 0)
    action(signal.SIGSEGV, handler)
    load(at)
    works(NR.munmap, at, 4096)
    eq(load(at + 5), b"\0")
    eq(seen, [((signal.SIGSEGV, 1, at + 5), 4)])


@test
def read_of_a_prot_none_page():
    at = pages(1, "")
    seen = []

    def handler(s, i, u):
        seen.append(fault_info(i))
        protect(at, "r")
    action(signal.SIGSEGV, handler)
    load(at)
    eq(seen, [(signal.SIGSEGV, 2, at)])


@test
def jump_to_a_page_that_may_not_run():
    at = pages(1, "rw")
    ctypes.memset(at, 0xC3, 16)
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i), greg(u, RIP)))
        protect(at, "rx")
    action(signal.SIGSEGV, handler)
    ctypes.CFUNCTYPE(None)(at)()
    eq(seen, [((signal.SIGSEGV, 2, at), at)])


@test
def bus_error_behind_the_end_of_a_file():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x" * 100)
    at = pages(2, "rw", 0x01, fd)
    eq(load(at + 99), b"x")
    eq(load(at + 4095), b"\0")
    seen = []

    def handler(s, i, u):
        seen.append(fault_info(i))
        os.ftruncate(fd, 8192)
    action(signal.SIGBUS, handler)
    eq(load(at + 4096 + 7), b"\0")
    eq(seen, [(signal.SIGBUS, 2, at + 4096 + 7)])


@test
def bus_error_after_truncation():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x" * 8192)
    at = pages(2, "rw", 0x01, fd)
    private = pages(2, "rw", 0x02, fd)
    store(at + 5000)
    store(private + 5000)
    os.ftruncate(fd, 4096)
    seen = []

    def handler(s, i, u):
        seen.append(fault_info(i))
        os.ftruncate(fd, 8192)
    action(signal.SIGBUS, handler)
    eq(load(at + 5000), b"\0")
    eq(load(at), b"x")
    eq(seen[0], (signal.SIGBUS, 2, at + 5000))
    # Truncation removes a private page too, copied or not.
    os.ftruncate(fd, 4096)
    load(private + 5000)
    eq(seen[1], (signal.SIGBUS, 2, private + 5000))


@test
def division_by_zero():
    # xor ecx, ecx; mov eax, 1; cdq; idiv ecx; mov eax, 42; ret
    fn, base = code("31c9 b801000000 99 f7f9 b82a000000 c3")
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i), greg(u, RIP) - base, greg(u, TRAPNO)))
        set_greg(u, RIP, greg(u, RIP) + 2)
    action(signal.SIGFPE, handler)
    eq(fn(), 42)
    eq(seen, [((signal.SIGFPE, 1, base + 8), 8, 0)])


@test
def undefined_instruction():
    fn, base = code("b82a000000 0f0b c3")
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i), greg(u, RAX)))
        set_greg(u, RIP, greg(u, RIP) + 2)
        set_greg(u, RAX, 43)
    action(signal.SIGILL, handler)
    eq(fn(), 43)
    eq(seen, [((signal.SIGILL, 2, base + 5), 42)])


@test
def breakpoint():
    fn, base = code("cc b82a000000 c3")
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i)[:2], greg(u, RIP) - base))
    action(signal.SIGTRAP, handler)
    eq(fn(), 42)
    eq(seen, [((signal.SIGTRAP, 0x80), 1)])


@test
def single_step_flag():
    # pushfq; or qword [rsp], 0x100; popfq; nop; nop; pushfq; and qword [rsp], ~0x100; popfq; ret
    fn, base = code("9c 48810c2400010000 9d 90 90 9c 48812424fffeffff 9d c3")
    seen = []
    action(signal.SIGTRAP, lambda s, i, u: seen.append((fault_info(i)[1], greg(u, RIP) - base)))
    fn()
    ok(len(seen) >= 3, "a trap after each instruction: %r" % seen)
    eq(seen[0], (2, 11))
    eq(seen[1], (2, 12))


@test
def privileged_instruction():
    fn, base = code("b801000000 f4 c3")
    seen = []

    def handler(s, i, u):
        seen.append((fault_info(i), greg(u, TRAPNO)))
        set_greg(u, RIP, greg(u, RIP) + 1)
    action(signal.SIGSEGV, handler)
    eq(fn(), 1)
    eq(seen, [((signal.SIGSEGV, 0x80, 0), 13)])


@test
def non_canonical_address():
    # movabs rax, 0x8000000000000000; mov eax, [rax]; ret
    fn, base = code("48b80000000000000080 8b00 c3")
    seen = []

    def handler(s, i, u):
        seen.append(fault_info(i))
        set_greg(u, RIP, greg(u, RIP) + 2)
    action(signal.SIGSEGV, handler)
    fn()
    eq(seen, [(signal.SIGSEGV, 0x80, 0)])


@test
def stack_overflow_on_the_alternate_stack():
    size = 65536
    stack = (ctypes.c_char * size)()
    ss = struct.pack("<QiiQ", ctypes.addressof(stack), 0, 0, size)
    # loop: push rax; call loop
    fn, base = code("50 e8faffffff")

    def child():
        import resource
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
        works(NR.sigaltstack, ctypes.create_string_buffer(ss), None)

        def handler(s, i, u):
            signo, why, at = fault_info(i)
            os._exit(7 if abs(at - greg(u, RSP)) < 64 else 8)
        action(signal.SIGSEGV, handler, 0x08000000)
        fn()
    eq(os.waitstatus_to_exitcode(in_child(child)), 7)
    # Without an alternate stack the kernel cannot push a frame, and the process dies.

    def plain():
        import resource
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        action(signal.SIGSEGV, lambda s, i, u: os._exit(7))
        fn()
    eq(in_child(plain) & 0x7F, signal.SIGSEGV)


@test
def stack_grows():
    # sub rsp, 0x400000; mov byte [rsp], 1; add rsp, 0x400000; mov eax, 1; ret
    fn, _ = code("4881ec00004000 c6042401 4881c400004000 b801000000 c3")
    eq(fn(), 1)


@test
def blocked_or_ignored_faults_kill():
    at = pages(1, "r")

    def blocked():
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        action(signal.SIGSEGV, lambda s, i, u: os._exit(3))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSEGV])
        store(at)
    eq(in_child(blocked) & 0x7F, signal.SIGSEGV)

    def ignored():
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGSEGV, signal.SIG_IGN)
        store(at)
    eq(in_child(ignored) & 0x7F, signal.SIGSEGV)


@test
def registers_survive_a_handler():
    # Fills registers, raises SIGTRAP, and adds them up.
    fn, _ = code("""
        53 55 4154 4155 4156 4157
        bb01000000 bd02000000 41b804000000 41b908000000 41ba10000000
        41bc20000000 41bd40000000 41be80000000 41bf00010000
        b900020000 ba00040000 be00080000 bf00100000
        cc
        8d040b 01e8 4401c0 4401c8 4401d0 4401e0 4401e8 4401f0 4401f8 01d0 01f0 01f8
        415f 415e 415d 415c 5d 5b c3""")

    def handler(s, i, u):
        sum(x * x for x in range(1000))
        ctypes.string_at(u, 100)
    action(signal.SIGTRAP, handler)
    eq(fn(), 0x1FFF)


@test
def vector_registers_survive_a_handler():
    # mov eax, 0x12345678; movd xmm7, eax; int3; movd eax, xmm7; ret
    fn, _ = code("b878563412 660f6ef8 cc 660f7ef8 c3")
    # pcmpeqd xmm7, xmm7; ret
    spoil, _ = code("660f76ff c3")
    action(signal.SIGTRAP, lambda s, i, u: spoil())
    eq(fn(), 0x12345678)


@test
def handler_may_move_the_program():
    at, _ = code("b807000000 c3")
    fn, base = code("0f0b b801000000 c3 9090909090 b802000000 c3")
    action(signal.SIGILL, lambda s, i, u: set_greg(u, RIP, base + 13))
    eq(fn(), 2)


@test
def many_faults():
    n = 300
    at = pages(n, "")
    count = [0]

    def handler(s, i, u):
        count[0] += 1
        protect(fault_info(i)[2] & ~4095, "rw")
    action(signal.SIGSEGV, handler)
    for i in range(n):
        store(at + i * 4096 + i)
    eq(count[0], n)


run()
