"""Runs a command and writes to a report file what it left behind: one line a thing.

    leftovers.py REPORT COMMAND [ARGUMENT...]

The exit code is the command's (128 + N for a signal). A process counts if it is still a descendant a
moment after the command has ended; a mount if it is new in this mount namespace; a file if it is new
in one of the places for temporary files. With privilege those places are empty file systems of this
command alone, so that nobody else's files count.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PLACES = ["/tmp", "/var/tmp", "/run", "/dev/shm"]
# Where it is remembered which platform is best on this host.
KEPT = {"/run/dvisor", "/run/dvisor/platform.json"}
CLONE_NEWNS, MS_PRIVATE_REC = 0x20000, (1 << 18) | (1 << 14)
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 3.0

libc = ctypes.CDLL(None, use_errno=True)


def isolate():
    """Those of the places that are this command's alone and empty now: none if this user may not."""
    if libc.unshare(CLONE_NEWNS) != 0:
        return set()
    if libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_PRIVATE_REC), None) != 0:
        return set()
    here, own = os.path.realpath(__file__), set()
    for place in PLACES:
        # What is tested may be in one of them.
        if os.path.isdir(place) and not here.startswith(place + "/"):
            if libc.mount(b"tmpfs", place.encode(), b"tmpfs", ctypes.c_ulong(0), b"mode=1777") == 0:
                own.add(place)
    return own


def files():
    """Every file of the places; where they are shared, only what is named after dvisor or deno."""
    found = set()
    for place in PLACES:
        for directory, dirs, names in os.walk(place):
            for name in dirs + names:
                if place in own_places or name.startswith(("dvisor", "deno", ".dvisor")):
                    found.add(os.path.join(directory, name))
    return found - KEPT


def mounts():
    with open("/proc/self/mountinfo") as f:
        return {line.split()[4] + " " + line.split(" - ")[1].strip() for line in f}


def children():
    """Descendants that have nobody else: pid and what they run."""
    me, found = str(os.getpid()), []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name) as f:
                head, tail = f.read().rsplit(")", 1)
            state, parent = tail.split()[:2]
            if parent != me:
                continue
            if state == "Z":
                os.waitpid(int(name), os.WNOHANG)
                continue
            found.append((int(name), head.split("(", 1)[1]))
        except (OSError, ValueError):
            pass
    return found


report = os.path.abspath(sys.argv[1])
report_fd = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
own_places = isolate()
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
files_before, mounts_before = files(), mounts()
child = subprocess.Popen(sys.argv[2:])
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda s, f: child.send_signal(s))
code = child.wait()

end = time.monotonic() + GRACE_S
while children() and time.monotonic() < end:
    time.sleep(0.02)
lines = ["process %d %s" % entry for entry in children()]
lines += ["mount " + m for m in sorted(mounts() - mounts_before)]
lines += ["file " + f for f in sorted(files() - files_before)]
for pid, _ in children():
    os.kill(pid, signal.SIGKILL)
os.write(report_fd, "".join(line + "\n" for line in lines).encode())
sys.exit(code if code >= 0 else 128 - code)
