/**
 * The descriptor of userfaultfd(2): faults are read from it, pages are put by ioctl (userfault_ioctl.ts). The faults
 * themselves are in mm/userfault.ts.
 */

import { EAGAIN, EINVAL } from "../../../ffi/abi/errno.ts";
import { O_NONBLOCK, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import {
  UFFD_EVENT_PAGEFAULT,
  UFFD_FEATURE_THREAD_ID,
  UFFDIO_API,
} from "../../../ffi/abi/userfaultfd.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { Userfault } from "../../mm/userfault.ts";
import { releaseHandler } from "../../mm/userfault_pages.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile, POLLERR, POLLIN } from "../../vfs/open_file.ts";
import { anonFs } from "./anon_inode.ts";
import { FEATURES, handlerIoctl, IOCTLS, userfaultApi } from "./userfault_ioctl.ts";

/** struct uffd_msg. */
const MESSAGE_BYTES = 32;
const FLAGS_AT = 8, ADDRESS_AT = 16, TID_AT = 24;
const message = new Uint8Array(MESSAGE_BYTES);
const view = new DataView(message.buffer);

export class UserfaultFile extends OpenFile {
  readonly handler: Userfault;

  /** `flags`: UFFD_USER_MODE_ONLY and O_NONBLOCK. */
  constructor(mm: MemoryManager, flags: number) {
    super(O_RDONLY | (flags & O_NONBLOCK));
    this.handler = new Userfault(mm, flags);
  }

  override get inode(): Inode {
    return anonFs.root;
  }
  override get waitQueue(): WaitQueue {
    return this.handler.queue;
  }

  /** As many faults as fit; -EAGAIN when there is none. */
  override read(io: IoCursor, _offset: number): number {
    const { handler } = this;
    if (!handler.isReady || io.remaining < MESSAGE_BYTES) return -EINVAL;
    let done = 0;
    while (io.remaining >= MESSAGE_BYTES) {
      const fault = handler.take();
      if (fault === null) return done > 0 ? done : -EAGAIN;
      const hasTid = (handler.features & UFFD_FEATURE_THREAD_ID) !== 0;
      view.setUint8(0, UFFD_EVENT_PAGEFAULT);
      view.setUint32(FLAGS_AT, fault.flags, true);
      view.setBigUint64(ADDRESS_AT, BigInt(fault.address), true);
      view.setUint32(TID_AT, hasTid ? fault.tid : 0, true);
      const n = io.putBytes(message, 0, MESSAGE_BYTES);
      if (n < 0) return done > 0 ? done : n;
      done += n;
    }
    return done;
  }

  /** Who would block in read(2) cannot poll. */
  override poll(): number {
    if (!this.handler.isReady || !this.isNonblocking) return POLLERR;
    return this.handler.hasPending ? POLLIN : 0;
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request === UFFDIO_API) return userfaultApi(this.handler, arg, user);
    return this.handler.isReady ? handlerIoctl(this.handler, request, arg, user) : -EINVAL;
  }

  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "anon_inode:[userfaultfd]";
  }
  override fdinfo(): string {
    const { pending, total } = this.handler.counts;
    const features = FEATURES.toString(16), ioctls = IOCTLS.toString(16);
    return `pending:\t${pending}\ntotal:\t${total}\nAPI:\taa:${features}:${ioctls}\n`;
  }

  protected override release(): void {
    if (!this.handler.mm.isDestroyed) releaseHandler(this.handler);
  }
}
