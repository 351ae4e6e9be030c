/**
 * The core of read and write: one file, one cursor, blocking and positions. Everything that moves bytes between a file
 * and user memory ends here (read(2), write(2), preadv2(2), sendfile(2), ...).
 *
 * A write that moved a part before it must wait keeps the count in `progress.done`; the cursor is set up again from the
 * saved arguments and skips what is done.
 */

import { EAGAIN, EFBIG, EPIPE } from "../../../ffi/abi/errno.ts";
import { IN_ACCESS, IN_MODIFY } from "../../../ffi/abi/inotify.ts";
import { BLOCK } from "../../core/result.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { RLIMIT_FSIZE } from "../../task/limits.ts";
import { SI_USER, SigInfo } from "../../task/signal/pending.ts";
import { sendToTask } from "../../task/signal/send.ts";
import { SIGPIPE, SIGXFSZ } from "../../task/signal/sigset.ts";
import type { Task } from "../../task/task.ts";
import { notifyFile } from "../../vfs/notify.ts";
import { type OpenFile, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../vfs/open_file.ts";
import { POLLERR, POLLHUP } from "../../vfs/open_file.ts";

const READABLE = POLLIN | POLLRDNORM | POLLHUP | POLLERR;
const WRITABLE = POLLOUT | POLLWRNORM | POLLHUP | POLLERR;

/** Read at the file's position (or where pipes and sockets are). HOT */
export function readFile(t: Task, file: OpenFile, io: IoCursor, nonblocking: boolean): number {
  const offset = file.isSeekable ? file.pos : -1;
  const n = file.read(io, offset);
  if (n >= 0) {
    if (offset >= 0) file.pos = offset + n;
    if (n > 0) notifyFile(file, IN_ACCESS);
    return n;
  }
  if (n !== -EAGAIN || nonblocking) return n;
  return t.waitForFile(file, READABLE);
}

/** Read at `offset`; the position stays. HOT */
export function readFileAt(t: Task, file: OpenFile, io: IoCursor, offset: number): number {
  const n = file.read(io, offset);
  if (n > 0) notifyFile(file, IN_ACCESS);
  if (n !== -EAGAIN || file.isNonblocking) return n;
  return t.waitForFile(file, READABLE);
}

/** Write at the file's position; `offset` -1 means that position (or none, for pipes and sockets). HOT */
export function writeFile(
  t: Task,
  file: OpenFile,
  io: IoCursor,
  offset: number,
  nonblocking: boolean,
): number {
  const progress = t.progress;
  if (progress.done > 0) io.advance(progress.done);
  const usesPos = offset < 0 && file.isSeekable;
  const at = usesPos ? file.pos : offset;
  const limit = t.group.limits.get(RLIMIT_FSIZE);
  if (limit !== Infinity && file.isSeekable) {
    const refused = limitSize(t, file, io, at, limit);
    if (refused !== 0) return refused;
  }
  const n = file.write(io, at);
  if (n >= 0) {
    if (usesPos) file.pos = file.isAppending ? file.pos : at + n;
    if (n > 0) notifyFile(file, IN_MODIFY);
    progress.done += n;
    // A stream that took a part is written to the end unless it must not wait.
    if (io.remaining === 0 || file.isSeekable || nonblocking || n === 0) return progress.done;
    const more = t.waitForFile(file, WRITABLE);
    return more === BLOCK ? BLOCK : progress.done;
  }
  if (n === -EAGAIN && !nonblocking) {
    const r = t.waitForFile(file, WRITABLE);
    return r !== BLOCK && progress.done > 0 ? progress.done : r;
  }
  if (progress.done > 0) return progress.done;
  if (n === -EPIPE) sendToTask(t, new SigInfo(SIGPIPE, SI_USER));
  return n;
}

/** RLIMIT_FSIZE (setrlimit(2)): shorten the write, or EFBIG with SIGXFSZ. */
function limitSize(t: Task, file: OpenFile, io: IoCursor, at: number, limit: number): number {
  const start = file.isAppending ? file.inode.size : at;
  if (io.remaining === 0 || start + io.remaining <= limit) return 0;
  if (start >= limit) {
    sendToTask(t, new SigInfo(SIGXFSZ, SI_USER));
    return -EFBIG;
  }
  io.limit(limit - start);
  return 0;
}
