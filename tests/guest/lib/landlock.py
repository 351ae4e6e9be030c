"""landlock(7) for guest tests: a ruleset by one call."""

import os
import struct

from lib.guest import NR, sc, skip

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = 1, 2, 4, 8, 16, 32
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (
    64, 128, 256, 512, 1024, 2048, 4096)
REFER, TRUNCATE, IOCTL_DEV = 8192, 16384, 32768
ALL_FS = 65535
BIND, CONNECT = 1, 2
ABSTRACT, SIGNAL = 1, 2


def version():
    return sc(NR.landlock_create_ruleset, 0, 0, 1)


def need():
    v = version()
    if v < 6:
        skip("landlock's version here is %d, or there is none" % v)


def create(fs=0, net=0, scoped=0):
    need()
    r = sc(NR.landlock_create_ruleset, struct.pack("=QQQ", fs, net, scoped), 24, 0)
    if r < 0:
        raise OSError(-r, os.strerror(-r))
    return r


def allow(ruleset, path, access):
    """Adds a rule for a path, or a descriptor."""
    fd = os.open(path, os.O_PATH) if isinstance(path, str) else path
    r = sc(NR.landlock_add_rule, ruleset, 1, struct.pack("=Qi", access, fd), 0)
    if isinstance(path, str):
        os.close(fd)
    if r < 0:
        raise OSError(-r, os.strerror(-r))


def allow_port(ruleset, port, access):
    r = sc(NR.landlock_add_rule, ruleset, 2, struct.pack("=QQ", access, port), 0)
    if r < 0:
        raise OSError(-r, os.strerror(-r))


def enforce(ruleset):
    sc(NR.prctl, 38, 1, 0, 0, 0)
    r = sc(NR.landlock_restrict_self, ruleset, 0)
    if r < 0:
        raise OSError(-r, os.strerror(-r))


def restrict(fs=0, rules=(), net=0, ports=(), scoped=0):
    """Restricts the calling thread to the rights that the rules allow."""
    ruleset = create(fs, net, scoped)
    for path, access in rules:
        allow(ruleset, path, access)
    for port, access in ports:
        allow_port(ruleset, port, access)
    enforce(ruleset)
    os.close(ruleset)
