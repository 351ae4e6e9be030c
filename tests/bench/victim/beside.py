"""Runs an attack as one user beside a victim of another user, and prints the victim's waits as
JSON.

The victim sleeps for a millisecond and makes a call, repeatedly. Its wait is the time beyond the
millisecond. The victim first runs alone (quiet), and then while the attack prepares itself and runs
its rounds.

    beside.py ATTACK SECONDS     one attack
    beside.py --names            the table's names, one a line
    beside.py --try ATTACK       a small round without a victim, to see that the attack still works
"""

import itertools
import json
import mmap
import os
import resource
import shutil
import struct
import sys
import tempfile
import time

import fd_attacks
import ipc_attacks
import memory_attacks
import misc_attacks
import net_attacks
import task_attacks
import vfs_attacks
from calls import libc

TABLE = {}
for module in (memory_attacks, vfs_attacks, fd_attacks, net_attacks, task_attacks, ipc_attacks, misc_attacks):
    TABLE.update(module.ATTACKS)

VICTIM, ATTACKER = 1001, 1002
NAP = 0.001
QUIET_SECONDS = 1.0
# Seconds that an attack may take to prepare itself.
SETUP_SECONDS = 60


class Board:
    """
    Words that victim and attacker share: 0 phase (0 quiet, 1 attack, 2 end), 1 rounds, 2 ns of
    preparation.
    """

    def __init__(self, fd=-1):
        self.map = mmap.mmap(fd, 4096)

    def get(self, at):
        return struct.unpack_from("q", self.map, 8 * at)[0]

    def set(self, at, value):
        struct.pack_into("q", self.map, 8 * at, value)


def watch(board, each=None):
    """Returns figures of the victim's waits in each phase. Calls `each` after every wait with its
    number and phase."""
    waits = ([], [])
    clock = time.perf_counter_ns
    nap_ns = int(NAP * 1e9)
    for i in itertools.count():
        phase = board.get(0)
        if phase == 2:
            break
        start = clock()
        time.sleep(NAP)
        os.getppid()
        waits[phase].append(clock() - start - nap_ns)
        if each is not None:
            each(i, phase)
    return [figures(w) for w in waits]


def victim(board, out):
    os.write(out, json.dumps(watch(board)).encode())
    os._exit(0)


def figures(waits):
    waits.sort()
    n = len(waits)
    if n == 0:
        return None
    return {
        "calls": n,
        "mean_us": sum(waits) / n / 1000,
        "p99_us": waits[min(n - 1, n * 99 // 100)] / 1000,
        "worst_ms": waits[-1] / 1e6,
    }


def become(uid):
    try:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, 1 << 20), max(limit, 1 << 20)))
    except (ValueError, OSError):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # PR_SET_DUMPABLE: the process owns its files in /proc/self again.
    libc.prctl(4, 1, 0, 0, 0)


def attacker(board, go_on, seconds, scale):
    os.setsid()
    libc.prctl(1, 9, 0, 0, 0)
    start = time.perf_counter_ns()
    go = go_on(scale)
    board.set(2, time.perf_counter_ns() - start)
    end = time.perf_counter() + seconds
    while True:
        go()
        board.set(1, board.get(1) + 1)
        if time.perf_counter() >= end:
            break
    sys.stdout.flush()
    os._exit(0)


def room_of_its_own():
    """Makes a directory for the attack's files."""
    room = tempfile.mkdtemp(prefix="victim-")
    os.chmod(room, 0o777)
    os.environ["VICTIM_SCRATCH"] = room
    return room


def beside(name, seconds):
    board = Board()
    out_r, out_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(VICTIM)
        victim(board, out_w)
    os.close(out_w)
    time.sleep(QUIET_SECONDS)
    board.set(0, 1)
    room = room_of_its_own()
    evil = os.fork()
    if evil == 0:
        os.close(out_r)
        become(ATTACKER)
        attacker(board, TABLE[name], seconds, 1.0)
    _, status = os.waitpid(evil, 0)
    shutil.rmtree(room, ignore_errors=True)
    # The clean-up after the attacker (its exit, descriptors in flight) counts as well.
    time.sleep(0.05)
    board.set(0, 2)
    text = b""
    while True:
        piece = os.read(out_r, 65536)
        if not piece:
            break
        text += piece
    os.waitpid(pid, 0)
    quiet, loud = json.loads(text)
    print(json.dumps({
        "attack": name,
        "status": status,
        "rounds": board.get(1),
        "setup_ms": board.get(2) / 1e6,
        "quiet": quiet,
        "loud": loud,
    }))


def main():
    if sys.argv[1] == "--names":
        print("\n".join(TABLE))
    elif sys.argv[1] == "--try":
        for name in sys.argv[2:] or TABLE:
            room = room_of_its_own()
            pid = os.fork()
            if pid == 0:
                if os.getuid() == 0:
                    become(ATTACKER)
                attacker(Board(), TABLE[name], 0, 0.01)
            status = os.waitpid(pid, 0)[1]
            shutil.rmtree(room, ignore_errors=True)
            print("ok" if status == 0 else f"status {status}", name, flush=True)
    else:
        beside(sys.argv[1], float(sys.argv[2]))


if __name__ == "__main__":
    main()
