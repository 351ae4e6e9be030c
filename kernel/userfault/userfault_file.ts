/**
 * The descriptor of userfaultfd(2): read(2) returns faults and events, ioctls place pages
 * (userfault/userfault_ioctl.ts). The faults are in userfault.ts.
 */

import { POLLERR, POLLIN } from "../../ffi/abi/poll.ts";
import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import type { Account } from "../core/account.ts";
import { CAP_SYS_PTRACE } from "../../ffi/abi/capability.ts";
import { EAGAIN, EINVAL } from "../../ffi/abi/errno.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import {
  UFFD_EVENT_PAGEFAULT,
  UFFD_FEATURE_THREAD_ID,
  UFFDIO_API,
} from "../../ffi/abi/userfaultfd.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { Userfault } from "./userfault.ts";
import { releaseHandler } from "./userfault_pages.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import { hasCap } from "../cred/credentials.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { AnonFile } from "../fs/anonfd/anon_inode.ts";
import { FEATURES, handlerIoctl, IOCTLS, userfaultApi } from "./userfault_ioctl.ts";

/** struct uffd_msg. */
const MESSAGE_BYTES = 32;
const FLAGS_AT = 8, ADDRESS_AT = 16, TID_AT = 24, WORDS_AT = 8;
const message = new Uint8Array(MESSAGE_BYTES);
const view = new DataView(message.buffer);

export class UserfaultFile extends AnonFile {
  readonly handler: Userfault;
  private readonly kernel: Kernel;

  /** @param kernel whose current task reads */
  constructor(account: Account, kernel: Kernel, handler: Userfault) {
    super(account, kernel.anon, O_RDONLY | (handler.flags & O_NONBLOCK));
    this.handler = handler;
    this.kernel = kernel;
  }

  override get waitQueue(): WaitQueue {
    return this.handler.queue;
  }

  /** Reads as many messages as fit, faults first; -EAGAIN when there is none. */
  override read(io: IoCursor, _offset: number): number {
    if (!this.handler.isReady || io.remaining < MESSAGE_BYTES) return -EINVAL;
    let done = 0;
    while (io.remaining >= MESSAGE_BYTES) {
      let n = this.nextMessage();
      if (n === 0) n = io.putBytes(message, 0, MESSAGE_BYTES);
      if (n < 0) return done > 0 ? done : n;
      done += n;
    }
    return done;
  }

  /** 0: the next message is in `message`. */
  private nextMessage(): number {
    const { handler } = this, fault = handler.take();
    message.fill(0);
    if (fault === null) return this.nextEvent();
    const hasTid = (handler.features & UFFD_FEATURE_THREAD_ID) !== 0;
    view.setUint8(0, UFFD_EVENT_PAGEFAULT);
    view.setUint32(FLAGS_AT, fault.flags, true);
    view.setBigUint64(ADDRESS_AT, BigInt(fault.address), true);
    if (hasTid) view.setUint32(TID_AT, fault.tid, true);
    return 0;
  }

  private nextEvent(): number {
    const { event } = this.handler;
    if (event === null) return -EAGAIN;
    view.setUint8(0, event.kind);
    event.words.forEach((word, i) => view.setBigUint64(WORDS_AT + 8 * i, BigInt(word), true));
    if (event.child !== null) {
      const fd = this.installFor(event.child);
      if (fd < 0) return fd;
      view.setUint32(WORDS_AT, fd, true);
    }
    this.handler.onEventRead(event);
    return 0;
  }

  /** Installs a descriptor of a child's handler for the reader, or -errno: then the event stays. */
  private installFor(child: Userfault): number {
    const reader = this.kernel.current;
    if (reader === null) return -EAGAIN;
    const limit = reader.group.limits.get(RLIMIT_NOFILE);
    const file = new UserfaultFile(reader.account, this.kernel, child);
    const fd = reader.files.install(file, (child.flags & O_CLOEXEC) !== 0, limit);
    if (fd < 0) file.drop();
    return fd;
  }

  /** A blocking descriptor cannot be polled. */
  override poll(): number {
    if (!this.handler.isReady || !this.isNonblocking) return POLLERR;
    return this.handler.hasPending ? POLLIN : 0;
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request === UFFDIO_API) {
      const { current } = this.kernel;
      const mayFollow = current !== null && hasCap(current.cred, CAP_SYS_PTRACE);
      return userfaultApi(this.handler, arg, user, mayFollow);
    }
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
