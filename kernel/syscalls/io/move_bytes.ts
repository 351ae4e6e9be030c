/**
 * Moves bytes from one open file to another inside the kernel, as far as possible without waiting:
 * the core of splice(2), sendfile(2) and copy_file_range(2). A pipe loses
 * only the bytes that the target took; a position advances by the number of bytes written.
 *
 * Not here: the calls' own rules and their waiting (splice.ts).
 */

import { SIGXFSZ } from "../../../ffi/abi/signal.ts";
import { RLIMIT_FSIZE } from "../../../ffi/abi/resource.ts";
import { EAGAIN, EFBIG, EINVAL, EPIPE } from "../../../ffi/abi/errno.ts";
import { IN_ACCESS, IN_MODIFY } from "../../../ffi/abi/inotify.ts";
import { PipeFile } from "../../ipc/pipe.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import { MOVE_BYTES } from "../../mm/memory_context.ts";
import { sendToTask, userSignal } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import { notifyFile } from "../../vfs/notify.ts";
import { hasPrivileges, removePrivileges } from "../../vfs/attributes.ts";
import { type OpenFile, SLICE_BYTES } from "../../vfs/open_file.ts";

const cursor = new KernelCursor();

/**
 * LIMIT: steps of one move, which may move as little as 8 bytes each; after them, or SLICE_BYTES,
 * the rest waits for another turn.
 */
const MAX_STEPS = 128;

/** The reason why a move ended before all bytes were moved. */
export class MoveEnd {
  /** 0 (all moved, end of the source, or the turn is over), or -errno. */
  reason: number = 0;
  /** The turn of the loop is over. */
  isCutShort: boolean = false;
  /** For -EAGAIN: wait for the target, not for the source. */
  isTargetBlocked: boolean = false;
}

/**
 * Moves up to `len` bytes and returns their number; `end` has the reason for a short move. Offset
 * -1 means the file's own position, which then advances (or that the file has none).
 */
export function moveBytes(
  t: Task,
  from: OpenFile,
  fromAt: number,
  to: OpenFile,
  toAt: number,
  len: number,
  end: MoveEnd,
): number {
  let moved = 0, steps = 0;
  end.reason = 0;
  end.isCutShort = false;
  while (moved < len) {
    if (steps++ === MAX_STEPS || moved >= SLICE_BYTES) {
      end.isCutShort = true;
      break;
    }
    const source = fromAt >= 0 ? fromAt + moved : from.isSeekable ? from.pos : -1;
    const target = toAt >= 0 ? toAt + moved : to.isSeekable ? to.pos : -1;
    const want = allowedBytes(t, target, len - moved);
    const n = want < 0 ? want : moveStep(t, from, source, to, target, want, end);
    if (n <= 0) {
      end.reason = n;
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
function allowedBytes(t: Task, at: number, want: number): number {
  const limit = t.group.limits.get(RLIMIT_FSIZE);
  if (limit === Infinity || at < 0 || at + want <= limit) return want;
  if (at < limit) return limit - at;
  sendToTask(t, userSignal(SIGXFSZ, t));
  return -EFBIG;
}

function moveStep(
  t: Task,
  from: OpenFile,
  source: number,
  to: OpenFile,
  target: number,
  want: number,
  end: MoveEnd,
): number {
  if (from instanceof PipeFile) {
    return to instanceof PipeFile
      ? betweenPipes(from, to, want, true, end)
      : fromPipe(from, to, target, want, end);
  }
  if (to instanceof PipeFile) return toPipe(from, source, to, want, end);
  const buf = t.kernel.memory.moveBuffer();
  if (buf < 0) return buf;
  const got = from.read(cursor.set(buf, Math.min(want, MOVE_BYTES)), source);
  if (got <= 0) return atSource(got, end);
  if (!to.takesSplice) return -EINVAL;
  return atTarget(to.write(cursor.set(buf, got), target), end);
}

/** Records in `end` that the source, or the target, would block. */
function atSource(n: number, end: MoveEnd): number {
  if (n === -EAGAIN) end.isTargetBlocked = false;
  return n;
}

function atTarget(n: number, end: MoveEnd): number {
  if (n === -EAGAIN) end.isTargetBlocked = true;
  return n;
}

/** Moves bytes between pipes, or with `consume` false copies them (tee). */
export function betweenPipes(
  from: PipeFile,
  to: PipeFile,
  want: number,
  consume: boolean,
  end: MoveEnd,
): number {
  if (to.pipe.readers === 0) return -EPIPE;
  if (from.pipe.ring.length === 0) return atSource(from.pipe.writers > 0 ? -EAGAIN : 0, end);
  if (to.pipe.ring.room <= 0) return atTarget(-EAGAIN, end);
  return to.pipe.moveFrom(from.pipe, want, consume);
}

function fromPipe(
  from: PipeFile,
  to: OpenFile,
  target: number,
  want: number,
  end: MoveEnd,
): number {
  const { pipe } = from;
  if (pipe.ring.length === 0) return atSource(pipe.writers > 0 ? -EAGAIN : 0, end);
  const n = Math.min(want, pipe.ring.frontRun);
  const put = to.write(cursor.set(pipe.ring.frontAddress, n), target);
  if (put > 0) pipe.consume(put);
  return atTarget(put, end);
}

function toPipe(
  from: OpenFile,
  source: number,
  to: PipeFile,
  want: number,
  end: MoveEnd,
): number {
  const { ring } = to.pipe;
  if (to.pipe.readers === 0) return -EPIPE;
  if (ring.room <= 0) return atTarget(-EAGAIN, end);
  const n = Math.min(want, ring.room);
  const addr = ring.backAddress(n);
  if (addr < 0) return addr;
  const got = from.read(cursor.set(addr, Math.min(n, ring.backRun)), source);
  if (got > 0) to.pipe.append(got);
  return atSource(got, end);
}
