/**
 * The core of read and write: one file, one cursor, blocking and positions. Every call that moves
 * bytes between a file and user memory uses it (read(2), write(2), preadv2(2), sendfile(2), ...).
 *
 * A write that moved a part before it blocks keeps the count in `progress.done`; the next run sets
 * up the cursor from the saved arguments and skips that part.
 */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import { SIGPIPE, SIGXFSZ } from "../../../ffi/abi/signal.ts";
import { RLIMIT_FSIZE } from "../../../ffi/abi/resource.ts";
import { EAGAIN, EFAULT, EFBIG, ENOTSOCK, EPIPE } from "../../../ffi/abi/errno.ts";
import { FAN_ACCESS_PERM } from "../../../ffi/abi/fanotify.ts";
import { IN_ACCESS, IN_MODIFY } from "../../../ffi/abi/inotify.ts";
import { MSG_FASTOPEN, MSG_NOSIGNAL, MSG_OOB } from "../../../ffi/abi/socket.ts";
import { BLOCK } from "../../core/result.ts";
import { SlaveFile } from "../../fs/devpts/slave_file.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Message } from "../../net/message.ts";
import { Socket } from "../../net/socket.ts";
import { sendToTask, userSignal } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import { hasPrivileges, removePrivileges } from "../../vfs/attributes.ts";
import { notifyFile } from "../../vfs/notify.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { waitForSocket } from "../../net/calls/socket_wait.ts";
import { signalUrgent } from "./async.ts";
import { askReadPermission } from "../../vfs/permission_events.ts";
import { waitForInput } from "./terminal.ts";

export const READABLE: number = POLLIN | POLLRDNORM | POLLHUP | POLLERR;
export const WRITABLE: number = POLLOUT | POLLWRNORM | POLLHUP | POLLERR;

/** Reads at the file's position (pipes and sockets have none). HOT */
export function readFile(t: Task, file: OpenFile, io: IoCursor, nonblocking: boolean): number {
  const offset = file.isSeekable ? file.pos : -1;
  if (offset >= 0 && io.remaining > file.sliceBytes) {
    return readSliced(t, file, io, -1, nonblocking);
  }
  if (offset >= 0 && t.kernel.vfs.askingGroups > 0) {
    const r = askReadPermission(t, file, FAN_ACCESS_PERM);
    if (r < 0) return r;
  }
  const n = file.read(io, offset);
  if (n >= 0) {
    if (offset < 0) return n;
    file.pos = offset + n;
    if (n > 0) notifyFile(file, IN_ACCESS);
    return n;
  }
  if (n !== -EAGAIN || nonblocking && !file.needsTurn) return n;
  return file instanceof SlaveFile ? waitForInput(t, file, io) : waitReadable(t, file);
}

/** Reads at `offset`; the position stays. HOT */
export function readFileAt(
  t: Task,
  file: OpenFile,
  io: IoCursor,
  offset: number,
  nonblocking: boolean,
): number {
  if (io.remaining > file.sliceBytes) return readSliced(t, file, io, offset, nonblocking);
  if (t.kernel.vfs.askingGroups > 0) {
    const r = askReadPermission(t, file, FAN_ACCESS_PERM);
    if (r < 0) return r;
  }
  const n = file.read(io, offset);
  if (n > 0) notifyFile(file, IN_ACCESS);
  return n === -EAGAIN && (!nonblocking || file.needsTurn) ? waitReadable(t, file) : n;
}

/**
 * A long read of a file with positions, one slice a turn; `offset` -1 means the file's own
 * position. The number of bytes read is in `progress.done`.
 *
 * DIFFERS: other calls on the file may run between the slices.
 */
function readSliced(
  t: Task,
  file: OpenFile,
  io: IoCursor,
  offset: number,
  nonblocking: boolean,
): number {
  const { progress } = t;
  if (progress.done > 0) io.advance(progress.done);
  const isLast = io.remaining <= file.sliceBytes;
  io.limit(file.sliceBytes);
  const wanted = io.remaining, at = offset < 0 ? file.pos : offset + progress.done;
  if (t.kernel.vfs.askingGroups > 0) {
    const r = askReadPermission(t, file, FAN_ACCESS_PERM);
    if (r < 0) return r;
  }
  const n = file.read(io, at);
  if (n < 0) {
    if (progress.done > 0) return progress.done;
    return n === -EAGAIN && (!nonblocking || file.needsTurn) ? waitReadable(t, file) : n;
  }
  if (offset < 0) file.pos = at + n;
  if (n > 0) notifyFile(file, IN_ACCESS);
  return endSlice(t, n, n < wanted || isLast);
}

/** Ends a slice of `n` bytes; if bytes remain, the next turn continues. */
function endSlice(t: Task, n: number, isAll: boolean): number {
  const { progress } = t;
  progress.done += n;
  if (isAll) return progress.done;
  const r = t.yieldTurn();
  return r === BLOCK ? r : progress.done;
}

/**
 * Writes at `offset`; -1 means the file's position (or none, for pipes and sockets). Long writes
 * are cut into slices. HOT
 */
export function writeFile(
  t: Task,
  file: OpenFile,
  io: IoCursor,
  offset: number,
  nonblocking: boolean,
): number {
  if (io.isAwaited) return -EFAULT;
  if (!file.isSeekable) return writeStream(t, file, io, nonblocking, null);
  if (io.remaining <= file.sliceBytes) return writeSlice(t, file, io, offset, nonblocking);
  const { progress } = t;
  if (progress.done > 0) io.advance(progress.done);
  const isLast = io.remaining <= file.sliceBytes;
  io.limit(file.sliceBytes);
  const wanted = io.remaining, at = offset < 0 ? -1 : offset + progress.done;
  const n = writeSlice(t, file, io, at, nonblocking);
  if (n === BLOCK) return n;
  if (n < 0) return progress.done > 0 ? progress.done : n;
  return endSlice(t, n, n < wanted || isLast);
}

/** Writes the part of one turn. HOT */
function writeSlice(
  t: Task,
  file: OpenFile,
  io: IoCursor,
  offset: number,
  nonblocking: boolean,
): number {
  const at = offset < 0 ? file.pos : offset;
  const limit = t.group.limits.get(RLIMIT_FSIZE);
  if (limit !== Infinity) {
    const refused = limitSize(t, file, io, at, limit);
    if (refused !== 0) return refused;
  }
  if (hasPrivileges(file.inode) && io.remaining > 0) removePrivileges(t, file);
  const { pos } = file;
  const n = file.write(io, at);
  if (offset >= 0) file.pos = pos; // An append sets it.
  if (n < 0) return n === -EAGAIN && !nonblocking ? waitWritable(t, file) : n;
  if (offset < 0 && !file.isAppending) file.pos = at + n;
  if (n > 0) notifyFile(file, IN_MODIFY);
  return n;
}

/**
 * Writes to a file without positions: a pipe, a terminal, a socket (`message`: the address, flags
 * and control messages of sendmsg(2)). Waits for room for the rest; the number of bytes written is
 * in `progress.done`. HOT
 */
export function writeStream(
  t: Task,
  file: OpenFile,
  io: IoCursor,
  nonblocking: boolean,
  message: Message | null,
): number {
  const progress = t.progress;
  if (progress.done > 0) io.advance(progress.done);
  const enough = progress.done + file.sliceBytes;
  let n: number;
  do {
    n = message === null ? file.write(io, -1) : sendPart(file, io, message);
    if (n < 0) break;
    progress.done += n;
    if (io.remaining === 0) break;
    if (progress.done >= enough || n > 0 && file.isSlow) return endTurn(t, nonblocking);
  } while (n > 0 && file.writesAll);
  if (n >= 0) return progress.done;
  if (n === -EAGAIN && !nonblocking) {
    n = waitWritable(t, file);
    if (n === BLOCK) return n;
  }
  if (progress.done > 0) return progress.done;
  const raisesSignal = message === null || (message.flags & MSG_NOSIGNAL) === 0;
  if (n === -EPIPE && file.writesAll && raisesSignal) sendToTask(t, userSignal(SIGPIPE, t));
  return n;
}

/** Sends as much as fits. Only the first part can open a connection (MSG_FASTOPEN). */
function sendPart(file: OpenFile, io: IoCursor, message: Message): number {
  if (!(file instanceof Socket)) return -ENOTSOCK;
  const n = file.send(io, message);
  if (n >= 0) message.flags &= ~MSG_FASTOPEN;
  if (n > 0 && (message.flags & MSG_OOB) !== 0) signalUrgent(file.urgentReceiver);
  return n;
}

/** A peer that keeps reading could make a write endless: the rest continues in another turn. */
export function endTurn(t: Task, nonblocking: boolean): number {
  if (!nonblocking && t.yieldTurn() === BLOCK) return BLOCK;
  return t.progress.done;
}

/** Waits until a read may succeed: BLOCK or -errno. */
export function waitReadable(t: Task, file: OpenFile): number {
  if (file.needsTurn) return t.yieldTurn();
  if (file instanceof Socket) {
    return waitForSocket(t, file, READABLE, file.options.receiveTimeoutNs);
  }
  return t.waitForFile(file, READABLE);
}

/** Waits until a write may succeed: BLOCK or -errno. */
export function waitWritable(t: Task, file: OpenFile): number {
  if (file instanceof Socket) return waitForSocket(t, file, WRITABLE, file.options.sendTimeoutNs);
  return t.waitForFile(file, WRITABLE);
}

/** RLIMIT_FSIZE (setrlimit(2)): shortens the write, or EFBIG with SIGXFSZ. */
function limitSize(t: Task, file: OpenFile, io: IoCursor, at: number, limit: number): number {
  const start = file.isAppending ? file.inode.size : at;
  if (io.remaining === 0 || start + io.remaining <= limit) return 0;
  if (start >= limit) {
    sendToTask(t, userSignal(SIGXFSZ, t));
    return -EFBIG;
  }
  io.limit(limit - start);
  return 0;
}
