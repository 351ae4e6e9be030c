"""Runs one attack of a container beside a victim in another container of its pod. victim_pod.ts
starts both.

Both map a file: the words of beside.Board. The victim waits for its first phase, and prints its
figures at the end.

    pod.py victim FILE
    pod.py attacker FILE ATTACK SECONDS
    pod.py try [ATTACK...]               small rounds and the victim's calls, without a victim
    pod.py names                         all attacks, one a line: NAME [pids]
"""

import json
import os
import resource
import shutil
import sys
import time

import beside
import hogs
import ordinary_calls
import pod_attacks

WAITING, QUIET, LOUD, END = -1, 0, 1, 2
TABLE = {**beside.TABLE, **pod_attacks.ATTACKS}


def board_of(path):
    fd = os.open(path, os.O_RDWR)
    return beside.Board(fd)


def await_phase(board, phase):
    while board.get(0) < phase:
        time.sleep(0.01)


def victim(board):
    # The calls run once before the first wait, so that one-time set-up is done.
    ordinary_calls.Tally()(0, QUIET)
    tally = ordinary_calls.Tally()
    print("up", flush=True)
    await_phase(board, QUIET)
    quiet, loud = beside.watch(board, tally)
    shared = sorted(ordinary_calls.SHARED)
    print(json.dumps({"quiet": quiet, "loud": loud, "failed": tally.failed, "shared": shared}), flush=True)


def attacker(board, name, seconds):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    print("up", flush=True)
    await_phase(board, LOUD)
    beside.room_of_its_own()
    pid = os.fork()
    if pid == 0:
        beside.attacker(board, TABLE[name], seconds, 1.0)
    status = os.waitpid(pid, 0)[1]
    print(hogs.made(), flush=True)
    sys.exit(0 if status == 0 else 137 if status == 9 else 1)


def try_out(names):
    tally = ordinary_calls.Tally()
    for name in names:
        room = beside.room_of_its_own()
        pid = os.fork()
        if pid == 0:
            beside.attacker(beside.Board(), TABLE[name], 0, 0.01)
        status = os.waitpid(pid, 0)[1]
        shutil.rmtree(room, ignore_errors=True)
        print("ok" if status == 0 else f"status {status}", name, flush=True)
    tally(0, QUIET)
    failed = tally.failed[QUIET].items()
    # A shared call may fail, because attacks leave objects that Linux counts for a user.
    print("failed", {what: n for what, n in failed if what.split()[0] not in ordinary_calls.SHARED})


def main():
    if sys.argv[1] == "names":
        for name in TABLE:
            print(name, "pids" if name in pod_attacks.SHARES_PIDS else "")
    elif sys.argv[1] == "try":
        try_out(sys.argv[2:])
    elif sys.argv[1] == "victim":
        victim(board_of(sys.argv[2]))
    else:
        attacker(board_of(sys.argv[2]), sys.argv[3], float(sys.argv[4]))


if __name__ == "__main__":
    main()
