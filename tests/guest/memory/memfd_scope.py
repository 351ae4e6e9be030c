"""/proc/sys/vm/memfd_noexec of a PID namespace: which memfds memfd_create(2) makes."""

import errno
import fcntl
import os

from lib.guest import NR, eq, fails, gives, need_root, run, test
from lib.namespaces import NEWPID, NEWUSER, clone_ok, read, unshare, write

PATH = "/proc/sys/vm/memfd_noexec"
NOEXEC_SEAL, EXEC = 8, 16
SEAL_SEAL, SEAL_EXEC = 1, 32


def body(fn):
    """Makes a test that runs as the first process of a PID namespace."""
    def outer():
        need_root()
        clone_ok(NEWPID, fn)
    outer.__name__ = fn.__name__
    return test(outer)


def made(flags=0):
    """Makes a memfd. Returns its mode and its seals."""
    fd = os.memfd_create("m", flags)
    return os.fstat(fd).st_mode & 0o777, fcntl.fcntl(fd, 1034)


@body
def a_new_memfd_can_be_executed_or_not():
    write(PATH, "0")
    eq(made(), (0o777, SEAL_SEAL))
    write(PATH, "1")
    eq(read(PATH), "1\n")
    eq((made(), made(EXEC)), ((0o666, SEAL_EXEC), (0o777, SEAL_SEAL)))
    write(PATH, "2")
    eq((made(), made(NOEXEC_SEAL)), ((0o666, SEAL_EXEC), (0o666, SEAL_EXEC)))
    gives(-errno.EACCES, NR.memfd_create, None, EXEC)
    gives(-errno.EINVAL, NR.memfd_create, None, EXEC | NOEXEC_SEAL)
    gives(-errno.EINVAL, NR.memfd_create, None, EXEC | 0x8000)
    write(PATH, "0")
    eq(made(), (0o777, SEAL_SEAL))
    for wrong in ("3", "-1", "x"):
        fails(errno.EINVAL, write, PATH, wrong)


@body
def an_inner_namespace_is_not_laxer():
    write(PATH, "1")

    def inner():
        eq(read(PATH), "1\n")
        fails(errno.EINVAL, write, PATH, "0")
        write(PATH, "2")
        eq(read(PATH), "2\n")
    clone_ok(NEWPID, inner)
    eq(read(PATH), "1\n")


@body
def only_the_administrator_of_the_namespace_sets_the_scope():
    unshare(NEWUSER)
    fails(errno.EPERM, os.write, os.open(PATH, os.O_WRONLY), b"1")


run()
