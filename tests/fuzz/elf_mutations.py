"""Runs mutations of a real ELF, one after the other, and prints how each ends. The kernel must
survive all of them.

    python3 elf_mutations.py SEED COUNT FILE [SECONDS]

Mutations are of the headers mostly: a byte, a bit, a word, a field to an edge value, a cut, two
swapped blocks. The loader may refuse any (ENOEXEC, ENOMEM, ...), a program that runs may die of any
signal; one that hangs is killed. Run it in a sandbox only.
"""

import collections
import errno
import os
import random
import resource
import signal
import struct
import sys
import time

HANG_S = 1.0
HEADERS = 64 + 56 * 14
EDGES = [0, 1, 2, 3, 7, 0xFF, 0x7F, 0x80, 0xFFF, 0x1000, 0x1001, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
         1 << 32, (1 << 47) - 4096, 1 << 47, 0x7FFF00000000, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1]


def mutate(data, rng):
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not out:
            break
        kind = rng.randrange(9)
        limit = min(len(out), HEADERS) if rng.random() < 0.85 else len(out)
        at = rng.randrange(limit)
        if kind == 0:
            out[at] = rng.randrange(256)
        elif kind == 1:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            size, code = rng.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
            at &= ~(size - 1)
            if at + size <= len(out):
                struct.pack_into(code, out, at, rng.choice(EDGES) & (1 << 8 * size) - 1)
        elif kind == 3:
            at &= ~7
            if at + 8 <= len(out):
                old = struct.unpack_from("<Q", out, at)[0]
                struct.pack_into("<Q", out, at, old + rng.choice((-4096, -1, 1, 4096, 1 << 20, 1 << 40)) & (1 << 64) - 1)
        elif kind == 4:
            # A field of a program header: type, flags, offset, vaddr, paddr, filesz, memsz, align.
            field = 64 + 56 * rng.randrange(14) + rng.choice((0, 4, 8, 16, 24, 32, 40, 48))
            if field + 8 <= len(out):
                struct.pack_into("<I" if field % 56 in (8, 12) else "<Q", out, field,
                                 rng.choice(EDGES) & (0xFFFFFFFF if field % 56 in (8, 12) else (1 << 64) - 1))
        elif kind == 5 and rng.random() < 0.3:
            del out[rng.randrange(len(out)):]
        elif kind == 6:
            n = rng.randrange(1, 64)
            out[at:at + n] = bytes(rng.randrange(256) for _ in range(min(n, len(out) - at)))
        elif kind == 7:
            n, to = rng.randrange(1, 56), rng.randrange(limit)
            out[to:to + n] = out[at:at + n][:len(out) - to]
        elif len(out) >= 2:
            count = rng.choice((0, 1, 13, 100, 0xFFFF))
            struct.pack_into("<H", out, min(56, len(out) - 2), count)
    return bytes(out)


def become_nobody():
    """Drops the privilege of root, because a mutant may make any system call."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(4242, 4242, 4242)
        os.setresuid(4242, 4242, 4242)


def start(path, null):
    """Runs a mutant without a copy of this memory. Returns its pid, or the errno of the execve."""
    try:
        return os.posix_spawn(path, ["mutant", "--version"], {}, file_actions=[
            (os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)], setpgroup=0)
    except OSError as e:
        return -e.errno


def end_of(pid):
    end = time.monotonic() + HANG_S
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.0003)


def healthy():
    pid = os.posix_spawn("/bin/true", ["true"], {})
    assert os.waitpid(pid, 0)[1] == 0, "/bin/true does not run any more"


def main():
    seed, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with open(path, "rb") as f:
        data = f.read()
    os.makedirs("/tmp/mutants", exist_ok=True)
    os.chmod("/tmp/mutants", 0o777)
    os.chdir("/tmp/mutants")
    null = os.open("/dev/null", os.O_RDWR)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    become_nobody()
    end = time.monotonic() + float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    ends = collections.Counter()
    for i in range(count):
        if time.monotonic() > end:
            break
        rng = random.Random(seed * 1000003 + i)
        name = "m%d" % (i % 16)
        if os.path.exists(name):
            os.unlink(name)
        with open(name, "wb") as f:
            f.write(mutate(data, rng))
        os.chmod(name, 0o755)
        pid = start("./" + name, null)
        if pid < 0:
            ends[errno.errorcode[-pid]] += 1
            continue
        status = end_of(pid)
        if status is None:
            ends["hung"] += 1
        elif os.WIFSIGNALED(status):
            ends["signal %d" % os.WTERMSIG(status)] += 1
        else:
            ends["exit"] += 1
        if i % 100 == 99:
            healthy()
    print("seed %d: %d mutants: %s" % (seed, sum(ends.values()), ", ".join("%s %d" % e for e in sorted(ends.items()))))
    print("done")


main()
