/**
 * FIFOs of the host that the sandbox may open (--host-uds=open): reads and writes go to the host's
 * pipe. Other FIFOs: fifo.ts.
 *
 * DIFFERS: opening for reading does not wait for a writer, the first read does; with O_NONBLOCK it
 * returns EAGAIN then, and not 0.
 */

import { EAGAIN, EINTR, ENXIO, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { O_ACCMODE, O_NONBLOCK } from "../../ffi/abi/fcntl.ts";
import { WaitQueue } from "../core/wait.ts";
import { HostFile } from "../fs/hostfd/host_file.ts";
import type { HostFdFs } from "../fs/hostfd/host_inode.ts";
import { STREAM } from "../fs/hostfd/kinds.ts";
import { Timer, type TimerQueue } from "../time/timer.ts";
import type { Caller } from "../vfs/caller.ts";
import type { Path } from "../vfs/dentry.ts";
import type { Inode } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { SpecialOpener } from "../vfs/special_files.ts";
import { isWaiting } from "./fifo.ts";

/** Time between two tries to find a reader, ns: the host gives no event. */
const RETRY_NS = 20_000_000;

/** Opens FIFOs of the host, and passes others on. */
export class HostFifoOpener implements SpecialOpener {
  private readonly others: SpecialOpener;
  private readonly fs: HostFdFs;
  private readonly timers: TimerQueue;
  private readonly retry: Retry = new Retry();

  /** @param others opens FIFOs that are not the host's */
  constructor(others: SpecialOpener, fs: HostFdFs, timers: TimerQueue) {
    this.others = others;
    this.fs = fs;
    this.timers = timers;
  }

  open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number {
    const fd = inode.openHostFifo(flags & O_ACCMODE);
    if (fd === -EOPNOTSUPP) return this.others.open(caller, path, inode, flags);
    if (fd === -EAGAIN) {
      // There is no reader.
      if ((flags & O_NONBLOCK) !== 0) return -ENXIO;
      if (!isWaiting(caller)) return -EINTR;
      if (!this.retry.isArmed) this.timers.arm(this.retry, this.fs.host.monotonicNs() + RETRY_NS);
      return caller.waitFor(this.retry.queue, 0);
    }
    if (fd < 0) return fd;
    const host = this.fs.makeInode(fd, STREAM);
    host.isFifo = true;
    host.mode = inode.mode;
    host.uid = inode.uid;
    host.gid = inode.gid;
    return new HostFile(caller.account, host, flags, false);
  }
}

export class Retry extends Timer {
  readonly queue: WaitQueue = new WaitQueue();

  override onExpire(_nowNs: number): void {
    this.queue.wake(-1);
  }
}
