/** Locks and leases as text: /proc/locks and the lock: lines of fdinfo (proc_locks(5)). */

import { F_RDLCK, F_WRLCK } from "../../../ffi/abi/fcntl.ts";
import { majorOf, minorOf } from "../../../ffi/abi/stat.ts";
import type { FileLock, FileLocks, LockKind } from "../../vfs/file_locks.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { Lease, Leases } from "../../vfs/leases.ts";
import type { ProcSource } from "./source.ts";

/** LIMIT: lines of /proc/locks. */
const MAX_LINES = 65536;
/** LIMIT: bytes of the lines of requests that wait for one lock. */
const MAX_BYTES = 1 << 22;

/** A waiting request, and the requests that wait for it. */
export interface Waiting {
  readonly lock: FileLock;
  readonly behind: Waiting[];
}

/** The text of /proc/locks for the caller. */
export function locksText(source: ProcSource): string {
  const list = new LockList(source), { vfs } = source;
  for (const leases of vfs.leasedFiles) list.addLeases(leases);
  for (const locks of vfs.lockedFiles) list.addLocks(locks);
  return list.text();
}

/** The line of a lease. */
export function leaseLine(lease: Lease, pid: number, inode: Inode): string {
  const state = lease.breakTo >= 0 ? "BREAKING" : "ACTIVE";
  return line("LEASE", state, lease.nextType, `${pid} ${placeOf(inode)}`, WHOLE);
}

/**
 * The line of a lock whose owner is shown as `pid`: "POSIX  ADVISORY  WRITE 17 fe:00:128 10 14".
 */
export function lockLine(lock: FileLock, pid: number, inode: Inode): string {
  return line(lock.kind, "ADVISORY", lock.type, `${pid} ${placeOf(inode)}`, lock);
}

const WHOLE = { start: 0, end: Infinity } as const;

function line(
  kind: LockKind,
  state: string,
  type: number,
  whose: string,
  { start, end }: { readonly start: number; readonly end: number },
): string {
  const name = type === F_WRLCK ? "WRITE" : type === F_RDLCK ? "READ" : "UNLCK";
  return `${kind.padEnd(6)} ${state.padEnd(9)} ${name} ${whose} ` +
    `${BigInt(start)} ${end === Infinity ? "EOF" : BigInt(end)}\n`;
}

function placeOf({ dev, ino }: Inode): string {
  const hex = (n: number) => n.toString(16).padStart(2, "0");
  return `${hex(majorOf(dev))}:${hex(minorOf(dev))}:${ino}`;
}

/** A lock or lease, with the lines of its waiters. */
interface Entry {
  readonly age: number;
  /** The text behind the number. */
  readonly lines: readonly string[];
}

class LockList {
  private readonly source: ProcSource;
  private readonly entries: Entry[] = [];

  constructor(source: ProcSource) {
    this.source = source;
  }

  addLocks({ all, inode, waiters }: FileLocks): void {
    const queue = this.source.vfs.lockWaits.requestsOn(waiters);
    for (const lock of all) {
      const pid = this.shown(lock.pid);
      const behind = takeWaits(queue, (request) => waitsFor(request, lock));
      const text = (request: FileLock) => lockLine(request, this.shown(request.pid), inode);
      this.put(
        lock.age,
        pid === 0 ? [] : [lockLine(lock, pid, inode), ...waitLines(behind, text)],
      );
    }
  }

  addLeases({ all, inode, waiters }: Leases): void {
    const queue = this.source.vfs.lockWaits.requestsOn(waiters);
    for (const lease of all) {
      const pid = this.shown(lease.holder.pid);
      const behind = lease.breakTo >= 0 ? takeWaits(queue, () => true) : [];
      const text = ({ type, pid }: FileLock) =>
        line("LEASE", "BREAKER", type, `${this.shown(pid)} <none>:0`, WHOLE);
      this.put(
        lease.age,
        pid === 0 ? [] : [leaseLine(lease, pid, inode), ...waitLines(behind, text)],
      );
    }
  }

  /** The number of a process in the PID namespace of the mount; 0: not visible there. */
  private shown(pid: number): number {
    return pid < 0 ? pid : this.source.processNumber(pid);
  }

  private put(age: number, lines: readonly string[]): void {
    this.entries.push({ age, lines });
  }

  /**
   * The whole text, the newest entry first. Entries of invisible processes count in the numbering.
   */
  text(): string {
    const newest = this.entries.sort((a, b) => b.age - a.age);
    const lines = newest.flatMap((entry, i) => entry.lines.map((text) => `${i + 1}: ${text}`));
    return lines.slice(0, MAX_LINES).join("");
  }
}

/**
 * Lines of waiters, each followed by its own waiters. Guests can make chains as long as they have
 * threads, so there is no recursion.
 */
export function waitLines(
  waits: readonly Waiting[],
  text: (request: FileLock) => string,
): string[] {
  const lines: string[] = [], left: { waiting: Waiting; level: number }[] = [];
  const push = (some: readonly Waiting[], level: number): void => {
    for (let i = some.length - 1; i >= 0; i--) left.push({ waiting: some[i]!, level });
  };
  push(waits, 0);
  let bytes = 0;
  for (let next = left.pop(); next !== undefined && bytes < MAX_BYTES; next = left.pop()) {
    const { waiting, level } = next, line = `${" ".repeat(level)}-> ${text(waiting.lock)}`;
    lines.push(line);
    bytes += line.length;
    push(waiting.behind, level + 1);
  }
  return lines;
}

function waitsFor(request: FileLock, lock: FileLock): boolean {
  const isFlock = (l: FileLock) => l.kind === "FLOCK";
  return isFlock(request) === isFlock(lock) && lock.conflictsWith(request);
}

/**
 * Takes the requests that wait for one lock out of the queue. As on Linux, a request that would
 * wait for an earlier one too is listed behind that one.
 */
function takeWaits(queue: FileLock[], waits: (request: FileLock) => boolean): Waiting[] {
  const first: Waiting[] = [];
  for (let i = 0; i < queue.length;) {
    const lock = queue[i]!;
    if (!waits(lock)) {
      i++;
      continue;
    }
    queue.splice(i, 1);
    let level = first, above = level.find((w) => waitsFor(lock, w.lock));
    while (above !== undefined) {
      level = above.behind;
      above = level.find((w) => waitsFor(lock, w.lock));
    }
    level.push({ lock, behind: [] });
  }
  return first;
}
