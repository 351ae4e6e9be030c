/** memfd_create(2), memfd_secret(2). The files are tmpfs's (fs/tmpfs/memfd.ts, secret.ts). */

import { EACCES, EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { MFD_CLOEXEC, MFD_EXEC, MFD_NOEXEC_SEAL, O_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { areMemfdFlags, MFD_NAME_MAX } from "../../fs/tmpfs/memfd.ts";
import type { Task } from "../../task/task.ts";
import { installNew } from "../io/install.ts";

export function sysMemfdCreate(t: Task, a: SyscallArgs): number {
  const flags = flagsFor(t, a.u32(1));
  if (flags < 0) return flags;
  const name = t.mm.cstring(a.u64(0), MFD_NAME_MAX + 1);
  if (typeof name === "number") return name === -EFAULT ? -EFAULT : -EINVAL;
  const file = t.kernel.memfds.create(name, flags, t.cred, t.account);
  return typeof file === "number" ? file : installNew(t, file, (flags & MFD_CLOEXEC) !== 0);
}

/**
 * Applies vm.memfd_noexec of the PID namespace to the flags: with 1 a file without MFD_EXEC is
 * sealed against execution; with 2 every other file is refused (EACCES).
 */
function flagsFor(t: Task, asked: number): number {
  const scope = t.pids.memfdScope;
  if (!areMemfdFlags(asked)) return -EINVAL;
  const isOpen = (asked & (MFD_EXEC | MFD_NOEXEC_SEAL)) === 0;
  const flags = isOpen && scope > 0 ? asked | MFD_NOEXEC_SEAL : asked;
  return scope > 1 && (flags & MFD_NOEXEC_SEAL) === 0 ? -EACCES : flags;
}

export function sysMemfdSecret(t: Task, a: SyscallArgs): number {
  const flags = a.u32(0);
  const file = t.kernel.secrets.create(flags, t.cred, t.account);
  return typeof file === "number" ? file : installNew(t, file, (flags & O_CLOEXEC) !== 0);
}
