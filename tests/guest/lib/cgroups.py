"""Control groups for guest tests: a hierarchy of version 2 mounted for one test, and a group in it.
"""

import os
import signal
import time

from lib.guest import ok, need_root, skip, spawn, test, wait_until
from lib.namespaces import contained, mount, own_mounts, umount


def read(path):
    with open(path) as f:
        return f.read()


def put(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, str(text).encode())
    finally:
        os.close(fd)


def fields(path):
    """Reads lines of names and numbers as a dictionary such as {"populated": 1}."""
    return {k: int(v) for k, v in (line.split() for line in read(path).splitlines())}


class Group:
    """A control group: a directory of a hierarchy."""

    def __init__(self, path):
        self.path = path

    def file(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        return read(self.file(name))

    def put(self, name, text):
        put(self.file(name), text)

    def fields(self, name):
        return fields(self.file(name))

    def make(self, name):
        os.mkdir(self.file(name))
        return Group(self.file(name))

    def procs(self, name="cgroup.procs"):
        return [int(line) for line in self.read(name).split()]

    def enter(self):
        self.put("cgroup.procs", "0")

    def spawn(self, fn, *args):
        """Starts a child in the group that runs fn. Returns its pid."""
        def body():
            self.enter()
            return fn(*args)
        return spawn(body)

    def is_populated(self):
        return self.fields("cgroup.events")["populated"] == 1

    def is_frozen(self):
        return self.fields("cgroup.events")["frozen"] == 1


def members(path):
    try:
        return read(path).split()
    except OSError:
        return []  # a threaded group has no processes


def clear(path):
    """Ends the processes of a group and of those below it, and removes the groups."""
    for name in os.listdir(path):
        inner = os.path.join(path, name)
        if os.path.isdir(inner):
            clear(inner)
    for name in ("cgroup.procs", "tasks"):
        if os.path.exists(os.path.join(path, name)):
            for pid in members(os.path.join(path, name)):
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except OSError:
                    pass
            break
    try:
        wait_until(lambda: is_removed(path), "%s is removed" % path)
    except AssertionError:
        pass  # the test has its verdict


def is_removed(path):
    """Removes a group when its last process has ended."""
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False


def mounted(kind, data, fn):
    """Runs fn(root) with a hierarchy mounted; the caller runs in a child of its own."""
    own_mounts()
    os.mkdir("cg")
    try:
        mount("none", os.path.abspath("cg"), kind, 0, data)
    except OSError as e:
        skip("cannot mount %s %s: %s" % (kind, data or "", e.strerror))
    try:
        fn(Group(os.path.abspath("cg")))
    finally:
        if data is not None and "name=" in data:
            wait_until(lambda: is_forgotten(kind, data), "%s is gone" % data)


def is_forgotten(kind, data):
    """
    Waits until Linux has ended a hierarchy. It does so a while after the last unmount, but not if
    groups were being removed at that time.
    """
    umount("cg")
    name = data[data.index("name="):]
    for _ in range(100):
        if not any(line.split(":")[1] == name for line in read("/proc/self/cgroup").splitlines()):
            return True
        time.sleep(0.01)
    mount("none", os.path.abspath("cg"), kind, 0, data)
    return False


def in_group(root, fn):
    group = root.make("dvisor-guest-%d" % os.getpid())
    try:
        fn(group)
    finally:
        clear(group.path)


def grouped(fn):
    """Makes a test that gets a new group of version 2."""
    def outer():
        need_root()
        contained(lambda: mounted("cgroup2", None, lambda root: in_group(root, fn)))
    outer.__name__ = fn.__name__
    return test(outer)


def controlled(*names):
    """Makes a test whose new group has these controllers of version 2."""
    def decorate(fn):
        def body(group):
            root = Group(os.path.dirname(group.path))
            missing = set(names) - set(root.read("cgroup.controllers").split())
            if missing:
                skip("version 2 has no controller %s here" % " ".join(sorted(missing)))
            root.put("cgroup.subtree_control", " ".join("+" + name for name in names))
            fn(group)
        body.__name__ = fn.__name__
        return grouped(body)
    return decorate


def legacy(data):
    """Makes a test that gets a new group of a hierarchy of version 1."""
    def decorate(fn):
        def outer():
            need_root()
            contained(lambda: mounted("cgroup", data, lambda root: in_group(root, fn)))
        outer.__name__ = fn.__name__
        return test(outer)
    return decorate


def idle():
    while True:
        signal.pause()


def end(pid):
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def entered(group, pid):
    wait_until(lambda: pid in group.procs(), "%d in %s" % (pid, group.path))


def killed(status):
    ok(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "status %#x" % status)
