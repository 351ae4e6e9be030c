/** memfd_create(2), memfd_secret(2). The files are tmpfs's (fs/tmpfs/memfd.ts, secret.ts). */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { MFD_CLOEXEC, O_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { MFD_NAME_MAX } from "../../fs/tmpfs/memfd.ts";
import type { Task } from "../../task/task.ts";
import { installNew } from "../io/install.ts";

export function sysMemfdCreate(t: Task, a: SyscallArgs): number {
  const flags = a.u32(1);
  const name = t.mm.cstring(a.u64(0), MFD_NAME_MAX + 1);
  if (typeof name === "number") return name === -EFAULT ? -EFAULT : -EINVAL;
  const file = t.kernel.memfds.create(name, flags, t.cred);
  return typeof file === "number" ? file : installNew(t, file, (flags & MFD_CLOEXEC) !== 0);
}

export function sysMemfdSecret(t: Task, a: SyscallArgs): number {
  const flags = a.u32(0);
  const file = t.kernel.secrets.create(flags, t.cred);
  return typeof file === "number" ? file : installNew(t, file, (flags & O_CLOEXEC) !== 0);
}
