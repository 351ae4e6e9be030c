/**
 * mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_getsetattr(2). The queues:
 * ipc/mqueue/; notification: mq_notify.ts.
 */

import { POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { NAME_MAX } from "../../../ffi/abi/fs.ts";
import type { Account } from "../../core/account.ts";
import {
  EACCES,
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EMFILE,
  EMSGSIZE,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ETIMEDOUT,
} from "../../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_LARGEFILE,
  O_NONBLOCK,
} from "../../../ffi/abi/fcntl.ts";
import { MQ_PRIO_MAX, MqAttr } from "../../../ffi/abi/ipc.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import type { Credentials } from "../../cred/credentials.ts";
import {
  hasRoomForMessage,
  MessageQueue,
  QueuedMessage,
  type QueueSizes,
} from "../mqueue/message_queue.ts";
import { MqueueFile } from "../mqueue/mqueue_file.ts";
import type { Task } from "../../task/task.ts";
import type { Caller } from "../../vfs/caller.ts";
import { Path } from "../../vfs/dentry.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import { openAt } from "../../vfs/open.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { readTimespec } from "../../syscalls/timespec.ts";
import { pathArg } from "../../syscalls/fs/arguments.ts";

const A = MqAttr.at;

/** The task as a caller whose root is the directory of its queues. */
export class QueueCaller implements Caller {
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly cred: Credentials;
  readonly account: Account;

  constructor(t: Task) {
    this.account = t.account;
    const { mount } = t.ns.ipc.mq, root = new Path(mount, mount.root);
    this.files = t.files;
    this.fs = new FsContext(t.fs.namespace, root, root, t.fs.umask);
    this.cred = t.cred;
  }
}

/** Reads the name of a queue: one component, without the slash that the C library removes. */
function nameArg(t: Task, addr: number): string | number {
  const name = pathArg(t, addr);
  if (typeof name === "number") return name;
  if (name === "") return -ENOENT;
  if (name === "." || name === ".." || name.includes("/")) return -EACCES;
  return name.length > NAME_MAX ? -ENAMETOOLONG : name;
}

/** mq_open(2). */
export function sysMqOpen(t: Task, a: SyscallArgs): number {
  const flags = a.i32(1), attrAddr = a.u64(3);
  let sizes: QueueSizes | null = null;
  if (attrAddr !== 0) {
    const { u8, dv } = t.kernel.scratch;
    if (t.mm.copyIn(u8, 0, attrAddr, MqAttr.size) !== 0) return -EFAULT;
    sizes = { maxMessages: getI64(dv, A.maxmsg), maxBytes: getI64(dv, A.msgsize) };
  }
  const name = nameArg(t, a.u64(0));
  if (typeof name === "number") return name;
  const limit = t.group.limits.get(RLIMIT_NOFILE);
  if (!t.files.hasRoom(limit)) return -EMFILE;
  const file = open(t, name, flags, a.u32(2), sizes);
  if (typeof file === "number") return file;
  const fd = t.files.install(file, true, limit);
  if (fd < 0) file.drop();
  return fd;
}

/** Opens or makes a queue. `sizes`: of a new one; null: the defaults. */
function open(
  t: Task,
  name: string,
  flags: number,
  mode: number,
  sizes: QueueSizes | null,
): MqueueFile | number {
  const { fs } = t.ns.ipc.mq, caller = new QueueCaller(t);
  const known = flags & (O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK);
  // Linux refuses access mode 3 where the queue exists, after the check of O_EXCL (prepare_open).
  const isRefused = (flags & O_ACCMODE) === O_ACCMODE && typeof fs.root.lookup(name) !== "number" &&
    (known & (O_CREAT | O_EXCL)) !== (O_CREAT | O_EXCL);
  fs.wanted = sizes;
  const file = isRefused ? -EINVAL : openAt(caller, AT_FDCWD, name, known, mode);
  fs.wanted = null;
  caller.fs.drop();
  if (typeof file === "number") return file;
  file.flags &= ~O_LARGEFILE;
  if (file instanceof MqueueFile) return file;
  file.drop();
  return -EINVAL;
}

/** The i64 at offset `at`; beyond 2^53 it is rounded. */
function getI64(dv: DataView, at: number): number {
  return dv.getUint32(at, true) + dv.getInt32(at + 4, true) * 0x100000000;
}

/** mq_unlink(2). */
export function sysMqUnlink(t: Task, a: SyscallArgs): number {
  const name = nameArg(t, a.u64(0));
  if (typeof name === "number") return name;
  const caller = new QueueCaller(t);
  const r = unlinkAt(caller, AT_FDCWD, name);
  caller.fs.drop();
  return r;
}

/** The open file of a queue behind a descriptor, or null. */
export function queueFile(t: Task, fd: number): MqueueFile | null {
  const file = t.files.get(fd);
  return file instanceof MqueueFile ? file : null;
}

/** Reads the absolute time at `addr` into `progress.deadlineNs`, once: 0 or -errno. */
function readDeadline(t: Task, addr: number): number {
  if (t.progress.deadlineNs >= 0) return 0;
  if (addr === 0) {
    t.progress.deadlineNs = Infinity;
    return 0;
  }
  const time = readTimespec(t, addr);
  if (typeof time === "number") return time;
  t.progress.isRealtime = true;
  t.progress.deadlineNs = time.realtimeDeadline(t);
  return 0;
}

/** Waits for events of a queue until the deadline: BLOCK or -errno. */
function waitForQueue(t: Task, file: MqueueFile, events: number): number {
  const { deadlineNs } = t.progress;
  if (file.isNonblocking) return -EAGAIN;
  if (t.kernel.now() >= deadlineNs) return -ETIMEDOUT;
  const r = t.waitFor(file.inode.waitQueue, events);
  return r === BLOCK ? t.waitUntil(deadlineNs) : r;
}

/** mq_timedsend(2). */
export function sysMqTimedsend(t: Task, a: SyscallArgs): number {
  const size = a.u64(2), priority = a.u32(3);
  const r = readDeadline(t, a.u64(4));
  if (r !== 0) return r;
  if (priority >= MQ_PRIO_MAX) return -EINVAL;
  const file = queueFile(t, a.i32(0));
  if (file === null || !file.canWrite) return -EBADF;
  const queue = file.inode;
  if (size > queue.sizes.maxBytes) return -EMSGSIZE;
  if (!hasRoomForMessage(size, t.account)) return -ENOMEM;
  const data = new Uint8Array(size);
  if (t.mm.copyIn(data, 0, a.u64(1), size) !== 0) return -EFAULT;
  if (queue.isFull) return waitForQueue(t, file, POLLOUT);
  queue.put(new QueuedMessage(t.account, priority, data));
  return 0;
}

/** mq_timedreceive(2): the bytes received. A message that cannot be stored is lost, as on Linux. */
export function sysMqTimedreceive(t: Task, a: SyscallArgs): number {
  const r = readDeadline(t, a.u64(4)), { progress } = t;
  if (r !== 0) return r;
  const file = queueFile(t, a.i32(0));
  if (progress.object instanceof MessageQueue) {
    // The queue that this call waited for, also if the descriptor is of another file by now.
    progress.object.receivers--;
    progress.object = null;
  }
  if (file === null || !file.canRead) return -EBADF;
  const queue = file.inode;
  if (a.u64(2) < queue.sizes.maxBytes) return -EMSGSIZE;
  const message = queue.take();
  if (message === null) {
    const w = waitForQueue(t, file, POLLIN);
    if (w !== BLOCK) return w;
    progress.object = queue;
    queue.receivers++;
    return w;
  }
  const { data, priority } = message;
  if (a.u64(3) !== 0 && t.mm.store32(a.u64(3), priority) !== 0) return -EFAULT;
  return t.mm.copyOut(a.u64(1), data, 0, data.length) === 0 ? data.length : -EFAULT;
}

/** mq_getsetattr(2): only O_NONBLOCK can be changed. */
export function sysMqGetsetattr(t: Task, a: SyscallArgs): number {
  const { scratch } = t.kernel, { dv, u8 } = scratch;
  let flags = -1;
  if (a.u64(1) !== 0) {
    if (t.mm.copyIn(u8, 0, a.u64(1), MqAttr.size) !== 0) return -EFAULT;
    flags = getI64(dv, A.flags);
    if (flags !== 0 && flags !== O_NONBLOCK) return -EINVAL;
  }
  const file = queueFile(t, a.i32(0));
  if (file === null) return -EBADF;
  const queue = file.inode, { maxBytes, maxMessages } = queue.sizes;
  scratch.clear(MqAttr.size);
  scratch.setU53(A.flags, file.flags & O_NONBLOCK);
  scratch.setU53(A.maxmsg, maxMessages);
  scratch.setU53(A.msgsize, maxBytes);
  scratch.setU53(A.curmsgs, queue.count);
  if (flags >= 0) file.flags = (file.flags & ~O_NONBLOCK) | flags;
  if (a.u64(2) === 0) return 0;
  return t.mm.copyOut(a.u64(2), u8, 0, MqAttr.size) === 0 ? 0 : -EFAULT;
}
