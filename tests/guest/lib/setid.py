"""Set-ID programs for guest tests: a tiny executable that prints its ids and attributes, and
processes that execute it.
"""

import collections
import os
import struct
import threading

from lib.guest import NR, eq, skip, spawn, works, Pipe
from lib.trace import CONT, E_EXIT, O_EXIT, SEIZE, TRAP, go, stops, wait

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 2, 3, 4
USER, OTHER = 1000, 2000

Report = collections.namedtuple("Report", "euid egid dumpable pdeathsig personality")

# geteuid, getegid, prctl(PR_GET_DUMPABLE), prctl(PR_GET_PDEATHSIG), personality(-1): five words to
# descriptor 1; then a byte from descriptor 0, and exit_group(0).
_TEXT = bytes.fromhex("""
4883ec40b86b0000000f05890424b86c0000000f0589442404b89d000000bf030000000f0589442408b89d000000bf02000000488d74240c0f05b887
000000bfffffffff0f0589442410b801000000bf010000004889e6ba140000000f0531c031ff488d742420ba010000000f05b8e700000031ff0f05
""")
_BASE, _HEAD = 0x400000, 120


def program(name="program", uid=0, gid=0, mode=0o4755):
    """
    Writes the executable to the working directory, which it opens to all users. Returns the
    absolute path.
    """
    size = _HEAD + len(_TEXT)
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, _BASE + _HEAD, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 4096)
    path = os.path.abspath(name)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    os.write(fd, head + load + _TEXT)
    os.close(fd)
    os.chown(path, uid, gid)
    os.chmod(path, mode)
    if mode & 0o6000 and os.statvfs(path).f_flag & os.ST_NOSUID:
        skip("this file system is mounted nosuid")
    for directory in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
        os.chmod(directory, 0o755)
    return path


def become(uid=USER, dumpable=True):
    """Becomes an ordinary user for good, whose processes may inspect the caller."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if dumpable:
        works(NR.prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)


class Run:
    """The two pipes of a process that is going to execute `program`."""

    def __init__(self):
        self.stdin, self.stdout = Pipe(), Pipe()

    def exec(self, path):
        os.dup2(self.stdin.r, 0)
        os.dup2(self.stdout.w, 1)
        os.execve(path, ["program"], {})

    def report(self):
        return Report(*struct.unpack("<5I", self.stdout.take(20)))

    def end(self, pid):
        self.stdin.post()
        eq(wait(pid), ("exit", 0), "the end of the program")


class WaitingExec:
    """
    A process of an ordinary user in execve(2), which waits for the end of its second thread: that
    stands in its stop at exit until `let_go`. `before` runs in the process first.
    """

    def __init__(self, path, before=None):
        self.run = Run()
        tids, ready = Pipe(), Pipe()

        def body():
            if before is not None:
                before()
            become()

            def sibling():
                tids.post(struct.pack("<I", threading.get_native_id()))
                os.read(Pipe().r, 1)
            threading.Thread(target=sibling, daemon=True).start()
            ready.take()
            self.run.exec(path)
        self.pid = spawn(body)
        self.tid, = struct.unpack("<I", tids.take(4))
        works(NR.ptrace, SEIZE, self.tid, 0, O_EXIT)
        ready.post()
        stops(self.tid, TRAP, E_EXIT)

    def let_go(self):
        go(CONT, self.tid)
        wait(self.tid)


def calls(pid, nr):
    """Says whether the process waits in this call."""
    with open("/proc/%d/syscall" % pid) as f:
        return f.read().split()[0] == str(nr)


def signals_of(pid, line="ShdPnd"):
    """Returns the numbers of pending signals."""
    with open("/proc/%d/status" % pid) as f:
        mask = int([l for l in f if l.startswith(line)][0].split()[1], 16)
    return [i + 1 for i in range(64) if mask >> i & 1]
