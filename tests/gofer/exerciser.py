"""A seeded exerciser of a directory: makes the same calls on it and on a model, and compares every
result.

    exerciser.py DIR --seed N --ops N [--shared-maps 0|1] [--direct 0|1] [--time-unit NS]
        [--entries N] [--peer DIR] [--locks 0|1] [--acls 0|1] [--manifest FILE]
    exerciser.py DIR --check FILE

DIR is emptied first. --direct opens with O_DIRECT in some calls, without alignment, which no disk
supports. --peer is a second mount of the same directory, by another client, whose changes must be
seen: give it only where nothing is cached. --manifest is the file for the list of what must be in
DIR at the end; --check compares such a list with another view of the directory. The last line is
"done" after a success; a difference ends the run with the seed, the call's number and the
difference. Needs uid 0, since owners change.
"""

import argparse
import errno
import os
import random
import stat
import sys

import model as m
import special


class Different(Exception):
    pass


def eq(found, expected, what):
    if found != expected:
        raise Different("%s: expected %r, found %r" % (what, expected, found))


class Handle:
    def __init__(self, fd, node, flags):
        self.fd = fd
        self.node = node
        self.can_read = flags & os.O_ACCMODE != os.O_WRONLY
        self.can_write = flags & os.O_ACCMODE != os.O_RDONLY
        self.appends = flags & os.O_APPEND != 0


NAMES = [b"a", b"b", b"c", b"file", b"with space", b"\xc3\xa4\xff\x01", b"-n", b".hidden", b"n" * 255,
         b"...", b"x\ny", b"d1", b"d2", b"d3"]
FILE_MODES = [0o644, 0o600, 0o400, 0o777, 0o755, 0o4755, 0o2711, 0, 0o1644]
DIR_MODES = [0o755, 0o700, 0o777, 0o1755, 0o2775, 0o500]
SIZES = [0, 1, 10, 511, 4096, 4097, 8191, 20000, 70000, 300000]
HANDLES_MAX = 12
DEPTH_MAX = 6


class Exerciser:
    def __init__(self, args):
        self.top = os.fsencode(args.dir)
        self.r = random.Random(args.seed)
        self.shared_maps = args.shared_maps
        self.direct = args.direct
        self.time_unit = args.time_unit
        self.maps = args.maps
        self.plain = args.plain
        self.blind = args.blind
        st = os.stat(self.top)
        self.model = m.Model(stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid)
        self.handles = []
        self.calls = 0
        self.log = []
        self.seen = {}

    # Choosing.

    def path(self, parts):
        return b"/".join((self.top,) + parts)

    def some_dir(self):
        return self.r.choice(self.model.directories())

    def some_place(self):
        """Chooses a directory and a name that may be in it: (path, directory, name)."""
        parts, dir = self.some_dir()
        if dir.names and self.r.random() < 0.6:
            name = self.r.choice(sorted(dir.names))
        else:
            name = self.r.choice(NAMES)
        return self.path(parts + (name,)), dir, name, len(parts)

    def some_node(self, kinds):
        all = [(p, n) for p, n in self.model.everything() if n.kind in kinds]
        return self.r.choice(all) if all else None

    def some_bytes(self):
        n = self.r.choice(SIZES)
        return self.r.randbytes(n if n < 10 else self.r.randrange(n))

    # One call on both sides.

    def both(self, what, real, ideal):
        """Makes a call on both, with equal results. Returns the model's, or None after an error."""
        self.log.append(what)
        try:
            expected, code = ideal(), 0
        except m.Fail as e:
            expected, code = None, e.errno
        try:
            real()
            found = 0
        except OSError as e:
            found = e.errno
        name = lambda c: errno.errorcode.get(c, c)
        eq(name(found), name(code), what)
        return None if code else expected

    def step(self):
        names = sorted(n for n in dir(self) if n.startswith("do_"))
        weights = [getattr(self, n).weight for n in names]
        name = self.r.choices(names, weights)[0]
        self.calls += 1
        self.seen[name] = self.seen.get(name, 0) + 1
        getattr(self, name)()

    # The calls.

    def do_create(self):
        path, dir, name, _ = self.some_place()
        flags = os.O_CREAT | self.r.choice([os.O_RDWR, os.O_WRONLY, os.O_RDONLY])
        for bit in (os.O_EXCL, os.O_TRUNC, os.O_APPEND):
            if self.r.random() < 0.3 and (bit == os.O_EXCL or not self.plain):
                flags |= bit
        flags = self.appendable(flags)
        mode = self.r.choice(FILE_MODES) & 0o777
        opened = []

        def ideal():
            node = dir.names.get(name)
            if node is not None and flags & os.O_EXCL:
                raise m.Fail(errno.EEXIST)
            if node is None:
                return self.model.make(dir, name, "f", mode)
            if node.kind == "d":
                raise m.Fail(errno.EISDIR)
            if node.kind == "l":
                raise m.Fail(errno.ELOOP)
            if flags & os.O_TRUNC:
                m.truncate(node, 0)
            return node

        if dir.names.get(name) is not None and dir.names[name].kind in "ps":
            return
        node = self.both("open(%r, %#o, %#o)" % (path, flags, mode),
                         lambda: opened.append(os.open(path, flags | os.O_NOFOLLOW, mode)), ideal)
        if node is not None:
            self.keep(Handle(opened[0], node, flags))

    do_create.weight = 14

    def appendable(self, flags):
        """
        Linux's 9p client knows an end of its own for each open file; the server's counts only for
        files not read too.
        """
        if self.time_unit > 1 and flags & os.O_ACCMODE != os.O_WRONLY:
            flags &= ~os.O_APPEND
        return flags

    def keep(self, handle):
        self.handles.append(handle)
        if len(self.handles) > HANDLES_MAX:
            os.close(self.handles.pop(self.r.randrange(len(self.handles))).fd)

    def do_open(self):
        found = self.some_node("f")
        if found is None:
            return
        path, node = found
        flags = self.r.choice([os.O_RDWR, os.O_WRONLY, os.O_RDONLY])
        if not self.plain and self.r.random() < 0.25:
            flags = self.appendable(flags | os.O_APPEND)
        if self.r.random() < 0.1:
            flags |= os.O_DIRECT if self.direct and self.r.random() < 0.3 else os.O_SYNC
        if self.r.random() < 0.1 and flags & os.O_ACCMODE and not self.plain:
            flags |= os.O_TRUNC
            m.truncate(node, 0)
        self.log.append("open(%r, %#o)" % (self.path(path), flags))
        self.keep(Handle(os.open(self.path(path), flags), node, flags & ~os.O_DIRECT))

    do_open.weight = 8

    def do_mkdir(self):
        path, dir, name, depth = self.some_place()
        if depth >= DEPTH_MAX:
            return
        mode = self.r.choice(DIR_MODES)
        self.both("mkdir(%r)" % path, lambda: os.mkdir(path, mode),
                  lambda: self.model.make(dir, name, "d", mode & 0o1777))

    do_mkdir.weight = 6

    def do_mknod(self):
        path, dir, name, _ = self.some_place()
        kind, bits = self.r.choice([("p", stat.S_IFIFO), ("s", stat.S_IFSOCK), ("f", stat.S_IFREG)])
        self.both("mknod(%r, %s)" % (path, kind), lambda: os.mknod(path, bits | 0o640),
                  lambda: self.model.make(dir, name, kind, 0o640))

    do_mknod.weight = 2

    def do_symlink(self):
        path, dir, name, _ = self.some_place()
        target = self.r.choice([b"a", b"../b", b"/nowhere", b"t" * 1000, b"\xff\xfe", b"x" * 4095])

        def ideal():
            self.model.make(dir, name, "l", 0o777).target = target

        self.both("symlink(%r, %r)" % (target[:20], path), lambda: os.symlink(target, path), ideal)

    do_symlink.weight = 3

    def do_link(self):
        found = self.some_node("fflpsd")
        # with cache=mmap each name of a file has pages of its own in Linux's client
        if found is None or self.plain:
            return
        old, node = found
        path, dir, name, _ = self.some_place()
        self.both("link(%r, %r)" % (self.path(old), path),
                  lambda: os.link(self.path(old), path, follow_symlinks=False),
                  lambda: self.model.link(node, dir, name))

    do_link.weight = 4

    def do_unlink(self):
        path, dir, name, _ = self.some_place()
        self.both("unlink(%r)" % path, lambda: os.unlink(path),
                  lambda: self.model.unlink(dir, name))

    do_unlink.weight = 5

    def do_rmdir(self):
        path, dir, name, _ = self.some_place()
        self.both("rmdir(%r)" % path, lambda: os.rmdir(path), lambda: self.model.rmdir(dir, name))

    do_rmdir.weight = 3

    def do_rename(self):
        a, from_dir, from_name, _ = self.some_place()
        b, to_dir, to_name, depth = self.some_place()
        node = from_dir.names.get(from_name)
        if node is not None and node.kind == "d" and depth >= DEPTH_MAX:
            return
        self.both("rename(%r, %r)" % (a, b), lambda: os.rename(a, b),
                  lambda: self.model.rename(from_dir, from_name, to_dir, to_name))

    do_rename.weight = 10

    def do_write(self):
        h = self.some_handle(lambda h: h.can_write)
        if h is None:
            return
        data = self.some_bytes()
        size = len(h.node.data)
        offset = size if h.appends else self.r.choice([0, size, self.r.randrange(size + (1 if self.plain else 5000))])
        self.log.append("write(%d bytes at %d%s)" % (len(data), offset, ", append" * h.appends))
        if h.appends:
            eq(os.write(h.fd, data), len(data), "write")
        else:
            done = 0
            while done < len(data) or not data:
                n = os.pwrite(h.fd, data[done:], offset + done)
                done += n
                if not data or n <= 0:
                    break
            eq(done, len(data), "pwrite")
        if data:
            m.write_at(h.node, offset, data)
        self.settle(h)

    do_write.weight = 22

    def some_handle(self, wanted):
        some = [h for h in self.handles if wanted(h)]
        return self.r.choice(some) if some else None

    def do_ftruncate(self):
        h = self.some_handle(lambda h: h.can_write)
        if h is None or self.plain:
            return
        size = self.r.randrange(len(h.node.data) + 3000)
        self.log.append("ftruncate(%d -> %d)" % (len(h.node.data), size))
        os.ftruncate(h.fd, size)
        m.truncate(h.node, size)
        self.settle(h)

    def settle(self, h):
        if self.plain:
            os.fsync(h.fd)

    do_ftruncate.weight = 4

    def do_truncate(self):
        found = self.some_node("f")
        if found is None or self.plain:
            return
        path, node = found
        size = self.r.randrange(len(node.data) * 2 + 100)
        self.log.append("truncate(%r, %d)" % (self.path(path), size))
        os.truncate(self.path(path), size)
        m.truncate(node, size)

    do_truncate.weight = 3

    def do_read(self):
        h = self.some_handle(lambda h: h.can_read)
        if h is None:
            return
        size = len(h.node.data)
        offset = self.r.randrange(size + 100)
        n = self.r.choice([1, 100, 4096, 50000, 400000])
        self.log.append("pread(%d at %d)" % (n, offset))
        got = b""
        while len(got) < n:
            part = self.pread(h, n - len(got), offset + len(got))
            if not part:
                break
            got += part
        if got != h.node.data[offset:offset + n] and not self.blind:
            raise Different(unlike(got, bytes(h.node.data[offset:offset + n]), offset))

    do_read.weight = 14

    def pread(self, h, n, offset):
        try:
            return os.pread(h.fd, n, offset)
        except OSError as e:
            # Linux's 9p client without a cache does not see a truncation by another name
            if self.time_unit > 1 and e.errno == errno.ENODATA and offset >= len(h.node.data):
                return b""
            raise

    def do_map(self):
        h = self.some_handle(lambda h: h.can_read and len(h.node.data) > 0)
        if h is None or not self.maps:
            return
        writes = self.shared_maps and h.can_write and self.r.random() < 0.5
        self.log.append("mmap(%d bytes%s)" % (len(h.node.data), ", written" * writes))
        special.read_map(h.fd, h.node.data, self.r, writes)
        if writes:
            h.node.times = None
            self.settle(h)

    do_map.weight = 3

    def do_fsync(self):
        h = self.some_handle(lambda h: True)
        if h is not None:
            self.log.append("fsync")
            self.r.choice([os.fsync, os.fdatasync])(h.fd)

    do_fsync.weight = 2

    def do_close(self):
        if self.handles:
            self.log.append("close")
            os.close(self.handles.pop(self.r.randrange(len(self.handles))).fd)

    do_close.weight = 3

    def do_chmod(self):
        found = self.some_node("fd")
        if found is None:
            return
        path, node = found
        mode = self.r.choice(FILE_MODES if node.kind == "f" else DIR_MODES)
        self.log.append("chmod(%r, %#o)" % (self.path(path), mode))
        os.chmod(self.path(path), mode)
        node.mode = mode

    do_chmod.weight = 4

    def do_chown(self):
        found = self.some_node("fdlps")
        if found is None:
            return
        path, node = found
        uid, gid = self.r.choice([0, 1000, 65534, 2 ** 31]), self.r.choice([0, 100, 70000])
        self.log.append("lchown(%r, %d, %d)" % (self.path(path), uid, gid))
        # Linux's 9p client takes set-ID bits from the mode that it knows by this name, which may be
        # old
        os.lstat(self.path(path))
        os.chown(self.path(path), uid, gid, follow_symlinks=False)
        self.model.chown(node, uid, gid)

    do_chown.weight = 4

    def do_utimes(self):
        found = self.some_node("fdlp")
        if found is None:
            return
        path, node = found
        times = (self.r.randrange(2 ** 31) * 10 ** 9 + 5,
                 self.r.choice([1, 10 ** 9 - 1, self.r.randrange(2 ** 60)]))
        times = tuple(t // self.time_unit * self.time_unit for t in times)
        self.log.append("utimensat(%r, %r)" % (self.path(path), times))
        # what the client has not written yet would change the time later
        for h in self.handles:
            if h.node is node and h.can_write:
                os.fsync(h.fd)
        os.utime(self.path(path), ns=times, follow_symlinks=False)
        node.times = times

    do_utimes.weight = 3

    def do_setxattr(self):
        found = self.some_node("fd")
        if found is None:
            return
        path, node = found
        name = self.r.choice(["user.a", "user.b", "user." + "n" * 200])
        value = self.r.randbytes(self.r.choice([1, 10, 200, 300]))
        flags = self.r.choice([0, 0, os.XATTR_CREATE, os.XATTR_REPLACE])

        def ideal():
            if flags == os.XATTR_CREATE and name in node.xattrs:
                raise m.Fail(errno.EEXIST)
            if flags == os.XATTR_REPLACE and name not in node.xattrs:
                raise m.Fail(errno.ENODATA)
            node.xattrs[name] = value

        self.both("setxattr(%r, %s, %d)" % (self.path(path), name[:9], flags),
                  lambda: os.setxattr(self.path(path), name, value, flags), ideal)

    do_setxattr.weight = 4

    def do_removexattr(self):
        found = self.some_node("fd")
        if found is None:
            return
        path, node = found
        name = self.r.choice(["user.a", "user.b"])

        def ideal():
            if name not in node.xattrs:
                raise m.Fail(errno.ENODATA)
            del node.xattrs[name]

        self.both("removexattr(%r, %s)" % (self.path(path), name),
                  lambda: os.removexattr(self.path(path), name), ideal)

    do_removexattr.weight = 2

    # Looking.

    def do_look(self):
        all = self.model.everything()
        if all:
            self.look(*self.r.choice(all))

    do_look.weight = 12

    def do_fstat(self):
        h = self.some_handle(lambda h: True)
        if h is not None:
            self.log.append("fstat")
            self.compare(os.fstat(h.fd), h.node, "fstat")

    do_fstat.weight = 4

    def do_list(self):
        path, node = self.some_dir()
        self.log.append("readdir(%r)" % self.path(path))
        eq(sorted(os.listdir(self.path(path))), sorted(node.names), "readdir %r" % self.path(path))

    do_list.weight = 6

    def compare(self, st, node, what):
        eq(m.KINDS.get(stat.S_IFMT(st.st_mode)), node.kind, what + ": type")
        if node.kind != "l":
            eq(oct(stat.S_IMODE(st.st_mode)), oct(node.mode), what + ": mode")
        eq((st.st_uid, st.st_gid), (node.uid, node.gid), what + ": owner")
        if node.kind != "d":
            eq(st.st_nlink, node.links, what + ": links")
            if not self.blind:
                eq(st.st_size, node.size(), what + ": size")
        if node.times is not None:
            eq(st.st_mtime_ns, node.times[1], what + ": mtime")

    def look(self, parts, node):
        path = self.path(parts)
        self.log.append("look at %r" % path)
        self.compare(os.lstat(path), node, "lstat %r" % path)
        if node.kind == "l":
            eq(os.readlink(path), node.target, "readlink %r" % path)
        if node.kind == "f":
            with open(path, "rb") as f:
                got = f.read()
            if got != node.data and not self.blind:
                raise Different("%r: %s" % (path, unlike(got, bytes(node.data), 0)))
        if node.kind in "fd":
            names = sorted(n for n in os.listxattr(path) if n.startswith("user."))
            eq(names, sorted(node.xattrs), "listxattr %r" % path)
            for name in names:
                eq(os.getxattr(path, name), node.xattrs[name], "getxattr %r %s" % (path, name))

    def look_at_all(self):
        for parts, node in self.model.everything():
            self.look(parts, node)
        for parts, node in self.model.directories():
            eq(sorted(os.listdir(self.path(parts))), sorted(node.names), "readdir")

    def end(self):
        for h in self.handles:
            os.close(h.fd)
        self.handles = []
        self.look_at_all()


def unlike(found, expected, offset):
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b),
              min(len(found), len(expected)))
    return "%d bytes of %d expected; they differ at %d: %r for %r" % (
        len(found), len(expected), offset + at, found[at:at + 16], expected[at:at + 16])


def empty(top):
    for at, dirs, files in os.walk(top, topdown=False):
        for name in files:
            os.unlink(os.path.join(at, name))
        for name in dirs:
            path = os.path.join(at, name)
            (os.unlink if os.path.islink(path) else os.rmdir)(path)


def exercise(args):
    os.umask(0)
    empty(os.fsencode(args.dir))
    e = Exerciser(args)
    try:
        for _ in range(args.ops):
            e.step()
        e.end()
    except (Different, AssertionError, OSError) as error:
        print("seed %d, call %d: %s" % (args.seed, e.calls, error))
        for text in e.log[-30:]:
            print("   ", text.replace("n" * 255, "n..n")[:150])
        return 1
    print("%d calls of %d kinds, %d names" % (e.calls, len(e.seen), len(e.model.everything())))
    if args.manifest is not None:
        with open(args.manifest, "w") as f:
            f.write("".join(text + "\n" for text in m.manifest(e.model)))
    return 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("dir")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--ops", type=int, default=0)
    p.add_argument("--shared-maps", type=int, default=1)
    p.add_argument("--maps", type=int, default=1)
    p.add_argument("--plain", type=int, default=0)
    p.add_argument("--blind", type=int, default=0)
    p.add_argument("--direct", type=int, default=0)
    p.add_argument("--time-unit", type=int, default=1)
    p.add_argument("--entries", type=int, default=0)
    p.add_argument("--peer")
    p.add_argument("--locks", type=int, default=1)
    p.add_argument("--acls", type=int, default=0)
    p.add_argument("--manifest")
    p.add_argument("--check")
    args = p.parse_args()
    if args.check is not None:
        with open(args.check) as f:
            wrong = m.check(os.fsencode(args.dir), f.read().splitlines())
        print("\n".join(wrong[:20]))
        code = 1 if wrong else 0
    else:
        code = exercise(args)
        if code == 0 and args.entries > 0:
            code = special.run(args)
    if code == 0:
        print("done")
    return code


if __name__ == "__main__":
    sys.exit(main())
