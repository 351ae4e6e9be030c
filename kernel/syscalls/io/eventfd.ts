/** eventfd(2), eventfd2(2). */

import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from "../../../ffi/abi/epoll.ts";
import { EINVAL } from "../../../ffi/abi/errno.ts";
import { O_RDWR } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { EventFile } from "../../fs/anonfd/eventfd.ts";
import type { Task } from "../../task/task.ts";
import { installNew } from "./install.ts";

export function sysEventfd(t: Task, a: SyscallArgs): number {
  return makeEventfd(t, a.u32(0), 0);
}

export function sysEventfd2(t: Task, a: SyscallArgs): number {
  return makeEventfd(t, a.u32(0), a.i32(1));
}

function makeEventfd(t: Task, count: number, flags: number): number {
  if (flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) return -EINVAL;
  const isSemaphore = (flags & EFD_SEMAPHORE) !== 0;
  const file = new EventFile(
    t.account,
    t.kernel.anon,
    O_RDWR | (flags & EFD_NONBLOCK),
    count,
    isSemaphore,
  );
  return installNew(t, file, (flags & EFD_CLOEXEC) !== 0);
}
