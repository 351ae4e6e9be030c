"""Keys and keyrings: keyrings(7), add_key(2), keyctl(2)."""

import ctypes
import os
import threading
from errno import *
from lib.guest import *
from lib.keys import *


@cases([
    ("type too long", b"x" * 32, b"d", b"p", SESSION, -EINVAL),
    ("type of 31", b"x" * 31, b"d", b"p", SESSION, -ENODEV),
    ("type empty", b"", b"d", b"p", SESSION, -EINVAL),
    ("type null", None, b"d", b"p", SESSION, -EFAULT),
    ("type bad", BAD, b"d", b"p", SESSION, -EFAULT),
    ("type kernel half", KERNEL, b"d", b"p", SESSION, -EFAULT),
    ("type unknown", b"nosuch", b"d", b"p", SESSION, -ENODEV),
    ("type of the kernel", b".request_key_auth", b"d", b"p", SESSION, -EPERM),
    ("name null", b"user", None, b"p", SESSION, -EINVAL),
    ("name empty", b"user", b"", b"p", SESSION, -EINVAL),
    ("name bad", b"user", BAD, b"p", SESSION, -EFAULT),
    ("name of 4096", b"user", b"d" * 4096, b"p", SESSION, -EINVAL),
    ("keyring with a dot", b"keyring", b".d", None, SESSION, -EPERM),
    ("keyring with contents", b"keyring", b"d", b"p", SESSION, -EINVAL),
    ("keyring without name", b"keyring", b"", None, SESSION, -EINVAL),
    ("user without contents", b"user", b"d", None, SESSION, -EINVAL),
    ("user too long", b"user", b"d", b"p" * 32768, SESSION, -EINVAL),
    ("user of 1 MiB", b"user", b"d", b"p" * (1 << 20), SESSION, -EINVAL),
    ("logon without colon", b"logon", b"d", b"p", SESSION, -EINVAL),
    ("logon with first colon", b"logon", b":d", b"p", SESSION, -EINVAL),
    ("ring 0", b"user", b"d", b"p", 0, -EINVAL),
    ("ring unknown", b"user", b"d", b"p", NONE, -ENOKEY),
    ("ring of group", b"user", b"d", b"p", GROUP, -EINVAL),
    ("ring of authority", b"user", b"d", b"p", AUTH, -ENOKEY),
    ("ring minus 9", b"user", b"d", b"p", -9, -EINVAL),
], shared=True)
def add_key_refuses(kind, name, payload, ring, expected):
    session()
    eq(add(kind, name, payload, ring), expected)


@cases([("null", None, 5, -EFAULT), ("bad", BAD, 5, -EFAULT), ("minus 1", b"x", -1, -EINVAL),
        ("wrapping", (1 << 64) - 2, 100, -EFAULT)], shared=True)
def add_key_contents(addr, length, expected):
    session()
    eq(add(b"user", b"d", addr, SESSION, length), expected)


@cases([
    ("thread", THREAD, "keyring;%d;%d;3f010000;_tid"), ("process", PROCESS, "keyring;%d;%d;3f010000;_pid"),
    ("session", SESSION, "keyring;%d;%d;3f030000;_ses")], shared=True)
def own_keyrings(which, text):
    session()
    r = ctl(GET_ID, which, 0)
    if which != SESSION:
        eq(r, -ENOKEY)
    made(ctl(GET_ID, which, 1))
    eq(described(which), text % (os.getuid(), os.getgid()))


@cases([("user", USER, "_uid.%d"), ("user session", USER_SESSION, "_uid_ses.%d")], shared=True)
def keyrings_of_users(which, name):
    eq(described(which), "keyring;%d;65534;1f3f0000;" % os.getuid() + name % os.getuid())


@test
def user_session_holds_user():
    us, u = made(ctl(GET_ID, USER_SESSION, 0)), made(ctl(GET_ID, USER, 0))
    ok(u in members(us), "not linked")


@cases([("group", GROUP, -EINVAL), ("authority", AUTH, -ENOKEY), ("requestor", -8, -ENOKEY), ("minus 9", -9, -EINVAL),
        ("zero", 0, -EINVAL), ("unknown", NONE, -ENOKEY)], shared=True)
def get_id_refuses(key, expected):
    eq(ctl(GET_ID, key, 1), expected)


@test
def keys_are_read_and_described():
    session()
    k = user(b"a", b"hello")
    eq(described(k), "user;%d;%d;3f010000;a" % (os.getuid(), os.getgid()))
    eq(contents(k), b"hello")
    # A key that does not fit is not copied.
    buf = ctypes.create_string_buffer(b"zz", 3)
    eq(ctl(READ, k, buf, 2), 5)
    eq(buf.raw[:2], b"\0\0" if buf.raw[:2] == b"\0\0" else b"zz")
    eq(ctl(READ, k, None, 100), 5)
    eq(ctl(READ, k, BAD, 100), -EFAULT)
    for wrong in (0, -9, NONE):
        eq(ctl(READ, wrong, None, 0), -ENOKEY, wrong)
    eq(ctl(DESCRIBE, k, None, 0), len("user;%d;%d;3f010000;a" % (os.getuid(), os.getgid())) + 1)
    eq(ctl(DESCRIBE, k, BAD, 4096), -EFAULT)


@test
def logon_keys_are_not_read():
    session()
    k = made(add(b"logon", b"svc:a", b"x", SESSION))
    eq(described(k), "logon;%d;%d;3d010000;svc:a" % (os.getuid(), os.getgid()))
    eq(contents(k), -EOPNOTSUPP)
    eq(ctl(UPDATE, k, b"yy", 2), 0)


@test
def big_keys_hold_much():
    session()
    k = add(b"big_key", b"big", b"x" * 100000, SESSION)
    if k == -ENODEV:
        skip("no big_key here")
    eq(contents(k, 100000), b"x" * 100000)
    eq(add(b"big_key", b"big", None, SESSION), -EINVAL)


@test
def adding_again_updates():
    session()
    k = user(b"a", b"1")
    eq(user(b"a", b"22"), k)
    eq(contents(k), b"22")
    r = keyring(b"r")
    ok(keyring(b"r") != r, "keyrings are displaced")


@test
def update():
    session()
    k, r = user(), keyring()
    eq(ctl(UPDATE, k, b"new", 3), 0)
    eq(contents(k), b"new")
    eq(ctl(UPDATE, k, b"x" * 4097, 4097), -EINVAL)
    eq(ctl(UPDATE, k, None, 0), -EINVAL)
    eq(ctl(UPDATE, k, None, 3), -EFAULT)
    eq(ctl(UPDATE, k, b"x", -1), -EINVAL)
    eq(ctl(UPDATE, r, b"z", 1), -EOPNOTSUPP)


@test
def search():
    session()
    k, r = user(b"a"), keyring(b"r")
    deep = user(b"deep", b"1", r)
    eq(ctl(SEARCH, SESSION, b"user", b"a", 0), k)
    eq(ctl(SEARCH, SESSION, b"user", b"deep", 0), deep)
    eq(ctl(SEARCH, SESSION, b"keyring", b"r", 0), r)
    eq(ctl(SEARCH, r, b"keyring", b"r", 0), r, "itself")
    eq(ctl(SEARCH, SESSION, b"user", b"a", r), k)
    eq(members(r), sorted([deep, k]))


@cases([("no key", b"user", b"nope", -ENOKEY), ("no type", b"nosuch", b"a", -ENOKEY), ("type of the kernel", b".x", b"a", -EPERM),
        ("null type", None, b"a", -EFAULT), ("null name", b"user", None, -EFAULT), ("empty name", b"user", b"", -ENOKEY),
        ("empty type", b"", b"a", -EINVAL), ("long name", b"user", b"a" * 4096, -EINVAL)], shared=True)
def search_refuses(kind, name, expected):
    session()
    eq(ctl(SEARCH, SESSION, kind, name, 0), expected)


@test
def search_needs_a_keyring():
    session()
    eq(ctl(SEARCH, user(), b"user", b"a", 0), -ENOTDIR)


@test
def link_and_unlink():
    session()
    k, r = user(), keyring()
    eq(ctl(LINK, k, r), 0)
    eq(ctl(LINK, k, r), 0)
    eq(members(r), [k])
    eq(ctl(UNLINK, k, r), 0)
    eq(ctl(UNLINK, k, r), -ENOENT)
    eq(ctl(LINK, k, user(b"other")), -ENOTDIR)
    eq(ctl(UNLINK, k, user(b"other")), -ENOTDIR)
    eq(ctl(LINK, NONE, r), -ENOKEY)
    eq(ctl(LINK, k, NONE), -ENOKEY)


@test
def a_link_that_makes_a_cycle_is_refused():
    session()
    a = keyring(b"a")
    b = keyring(b"b", a)
    c = keyring(b"c", b)
    eq(ctl(LINK, a, a), -EDEADLK)
    eq(ctl(LINK, a, b), -EDEADLK)
    eq(ctl(LINK, a, c), -EDEADLK)


@test
def depth_is_bounded():
    session()
    rings = [keyring(b"d0")]
    for i in range(1, 8):
        rings.append(keyring(b"d%d" % i, rings[-1]))
    eq(add(b"keyring", b"d8", None, rings[-1]), -EACCES, "not possessed any more")
    top = keyring(b"top")
    eq(ctl(LINK, rings[0], top), -ELOOP)
    eq(ctl(LINK, rings[1], top), 0)


@test
def clear():
    session()
    r = keyring()
    user(b"x", b"1", r)
    eq(ctl(CLEAR, r), 0)
    eq(members(r), [])
    eq(ctl(CLEAR, user()), -ENOTDIR)


@test
def move():
    session()
    a, b = keyring(b"a"), keyring(b"b")
    k = user(b"k", b"1", a)
    eq(ctl(MOVE, k, a, b, 2), -EINVAL)
    eq(ctl(MOVE, k, a, a, 0), 0)
    eq(ctl(MOVE, k, a, b, 0), 0)
    eq((members(a), members(b)), ([], [k]))
    eq(ctl(MOVE, k, a, b, 0), -ENOENT)
    other = user(b"k", b"2", a)
    eq(ctl(MOVE, other, a, b, EXCL), -EEXIST)
    eq(ctl(MOVE, other, a, b, 0), 0)
    eq(members(b), [other])
    eq(ctl(MOVE, other, b, user(b"no ring"), 0), -ENOTDIR)
    eq(ctl(MOVE, a, SESSION, a, 0), -EDEADLK)


@test
def operations_check_rights():
    session()
    k = user()
    eq(ctl(SETPERM, k, 0x80000000), -EINVAL)
    eq(ctl(SETPERM, k, 0), 0)
    eq(described(k), -EACCES)
    eq(contents(k), -EACCES)
    eq(ctl(SETPERM, k, 0x3F010000), -EACCES)
    eq(ctl(REVOKE, k), -EACCES)
    eq(ctl(INVALIDATE, k), -EACCES)
    eq(ctl(LINK, k, SESSION), -EACCES)
    eq(ctl(SEARCH, SESSION, b"user", b"k", 0), -EACCES)
    eq(ctl(UNLINK, k, SESSION), 0)


@test
def possession_gives_rights():
    session()
    k = user()
    eq(ctl(LINK, k, USER), 0)
    eq(ctl(SETPERM, k, 0x0B000000), 0)
    eq(contents(k), b"secret")
    session()
    eq(contents(k), -EACCES)
    eq(ctl(UNLINK, k, USER), 0)


@test
def revoked_keys():
    session()
    k = user()
    eq(ctl(REVOKE, k), 0)
    eq(described(k), -EKEYREVOKED)
    eq(contents(k), -EKEYREVOKED)
    eq(ctl(REVOKE, k), -EKEYREVOKED)
    eq(ctl(SEARCH, SESSION, b"user", b"k", 0), -EKEYREVOKED)
    eq(ctl(LINK, k, SESSION), -EKEYREVOKED)
    ok(user() != k, "another one takes its place")


@test
def revoking_a_keyring_empties_it():
    session()
    r = keyring()
    k = user(b"in", b"1", r)
    eq(ctl(LINK, k, SESSION), 0)
    eq(ctl(REVOKE, r), 0)
    eq(ctl(SEARCH, SESSION, b"user", b"in", 0), k)
    eq(members(SESSION), sorted([r, k]))


@test
def an_invalidated_key_is_removed():
    session()
    k = user()
    eq(ctl(INVALIDATE, k), 0)
    eq(described(k), -ENOKEY)
    wait_until(lambda: members(SESSION) == [], "the link's end")


@test
def keys_expire():
    session()
    k = user()
    eq(ctl(SET_TIMEOUT, k, 1), 0)
    eq(contents(k), b"secret")
    wait_until(lambda: contents(k) == -EKEYEXPIRED, "the end")
    eq(described(k), -EKEYEXPIRED)
    eq(ctl(SEARCH, SESSION, b"user", b"k", 0), -EKEYEXPIRED)
    eq(sc(NR.request_key, b"user", b"k", None, 0), -ENOKEY)
    eq(ctl(SET_TIMEOUT, k, 0), -EKEYEXPIRED)
    # add_key revives an expired key.
    eq(user(b"k", b"again"), k)
    eq(contents(k), b"again")


@test
def owners_change():
    session()
    k = user()
    eq(ctl(CHOWN, NONE, -1, -1), 0)
    need_root()
    eq(ctl(CHOWN, k, 1234, -1), 0)
    eq(described(k), "user;1234;0;3f010000;k")
    eq(ctl(CHOWN, k, -1, 5678), 0)
    eq(described(k), "user;1234;5678;3f010000;k")


@test
def another_user_sees_keys_by_their_rights():
    need_root()
    session()
    k = user()

    def other_user():
        session()
        eq(described(k), -EACCES)
        mine = user(b"mine", b"1")
        eq(ctl(CHOWN, mine, 0, -1), -EACCES)
        eq(ctl(CHOWN, mine, -1, 0), -EACCES)
        eq(ctl(GET_PERSISTENT, 0, SESSION), -EPERM)
        with open("/proc/keys") as f:
            ok("%08x" % k not in f.read(), "root's key is shown")
    as_other_user(other_user)


@test
def quotas_hold():
    need_root()

    def other_user():
        ring, n = session(), 0
        while True:
            r = add(b"user", b"q%d" % n, b"x" * 30, ring)
            if r < 0:
                break
            n += 1
        eq(r, -EDQUOT)
        between(100, n, 200, "keys")
        eq(add(b"user", b"q0", b"y" * 20000, ring), -EDQUOT)
        eq(ctl(CLEAR, ring), 0)
        wait_until(lambda: add(b"user", b"q", b"1", ring) > 0, "room")
        eq(add(b"user", b"big", b"x" * 20000, ring), -EDQUOT)
    as_other_user(other_user)


@test
def threads_race_on_a_keyring():
    session()
    r, k = keyring(), user()

    def churn():
        for _ in range(200):
            ctl(LINK, k, r)
            ctl(CLEAR, r)
            ctl(UNLINK, k, r)
    threads = [threading.Thread(target=churn) for _ in range(3)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    eq(ctl(CLEAR, r), 0)
    eq(contents(k), b"secret")


run()
