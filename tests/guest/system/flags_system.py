"""Flags and commands of calls about mounts, namespaces and the system, one by one, by expressions
whose value Linux gave.
"""

import ctypes
import os
import re
import struct
from errno import *
from lib.guest import *

needs_root(
    "logs_SYSLOG_ACTION_READ_ALL", "logs_SYSLOG_UNKNOWN",
)

SYS.update(fsopen=430, fsconfig=431, fsmount=432, fspick=433, open_tree=428, move_mount=429,
           mount_setattr=442, syslog=103)
CWD = -100 & 0xFFFFFFFF


def apart(fn):
    """Returns the result of fn in a mount namespace of its own, in a tmpfs."""
    if not is_root():
        skip("needs uid 0")
    r, w = os.pipe()

    def body():
        works(NR.unshare, 0x20000)
        works(NR.mount, b"none", b"/", 0, 0x44000, 0)
        here = os.getcwd()
        works(NR.mount, b"t", here.encode(), b"tmpfs", 0, 0)
        os.chdir(here)
        os.mkdir("m")
        os.mkdir("n")
        os.write(w, repr(fn()).encode())
    child_ok(body)
    return os.read(r, 4000).decode()


def options(path="m"):
    path = os.path.abspath(path)
    with open("/proc/self/mountinfo") as f:
        lines = [line.split() for line in f]
    found = [line for line in lines if line[4] == path]
    return sorted(set(found[-1][5].split(",")) - {"rw"}) if found else None


def mounted(flags):
    return apart(lambda: (sc(NR.mount, b"x", b"m", b"tmpfs", flags, 0), options()))


def shared(flags):
    def body():
        works(NR.mount, b"x", b"m", b"tmpfs", 0, 0)
        r = sc(NR.mount, b"none", b"m", 0, flags, 0)
        with open("/proc/self/mountinfo") as f:
            line = [l for l in f if l.split()[4] == os.path.abspath("m")][-1]
        return r, [x.split(":")[0] for x in line.split(" - ")[0].split()[6:]]
    return apart(body)


def busy(flags):
    def body():
        works(NR.mount, b"x", b"m", b"tmpfs", 0, 0)
        fd = os.open("m", os.O_RDONLY)
        return sc(NR.umount2, b"m", flags), os.path.ismount("m"), fd > 0
    return apart(body)


def idle(flags):
    def body():
        works(NR.mount, b"x", b"m", b"tmpfs", 0, 0)
        return [sc(NR.umount2, b"m", flags) for _ in range(3)]
    return apart(body)


def context(*configs):
    def body():
        fd = works(430, b"tmpfs", 0)
        return [sc(431, fd, *c) for c in configs]
    return apart(body)


def attributed(attr, value=None):
    def body():
        fd = works(430, b"tmpfs", 0)
        works(431, fd, 6, 0, 0, 0)
        m = sc(432, fd, 0, attr)
        if m < 0:
            return m
        return sc(429, m, b"", CWD, b"m", 4), options()
    return apart(body)


def changed(attr):
    def body():
        works(NR.mount, b"x", b"m", b"tmpfs", 0, 0)
        r = sc(442, CWD, b"m", 0, struct.pack("QQQQ", attr, 0, 0, 0), 32)
        return r, options()
    return apart(body)


def tree(flags):
    return apart(lambda: min(sc(428, CWD, b"m", flags), 0))


def drawn(flags, size=8):
    return sc(NR.getrandom, ctypes.create_string_buffer(max(size, 1)), size, flags)


def log(action, size=16):
    return sc(103, action, ctypes.create_string_buffer(64), size)


def persona(value):
    r = []

    def body():
        a = sc(NR.personality, value)
        b = sc(NR.personality, 0xFFFFFFFF)
        os._exit(0 if a == 0 and b == value else 1)
    return in_child(body)


@cases([
    ("MS_RDONLY", lambda: mounted(1), "(0, ['relatime', 'ro'])"),
    ("MS_NOSUID", lambda: mounted(2), "(0, ['nosuid', 'relatime'])"),
    ("MS_NODEV", lambda: mounted(4), "(0, ['nodev', 'relatime'])"),
    ("MS_NOEXEC", lambda: mounted(8), "(0, ['noexec', 'relatime'])"),
    ("MS_NOATIME", lambda: mounted(0x400), "(0, ['noatime'])"),
    ("MS_NODIRATIME", lambda: mounted(0x800), "(0, ['nodiratime', 'relatime'])"),
    ("MS_RELATIME", lambda: mounted(0x200000), "(0, ['relatime'])"),
    ("MS_STRICTATIME", lambda: mounted(0x1000000), '(0, [])'),
    ("MS_NOSYMFOLLOW", lambda: mounted(0x100), "(0, ['nosymfollow', 'relatime'])"),
    ("MS_SILENT", lambda: mounted(0x8000), "(0, ['relatime'])"),
    ("MS_SYNCHRONOUS", lambda: mounted(0x10), "(0, ['relatime'])"),
    ("MS_DIRSYNC", lambda: mounted(0x80), "(0, ['relatime'])"),
    ("MS_LAZYTIME", lambda: mounted(0x2000000), "(0, ['relatime'])"),
    ("MS_MANDLOCK", lambda: mounted(0x40), "(0, ['relatime'])"),
    ("MS_REMOUNT",
     lambda: apart(lambda: (sc(NR.mount, b"x", b"m", b"tmpfs", 0, 0), sc(NR.mount, b"x", b"m", b"tmpfs", 0x21, 0), options())),
     "(0, 0, ['relatime', 'ro'])"),
    ("MS_BIND",
     lambda: apart(lambda: (open("m/f", "w").close(), sc(NR.mount, b"m", b"n", 0, 0x1000, 0), os.listdir("n"))),
     "(None, 0, ['f'])"),
    ("MS_REC",
     lambda: apart(lambda: (sc(NR.mount, b"x", b"m", b"tmpfs", 0, 0), sc(NR.mount, b".", b"n", 0, 0x5000, 0), os.path.ismount("n/m"))),
     '(0, 0, True)'),
    ("MS_MOVE",
     lambda: apart(lambda: (sc(NR.mount, b"x", b"m", b"tmpfs", 0, 0), sc(NR.mount, b"m", b"n", 0, 0x2000, 0), os.path.ismount("m"), os.path.ismount("n"))),
     '(0, 0, False, True)'),
    ("MS_UNBINDABLE", lambda: shared(1 << 17), "(0, ['unbindable'])"),
    ("MS_PRIVATE", lambda: shared(1 << 18), '(0, [])'),
    ("MS_SLAVE", lambda: shared(1 << 19), '(0, [])'),
    ("MS_SHARED", lambda: shared(1 << 20), "(0, ['shared'])"),
])
def mount_flags(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: busy(0), '(-16, True, True)'),
    ("MNT_FORCE", lambda: busy(1), '(-16, True, True)'),
    ("MNT_DETACH", lambda: busy(2), '(0, False, True)'),
    ("MNT_EXPIRE", lambda: (idle(4), busy(4)), ('[-11, 0, -22]', '(-16, True, True)')),
    ("UMOUNT_NOFOLLOW",
     lambda: apart(lambda: (os.symlink("m", "l"), sc(NR.mount, b"x", b"m", b"tmpfs", 0, 0), sc(NR.umount2, b"l", 8), sc(NR.umount2, b"l", 0))),
     '(None, 0, -22, 0)'),
])
def umount_flags(call, expected):
    eq(call(), expected)


@cases([
    ("FSCONFIG_SET_FLAG",
     lambda: context((0, b"ro", 0, 0), (0, 0, 0, 0), (0, b"ro", b"x", 0)),
     '[0, -22, -22]'),
    ("FSCONFIG_SET_STRING",
     lambda: context((1, b"size", b"1m", 0), (1, b"size", 0, 0), (1, b"source", b"s", 0)),
     '[0, -22, 0]'),
    ("FSCONFIG_SET_BINARY", lambda: context((2, b"size", b"1m", 2)), '[-22]'),
    ("FSCONFIG_SET_PATH", lambda: context((3, b"size", b"/", CWD)), '[-22]'),
    ("FSCONFIG_SET_PATH_EMPTY", lambda: context((4, b"size", b"", CWD)), '[-22]'),
    ("FSCONFIG_SET_FD", lambda: context((5, b"size", 0, 0)), '[-22]'),
    ("FSCONFIG_CMD_CREATE", lambda: context((6, 0, 0, 0), (6, 0, 0, 0)), '[0, -16]'),
    ("FSCONFIG_CMD_RECONFIGURE",
     lambda: context((7, 0, 0, 0), (6, 0, 0, 0), (7, 0, 0, 0)),
     '[-16, 0, -16]'),
    ("FSCONFIG_UNKNOWN", lambda: context((9, 0, 0, 0), (99, 0, 0, 0)), '[-95, -95]'),
])
def configurations(call, expected):
    eq(call(), expected)


@cases([
    ("FSOPEN_CLOEXEC", lambda: apart(lambda: sc(NR.fcntl, works(430, b"tmpfs", 1), 1)), '1'),
])
def opens(call, expected):
    eq(call(), expected)


@cases([
    ("MOUNT_ATTR_RDONLY", lambda: attributed(1), "(0, ['relatime', 'ro'])"),
    ("MOUNT_ATTR_NOSUID", lambda: attributed(2), "(0, ['nosuid', 'relatime'])"),
    ("MOUNT_ATTR_NODEV", lambda: attributed(4), "(0, ['nodev', 'relatime'])"),
    ("MOUNT_ATTR_NOEXEC", lambda: attributed(8), "(0, ['noexec', 'relatime'])"),
    ("MOUNT_ATTR_RELATIME", lambda: attributed(0), "(0, ['relatime'])"),
    ("MOUNT_ATTR_NOATIME", lambda: attributed(0x10), "(0, ['noatime'])"),
    ("MOUNT_ATTR_STRICTATIME", lambda: attributed(0x20), '(0, [])'),
    ("MOUNT_ATTR_NODIRATIME", lambda: attributed(0x80), "(0, ['nodiratime', 'relatime'])"),
    ("MOUNT_ATTR_NOSYMFOLLOW", lambda: attributed(0x200000), "(0, ['nosymfollow', 'relatime'])"),
])
def mount_attributes(call, expected):
    eq(call(), expected)


@cases([
    ("MOUNT_ATTR_RDONLY", lambda: changed(1), "(0, ['relatime', 'ro'])"),
    ("MOUNT_ATTR_NOSUID", lambda: changed(2), "(0, ['nosuid', 'relatime'])"),
    ("MOUNT_ATTR_NODEV", lambda: changed(4), "(0, ['nodev', 'relatime'])"),
    ("MOUNT_ATTR_NOEXEC", lambda: changed(8), "(0, ['noexec', 'relatime'])"),
    ("MOUNT_ATTR_NODIRATIME", lambda: changed(0x80), "(0, ['nodiratime', 'relatime'])"),
    ("MOUNT_ATTR_NOSYMFOLLOW", lambda: changed(0x200000), "(0, ['nosymfollow', 'relatime'])"),
])
def changed_attributes(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: tree(0), '0'),
    ("OPEN_TREE_CLONE", lambda: tree(1), '0'),
    ("OPEN_TREE_CLOEXEC", lambda: tree(0o2000000), '0'),
    ("AT_RECURSIVE", lambda: (tree(0x8000), tree(0x8001)), ('-22', '0')),
    ("AT_SYMLINK_NOFOLLOW", lambda: tree(0x100), '0'),
    ("AT_NO_AUTOMOUNT", lambda: tree(0x800), '0'),
    ("AT_EMPTY_PATH", lambda: tree(0x1000), '0'),
])
def trees(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: (drawn(0), drawn(0, 0)), (8, 0)),
    ("GRND_NONBLOCK", lambda: drawn(1), 8),
    ("GRND_RANDOM", lambda: drawn(2), 8),
    ("GRND_INSECURE", lambda: (drawn(4), drawn(6)), (8, -EINVAL)),
])
def randoms(call, expected):
    eq(call(), expected)


@cases([
    ("SYSLOG_ACTION_CLOSE", lambda: log(0) if is_root() else 0, 0),
    ("SYSLOG_ACTION_OPEN", lambda: log(1) if is_root() else 0, 0),
    ("SYSLOG_ACTION_READ_ALL", lambda: (log(3, -1), log(3, 0) if is_root() else 0), (-EINVAL, 0)),
    ("SYSLOG_ACTION_SIZE_UNREAD", lambda: log(9) >= 0 if is_root() else True, True),
    ("SYSLOG_ACTION_SIZE_BUFFER", lambda: log(10) > 0 if is_root() else True, True),
    ("SYSLOG_ACTION_CONSOLE_LEVEL",
     lambda: (log(8, 0), log(8, 9)) if is_root() else (-22, -22),
     (-EINVAL, -EINVAL)),
    ("SYSLOG_UNKNOWN", lambda: (log(11), log(-1)), (-EINVAL, -EINVAL)),
])
def logs(call, expected):
    eq(call(), expected)


@test
def uname26_shows_an_old_release():
    release = os.uname().release
    version = re.match(r"\d+\.(\d+)[\d.]*", release)
    old = "2.6.%d" % (60 + int(version[1])) + release[version.end():]

    def body():
        sc(NR.personality, 0x20000)
        os._exit(0 if os.uname().release == old else 1)
    eq(in_child(body), 0)


@cases([
    ("UNAME26", lambda: persona(0x20000), 0),
    ("ADDR_NO_RANDOMIZE", lambda: persona(0x40000), 0),
    ("FDPIC_FUNCPTRS", lambda: persona(0x80000), 0),
    ("MMAP_PAGE_ZERO", lambda: persona(0x100000), 0),
    ("ADDR_COMPAT_LAYOUT", lambda: persona(0x200000), 0),
    ("READ_IMPLIES_EXEC", lambda: persona(0x400000), 0),
    ("ADDR_LIMIT_32BIT", lambda: persona(0x800000), 0),
    ("SHORT_INODE", lambda: persona(0x1000000), 0),
    ("WHOLE_SECONDS", lambda: persona(0x2000000), 0),
    ("STICKY_TIMEOUTS", lambda: persona(0x4000000), 0),
    ("ADDR_LIMIT_3GB", lambda: persona(0x8000000), 0),
    ("PER_LINUX32", lambda: persona(8), 0),
])
def personalities(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
