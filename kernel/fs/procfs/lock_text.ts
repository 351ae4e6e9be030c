/** Locks and leases as text: /proc/locks and the lock: lines of fdinfo (proc_locks(5)). */

import { F_RDLCK, F_WRLCK } from "../../../ffi/abi/fcntl.ts";
import { majorOf, minorOf } from "../../../ffi/abi/stat.ts";
import type { FileLock, FileLocks, LockKind } from "../../vfs/file_locks.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { Leases } from "../../vfs/leases.ts";
import type { ProcSource } from "./source.ts";

/** LIMIT: lines of /proc/locks. */
const MAX_LINES = 65536;

/** Who waits, and who waits for them. */
interface Waiting {
  readonly lock: FileLock;
  readonly behind: Waiting[];
}

export function locksText(source: ProcSource): string {
  const list = new LockList(source), { vfs } = source;
  for (const leases of vfs.leasedFiles) list.addLeases(leases);
  for (const locks of vfs.lockedFiles) list.addLocks(locks);
  return list.text;
}

/** "POSIX  ADVISORY  WRITE 17 fe:00:128 10 14", of a lock whose owner is shown as `pid`. */
export function lockLine(lock: FileLock, pid: number, inode: Inode): string {
  return line(lock.kind, "ADVISORY", lock.type, `${pid} ${placeOf(inode)}`, lock);
}

const WHOLE = { start: 0, end: Infinity };

function line(
  kind: LockKind,
  state: string,
  type: number,
  whose: string,
  { start, end }: { readonly start: number; readonly end: number },
): string {
  const name = type === F_WRLCK ? "WRITE" : type === F_RDLCK ? "READ" : "UNLCK";
  return `${kind.padEnd(6)} ${state.padEnd(9)} ${name} ${whose} ` +
    `${start} ${end === Infinity ? "EOF" : end}\n`;
}

function placeOf({ dev, ino }: Inode): string {
  const hex = (n: number) => n.toString(16).padStart(2, "0");
  return `${hex(majorOf(dev))}:${hex(minorOf(dev))}:${ino}`;
}

class LockList {
  text: string = "";
  private readonly source: ProcSource;
  private lines: number = 0;
  private id: number = 0;

  constructor(source: ProcSource) {
    this.source = source;
  }

  addLocks({ all, inode, waiters }: FileLocks): void {
    const queue = this.source.vfs.lockWaits.on(waiters);
    for (const lock of all) {
      this.id++;
      const pid = this.shown(lock.pid);
      const behind = takeWaits(queue, (request) => waitsFor(request, lock));
      if (pid === 0) continue;
      this.put(0, lockLine(lock, pid, inode));
      this.putWaits(behind, 1, (request) => lockLine(request, this.shown(request.pid), inode));
    }
  }

  addLeases({ all, inode, waiters }: Leases): void {
    const queue = this.source.vfs.lockWaits.on(waiters);
    for (const lease of all) {
      this.id++;
      const pid = this.shown(lease.holder.pid), isBreaking = lease.breakTo >= 0;
      const behind = isBreaking ? takeWaits(queue, () => true) : [];
      if (pid === 0) continue;
      const state = isBreaking ? "BREAKING" : "ACTIVE";
      this.put(0, line("LEASE", state, lease.nextType, `${pid} ${placeOf(inode)}`, WHOLE));
      this.putWaits(
        behind,
        1,
        ({ type, pid }) => line("LEASE", "BREAKER", type, `${this.shown(pid)} <none>:0`, WHOLE),
      );
    }
  }

  /** A process by its number in the PID namespace of the mount; 0: it is not in there. */
  private shown(pid: number): number {
    return pid < 0 ? pid : this.source.processNumber(pid);
  }

  private putWaits(waits: Waiting[], level: number, text: (request: FileLock) => string): void {
    for (const { lock, behind } of waits) {
      this.put(level, text(lock));
      this.putWaits(behind, level + 1, text);
    }
  }

  private put(level: number, text: string): void {
    if (++this.lines > MAX_LINES) return;
    this.text += `${this.id}: ${level === 0 ? "" : " ".repeat(level - 1) + "-> "}${text}`;
  }
}

function waitsFor(request: FileLock, lock: FileLock): boolean {
  const isFlock = (l: FileLock) => l.kind === "FLOCK";
  return isFlock(request) === isFlock(lock) && lock.conflictsWith(request);
}

/**
 * Takes out of the queue who waits for one lock. As on Linux, who would not only wait for it but for an earlier one of
 * them too stands behind that one.
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
