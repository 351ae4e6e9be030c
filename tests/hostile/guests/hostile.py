"""Support for hostile guests: the machine code of `trampoline.ts`, workers that may die or hang,
seeds.
"""

import ctypes
import json
import os
import random
import signal
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

DATA_AT, CODE_AT, PAGE = 0x70000000, 0x70001000, 4096
TEXT_AT, TEXT_BYTES, SLOTS_AT = 0x7FFF00000000, 0x8000, 0x7FFF04000000
STUB_REGIONS = [0x7FFF00000000, 0x7FFF00010000, 0x7FFF00020000, 0x7FFF00040000, 0x7FFF00100000, SLOTS_AT, 0x78060000]

options = json.loads(sys.argv[1])
seed = int(options["seed"])
rng = random.Random(seed)


def sc(nr, *args):
    r = libc.syscall(ctypes.c_long(nr), *[ctypes.c_ulong(a & (1 << 64) - 1) for a in args])
    return -ctypes.get_errno() if r == -1 else r


def map_at(at, size, prot, flags=0x22):
    r = sc(9, at, size, prot, flags | (0x100000 if at else 0), -1 & (1 << 64) - 1, 0)
    if r != at and at != 0:
        raise MemoryError("mmap at %x: %d" % (at, r))
    return r


class Native:
    """Puts the trampoline into this process."""

    def __init__(self):
        map_at(DATA_AT, PAGE, 3)
        map_at(CODE_AT, PAGE, 3)
        raw = bytes.fromhex(options["code"])
        ctypes.memmove(CODE_AT, raw, len(raw))
        sc(10, CODE_AT, PAGE, 5)
        self.enter = ctypes.CFUNCTYPE(None)(int(options["enter"]))
        self.scribble = ctypes.CFUNCTYPE(None, *[ctypes.c_long] * 4)(int(options["scribble"]))
        self.calls = ctypes.CFUNCTYPE(None, ctypes.c_long)(int(options["calls"]))
        self.gs = ctypes.CFUNCTYPE(ctypes.c_long)(int(options["gs"]))

    def catch(self, *signos):
        """Lets these signals, on a stack of their own, return from `enter` and `scribble`."""
        stack = map_at(0, 1 << 16, 3)
        sc(131, addressof(struct.pack("<QiiQ", stack, 0, 0, 1 << 16)), 0)
        for signo in signos:
            act = struct.pack("<Q16QiiQ", int(options["handler"]), *[0] * 16, 0x08000004, 0, 0)
            libc.sigaction(signo, ctypes.create_string_buffer(act), None)

    def go(self, target, registers):
        ctypes.memmove(DATA_AT, struct.pack("<Q", target), 8)
        ctypes.memmove(DATA_AT + 64, struct.pack("<15Q", *registers), 120)
        self.enter()


kept_buffers = []


def addressof(raw):
    buf = ctypes.create_string_buffer(raw, len(raw))
    kept_buffers.append(buf)
    return ctypes.addressof(buf)


def stub_text():
    """Returns the mapped text of the stub. Children try each page, because a bad read kills."""
    raw = b""
    while len(raw) < TEXT_BYTES:
        pid = os.fork()
        if pid == 0:
            ctypes.string_at(TEXT_AT + len(raw), 1)
            os._exit(0)
        if os.waitpid(pid, 0)[1] != 0:
            break
        raw += ctypes.string_at(TEXT_AT + len(raw), PAGE)
    return raw.rstrip(b"\0\xcc")


def shared_words(n):
    at = sc(9, 0, PAGE, 3, 0x21, -1 & (1 << 64) - 1, 0)
    return (ctypes.c_uint64 * n).from_address(at)


def become_nobody():
    """Changes the user, so that calls of a worker at random cannot harm the driver."""
    os.setgroups([])
    os.setresgid(4242, 4242, 4242)
    os.setresuid(4242, 4242, 4242)


def quietly(fn):
    """Forks a worker whose output is discarded."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.dup2(1, 900)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        fn()
    except BaseException as e:
        os.write(900, ("worker: %r\n" % e).encode())
        os._exit(98)
    finally:
        os._exit(0)


def reap(pid, timeout):
    """
    Waits for a worker and kills it after `timeout`: its wait status, and whether it was late.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status, False
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1], True


def healthy():
    """Checks that the kernel still does ordinary work for other processes."""
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/true", ["true"])
    assert os.waitpid(pid, 0)[1] == 0
    with open("/tmp/hostile-check", "w") as f:
        f.write("x" * 10000)
    assert os.stat("/tmp/hostile-check").st_size == 10000
    os.unlink("/tmp/hostile-check")


def finish(text):
    healthy()
    print(text)
    print("done", flush=True)
