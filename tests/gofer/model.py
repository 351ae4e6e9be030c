"""A file system in memory: what the exerciser's directory must look like, and how each call must
end.

It is no copy of Linux: only the calls that exerciser.py makes, as root, in Linux's order of checks.
`manifest` writes the tree down, one line a name; `check` compares such lines with a directory of
any file system.
"""

import errno
import hashlib
import os
import stat


class Node:
    """An inode. `data` of a file, `names` of a directory, `target` of a symlink."""

    def __init__(self, kind, mode, uid, gid):
        self.kind = kind  # "f" file, "d" directory, "l" symlink, "p" FIFO, "s" socket
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.data = bytearray()
        self.names = {}
        self.target = b""
        self.links = 0
        self.xattrs = {}
        self.times = None  # (atime, mtime) in ns, as they were set; None once the file has changed
        self.depth = 0

    def size(self):
        return len(self.target) if self.kind == "l" else len(self.data)

    def nlink(self):
        if self.kind != "d":
            return self.links
        return None  # file systems differ


class Fail(Exception):
    """The errno with which a call must fail."""

    def __init__(self, code):
        super().__init__(errno.errorcode[code])
        self.errno = code


class Model:
    def __init__(self, mode, uid, gid):
        self.root = Node("d", mode, uid, gid)

    def directories(self):
        """Yields every directory with its path, parents first."""
        out = [((), self.root)]
        for path, node in out:
            for name, child in node.names.items():
                if child.kind == "d":
                    out.append((path + (name,), child))
        return out

    def everything(self):
        out = [((), self.root)]
        for path, node in out:
            for name, child in node.names.items():
                out.append((path + (name,), child))
        return out[1:]

    def child(self, dir, name, wanted=None):
        node = dir.names.get(name)
        if node is None:
            raise Fail(errno.ENOENT)
        return node

    def make(self, dir, name, kind, mode):
        if name in dir.names:
            raise Fail(errno.EEXIST)
        gid = 0
        if dir.mode & stat.S_ISGID:
            gid = dir.gid
            if kind == "d":
                mode |= stat.S_ISGID
        node = Node(kind, mode, 0, gid)
        node.links = 1
        dir.names[name] = node
        dir.times = None
        return node

    def unlink(self, dir, name):
        node = self.child(dir, name)
        if node.kind == "d":
            raise Fail(errno.EISDIR)
        self.drop(dir, name)

    def rmdir(self, dir, name):
        node = self.child(dir, name)
        if node.kind != "d":
            raise Fail(errno.ENOTDIR)
        if node.names:
            raise Fail(errno.ENOTEMPTY)
        self.drop(dir, name)

    def drop(self, dir, name):
        node = dir.names.pop(name)
        node.links -= 1
        dir.times = None

    def link(self, node, dir, name):
        if name in dir.names:
            raise Fail(errno.EEXIST)
        if node.kind == "d":
            raise Fail(errno.EPERM)
        node.links += 1
        dir.names[name] = node
        dir.times = None

    def holds(self, above, node):
        """Whether `node` is `above` or in it."""
        if above is node:
            return True
        return any(c.kind == "d" and self.holds(c, node) for c in above.names.values())

    def rename(self, from_dir, from_name, to_dir, to_name):
        node = self.child(from_dir, from_name)
        there = to_dir.names.get(to_name)
        if node.kind == "d" and self.holds(node, to_dir):
            raise Fail(errno.EINVAL)
        if there is not None and there.kind == "d" and self.holds(there, from_dir):
            raise Fail(errno.ENOTEMPTY)
        if there is node:
            return
        if there is not None:
            if node.kind == "d" and there.kind != "d":
                raise Fail(errno.ENOTDIR)
            if node.kind != "d" and there.kind == "d":
                raise Fail(errno.EISDIR)
            if there.kind == "d" and there.names:
                raise Fail(errno.ENOTEMPTY)
            self.drop(to_dir, to_name)
        del from_dir.names[from_name]
        to_dir.names[to_name] = node
        from_dir.times = to_dir.times = None

    def chown(self, node, uid, gid):
        node.uid = uid
        node.gid = gid
        if node.kind != "d":
            node.mode &= ~stat.S_ISUID
            if node.mode & stat.S_IXGRP:
                node.mode &= ~stat.S_ISGID


def write_at(node, offset, data):
    if len(node.data) < offset:
        node.data.extend(bytes(offset - len(node.data)))
    node.data[offset:offset + len(data)] = data
    node.times = None


def truncate(node, size):
    if size <= len(node.data):
        del node.data[size:]
    else:
        node.data.extend(bytes(size - len(node.data)))
    node.times = None


KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p",
         stat.S_IFSOCK: "s"}


def line(path, kind, mode, uid, gid, nlink, size, digest, mtime, xattrs):
    if kind == "l":
        mode = 0o777
    fields = [path.hex() or "-", kind, oct(mode), uid, gid, nlink, size, digest, mtime, xattrs]
    return " ".join(str(f) for f in fields)


def digest_of(data):
    return hashlib.sha256(data).hexdigest()[:16]


def xattr_text(pairs):
    return ",".join("%s=%s" % (k, v.hex()) for k, v in sorted(pairs)) or "-"


def manifest(model):
    out = []
    for path, node in sorted(model.everything(), key=lambda e: e[0]):
        content = bytes(node.target if node.kind == "l" else node.data)
        out.append(line(b"/".join(path), node.kind, node.mode, node.uid, node.gid,
                        "-" if node.kind == "d" else node.links,
                        "-" if node.kind == "d" else len(content),
                        digest_of(content), "-" if node.times is None else node.times[1],
                        xattr_text(node.xattrs.items())))
    return out


def look(top, path, like):
    """
    The line of a file that is there; what `like` (a line's fields) leaves out is left out too.
    """
    full = os.path.join(top, path)
    st = os.lstat(full)
    kind = KINDS.get(stat.S_IFMT(st.st_mode), "?")
    content = b""
    if kind == "l":
        content = os.readlink(full)
    elif kind == "f":
        with open(full, "rb") as f:
            content = f.read()
    xattrs = []
    if kind in "fd":
        names = [n for n in os.listxattr(full) if n.startswith("user.")]
        xattrs = [(n, os.getxattr(full, n)) for n in names]
    return line(path, kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
                "-" if kind == "d" else st.st_nlink, "-" if kind == "d" else st.st_size,
                digest_of(content), "-" if like[8] == "-" else st.st_mtime_ns, xattr_text(xattrs))


def check(top, lines):
    """Returns differences between a directory and the lines of a manifest, as texts."""
    wrong = []
    expected = set()
    for text in lines:
        like = text.split(" ")
        path = bytes.fromhex(like[0])
        expected.add(path)
        try:
            found = look(top, path, like)
        except OSError as e:
            found = "%s: %s" % (path.hex(), e)
        if found != text:
            wrong.append("expected %s\n   found %s" % (text, found))
    for at, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.relpath(os.path.join(at, name), top)
            if path not in expected:
                wrong.append("nobody made %r" % path)
    return wrong
