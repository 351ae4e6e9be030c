"""Links between network namespaces for guest tests: ip(8), namespaces as processes, pairs."""

import json
import os
import shutil
import signal
import subprocess

from lib.guest import *

NEWNET = 0x40000000


def ip(*words, ns=None, code=0):
    """Runs ip(8), in the network namespace of process `ns` if it is given. Returns the output."""
    enter = ["nsenter", "-t", str(ns), "-n"] if ns else []
    r = subprocess.run([*enter, "ip", *" ".join(words).split()], capture_output=True, text=True)
    if (r.returncode == 0) != (code == 0):
        raise AssertionError("ip %s: %d %s" % (" ".join(words), r.returncode, r.stderr.strip()))
    return r.stdout if code == 0 else r.stderr


def shown(*words, ns=None):
    return json.loads(ip("-j", *words, ns=ns) or "[]")


class Namespace:
    """A process in a network namespace of its own, which runs functions there."""

    def __init__(self):
        self.ready, w = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            if sc(NR.unshare, NEWNET) != 0:
                os._exit(1)
            os.write(w, b"x")
            signal.pause()
        os.close(w)
        if os.read(self.ready, 1) != b"x":
            skip("no network namespaces")

    def do(self, fn, *args):
        """Runs a function in the namespace. Returns its result, which passes through JSON."""
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            fd = os.open("/proc/%d/ns/net" % self.pid, os.O_RDONLY)
            works(NR.setns, fd, NEWNET)
            os.write(w, json.dumps(fn(*args)).encode())
            os._exit(0)
        os.close(w)
        data = b""
        while chunk := os.read(r, 65536):
            data += chunk
        os.waitpid(pid, 0)
        return json.loads(data) if data else None

    def start(self, fn, *args):
        pid = os.fork()
        if pid == 0:
            fd = os.open("/proc/%d/ns/net" % self.pid, os.O_RDONLY)
            works(NR.setns, fd, NEWNET)
            fn(*args)
            os._exit(0)
        return pid


def alone():
    if os.geteuid() != 0:
        skip("needs root")
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        skip("needs ip and nsenter")
    if sc(NR.unshare, NEWNET) != 0:
        skip("no network namespaces")


def own_network(*commands):
    """A network namespace with lo, which is up, and what these commands of ip(8) make."""
    need_root()
    if shutil.which("ip") is None:
        skip("needs ip")
    if sc(NR.unshare, NEWNET) != 0:
        skip("no network namespaces")
    for command in ("link set lo up", *commands):
        ip(command)


def pair():
    """Links this namespace (10.1.1.1, fd00::1) to another one (10.1.1.2, fd00::2)."""
    alone()
    other = Namespace()
    ip("link add v0 type veth peer name v1")
    ip("link set v1 netns %d" % other.pid)
    ip("addr add 10.1.1.1/24 dev v0")
    ip("addr add fd00::1/64 dev v0 nodad")
    ip("link set v0 up")
    for line in ("addr add 10.1.1.2/24 dev v1", "addr add fd00::2/64 dev v1 nodad",
                 "link set v1 up", "link set lo up"):
        ip(line, ns=other.pid)
    return other


def through():
    """
    Puts this namespace as the default router between two others, 10.8.1.1 and 10.8.2.1.
    """
    alone()
    left, right = Namespace(), Namespace()
    for name, other, net in ("l0", left, 1), ("r0", right, 2):
        ip("link add %s type veth peer name e0 netns %d" % (name, other.pid))
        ip("addr add 10.8.%d.254/24 dev %s" % (net, name))
        ip("link set %s up" % name)
        for line in ("addr add 10.8.%d.1/24 dev e0" % net, "link set e0 up", "link set lo up",
                     "route add default via 10.8.%d.254" % net):
            ip(line, ns=other.pid)
    return left, right
