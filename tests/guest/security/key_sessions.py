"""Keys of sessions and children, request_key(2), user namespaces, /proc/keys."""

import ctypes
import os
import threading
from errno import *
from lib.guest import *
from lib.keys import *


@test
def named_sessions_are_joined():
    s = made(ctl(JOIN, b"dvisor test"))
    eq(described(SESSION), "keyring;%d;%d;3f130000;dvisor test" % (os.getuid(), os.getgid()))
    ok(made(ctl(JOIN, b"dvisor test")) != s, "without the right to search it")
    s = made(ctl(GET_ID, SESSION, 0))
    eq(ctl(SETPERM, s, 0x3F1B0000), 0)
    eq(ctl(LINK, s, USER), 0)
    session()
    eq(ctl(JOIN, b"dvisor test"), s)
    eq(ctl(UNLINK, s, USER), 0)


@cases([("dot", b".x", -EPERM), ("empty", b"", -EINVAL), ("bad", BAD, -EFAULT), ("long", b"x" * 4096, -EINVAL)], shared=True)
def join_refuses(name, expected):
    eq(ctl(JOIN, name), expected)


@test
def children_share_the_session_only():
    s, t, p = session(), made(ctl(GET_ID, THREAD, 1)), made(ctl(GET_ID, PROCESS, 1))

    def child():
        eq(ctl(GET_ID, SESSION, 0), s)
        eq(ctl(GET_ID, THREAD, 0), -ENOKEY)
        eq(ctl(GET_ID, PROCESS, 0), -ENOKEY)
    child_ok(child)
    found = []

    def thread():
        found.extend([ctl(GET_ID, SESSION, 0), ctl(GET_ID, THREAD, 0), ctl(GET_ID, PROCESS, 0)])
    x = threading.Thread(target=thread)
    x.start()
    x.join()
    eq((found[0], found[2]), (s, p))
    ok(found[1] > 0 and found[1] != t, "a thread's own keyring")


@test
def exec_keeps_the_session_only():
    s = session()
    made(ctl(GET_ID, PROCESS, 1))
    pid = os.fork()
    if pid == 0:
        made(ctl(GET_ID, PROCESS, 1))
        code = ("import ctypes,sys;c=ctypes.CDLL(None).syscall;"
                "sys.exit(not (c(%d,0,-3,0)==%d and c(%d,0,-2,0)==-1))" % (NR.keyctl, s, NR.keyctl))
        os.execvp("python3", ["python3", "-c", code])
    eq(os.waitpid(pid, 0)[1], 0)


@test
def the_keyring_for_requested_keys_is_set():
    for value, expected in [(-1, 0), (0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, -EINVAL), (7, 5), (8, -EINVAL),
                            (-2, -EINVAL), (0, 7), (-1, 0)]:
        eq(ctl(SET_REQKEY, value), expected, value)


@test
def request_finds_keys():
    session()
    k, r = user(), keyring()
    eq(sc(NR.request_key, b"user", b"k", None, 0), k)
    eq(sc(NR.request_key, b"user", b"k", None, r), k)
    eq(members(r), [k])


@cases([("none", b"user", b"nope", None, 0, -ENOKEY), ("type", b"nosuch", b"x", None, 0, -ENOKEY),
        ("type of the kernel", b".x", b"x", None, 0, -EPERM), ("null name", b"user", None, None, 0, -EFAULT),
        ("empty name", b"user", b"", None, 0, -ENOKEY), ("ring", b"user", b"nope", None, NONE, -ENOKEY),
        ("bad callout", b"user", b"nope", BAD, 0, -EFAULT), ("keyring", b"keyring", b"nope", b"x", 0, -EPERM),
        ("logon name", b"logon", b"nope", b"x", 0, -EINVAL)], shared=True)
def request_refuses(kind, name, callout, ring, expected):
    session()
    eq(sc(NR.request_key, kind, name, callout, ring), expected)


@test
def a_key_that_cannot_be_made_is_negative():
    session()
    # ENOENT: the machine has no /sbin/request-key.
    ok(sc(NR.request_key, b"user", b"dvisor:none", b"callout", SESSION) in (-ENOKEY, -ENOENT), "refused")
    [k] = members(SESSION)
    eq(contents(k), -ENOKEY)
    eq(described(k), "user;%d;%d;3f010000;dvisor:none" % (os.getuid(), os.getgid()))
    eq(ctl(SEARCH, SESSION, b"user", b"dvisor:none", 0), -ENOKEY)


@cases([
    ("instantiate", -EPERM, INSTANTIATE, SESSION, b"x", 1, 0), ("too long", -EINVAL, INSTANTIATE, SESSION, b"x", 1 << 20, 0),
    ("negate", -EPERM, NEGATE, SESSION, 1, 0), ("reject", -EPERM, REJECT, SESSION, 1, 5, 0),
    ("reject 0", -EINVAL, REJECT, SESSION, 1, 0, 0), ("reject 4096", -EINVAL, REJECT, SESSION, 1, 4096, 0),
    ("reject 512", -EINVAL, REJECT, SESSION, 1, 512, 0), ("iov null", -EPERM, INSTANTIATE_IOV, SESSION, None, 0, 0),
    ("iov bad", -EFAULT, INSTANTIATE_IOV, SESSION, BAD, 1, 0), ("assume 0", 0, ASSUME, 0),
    ("assume minus 1", -EINVAL, ASSUME, -1), ("assume unknown", -ENOKEY, ASSUME, NONE)], shared=True)
def makers_need_authority(expected, *args):
    session()
    eq(ctl(*args), expected)


@test
def security_labels_are_empty():
    session()
    buf = ctypes.create_string_buffer(b"zz", 3)
    eq(ctl(GET_SECURITY, SESSION, buf, 2), 1)
    eq(buf.raw[:2], b"\0z")
    eq(ctl(GET_SECURITY, SESSION, None, 0), 1)
    eq(ctl(GET_SECURITY, SESSION, BAD, 2), -EFAULT)


@test
def persistent_keyrings():
    need_root()
    session()
    p = made(ctl(GET_PERSISTENT, 0, SESSION))
    eq(ctl(GET_PERSISTENT, -1, SESSION), p)
    eq(described(p), "keyring;0;65534;1f030000;_persistent.0")
    ok(p in members(SESSION), "not linked")
    eq(ctl(GET_PERSISTENT, 0, 0), -EINVAL)
    eq(ctl(GET_PERSISTENT, 0, user()), -ENOTDIR)


@test
def restricted_keyrings():
    session()
    r, k = keyring(), user()
    eq(ctl(RESTRICT, r, b"nosuch", b"x"), -ENOKEY)
    eq(ctl(RESTRICT, r, b"user", b"x"), -ENOENT)
    eq(ctl(RESTRICT, r, None, b"x"), -EINVAL)
    eq(ctl(RESTRICT, k, None, None), -ENOTDIR)
    eq(ctl(RESTRICT, r, None, None), 0)
    eq(ctl(RESTRICT, r, None, None), -EEXIST)
    eq(add(b"user", b"x", b"x", r), -EPERM)
    eq(ctl(LINK, k, r), -EPERM)


@test
def capabilities():
    buf = ctypes.create_string_buffer(b"\xaa" * 8, 8)
    eq(ctl(CAPABILITIES, buf, 8), 2)
    eq(buf.raw[0] & 0xE3, 0xE3)
    eq(buf.raw[1:], b"\3" + bytes(6))
    eq(ctl(CAPABILITIES, None, 0), 2)
    eq(ctl(CAPABILITIES, BAD, 8), -EFAULT)


@cases([("dh", 23), ("watch", 32), ("33", 33), ("minus 1", -1), ("1000", 1000)], shared=True)
def unsupported_operations_are_refused(op):
    eq(ctl(op, 0, 0, 0, 0), -EOPNOTSUPP)


@test
def a_parent_takes_the_session_of_its_child():
    session()

    def parent():
        before = made(ctl(GET_ID, SESSION, 0))

        def child():
            made(ctl(JOIN, None))
            eq(ctl(SESSION_TO_PARENT), 0)
        child_ok(child)
        ok(ctl(GET_ID, SESSION, 0) != before, "the same session")
    child_ok(parent)


@test
def thread_keyrings_follow_their_user():
    need_root()
    t = made(ctl(GET_ID, THREAD, 1))
    libc.setfsuid(1234)
    eq(described(t), "keyring;1234;0;3f010000;_tid")


@test
def proc_keys_lists_keys():
    session()
    k, r = user(b"shown", b"12345"), keyring(b"r")
    user(b"in", b"1", r)
    with open("/proc/keys") as f:
        lines = {line[:8]: line.rstrip("\n") for line in f}
    line = lines["%08x" % k]
    eq(line[9:16] + line[22:], "I--Q--- perm 3f010000 %5d %5d user      shown: 5" % (os.getuid(), os.getgid()))
    ok(lines["%08x" % r].endswith("keyring   r: 1"), lines["%08x" % r])
    with open("/proc/key-users") as f:
        mine = [line.split() for line in f if line.startswith("%5d:" % os.getuid())]
    keys, quota = mine[0][2].split("/"), mine[0][3].split("/")
    ok(int(keys[0]) >= 3 and 3 <= int(quota[0]) <= int(quota[1]), mine[0])


@test
def each_user_namespace_has_keyrings_of_its_own():
    outside = made(ctl(GET_ID, USER, 0))

    def child():
        if sc(NR.unshare, 0x10000000) < 0:
            return 77
        ok(ctl(GET_ID, USER, 0) != outside, "the same keyring")
        return 0
    status = os.waitstatus_to_exitcode(in_child(child))
    if status == 77:
        skip("no user namespaces")
    eq(status, 0)


run()
