"""Tests whose subject is a descriptor that one user opens and another uses
(docs/internals/credentials.md).
"""

import array
import contextlib
import os
import socket

from lib.guest import libc, need_root, test
from lib.namespaces import contained


def body(fn):
    """Makes a test whose body runs as root, in a child, in a directory that all users may enter."""
    def outer():
        need_root()
        os.chmod(".", 0o755)
        contained(fn)
    outer.__name__ = fn.__name__
    return test(outer)


@contextlib.contextmanager
def acting_as(uid):
    """Runs a block with the effective ids of another user and without capabilities."""
    os.setegid(uid)
    os.seteuid(uid)
    libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: the process owns its files in /proc
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def become(uid):
    """Becomes this user for good; other processes of the user may inspect the caller."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    libc.prctl(4, 1, 0, 0, 0)


def give(to, *fds):
    to.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


def take(source):
    _, control, _, _ = source.recvmsg(1, socket.CMSG_SPACE(64))
    found = array.array("i")
    for _, _, data in control:
        found.frombytes(data[:len(data) - len(data) % 4])
    return list(found)
