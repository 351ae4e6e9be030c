"""move_mount(2): MOVE_MOUNT_BENEATH and MOVE_MOUNT_SET_GROUP."""

import errno as E
import os

from lib.guest import NR, SYS, eq, need_root, ok, run, sc, test, works

SYS.update(open_tree=428, move_mount=429)
SHARED, SLAVE, PRIVATE, BIND, REC = 1 << 20, 1 << 19, 1 << 18, 0x1000, 0x4000
EMPTY, SET_GROUP, BENEATH = 4, 0x100, 0x200
CWD = -100 & 2**64 - 1


def isolated(*folders):
    need_root()
    works(NR.unshare, 0x20000)
    works(NR.mount, None, b"/", None, PRIVATE | REC, None)
    for name in folders:
        os.mkdir(name)


def tmpfs(name, at):
    works(NR.mount, name.encode(), at.encode(), b"tmpfs", 0, None)
    open(at + "/" + name, "w").close()


def change(at, flags):
    works(NR.mount, None, at.encode(), None, flags, None)


def copy(at):
    return works(NR.open_tree, CWD, at.encode(), 1)


def beneath(fd, at):
    return sc(NR.move_mount, fd, b"", CWD, at.encode(), EMPTY | BENEATH)


def group(source, at, flags=SET_GROUP):
    return sc(NR.move_mount, CWD, source.encode(), CWD, at.encode(), flags)


def stack(at):
    """Returns (source, optional fields) of each mount on `at`, the lowest first."""
    here, found = os.path.realpath(at), {}
    for line in open("/proc/self/mountinfo"):
        left, right = line.split(" - ")
        words = left.split()
        if words[4] == here:
            found[words[0]] = (words[1], right.split()[1], words[6:])
    inner = {parent: (ident, source, fields) for ident, (parent, source, fields) in found.items()}
    ident, order = next(p for p in inner if p not in found), []
    while ident in inner:
        ident, source, fields = inner[ident]
        order.append((source, fields))
    return order


def names(at):
    return [source for source, _ in stack(at)]


@test
def a_mount_moves_beneath_another():
    isolated("a", "b")
    tmpfs("A", "a")
    tmpfs("B", "b")
    held = open("a/A")
    eq(beneath(copy("b"), "a"), 0)
    eq(names("a"), ["B", "A"])
    eq(os.listdir("a"), ["A"])
    # The unmount of the upper mount uncovers the new one.
    works(NR.umount2, b"a", 2)
    eq((names("a"), os.listdir("a")), (["B"], ["B"]))
    # A mount that is attached can move as well.
    os.mkdir("c")
    tmpfs("C", "c")
    eq(group("c", "a", BENEATH), 0)
    eq((names("a"), os.listdir("a"), os.listdir("c")), (["C", "B"], ["B"], []))
    eq(beneath(copy("b"), "a"), 0)
    eq(names("a"), ["C", "B", "B"])


@test
def mounts_that_cannot_be_moved_beneath():
    isolated("a", "b", "d")
    tmpfs("A", "a")
    tmpfs("B", "b")
    os.mkdir("b/sub")
    fd = copy("b")
    eq(beneath(fd, "d"), -E.EINVAL, "no mount")
    eq(beneath(fd, "b/sub"), -E.EINVAL)
    eq(beneath(fd, "/"), -E.EINVAL)
    eq(group("a", "a", BENEATH), -E.EINVAL)
    eq(group("b/sub", "a", BENEATH), -E.EINVAL)
    eq(group("b", "a", BENEATH | SET_GROUP), -E.EINVAL)
    eq(group("b", "a", 0x400), -E.EINVAL)
    for name in ("f", "g"):
        open(name, "w").close()
    works(NR.mount, b"f", b"g", None, BIND, None)
    eq(beneath(copy("f"), "a"), -E.EINVAL)
    eq(beneath(fd, "g"), -E.EINVAL)
    eq(beneath(copy("f"), "g"), 0)
    # A mount cannot move into itself.
    os.mkdir("a/in")
    tmpfs("I", "a/in")
    eq(group("a", "a/in", BENEATH), -E.ELOOP)
    # A mount cannot move beneath its own parent.
    eq(group("a/in", "a", BENEATH), -E.EINVAL)
    change("a", SHARED)
    eq(group("a/in", "b", BENEATH), -E.EINVAL, "from a shared parent")
    os.setuid(1000)
    eq(group("b", "a", BENEATH), -E.EPERM)


@test
def a_mount_moves_beneath_a_child_of_a_shared_mount():
    isolated("p", "q", "b")
    tmpfs("P", "p")
    change("p", SHARED)
    works(NR.mount, b"p", b"q", None, BIND, None)
    os.mkdir("p/m")
    tmpfs("M", "p/m")
    tmpfs("B", "b")
    eq((names("p/m"), names("q/m")), (["M"], ["M"]))
    eq(beneath(copy("b"), "p/m"), 0)
    eq((names("p/m"), names("q/m")), (["B", "M"], ["B", "M"]))
    low, high = stack("p/m"), stack("q/m")
    ok(low[0][1] and low[0][1] == high[0][1], "they are peers: %s %s" % (low, high))
    # A mount that propagates must be bindable.
    change("b", 1 << 17)
    tmpfs("C", "b")
    change("b", 1 << 17)
    eq(group("b", "p/m", BENEATH), -E.EINVAL, "unbindable")


@test
def a_mount_joins_a_group():
    isolated("a", "b", "c")
    tmpfs("A", "a")
    works(NR.mount, b"a", b"b", None, BIND, None)
    tmpfs("C", "c")
    eq(group("a", "b"), -E.EINVAL, "a private one has none")
    change("a", SHARED)
    eq(group("a", "c"), -E.EINVAL, "another file system")
    os.mkdir("a/sub")
    eq(group("a/sub", "b"), -E.EINVAL, "no mount")
    eq(group("a", "b"), 0)
    ok(stack("a")[0][1] and stack("a") == stack("b"), "peers")
    tmpfs("T", "a/sub")
    eq(os.listdir("b/sub"), ["T"])
    works(NR.umount2, b"a/sub", 0)
    eq(group("a", "b"), -E.EINVAL, "it has one")
    # The propagation of a slave is copied too.
    os.mkdir("s")
    works(NR.mount, b"a", b"s", None, BIND, None)
    change("s", SLAVE)
    change("b", PRIVATE)
    eq(group("s", "b"), 0)
    eq(stack("b"), stack("s"))
    ok(stack("b")[0][1][0].startswith("master:"), "a slave too")
    # The other mount must show the root of this one.
    os.mkdir("n")
    works(NR.mount, b"a/sub", b"n", None, BIND, None)
    change("b", PRIVATE)
    eq(group("n", "b"), -E.EINVAL)
    # An unattached mount can take a peer group.
    change("s", PRIVATE)
    fd = copy("s")
    works(NR.move_mount, CWD, b"a", fd, b"", SET_GROUP | 0x40)
    os.mkdir("new")
    works(NR.move_mount, fd, b"", CWD, b"new", EMPTY)
    eq(stack("new"), stack("a"))
    os.setuid(1000)
    eq(group("a", "s"), -E.EPERM)


run()
