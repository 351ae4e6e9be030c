"""Keys and keyrings for guest tests (keyrings(7))."""

import ctypes
import os
from lib.guest import *

THREAD, PROCESS, SESSION, USER, USER_SESSION, GROUP, AUTH = -1, -2, -3, -4, -5, -6, -7
BAD, KERNEL, NONE = 1, 1 << 63, 0x7FFFFFF0
(GET_ID, JOIN, UPDATE, REVOKE, CHOWN, SETPERM, DESCRIBE, CLEAR, LINK, UNLINK, SEARCH, READ,
 INSTANTIATE, NEGATE, SET_REQKEY, SET_TIMEOUT, ASSUME, GET_SECURITY, SESSION_TO_PARENT, REJECT,
 INSTANTIATE_IOV, INVALIDATE, GET_PERSISTENT) = range(23)
RESTRICT, MOVE, CAPABILITIES = 29, 30, 31
EXCL = 1


def add(kind, name, payload, ring, length=None):
    length = len(payload or b"") if length is None else length
    return sc(NR.add_key, kind, name, payload, length, ring)


def ctl(*args):
    return sc(NR.keyctl, *args)


def made(r):
    ok(r > 0, "no key: %s" % name_of(r))
    return r


def session():
    """Joins a new session keyring."""
    return made(ctl(JOIN, None))


def user(name=b"k", payload=b"secret", ring=SESSION):
    return made(add(b"user", name, payload, ring))


def keyring(name=b"ring", ring=SESSION):
    return made(add(b"keyring", name, None, ring))


def described(key):
    buf = ctypes.create_string_buffer(5000)
    n = ctl(DESCRIBE, key, buf, 5000)
    return n if n < 0 else buf.value.decode()


def contents(key, size=65536):
    buf = ctypes.create_string_buffer(size)
    n = ctl(READ, key, buf, size)
    return n if n < 0 else buf.raw[:n]


def members(ring):
    raw = contents(ring)
    return sorted(int.from_bytes(raw[i:i + 4], "little") for i in range(0, len(raw), 4))


def as_other_user(fn):
    def run():
        os.setresgid(61234, 61234, 61234)
        os.setresuid(61234, 61234, 61234)
        fn()
    child_ok(run)
