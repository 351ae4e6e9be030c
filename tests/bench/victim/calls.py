"""Support for attacks: raw calls, the table's decorator, new namespaces, children."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID = 0x20000, 0x10000000, 0x40000000, 0x20000000


def table():
    """Makes an empty table, and a decorator that adds an attack to it. An attack takes a scale (1
    is full), prepares itself, and returns a function for one round."""
    attacks = {}

    def attack(function):
        attacks[function.__name__] = function
        return function

    return attacks, attack


def call(nr, *args):
    """Makes a system call. Returns its result, or raises OSError."""
    r = libc.syscall(nr, *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, f"call {nr}: {os.strerror(e)}")
    return r


def own_namespaces(flags):
    """Becomes root of a new user namespace, with further new namespaces."""
    uid, gid = os.getuid(), os.getgid()
    call(272, CLONE_NEWUSER | flags)
    for path, text in (("uid_map", f"0 {uid} 1"), ("setgroups", "deny"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{path}", "w") as f:
            f.write(text)


def mount(source, target, kind, flags=0, data=None):
    r = libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data and data.encode())
    if r < 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def umount(target, flags=0):
    if libc.umount2(target.encode(), flags) < 0:
        raise OSError(ctypes.get_errno(), f"umount {target}")


def scratch(name):
    """
    Makes a directory in the attack's directory, which is removed after the attack.
    """
    path = f"{os.environ['VICTIM_SCRATCH']}/{name}"
    os.makedirs(path, exist_ok=True)
    return path


def in_child(function):
    """Runs a function in a child and waits for the child."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def children(count, function=None):
    """Starts `count` children, which run the function and then wait in pause(2)."""
    pids = []
    for _ in range(count):
        try:
            pid = os.fork()
        except BlockingIOError:
            break
        if pid == 0:
            libc.prctl(1, 9, 0, 0, 0)
            try:
                if function is not None:
                    function()
                while True:
                    libc.pause()
            finally:
                os._exit(0)
        pids.append(pid)
    return pids


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, 9)
        except OSError:
            pass
    for pid in pids:
        try:
            os.waitpid(pid, 0)
        except OSError:
            pass
