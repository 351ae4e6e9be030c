/** signalfd(2), signalfd4(2). The file behind the descriptor: signal/signal_file.ts. */

import { POLLIN } from "../../../ffi/abi/poll.ts";
import { EBADF, EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { SFD_CLOEXEC, SFD_NONBLOCK } from "../../../ffi/abi/epoll.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { installNew } from "../../syscalls/io/install.ts";
import type { Task } from "../../task/task.ts";
import { SignalFile } from "../signal_file.ts";
import { UNBLOCKABLE_LO } from "../sigset.ts";

const SIGSET_BYTES = 8;

export function sysSignalfd(t: Task, a: SyscallArgs): number {
  return makeSignalfd(t, a, 0);
}

export function sysSignalfd4(t: Task, a: SyscallArgs): number {
  return makeSignalfd(t, a, a.i32(3));
}

/** Makes a new descriptor for fd -1; otherwise sets another mask of an existing one. */
function makeSignalfd(t: Task, a: SyscallArgs, flags: number): number {
  const fd = a.i32(0), addr = a.u64(1);
  if (a.u64(2) !== SIGSET_BYTES) return -EINVAL;
  const lo = t.mm.load32(addr), hi = t.mm.load32(addr + 4);
  if (lo < 0 || hi < 0) return -EFAULT;
  if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) return -EINVAL;
  if (fd === -1) {
    const file = new SignalFile(t.account, t, flags & SFD_NONBLOCK);
    file.mask.set(lo & ~UNBLOCKABLE_LO, hi);
    return installNew(t, file, (flags & SFD_CLOEXEC) !== 0);
  }
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  if (!(file instanceof SignalFile)) return -EINVAL;
  file.mask.set(lo & ~UNBLOCKABLE_LO, hi);
  t.sighand.arrived.wake(POLLIN);
  return fd;
}
