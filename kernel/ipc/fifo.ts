/**
 * FIFOs (fifo(7)): a pipe at an inode, where opening one end waits for the other.
 *
 * An open that waits has its end already, in the call's progress; when it runs again it goes on
 * with that end (`resumeOpen`), even if the path has changed. Neighbours: pipe.ts,
 * vfs/special_files.ts.
 */

import { EINTR, ENXIO } from "../../ffi/abi/errno.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_DIRECT,
  O_LARGEFILE,
  O_NOATIME,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
} from "../../ffi/abi/fcntl.ts";
import { BLOCK } from "../core/result.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { Caller, CallProgress } from "../vfs/caller.ts";
import type { Path } from "../vfs/dentry.ts";
import type { Inode } from "../vfs/inode.ts";
import { notifyOpen } from "../vfs/notify.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { SpecialOpener } from "../vfs/special_files.ts";
import { Pipe, PipeFile } from "./pipe.ts";

const KEPT_FLAGS = O_ACCMODE | O_NONBLOCK | O_APPEND | O_DIRECT | O_NOATIME;

/** A caller that can wait: a task. */
interface WaitingCaller extends Caller {
  readonly progress: CallProgress & { object: object | null };
  waitFor(queue: WaitQueue, events: number): number;
}

/** Whether the caller can wait. */
export function isWaiting(caller: Caller): caller is WaitingCaller {
  return "waitFor" in caller && "progress" in caller;
}

/** The end of an open that waits for the other end. */
export class FifoOpen {
  readonly file: PipeFile;
  readonly waitsForWriter: boolean;
  /** Opens of the other end before this one; one more ends the wait. */
  private readonly opens: number;

  constructor(file: PipeFile, waitsForWriter: boolean) {
    this.file = file;
    this.waitsForWriter = waitsForWriter;
    this.opens = this.count;
  }

  private get count(): number {
    return this.waitsForWriter ? this.file.pipe.writerOpens : this.file.pipe.readerOpens;
  }
  get isOver(): boolean {
    return this.count !== this.opens;
  }
}

/** Opens FIFOs at inodes. */
export class FifoOpener implements SpecialOpener {
  private readonly frames: FrameAllocator;

  constructor(frames: FrameAllocator) {
    this.frames = frames;
  }

  open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number {
    const pipe = inode.special instanceof Pipe ? inode.special : new Pipe(this.frames, inode);
    inode.special = pipe;
    const mode = flags & O_ACCMODE, nonblocking = (flags & O_NONBLOCK) !== 0;
    if (mode === O_RDWR) return new PipeFile(caller.account, pipe, flags & KEPT_FLAGS);
    const isReader = mode === O_RDONLY;
    // Opening a pipe again (/proc/PID/fd) does not wait.
    if (inode.fs.type === "pipefs" || (isReader ? pipe.writers > 0 : pipe.readers > 0)) {
      return new PipeFile(caller.account, pipe, flags & KEPT_FLAGS);
    }
    if (nonblocking) {
      return isReader
        ? new PipeFile(caller.account, pipe, flags & KEPT_FLAGS, pipe.writerOpens)
        : -ENXIO;
    }
    if (!isWaiting(caller)) return -EINTR;
    const file = new PipeFile(caller.account, pipe, (flags & KEPT_FLAGS) | O_LARGEFILE);
    file.attach(path, caller.cred);
    const r = caller.waitFor(pipe.waitQueue, 0);
    if (r === BLOCK) caller.progress.object = new FifoOpen(file, isReader);
    else file.drop();
    return r;
  }
}

/** Goes on with an open that waited: the file, BLOCK or -errno; null: this call has none. */
export function resumeOpen(caller: WaitingCaller): OpenFile | number | null {
  const pending = caller.progress.object;
  if (!(pending instanceof FifoOpen)) return null;
  const { file } = pending;
  if (!pending.isOver) {
    const r = caller.waitFor(file.pipe.waitQueue, 0);
    if (r === BLOCK) return r;
    caller.progress.object = null;
    file.drop();
    return r;
  }
  caller.progress.object = null;
  notifyOpen(file);
  return file;
}
