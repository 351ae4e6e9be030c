/** The ioctls of a seccomp listener: seccomp_unotify(2). */

import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../../ffi/abi/poll.ts";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EBADF, EFAULT, EINPROGRESS, EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import {
  SECCOMP_ADDFD_FLAG_SEND,
  SECCOMP_ADDFD_FLAG_SETFD,
  SECCOMP_IOCTL_NOTIF_ADDFD,
  SECCOMP_IOCTL_NOTIF_ID_VALID,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SECCOMP_IOCTL_NOTIF_SET_FLAGS,
  SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
  SECCOMP_USER_NOTIF_FLAG_CONTINUE,
  SeccompNotif,
  SeccompNotifAddfd,
  SeccompNotifResp,
} from "../../../ffi/abi/seccomp.ts";
import type { SeccompListener } from "../listener_file.ts";
import { type Notification, NOTIFY_INIT, NOTIFY_SENT } from "../notifier.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { copyInStruct } from "../../syscalls/copy_struct.ts";

/** The number of Linux 5.0 to 5.17, which encoded a read. */
const ID_VALID_WRONG_DIR = 0x80082102;

/** Parts of an ioctl's number: ADDFD's struct may have any size. */
const NUMBER_MASK = 0xffff, SIZE_SHIFT = 16, SIZE_MASK = 0x3fff;

/** ioctl(2) on a listener (seccomp_unotify(2)): the result or -errno; a receive may wait. */
export function listenerIoctl(
  t: Task,
  file: SeccompListener,
  request: number,
  arg: number,
): number {
  switch (request) {
    case SECCOMP_IOCTL_NOTIF_RECV:
      return receive(t, file, arg);
    case SECCOMP_IOCTL_NOTIF_SEND:
      return send(t, file, arg);
    case SECCOMP_IOCTL_NOTIF_ID_VALID:
    case ID_VALID_WRONG_DIR:
      return isValid(t, file, arg);
    case SECCOMP_IOCTL_NOTIF_SET_FLAGS:
      // The only flag is a hint to the scheduler.
      return (arg & ~SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) !== 0 ? -EINVAL : 0;
    default:
      if ((request & NUMBER_MASK) !== (SECCOMP_IOCTL_NOTIF_ADDFD & NUMBER_MASK)) return -EINVAL;
      return addFd(t, file, arg, (request >>> SIZE_SHIFT) & SIZE_MASK);
  }
}

/** Waits for a call that needs a decision; -ENOENT when no task can make one any more. */
function receive(t: Task, file: SeccompListener, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = SeccompNotif;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  for (let i = 0; i < size; i++) if (u8[i] !== 0) return -EINVAL;
  const n = file.notifier.firstIn(NOTIFY_INIT);
  if (n === null) {
    return file.filter.users === 0 ? -ENOENT : t.waitFor(file.waitQueue, POLLIN | POLLRDNORM);
  }
  t.kernel.scratch.setU53(at.id, n.id);
  dv.setUint32(at.pid, n.task.id.numberIn(t.pids), true);
  for (let i = 0; i < n.data.length; i++) dv.setUint32(at.data + 4 * i, n.data[i]!, true);
  if (t.mm.copyOut(addr, u8, 0, size) !== 0) return -EFAULT;
  n.state = NOTIFY_SENT;
  file.filter.events.wake(POLLOUT | POLLWRNORM);
  return 0;
}

function send(t: Task, file: SeccompListener, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = SeccompNotifResp;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const flags = dv.getUint32(at.flags, true), error = dv.getInt32(at.error, true);
  const value = dv.getUint32(at.val, true) + dv.getInt32(at.val + 4, true) * 0x100000000;
  if ((flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE) !== 0) return -EINVAL;
  if (flags !== 0 && (error !== 0 || value !== 0)) return -EINVAL;
  const n = findNotification(file, dv, at.id);
  if (n === null) return -ENOENT;
  if (n.state !== NOTIFY_SENT) return -EINPROGRESS;
  n.reply(error, value, flags);
  return 0;
}

function isValid(t: Task, file: SeccompListener, addr: number): number {
  const { u8, dv } = t.kernel.scratch;
  if (t.mm.copyIn(u8, 0, addr, 8) !== 0) return -EFAULT;
  return findNotification(file, dv, 0)?.state === NOTIFY_SENT ? 0 : -ENOENT;
}

function findNotification(file: SeccompListener, dv: DataView, at: number): Notification | null {
  const id = dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
  return file.notifier.find(id);
}

/**
 * Installs a descriptor in the waiting task; SECCOMP_ADDFD_FLAG_SEND also makes it the result of
 * its call.
 */
function addFd(t: Task, file: SeccompListener, addr: number, size: number): number {
  const { dv } = t.kernel.scratch, { at } = SeccompNotifAddfd;
  if (size < SeccompNotifAddfd.size || size >= PAGE_SIZE) return -EINVAL;
  const r = copyInStruct(t, addr, size, SeccompNotifAddfd.size);
  if (r < 0) return r;
  const flags = dv.getUint32(at.flags, true), newFd = dv.getUint32(at.newfd, true);
  const newFdFlags = dv.getUint32(at.newfdFlags, true);
  if ((newFdFlags & ~O_CLOEXEC) !== 0) return -EINVAL;
  if ((flags & ~(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) !== 0) return -EINVAL;
  const isChosen = (flags & SECCOMP_ADDFD_FLAG_SETFD) !== 0;
  if (newFd !== 0 && !isChosen) return -EINVAL;
  const source = t.files.get(dv.getInt32(at.srcfd, true));
  if (source === null) return -EBADF;
  const n = findNotification(file, dv, at.id);
  if (n === null) return -ENOENT;
  if (n.state !== NOTIFY_SENT) return -EINPROGRESS;
  const fd = installFile(n.task, source, isChosen ? newFd : -1, newFdFlags !== 0);
  if (fd >= 0 && (flags & SECCOMP_ADDFD_FLAG_SEND) !== 0) n.reply(0, fd, 0);
  return fd;
}

/** @param fd -1: the lowest free descriptor */
function installFile(to: Task, file: OpenFile, fd: number, isCloexec: boolean): number {
  const limit = to.group.limits.get(RLIMIT_NOFILE);
  if (fd >= limit) return -EBADF;
  if (fd >= 0 && to.files.getAny(fd) === null) {
    const r = to.files.install(file, isCloexec, limit, fd);
    if (r >= 0) file.hold();
    return r;
  }
  if (fd >= 0) {
    to.files.replace(fd, file.hold(), isCloexec);
    return fd;
  }
  const r = to.files.install(file, isCloexec, limit);
  if (r >= 0) file.hold();
  return r;
}
