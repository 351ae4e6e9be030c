/**
 * Moving bytes from one open file to another inside the kernel, as far as it goes without waiting: what splice(2),
 * sendfile(2) and copy_file_range(2) are made of. Nothing is taken from a source that its target does not take.
 *
 * Not here: the calls' own rules and their waiting (copy.ts).
 */

import { EAGAIN, EFBIG, ENOMEM, EPIPE } from "../../../ffi/abi/errno.ts";
import { IN_ACCESS, IN_MODIFY } from "../../../ffi/abi/inotify.ts";
import { PipeFile } from "../../ipc/pipe.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { RLIMIT_FSIZE } from "../../task/limits.ts";
import { sendToTask, userSignal } from "../../task/signal/send.ts";
import { SIGXFSZ } from "../../task/signal/sigset.ts";
import type { Task } from "../../task/task.ts";
import { notifyFile } from "../../vfs/notify.ts";
import { hasPrivileges, removePrivileges } from "../../vfs/attributes.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

const PIECE = 65536, PAGE = 4096;
const cursor = new KernelCursor();

/** LIMIT: steps of one move; whoever wants more lets others go first. A step may move as little as 8 bytes. */
const MAX_STEPS = 128;

/** Which side would have had to wait when a step answered -EAGAIN. */
const SOURCE = 1, TARGET = 2;
let blockedSide = 0;
/** Why the last `moveBytes` stopped: 0 (everything moved, the source's end, or enough for one turn), or -errno. */
let reason = 0;
let isCutShort = false;

/** After a `moveBytes` that stopped early: 0 or -errno. */
export function stopReason(): number {
  return reason;
}

/** The last `moveBytes` stopped because it was enough for one turn of the loop. */
export function isUnfinished(): boolean {
  return isCutShort;
}

/** The file to wait for after -EAGAIN. */
export function isTargetBlocked(): boolean {
  return blockedSide === TARGET;
}

/** Buffer between two files without one of their own: its host address, or -ENOMEM. One a kernel. */
function bufferOf(frames: FrameAllocator): number {
  let frame = buffers.get(frames);
  if (frame === undefined) {
    frame = frames.alloc(PIECE / PAGE);
    if (frame < 0) return -ENOMEM;
    buffers.set(frames, frame);
  }
  return frames.arena.base + frame;
}
const buffers: WeakMap<FrameAllocator, number> = new WeakMap();

/**
 * Move up to `len` bytes: how many were moved; `stopReason` says why it were not more. An offset of -1 means the
 * file's own position, which then moves along (or that it has none).
 */
export function moveBytes(
  t: Task,
  from: OpenFile,
  fromAt: number,
  to: OpenFile,
  toAt: number,
  len: number,
): number {
  let moved = 0, steps = 0;
  reason = 0;
  isCutShort = false;
  while (moved < len) {
    if (steps++ === MAX_STEPS) {
      isCutShort = true;
      break;
    }
    const source = fromAt >= 0 ? fromAt + moved : from.isSeekable ? from.pos : -1;
    const target = toAt >= 0 ? toAt + moved : to.isSeekable ? to.pos : -1;
    const want = allowed(t, target, len - moved);
    const n = want < 0 ? want : step(t, from, source, to, target, want);
    if (n <= 0) {
      reason = n;
      break;
    }
    if (hasPrivileges(to.inode)) removePrivileges(t, to);
    if (fromAt < 0 && source >= 0) from.pos = source + n;
    if (toAt < 0 && target >= 0 && !to.isAppending) to.pos = target + n;
    moved += n;
  }
  if (moved > 0) {
    notifyFile(from, IN_ACCESS);
    notifyFile(to, IN_MODIFY);
  }
  return moved;
}

/** RLIMIT_FSIZE (setrlimit(2)). */
function allowed(t: Task, at: number, want: number): number {
  const limit = t.group.limits.get(RLIMIT_FSIZE);
  if (limit === Infinity || at < 0 || at + want <= limit) return want;
  if (at < limit) return limit - at;
  sendToTask(t, userSignal(SIGXFSZ, t));
  return -EFBIG;
}

function step(
  t: Task,
  from: OpenFile,
  source: number,
  to: OpenFile,
  target: number,
  want: number,
): number {
  if (from instanceof PipeFile) {
    return to instanceof PipeFile
      ? betweenPipes(from, to, want, true)
      : fromPipe(from, to, target, want);
  }
  if (to instanceof PipeFile) return toPipe(from, source, to, want);
  const buf = bufferOf(t.kernel.memory.frames);
  if (buf < 0) return buf;
  const got = from.read(cursor.set(buf, Math.min(want, PIECE)), source);
  if (got <= 0) return blocked(got, SOURCE);
  return blocked(to.write(cursor.set(buf, got), target), TARGET);
}

function blocked(n: number, side: number): number {
  if (n === -EAGAIN) blockedSide = side;
  return n;
}

/** Between pipes: moved, or with `consume` false copied (tee). */
export function betweenPipes(
  from: PipeFile,
  to: PipeFile,
  want: number,
  consume: boolean,
): number {
  if (to.pipe.readers === 0) return -EPIPE;
  if (from.pipe.ring.length === 0) return blocked(from.pipe.writers > 0 ? -EAGAIN : 0, SOURCE);
  if (to.pipe.ring.room <= 0) return blocked(-EAGAIN, TARGET);
  return to.pipe.moveFrom(from.pipe, want, consume);
}

function fromPipe(from: PipeFile, to: OpenFile, target: number, want: number): number {
  const { pipe } = from;
  if (pipe.ring.length === 0) return blocked(pipe.writers > 0 ? -EAGAIN : 0, SOURCE);
  const n = Math.min(want, pipe.ring.frontRun);
  const put = to.write(cursor.set(pipe.ring.frontAddress, n), target);
  if (put > 0) pipe.consume(put);
  return blocked(put, TARGET);
}

function toPipe(from: OpenFile, source: number, to: PipeFile, want: number): number {
  const { ring } = to.pipe;
  if (to.pipe.readers === 0) return -EPIPE;
  if (ring.room <= 0) return blocked(-EAGAIN, TARGET);
  const n = Math.min(want, ring.room);
  const addr = ring.backAddress(n);
  if (addr < 0) return addr;
  const got = from.read(cursor.set(addr, Math.min(n, ring.backRun)), source);
  if (got > 0) to.pipe.append(got);
  return blocked(got, SOURCE);
}
