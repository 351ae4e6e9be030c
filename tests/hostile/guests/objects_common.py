"""The table of the ways of objects.py, and functions that several ways use."""

import ctypes
import os
import resource

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
WAYS = {}
ROOM = "/tmp/objects"
KEPT = []


def way(make):
    WAYS[make.__name__] = make
    return make


def call(number, *args):
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    r = libc.syscall(ctypes.c_long(number), *words)
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (1 << 20, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return
        except (OSError, ValueError):
            pass


def resource_max(which):
    try:
        resource.setrlimit(which, (1 << 40, 1 << 40))
    except (OSError, ValueError):
        pass
