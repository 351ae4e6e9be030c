"""Parts of the exerciser that are not random: large directories, deep paths, holes, locks, users,
and two clients at once.
"""

import errno
import fcntl
import mmap
import os
import signal
import struct
import tempfile
import time


def eq(found, expected, what):
    if found != expected:
        raise AssertionError("%s: expected %r, found %r" % (what, expected, found))


def fails(code, fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except OSError as e:
        eq(errno.errorcode.get(e.errno), errno.errorcode[code], fn.__name__)
        return
    raise AssertionError("%s%r: expected %s" % (fn.__name__, args, errno.errorcode[code]))


def read_map(fd, data, r, writes):
    """
    Compares a mapping of a file with its bytes; writes some through a shared one, into `data` too.
    """
    size = len(data)
    if writes:
        with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as map:
            if bytes(map) != data:
                raise AssertionError("a shared mapping differs from the file of %d bytes" % size)
            at = r.randrange(size)
            part = r.randbytes(min(size - at, 3000))
            map[at:at + len(part)] = part
            data[at:at + len(part)] = part
            map.flush()
        return
    with mmap.mmap(fd, size, mmap.MAP_PRIVATE, mmap.PROT_READ) as map:
        found = bytes(map)
        if found != data:
            at = next(i for i in range(size) if found[i] != data[i])
            end = next(i for i in range(size - 1, -1, -1) if found[i] != data[i])
            raise AssertionError("a private mapping of %d bytes differs in %d to %d: %r for %r" % (
                size, at, end, found[at:at + 8], bytes(data[at:at + 8])))


def write_file(path, data):
    with open(path, "wb") as f:
        f.write(data)


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def large_directory(top, entries):
    """Lists a large directory, also while half of its entries are removed, and seeks in it."""
    path = os.path.join(top, "large")
    os.mkdir(path)
    wanted = set()
    for i in range(entries):
        name = "entry-%d-%s" % (i, "x" * (i % 150))
        os.close(os.open(os.path.join(path, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        wanted.add(name)
    found = os.listdir(path)
    eq(len(found), entries, "names in a large directory")
    eq(set(found), wanted, "names in a large directory")
    kept = set()
    seen = []
    with os.scandir(path) as it:
        for i, entry in enumerate(it):
            seen.append(entry.name)
            if i % 2 == 0:
                os.unlink(entry.path)
            else:
                kept.add(entry.name)
    eq(len(seen), len(set(seen)), "a name was listed twice while others were removed")
    missing = wanted - set(seen)
    eq(sorted(missing), [], "names that were never removed before they were listed")
    eq(set(os.listdir(path)), kept, "what is left")
    for name in kept:
        os.unlink(os.path.join(path, name))
    os.rmdir(path)


def deep_path(top, depth):
    """Makes a tree that is deeper than a path can name, step by step."""
    home = os.open(".", os.O_RDONLY)
    name = "d" * 200
    os.chdir(top)
    try:
        for _ in range(depth):
            os.mkdir(name)
            os.chdir(name)
        write_file("bottom", b"deep")
        eq(read_file("bottom"), b"deep", "a file far down")
        eq(os.path.exists("../" + name), True, "..")
        os.unlink("bottom")
        for _ in range(depth):
            os.chdir("..")
            os.rmdir(name)
        eq(os.path.samefile(".", top), True, "the way back")
    finally:
        os.fchdir(home)
        os.close(home)


def names(top):
    fails(errno.ENAMETOOLONG, os.mkdir, os.path.join(top, "n" * 256))
    fails(errno.ENOENT, os.rmdir, os.path.join(top, "n" * 255))
    write_file(os.path.join(top, "n" * 255), b"")
    eq("n" * 255 in os.listdir(top), True, "a name of 255 bytes")
    os.unlink(os.path.join(top, "n" * 255))
    fails(errno.ENAMETOOLONG, os.symlink, "t" * 4096, os.path.join(top, "link"))


def holes(top):
    path = os.path.join(top, "sparse")
    far = 2 ** 35 + 17
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    eq(os.pwrite(fd, b"end", far), 3, "a write far out")
    eq(os.fstat(fd).st_size, far + 3, "size")
    eq(os.pread(fd, 8, 2 ** 34), bytes(8), "a hole")
    eq(os.pread(fd, 8, far - 2), b"\0\0end", "across the end of a hole")
    os.fsync(fd)
    os.ftruncate(fd, 2 ** 33)
    eq(os.pread(fd, 8, 2 ** 33 - 4), bytes(4), "the end")
    os.close(fd)
    eq(os.stat(path).st_size, 2 ** 33, "size by name")
    if os.stat(path).st_blocks * 512 > 2 ** 22:
        raise AssertionError("a hole takes %d blocks" % os.stat(path).st_blocks)
    os.unlink(path)


def unlinked(top):
    """A file without a name exists until its last descriptor is closed."""
    path = os.path.join(top, "gone")
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"0123456789")
    os.unlink(path)
    eq(os.path.exists(path), False, "the name")
    eq(os.pread(fd, 100, 0), b"0123456789", "content")
    os.write(fd, b"more")
    os.ftruncate(fd, 12)
    eq(os.pread(fd, 100, 8), b"89mo", "content after a change")
    eq(os.fstat(fd).st_nlink, 0, "links")
    os.fchmod(fd, 0o640)
    eq(os.fstat(fd).st_mode & 0o777, 0o640, "mode")
    write_file(path, b"another")
    eq(os.pread(fd, 4, 0), b"0123", "the old file beside a new one of its name")
    os.close(fd)
    os.unlink(path)


def file_system(top):
    v = os.statvfs(top)
    eq(v.f_namemax, 255, "f_namemax")
    if not (v.f_blocks > 0 and v.f_bsize > 0 and v.f_bfree <= v.f_blocks):
        raise AssertionError("statvfs: %r" % (v,))


def as_user(uid, fn):
    """Runs fn in a child with this uid; returns what fn raised, or ""."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = ""
        try:
            signal.alarm(60)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            fn()
        except BaseException as e:
            text = "%s: %s" % (type(e).__name__, e)
        os.write(w, text.encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        text = f.read().decode()
    os.waitpid(pid, 0)
    if text:
        raise AssertionError("as user %d: %s" % (uid, text))


def users(top):
    open_dir = os.path.join(top, "open")
    closed = os.path.join(top, "closed")
    os.mkdir(open_dir)
    os.chmod(open_dir, 0o1777)
    os.mkdir(closed, 0o700)
    write_file(os.path.join(closed, "x"), b"x")
    write_file(os.path.join(open_dir, "roots"), b"x")
    os.chmod(os.path.join(open_dir, "roots"), 0o644)

    def ordinary_user():
        mine = os.path.join(open_dir, "mine")
        write_file(mine, b"mine")
        eq(os.stat(mine).st_uid, 1000, "owner of a new file")
        os.mkdir(os.path.join(open_dir, "dir"))
        eq(os.stat(os.path.join(open_dir, "dir")).st_uid, 1000, "owner of a new directory")
        fails(errno.EACCES, os.listdir, closed)
        fails(errno.EACCES, os.open, os.path.join(closed, "x"), os.O_RDONLY)
        roots = os.path.join(open_dir, "roots")
        eq(read_file(roots), b"x", "a file that everybody may read")
        fails(errno.EACCES, os.open, roots, os.O_WRONLY)
        fails(errno.EPERM, os.chmod, roots, 0o666)
        fails(errno.EPERM, os.chown, mine, 0, 0)
        try:
            os.unlink(roots)
            raise AssertionError("the sticky bit was ignored")
        except PermissionError:
            pass
        # an open file stays usable when its mode changes
        fd = os.open(mine, os.O_RDWR)
        os.chmod(mine, 0)
        eq(os.write(fd, b"MINE"), 4, "a write")
        os.ftruncate(fd, 2)
        eq(os.pread(fd, 9, 0), b"MI", "a read")
        os.close(fd)
        fails(errno.EACCES, os.open, mine, os.O_RDONLY)

    as_user(1000, ordinary_user)
    eq(os.stat(os.path.join(open_dir, "mine")).st_uid, 1000, "owner of a new file")
    os.unlink(os.path.join(open_dir, "mine"))
    os.rmdir(os.path.join(open_dir, "dir"))
    os.unlink(os.path.join(open_dir, "roots"))
    os.unlink(os.path.join(closed, "x"))
    os.rmdir(open_dir)
    os.rmdir(closed)


def acl(*entries):
    """Makes a value of system.posix_acl_* from (tag, permissions, id) entries."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


NOBODY = 2 ** 32 - 1
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32


def acls(top):
    """
    What an access list gives to one user, and what new files get by a directory's default list.
    """
    path = os.path.join(top, "listed")
    write_file(path, b"listed")
    os.chmod(path, 0o600)
    as_user(1000, lambda: fails(errno.EACCES, os.open, path, os.O_RDONLY))
    entries = [(USER_OBJ, 6, NOBODY), (USER, 6, 1000), (GROUP_OBJ, 0, NOBODY), (MASK, 6, NOBODY),
               (OTHER, 0, NOBODY)]
    os.setxattr(path, "system.posix_acl_access", acl(*entries))
    eq(os.getxattr(path, "system.posix_acl_access"), acl(*entries), "the list")
    eq(os.stat(path).st_mode & 0o777, 0o660, "mode with a list")

    def named():
        eq(read_file(path), b"listed", "content")
        os.close(os.open(path, os.O_RDWR))

    as_user(1000, named)
    as_user(1001, lambda: fails(errno.EACCES, os.open, path, os.O_RDONLY))
    os.unlink(path)
    directory = os.path.join(top, "default")
    os.mkdir(directory)
    os.setxattr(directory, "system.posix_acl_default", acl(*entries))
    write_file(directory + "/new", b"listed")
    os.mkdir(directory + "/below")
    eq(os.getxattr(directory + "/below", "system.posix_acl_default"), acl(*entries), "inherited")
    os.chmod(directory, 0o755)
    as_user(1000, lambda: eq(read_file(directory + "/new"), b"listed", "content"))
    as_user(1001, lambda: fails(errno.EACCES, os.open, directory + "/new", os.O_RDONLY))
    os.unlink(directory + "/new")
    os.rmdir(directory + "/below")
    os.rmdir(directory)


def lock(fd, kind, start, length):
    """Calls fcntl(F_SETLK) with 64-bit numbers."""
    fcntl.fcntl(fd, fcntl.F_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))


def conflict(fd, kind, start, length):
    """Calls fcntl(F_GETLK): (kind, start, length) of a conflicting lock, or None."""
    text = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))
    found, _, at, n, _ = struct.unpack("hhqqi4x", text)
    return None if found == fcntl.F_UNLCK else (found, at, n)


def locks(top, peer):
    """Two clients, each with the file open, see each other's locks."""
    name = "locked"
    write_file(os.path.join(top, name), bytes(1000))
    a = os.open(os.path.join(top, name), os.O_RDWR)
    b = os.open(os.path.join(peer, name), os.O_RDWR)
    lock(a, fcntl.F_WRLCK, 100, 50)
    fails(errno.EAGAIN, lock, b, fcntl.F_WRLCK, 120, 1)
    fails(errno.EAGAIN, lock, b, fcntl.F_RDLCK, 0, 0)
    eq(conflict(b, fcntl.F_RDLCK, 0, 0), (fcntl.F_WRLCK, 100, 50), "F_GETLK")
    eq(conflict(b, fcntl.F_WRLCK, 0, 100), None, "F_GETLK beside it")
    lock(b, fcntl.F_WRLCK, 0, 100)
    lock(b, fcntl.F_WRLCK, 150, 0)
    fails(errno.EAGAIN, lock, a, fcntl.F_RDLCK, 2 ** 40, 1)
    lock(b, fcntl.F_UNLCK, 150, 0)
    lock(a, fcntl.F_RDLCK, 2 ** 62, 2 ** 62 - 1)
    fails(errno.EAGAIN, lock, b, fcntl.F_WRLCK, 2 ** 63 - 3, 1)
    lock(b, fcntl.F_RDLCK, 2 ** 62 + 5, 1)
    lock(a, fcntl.F_UNLCK, 0, 0)
    lock(b, fcntl.F_WRLCK, 100, 50)
    os.close(b)
    lock(a, fcntl.F_WRLCK, 0, 0)
    os.close(a)
    # flock(2), also on a descriptor that is only for reading
    a = os.open(os.path.join(top, name), os.O_RDONLY)
    b = os.open(os.path.join(peer, name), os.O_RDONLY)
    fcntl.flock(a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fails(errno.EAGAIN, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(a, fcntl.LOCK_UN)
    fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(a, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fails(errno.EAGAIN, fcntl.flock, a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(a)
    os.close(b)
    os.unlink(os.path.join(top, name))


def two_clients(top, peer):
    """Checks that each client sees changes of the other at once, because nothing is cached."""
    a, b = os.path.join(top, "both"), os.path.join(peer, "both")
    os.mkdir(a)
    eq(os.listdir(b), [], "a new directory")
    write_file(a + "/f", b"one")
    eq(read_file(b + "/f"), b"one", "a new file")
    with open(b + "/f", "ab") as f:
        f.write(b", two")
    eq(read_file(a + "/f"), b"one, two", "an appended file")
    for i in range(50):  # appending in turn loses nothing
        with open((a if i % 2 else b) + "/log", "ab") as f:
            f.write(b"%d\n" % i)
    eq(read_file(a + "/log"), b"".join(b"%d\n" % i for i in range(50)), "a log of two writers")
    fails(errno.EEXIST, os.open, b + "/f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.rename(b + "/f", b + "/g")
    eq(sorted(os.listdir(a)), ["g", "log"], "names")
    fails(errno.ENOENT, os.stat, a + "/f")
    os.chmod(a + "/g", 0o600)
    eq(os.stat(b + "/g").st_mode & 0o777, 0o600, "mode")
    held = os.open(a + "/g", os.O_RDWR)
    os.unlink(b + "/g")
    eq(os.pread(held, 3, 0), b"one", "a file that the other removed")
    os.close(held)
    os.unlink(a + "/log")
    os.rmdir(b)
    eq(os.path.exists(a), False, "the directory")
    wins = 0
    for i in range(40):  # O_EXCL: exactly one wins
        pid = os.fork()
        if pid == 0:
            os._exit(try_exclusive(os.path.join(peer, "lock%d" % i)))
        mine = try_exclusive(os.path.join(top, "lock%d" % i))
        _, status = os.waitpid(pid, 0)
        wins += mine + os.waitstatus_to_exitcode(status)
        os.unlink(os.path.join(top, "lock%d" % i))
    eq(wins, 40, "winners of 40 races with O_EXCL")


def try_exclusive(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return 1
    except FileExistsError:
        return 0


def run(args):
    top = tempfile.mkdtemp(prefix="special-", dir=args.dir)
    parts = [("names", lambda: names(top)), ("holes", lambda: holes(top)),
             ("unlinked", lambda: unlinked(top)), ("file system", lambda: file_system(top)),
             ("deep path", lambda: deep_path(top, 40)),
             ("users", lambda: users_with_way(args.dir, top)),
             ("large directory", lambda: large_directory(top, args.entries))]
    if args.peer is not None:
        other = os.path.join(args.peer, os.path.basename(top))
        parts.append(("two clients", lambda: two_clients(top, other)))
        # record locks belong to processes: on one mount this process has no conflict with itself
        if args.locks and os.stat(top).st_dev != os.stat(other).st_dev:
            parts.append(("locks", lambda: locks(top, other)))
    if args.acls:
        parts.append(("lists", lambda: acls(top)))
    code = 0
    for name, part in parts:
        start = time.monotonic()
        try:
            part()
            print("ok %s (%.1f s)" % (name, time.monotonic() - start))
        except (AssertionError, OSError) as e:
            print("FAIL %s: %s" % (name, e))
            code = 1
    if code == 0:
        os.rmdir(top)
    return code


def users_with_way(above, top):
    os.chmod(above, 0o755)
    os.chmod(top, 0o755)
    users(top)
