"""Runs a command and reports what it left behind: one line an object.

    leftovers.py PLACE[,PLACE...] COMMAND [ARGUMENT...]

The report is descriptor 3. The exit code is the command's (128 + N for a signal). A process counts
if it is still a descendant a moment after the command has ended; a mount if it is new in this mount
namespace; a file if it is new in one of the places. `own_host.ts` makes a mount namespace in which
the places belong to this command alone; without one there are no places (""), and mounts do not
count either.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

# The directory of dvisor's record of the best platform of this host, and that of sockets.
KEPT = {"/run/dvisor", "/run/dvisor/platform.json", "/run/dvisor-sandboxes"}
REPORT_FD = 3
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 3.0

libc = ctypes.CDLL(None, use_errno=True)
places = [place for place in sys.argv[1].split(",") if place]


def files():
    """Returns every file of the watched directories, except mount points of other file systems."""
    found = set()
    for place in places:
        for directory, dirs, names in os.walk(place):
            dirs[:] = [name for name in dirs if not os.path.ismount(os.path.join(directory, name))]
            found.update(os.path.join(directory, name) for name in dirs + names)
    return found - KEPT


def mounts():
    """Returns id, parent, device, root and mount point: other programs may change mount options."""
    if not places:
        return set()
    with open("/proc/self/mountinfo") as f:
        return {" ".join(line.split()[:5]) for line in f}


def children():
    """Returns pid and program of descendants whose parent has ended."""
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
os.write(REPORT_FD, "".join(line + "\n" for line in lines).encode())
sys.exit(code if code >= 0 else 128 - code)
