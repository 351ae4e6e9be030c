/** Calls on descriptors: close(2), dup(2), fcntl(2), ioctl(2), close_range(2), lseek(2). */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  EACCES,
  EBADF,
  EFAULT,
  EINVAL,
  ENOMEM,
  ENOTTY,
  ENXIO,
  EPERM,
  ESPIPE,
} from "../../../ffi/abi/errno.ts";
import {
  CLOSE_RANGE_CLOEXEC,
  CLOSE_RANGE_UNSHARE,
  F_ADD_SEALS,
  F_CREATED_QUERY,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_DUPFD_QUERY,
  F_GET_RW_HINT,
  F_GET_SEALS,
  F_GETFD,
  F_GETFL,
  F_GETLEASE,
  F_GETLK,
  F_GETOWN,
  F_GETOWN_EX,
  F_GETOWNER_UIDS,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_NOTIFY,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_SET_RW_HINT,
  F_SETFD,
  F_SETFL,
  F_SETLEASE,
  F_SETLK,
  F_SETLKW,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETPIPE_SZ,
  F_SETSIG,
  FASYNC,
  FD_CLOEXEC,
  O_APPEND,
  O_CLOEXEC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  RWH_WRITE_LIFE_EXTREME,
} from "../../../ffi/abi/fcntl.ts";
import {
  FIOASYNC,
  FIOCLEX,
  FIONBIO,
  FIONCLEX,
  FIONREAD,
  FIOQSIZE,
} from "../../../ffi/abi/ioctl.ts";
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import {
  FICLONE,
  FICLONERANGE,
  FIDEDUPERANGE,
  FIFREEZE,
  FIGETBSZ,
  FITHAW,
  FS_APPEND_FL,
  FS_IOC_FIEMAP,
  FS_IOC_GETFSSYSFSPATH,
  FS_IOC_GETFSUUID,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "../../../ffi/abi/fs.ts";
import { LANDLOCK_ACCESS_FS_IOCTL_DEV } from "../../../ffi/abi/landlock.ts";
import { FIOGETOWN, FIOSETOWN, SIOCGPGRP, SIOCGSKNS, SIOCSPGRP } from "../../../ffi/abi/socket.ts";
import { USERFAULTFD_IOC_NEW } from "../../../ffi/abi/userfaultfd.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { ownsOrCapable } from "../../cred/permission.ts";
import { UserfaultDevice } from "../../fs/devfs/memory_devices.ts";
import { LoopControlFile, LoopFile } from "../../fs/devfs/loop.ts";
import { addSeals, getSeals } from "../../fs/tmpfs/memfd.ts";
import { PipeFile } from "../../ipc/pipe.ts";
import { Socket } from "../../net/socket.ts";
import { EpollFile } from "../../epoll/epoll_file.ts";
import { PidFd } from "../../task/pidfd.ts";
import { SeccompListener } from "../../seccomp/listener_file.ts";
import { CLOSES_A_TURN } from "../../vfs/fd_table.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { newUserfaultfd } from "../../userfault/calls/userfault.ts";
import { pidfdRequest } from "../process/pidfd.ts";
import { listenerIoctl } from "../../seccomp/calls/seccomp_listener.ts";
import { epollRequest } from "../../epoll/calls/epoll.ts";
import { fileRequest, PASSED } from "../fs/file_requests.ts";
import { setAsync } from "./async.ts";
import { notifyOfDirectory } from "./dnotify.ts";
import { changeLease, leaseOf } from "./lease.ts";
import { getLock, setLock } from "./locks.ts";
import { controlLoops, loopRequest } from "./loop_requests.ts";
import {
  getOwner,
  getOwnerEx,
  getOwnerUids,
  setOwner,
  setOwnerEx,
  setSignal,
  signalOf,
} from "./owner.ts";

/** Flags that F_SETFL changes. */
const SETFL_MASK = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC;

/**
 * Requests on devices that landlock(7) does not restrict, because the VFS handles them
 * (is_masked_device_ioctl of Linux).
 */
const FREE_REQUESTS: ReadonlySet<number> = new Set([
  FIOCLEX,
  FIONCLEX,
  FIONBIO,
  FIOASYNC,
  FIOQSIZE,
  FIFREEZE,
  FITHAW,
  FS_IOC_FIEMAP,
  FIGETBSZ,
  FICLONE,
  FICLONERANGE,
  FIDEDUPERANGE,
  FS_IOC_GETFSUUID,
  FS_IOC_GETFSSYSFSPATH,
]);

export function fdLimit(t: Task): number {
  return t.group.limits.get(RLIMIT_NOFILE);
}

export function sysClose(t: Task, a: SyscallArgs): number {
  return t.files.close(a.i32(0));
}

/**
 * close_range(2), a bounded number of descriptors a turn. Only a fatal signal interrupts it, as on
 * Linux.
 *
 * DIFFERS: between the turns other threads see a part closed.
 */
export function sysCloseRange(t: Task, a: SyscallArgs): number {
  const first = a.u32(0), last = a.u32(1), flags = a.u32(2);
  if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last) return -EINVAL;
  const { progress } = t;
  if (flags & CLOSE_RANGE_UNSHARE && t.files.refs > 1 && progress.step === 0) {
    if (!t.files.mayCopy(t.account)) return -ENOMEM;
    const own = t.files.copy(t.account);
    t.files.drop();
    t.files = own;
  }
  const from = progress.step === 0 ? first : progress.value, onlyMark = flags & CLOSE_RANGE_CLOEXEC;
  progress.step = 1;
  progress.value = t.files.closeRange(from, last, onlyMark !== 0, CLOSES_A_TURN);
  if (progress.value < 0) return 0;
  t.uninterruptible = true;
  return t.yieldTurn();
}

export function sysDup(t: Task, a: SyscallArgs): number {
  return t.files.dup(a.i32(0), false, fdLimit(t));
}

export function sysDup2(t: Task, a: SyscallArgs): number {
  return t.files.dupTo(a.i32(0), a.i32(1), false, fdLimit(t));
}

export function sysDup3(t: Task, a: SyscallArgs): number {
  const flags = a.i32(2);
  if (flags & ~O_CLOEXEC || a.i32(0) === a.i32(1)) return -EINVAL;
  return t.files.dupTo(a.i32(0), a.i32(1), flags !== 0, fdLimit(t));
}

/** fcntl(2). Commands permitted for an O_PATH descriptor come first. */
export function sysFcntl(t: Task, a: SyscallArgs): number {
  const fd = a.i32(0), command = a.i32(1), arg = a.i32(2);
  const any = t.files.getAny(fd);
  if (any === null) return -EBADF;
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      if (arg < 0 || arg >= fdLimit(t)) return -EINVAL;
      return t.files.dup(fd, command === F_DUPFD_CLOEXEC, fdLimit(t), arg);
    case F_GETFD:
      return t.files.isCloexec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      t.files.setCloexec(fd, (arg & FD_CLOEXEC) !== 0);
      return 0;
    case F_GETFL:
      return any.flags;
    case F_CREATED_QUERY:
      return any.isCreated ? 1 : 0;
    case F_DUPFD_QUERY: {
      const other = t.files.getAny(arg);
      return other === null ? -EBADF : other === any ? 1 : 0;
    }
  }
  const file = t.files.get(fd);
  return file === null ? -EBADF : control(t, file, command, a);
}

function control(t: Task, file: OpenFile, command: number, a: SyscallArgs): number {
  const arg = a.i32(2), addr = a.u64(2);
  switch (command) {
    case F_SETFL:
      return setFlags(t, file, arg, a.i32(0));
    case F_GETLK:
    case F_OFD_GETLK:
      return getLock(t, file, addr, command === F_OFD_GETLK);
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW: {
      const isOfd = command === F_OFD_SETLK || command === F_OFD_SETLKW;
      return setLock(t, file, addr, isOfd, command === F_SETLKW || command === F_OFD_SETLKW);
    }
    case F_SETOWN:
      return setOwner(t, file, arg);
    case F_GETOWN:
      return getOwner(t, file);
    case F_SETOWN_EX:
      return setOwnerEx(t, file, addr);
    case F_GETOWN_EX:
      return getOwnerEx(t, file, addr);
    case F_GETOWNER_UIDS:
      return getOwnerUids(t, file, addr);
    case F_SETSIG:
      return setSignal(file, arg);
    case F_GETSIG:
      return signalOf(file);
    case F_SETLEASE:
      return changeLease(t, file, arg, a.i32(0));
    case F_GETLEASE:
      return leaseOf(file);
    case F_NOTIFY:
      return notifyOfDirectory(t, file, arg, a.i32(0));
    case F_SETPIPE_SZ:
      return file instanceof PipeFile ? file.pipe.resize(a.u64(2)) : -EBADF;
    case F_GETPIPE_SZ:
      return file instanceof PipeFile ? file.pipe.capacity : -EBADF;
    case F_ADD_SEALS:
      return addSeals(file, arg);
    case F_GET_SEALS:
      return getSeals(file);
    case F_GET_RW_HINT:
      return t.mm.store64(addr, file.inode.writeHint);
    case F_SET_RW_HINT:
      return setWriteHint(t, file, addr);
    default:
      return -EINVAL;
  }
}

function setFlags(t: Task, file: OpenFile, flags: number, fd: number): number {
  const isLost = (file.flags & ~flags & O_APPEND) !== 0;
  if (isLost && (file.inode.fileFlags & FS_APPEND_FL) !== 0) return -EPERM;
  if (flags & O_NOATIME && !(file.flags & O_NOATIME)) {
    const owns = ownsOrCapable(file.inode, t.cred);
    if (!owns) return -EPERM;
  }
  const isPipe = (file.inode.mode & S_IFMT) === S_IFIFO;
  if ((flags & O_DIRECT) !== 0 && !isPipe && !file.canDirect) return -EINVAL;
  const kept = file.flags & ~SETFL_MASK;
  if ((flags & FASYNC) !== (file.flags & FASYNC) && file.canSignal) {
    setAsync(file, (flags & FASYNC) !== 0, fd);
  }
  file.flags = kept | (flags & SETFL_MASK);
  return 0;
}

/** F_SET_RW_HINT: expected lifetime of written data; kept and shown. */
function setWriteHint(t: Task, file: OpenFile, addr: number): number {
  if (!ownsOrCapable(file.inode, t.cred)) return -EPERM;
  const hint = t.mm.load64(addr);
  if (hint < 0) return -EFAULT;
  if (hint > RWH_WRITE_LIFE_EXTREME) return -EINVAL;
  file.inode.writeHint = hint;
  return 0;
}

/** The owner of a socket's signals by the old ioctls; -ENOTTY for other requests. */
function socketIoctl(t: Task, file: Socket, request: number, arg: number): number {
  switch (request) {
    case FIOSETOWN:
    case SIOCSPGRP: {
      const id = t.mm.load32(arg);
      return id < 0 ? -EFAULT : setOwner(t, file, id | 0);
    }
    case FIOGETOWN:
    case SIOCGPGRP:
      return t.mm.store32(arg, getOwner(t, file));
    case SIOCGSKNS:
      if (!file.net.isCapable(t.cred, CAP_NET_ADMIN)) return -EPERM;
      return t.kernel.namespaceFiles.openFor(file.net);
    default:
      return -ENOTTY;
  }
}

/** ioctl(2): handles the requests of every descriptor; the file handles the rest. */
export function sysIoctl(t: Task, a: SyscallArgs): number {
  const fd = a.i32(0), request = a.u32(1), arg = a.u64(2);
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  if ((file.deniedLater & LANDLOCK_ACCESS_FS_IOCTL_DEV) !== 0 && !FREE_REQUESTS.has(request)) {
    return -EACCES;
  }
  if (file instanceof Socket) {
    const r = socketIoctl(t, file, request, arg);
    if (r !== -ENOTTY) return r;
  }
  switch (request) {
    case FIOCLEX:
    case FIONCLEX:
      t.files.setCloexec(fd, request === FIOCLEX);
      return 0;
    case FIONBIO:
    case FIOASYNC: {
      const on = t.mm.load32(arg);
      if (on < 0) return -EFAULT;
      const bit = request === FIONBIO ? O_NONBLOCK : FASYNC;
      const changes = (on !== 0) !== ((file.flags & bit) !== 0);
      if (bit === FASYNC && changes && !file.canSignal) return -ENOTTY;
      return setFlags(t, file, on !== 0 ? file.flags | bit : file.flags & ~bit, fd);
    }
    case FIONREAD:
      if ((file.inode.mode & S_IFMT) !== S_IFREG) return file.ioctl(request, arg, t.mm);
      return t.mm.store32(arg, Math.max(0, file.inode.size - file.pos));
    case FIOQSIZE: {
      const type = file.inode.mode & S_IFMT;
      if (type !== S_IFREG && type !== S_IFDIR) return -ENOTTY;
      return t.mm.store64(arg, file.inode.size);
    }
    default: {
      const r = fileRequest(t, file, request, a);
      if (r !== PASSED) return r;
      if (file instanceof LoopFile) return loopRequest(t, file, request, a);
      if (file instanceof LoopControlFile) return controlLoops(file, request, a.i32(2));
      if (file instanceof UserfaultDevice) {
        return request === USERFAULTFD_IOC_NEW ? newUserfaultfd(t, arg) : -EINVAL;
      }
      if (file instanceof SeccompListener) return listenerIoctl(t, file, request, arg);
      if (file instanceof EpollFile) return epollRequest(t, file, request, arg);
      if (file instanceof PidFd) return pidfdRequest(t, file, request, arg);
      return file.ioctl(request, arg, t.mm);
    }
  }
}

/**
 * lseek(2). The file handles SEEK_DATA and SEEK_HOLE, and may refuse or set the position itself.
 */
export function sysLseek(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  const offset = a.i64(1), whence = a.u32(2);
  if (whence > SEEK_HOLE) return -EINVAL;
  if (!file.isSeekable) return file.seek(offset, whence);
  if (file.isRewound) return file.pos = 0;
  let pos: number;
  switch (whence) {
    case SEEK_SET:
      pos = offset;
      break;
    case SEEK_CUR:
      pos = file.pos + offset;
      break;
    case SEEK_END: {
      const r = file.inode.refresh();
      if (r < 0) return r;
      pos = file.endOffset + offset;
      break;
    }
    case SEEK_DATA:
    case SEEK_HOLE:
      if (offset < 0) return -ENXIO;
      pos = file.seek(offset, whence);
      if (pos === -ESPIPE) return -EINVAL;
      if (pos < 0) return pos;
      break;
    default:
      return -EINVAL;
  }
  if (pos < 0 || pos > Number.MAX_SAFE_INTEGER) return -EINVAL;
  file.pos = pos;
  return pos;
}
