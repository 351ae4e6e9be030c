"""PR_SET_SYSCALL_USER_DISPATCH: system calls that a program handles itself."""

import ctypes
import os
import signal
import struct
from errno import *
from lib.guest import *
from lib.native import action
from lib.trace import CONT, ends, go, pt, stops, tracee

SET, OFF, ON = 59, 0, 1
ALLOW, BLOCK = 0, 1
SET_DISPATCH, GET_DISPATCH = 0x4210, 0x4211
TOP = 1 << 47
RAX, RIP = 144, 168

# mov eax, 39 (getpid); syscall; ret
GETPID = "b8 27 00 00 00 0f 05 c3"
# mov eax, edi; syscall; ret
ANY = "89 f8 0f 05 c3"


def code(text, *args):
    """Maps machine code below the program's own. Returns the function and its address."""
    raw, at = bytes.fromhex(text), 0x10000000
    eq(works(NR.mmap, at, 4096, 7, 0x32, -1, 0), at)
    ctypes.memmove(at, raw, len(raw))
    return ctypes.CFUNCTYPE(ctypes.c_long, *args)(at), at


def selector(value=BLOCK):
    return ctypes.c_uint8.from_address(works(NR.mmap, 0, 4096, 3, 0x22, -1, 0)), value


def on(at, byte):
    """Switches dispatch on: while `byte` blocks, only code above `at` (libc) may make calls."""
    start = at + 4096
    gives(0, NR.prctl, SET, ON, start, TOP - start, ctypes.addressof(byte))


def catch(seen, result=777):
    def handler(signo, info, context):
        number, fault, reason = struct.unpack_from("=iii", ctypes.string_at(info, 12))
        address, call, arch = struct.unpack_from("=QiI", ctypes.string_at(info + 16, 16))
        rax = ctypes.c_uint64.from_address(context + RAX)
        rip = ctypes.c_uint64.from_address(context + RIP).value
        seen.append((number, fault, reason, address, call, arch, rax.value, rip))
        rax.value = result

    action(signal.SIGSYS, handler)


@test
def calls_raise_signals_while_the_selector_blocks():
    fn, at = code(GETPID)
    byte, seen = selector()[0], []
    catch(seen)
    byte.value = ALLOW
    on(at, byte)
    for _ in range(3):
        eq(fn(), os.getpid())
        byte.value = BLOCK
        eq(fn(), 777)
        byte.value = ALLOW
    eq(len(seen), 3)
    for one in seen:
        eq(one, (signal.SIGSYS, 0, 2, at + 7, NR.getpid, 0xC000003E, NR.getpid, at + 7))
    byte.value = BLOCK
    ok(os.getpid() > 0, "the range is always allowed")
    gives(0, NR.prctl, SET, OFF, 0, 0, 0)
    eq(fn(), os.getpid())


@test
def unknown_calls_raise_signals():
    fn, at = code(ANY, ctypes.c_int)
    byte, seen = selector()[0], []
    catch(seen, 5)
    byte.value = BLOCK
    on(at, byte)
    eq(fn(100000), 5)
    eq(fn(-1), 5)
    eq([s[4] for s in seen], [100000, -1])


@test
def without_a_selector_all_calls_raise_signals():
    fn, at = code(GETPID)
    seen = []
    catch(seen)
    gives(0, NR.prctl, SET, ON, at + 4096, TOP - at - 4096, 0)
    eq(fn(), 777)
    gives(0, NR.prctl, SET, OFF, 0, 0, 0)


@test
def a_selector_with_another_value_kills():
    fn, at = code(GETPID)
    byte = selector()[0]

    def child(value):
        catch([])
        byte.value = value
        on(at, byte)
        fn()
        return 1

    eq(os.waitpid(spawn(child, 2), 0)[1] & 127, signal.SIGSYS)


@test
def an_unmapped_selector_kills():
    fn, at = code(GETPID)
    byte = selector()[0]

    def child():
        byte.value = BLOCK
        on(at, byte)
        works(NR.munmap, ctypes.addressof(byte), 4096)
        fn()
        return 1

    eq(os.waitpid(spawn(child), 0)[1] & 127, signal.SIGSEGV)


@test
def children_start_without_dispatch():
    fn, at = code(GETPID)
    byte, seen = selector()[0], []
    catch(seen)
    byte.value = ALLOW
    on(at, byte)
    byte.value = BLOCK
    eq(os.waitpid(spawn(lambda: 0 if fn() == os.getpid() else 1), 0)[1], 0)
    eq(fn(), 777)


@test
def a_tracer_reads_and_sets_the_dispatch():
    area = ctypes.create_string_buffer(32)
    at = ctypes.addressof(area)

    def config(pid):
        eq(pt(GET_DISPATCH, pid, 32, at), 0)
        return struct.unpack("4Q", area.raw)

    def change(pid, *words):
        area.raw = struct.pack("4Q", *words)
        return pt(SET_DISPATCH, pid, 32, at)
    fn, where = code(GETPID)
    byte, seen = selector()[0], []

    def body():
        catch(seen)
        byte.value = BLOCK
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0 if fn() == 777 and len(seen) == 1 else 1
    pid = tracee(body)
    go(CONT, pid)
    stops(pid, signal.SIGUSR1)
    eq(config(pid), (0, 0, 0, 0))
    start = where + 4096
    words = (ON, ctypes.addressof(byte), start, TOP - start)
    eq(change(pid, *words), 0)
    eq(config(pid), words)
    eq(change(pid, OFF, 1, 0, 0), -EINVAL)
    eq(change(pid, 2, 0, 0, 0), -EINVAL)
    eq(pt(GET_DISPATCH, pid, 24, at), -EINVAL)
    eq(pt(SET_DISPATCH, pid, 32, 0), -EFAULT)
    go(CONT, pid)
    stops(pid, signal.SIGSYS)
    go(CONT, pid, signal.SIGSYS)
    ends(pid)


@test
def arguments():
    gives(-EINVAL, NR.prctl, SET, 7, 0, 0, 0)
    gives(-EINVAL, NR.prctl, SET, OFF, 1, 0, 0)
    gives(-EINVAL, NR.prctl, SET, OFF, 0, 1, 0)
    gives(-EINVAL, NR.prctl, SET, OFF, 0, 0, 1)
    gives(-EINVAL, NR.prctl, SET, ON, 1, (1 << 64) - 1, 0)
    gives(-EINVAL, NR.prctl, SET, ON, 1, 0, 0)
    gives(-EFAULT, NR.prctl, SET, ON, 0, TOP, (1 << 64) - 1)


run()
