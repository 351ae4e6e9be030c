"""Machine code and raw signal handlers for tests that need them."""

import ctypes
from lib.guest import NR, libc, works

_kept = []
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
SA_SIGINFO, SA_NODEFER = 4, 0x40000000


class Sigaction(ctypes.Structure):
    """glibc's struct sigaction."""
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_uint64 * 16),
                ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p)]


def action(signo, fn, flags=0):
    """
    Calls fn(signo, siginfo address, ucontext address) in the handler itself. Use this only for
    signals that the thread causes: an asynchronous one may interrupt the interpreter while it takes
    its own lock.
    """
    h = _HANDLER(fn)
    _kept.append(h)
    action_at(signo, ctypes.cast(h, ctypes.c_void_p).value, flags)


def action_at(signo, address, flags=0):
    """Installs a handler that is machine code."""
    act = Sigaction()
    act.handler = address
    act.flags = flags | SA_SIGINFO
    if libc.sigaction(signo, ctypes.byref(act), None) != 0:
        raise OSError(ctypes.get_errno(), "sigaction")


def code(text, result=ctypes.c_long, *args):
    """Maps hexadecimal machine code. Returns it as a function, and its address."""
    raw = bytes.fromhex("".join(text.split()))
    size = (len(raw) + 4095) // 4096 * 4096
    at = works(NR.mmap, 0, size, 3, 0x22, -1, 0)
    ctypes.memmove(at, raw, len(raw))
    works(NR.mprotect, at, size, 5)
    return ctypes.CFUNCTYPE(result, *args)(at), at
