/** Tests of file_locks.ts and lock_waits.ts: record locks, flock(2) and deadlocks. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_SH, LOCK_UN } from "../../ffi/abi/fcntl.ts";
import { Waiter } from "../core/wait.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import {
  FileLock,
  FileLocks,
  flockRequest,
  LockAges,
  type LockKind,
  type LockOwner,
  MAX_RECORDS,
} from "./file_locks.ts";
import { LockWaits } from "./lock_waits.ts";
import { DeviceNumbers } from "./device_numbers.ts";
import { errno } from "./vfs_testing.ts";

class CountingWaiter extends Waiter {
  wakes: number = 0;
  override onWake(_events: number): void {
    this.wakes++;
  }
}

const A = { name: "A" }, B = { name: "B" }, C = { name: "C" };
const PIDS = new Map<object, number>([[A, 1], [B, 2], [C, 3]]);

function shown(locks: FileLocks): string {
  return locks.recordLocks.map((l) =>
    `${PIDS.get(l.owner)}${l.type === F_RDLCK ? "r" : "w"}${l.start}-${l.end}`
  ).join(" ");
}

function noLocks(): FileLocks {
  const fs = new AnonFs(new DeviceNumbers(), "anon_inodefs");
  return new FileLocks(fs.makeInode(0o600), new Set());
}

function by(kind: LockKind, owner: object): LockOwner {
  return { kind, owner, pid: PIDS.get(owner)!, account: TEST_ACCOUNT, ages: new LockAges() };
}

function record(owner: object, type: number, start: number, end: number): FileLock {
  return new FileLock(by("POSIX", owner), type, start, end);
}

function flock(locks: FileLocks, file: object, operation: number) {
  return errno(locks.flock(flockRequest(by("FLOCK", file), operation)));
}

function set(locks: FileLocks, owner: object, type: number, start: number, end: number) {
  return errno(locks.setRecord(record(owner, type, start, end)));
}

Deno.test("own locks merge, split and change their type", () => {
  const l = noLocks();
  set(l, A, F_RDLCK, 0, 9);
  set(l, A, F_RDLCK, 10, 19);
  assertEquals(shown(l), "1r0-19");
  set(l, A, F_WRLCK, 5, 14);
  assertEquals(shown(l), "1r0-4 1w5-14 1r15-19");
  set(l, A, F_UNLCK, 8, 16);
  assertEquals(shown(l), "1r0-4 1w5-7 1r17-19");
  set(l, A, F_RDLCK, 5, 16);
  assertEquals(shown(l), "1r0-19");
  set(l, A, F_WRLCK, 100, Infinity);
  set(l, A, F_UNLCK, 200, 299);
  assertEquals(shown(l), "1r0-19 1w100-199 1w300-Infinity");
  set(l, A, F_UNLCK, 0, Infinity);
  assertEquals([shown(l), l.isEmpty], ["", true]);
});

Deno.test("readers share, writers exclude, touching ranges do not conflict", () => {
  const l = noLocks();
  assertEquals(set(l, A, F_RDLCK, 0, 99), 0);
  assertEquals(set(l, B, F_RDLCK, 50, 149), 0);
  assertEquals(set(l, B, F_WRLCK, 100, 199), 0);
  assertEquals(set(l, A, F_WRLCK, 0, 50), "EAGAIN");
  assertEquals(set(l, A, F_WRLCK, 0, 49), 0);
  assertEquals(set(l, C, F_RDLCK, 49, 49), "EAGAIN");
  assertEquals(set(l, C, F_RDLCK, 200, Infinity), 0);
  assertEquals(l.conflict(record(C, F_RDLCK, 0, Infinity))?.pid, 1);
  assertEquals(l.conflict(record(A, F_RDLCK, 0, 99)), null);
});

Deno.test("a random sequence agrees with a byte-by-byte model", () => {
  const l = noLocks(), owners = [A, B, C], size = 40;
  const model = owners.map(() => new Array<number>(size).fill(F_UNLCK));
  let seed = 99;
  const next = (n: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  for (let i = 0; i < 4000; i++) {
    const who = next(3), type = next(3), start = next(size), end = start + next(size - start);
    const forbidden = type !== F_UNLCK &&
      owners.some((_, o) =>
        o !== who &&
        model[o]!.slice(start, end + 1).some((t) =>
          t === F_WRLCK || (t === F_RDLCK && type === F_WRLCK)
        )
      );
    assertEquals(set(l, owners[who]!, type, start, end), forbidden ? "EAGAIN" : 0);
    if (!forbidden) model[who]!.fill(type, start, end + 1);
    const seen = owners.map(() => new Array<number>(size).fill(F_UNLCK));
    for (const r of l.recordLocks) {
      seen[owners.indexOf(r.owner as typeof A)]!.fill(r.type, r.start, r.end + 1);
    }
    assertEquals(seen, model);
  }
});

Deno.test("waiters are woken when a lock goes or becomes weaker, not when nothing changes", () => {
  const l = noLocks(), w = new CountingWaiter();
  l.waiters.add(w, 0);
  set(l, A, F_WRLCK, 0, 9);
  set(l, B, F_UNLCK, 0, 99);
  set(l, A, F_WRLCK, 5, 19);
  assertEquals(w.wakes, 0);
  set(l, A, F_RDLCK, 0, 4);
  assertEquals(w.wakes, 1);
  l.releaseOwner(B);
  assertEquals(w.wakes, 1);
  l.releaseOwner(A);
  assertEquals(w.wakes, 2);
});

Deno.test("flock: shared, exclusive, conversions, release with the description", () => {
  const l = noLocks();
  assertEquals([flock(l, A, LOCK_SH), flock(l, B, LOCK_SH)], [0, 0]);
  assertEquals(flock(l, C, LOCK_EX), "EAGAIN");
  // A conversion that fails has released the old lock (flock(2)).
  assertEquals(flock(l, A, LOCK_EX), "EAGAIN");
  assertEquals(l.flockOf(A), null);
  assertEquals(flock(l, B, LOCK_EX), 0);
  assertEquals(flock(l, B, LOCK_EX), 0);
  assertEquals(flock(l, A, LOCK_SH), "EAGAIN");
  l.releaseFile(B);
  assertEquals(flock(l, A, LOCK_EX), 0);
  assertEquals(flock(l, A, LOCK_UN), 0);
  assertEquals(flock(l, A, LOCK_UN), 0);
  // Record locks and flock do not see each other.
  set(l, A, F_WRLCK, 0, Infinity);
  assertEquals(flock(l, B, LOCK_EX), 0);
});

Deno.test("deadlock: found in a circle, not after a wait has ended", () => {
  const waits = new LockWaits(), x = noLocks(), y = noLocks(), z = noLocks();
  const a = new CountingWaiter(), b = new CountingWaiter();
  set(x, A, F_WRLCK, 0, 9);
  set(y, B, F_WRLCK, 0, 9);
  set(z, C, F_WRLCK, 0, 9);
  assertEquals(waits.wouldDeadlock(A, B), false);
  y.waiters.add(a, 0);
  waits.addRecord(record(A, F_WRLCK, 0, 9), B, y, a);
  z.waiters.add(b, 0);
  waits.addRecord(record(B, F_WRLCK, 0, 9), C, z, b);
  assertEquals(waits.wouldDeadlock(C, A), true);
  assertEquals(waits.wouldDeadlock(C, B), true);
  assertEquals(waits.wouldDeadlock(A, A), true);
  // A signal ends B's wait.
  b.unlink();
  assertEquals(waits.wouldDeadlock(C, A), false);
  // B releases its lock: A is about to run, and waits for no lock meanwhile.
  set(y, B, F_UNLCK, 0, 9);
  assertEquals(waits.wouldDeadlock(B, A), false);
});

Deno.test("deadlock: a circle is followed as far as Linux follows it", () => {
  const waits = new LockWaits(), owners = Array.from({ length: 14 }, () => ({}));
  owners.slice(1).forEach((blocker, i) => {
    const locks = noLocks(), waiter = new CountingWaiter();
    set(locks, blocker, F_WRLCK, 0, 9);
    locks.waiters.add(waiter, 0);
    waits.addRecord(record(owners[i]!, F_WRLCK, 0, 9), blocker, locks, waiter);
  });
  const last = owners[13]!;
  assertEquals([2, 1].map((i) => waits.wouldDeadlock(last, owners[i]!)), [true, false]);
});

Deno.test("record locks of a file are bounded; unlocking and merging work at the bound", () => {
  const locks = noLocks();
  for (let n = 0; n < MAX_RECORDS; n++) {
    if (set(locks, A, F_RDLCK, 2 * n, 2 * n) !== 0) throw new Error(`refused at ${n}`);
  }
  assertEquals(set(locks, A, F_RDLCK, 2 * MAX_RECORDS, 2 * MAX_RECORDS), "ENOLCK");
  assertEquals(set(locks, B, F_RDLCK, 0, 0), "ENOLCK");
  assertEquals(set(locks, A, F_RDLCK, 0, 2), 0);
  assertEquals(set(locks, B, F_RDLCK, 0, 0), 0);
  assertEquals(set(locks, A, F_UNLCK, 10, 20), 0);
  assertEquals(locks.recordLocks.length <= MAX_RECORDS, true);
});
