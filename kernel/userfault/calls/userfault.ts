/** userfaultfd(2). */

import { EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../../../ffi/abi/fcntl.ts";
import { CAP_SYS_PTRACE } from "../../../ffi/abi/capability.ts";
import { UFFD_USER_MODE_ONLY } from "../../../ffi/abi/userfaultfd.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { Userfault } from "../userfault.ts";
import type { Task } from "../../task/task.ts";
import { UserfaultFile } from "../userfault_file.ts";
import { installNew } from "../../syscalls/io/install.ts";

/**
 * userfaultfd(2). Faults of calls need privileges, unless vm.unprivileged_userfaultfd permits them.
 */
export function sysUserfaultfd(t: Task, a: SyscallArgs): number {
  const flags = a.u32(0);
  const isAllowed = (flags & UFFD_USER_MODE_ONLY) !== 0 || hasCap(t.cred, CAP_SYS_PTRACE) ||
    t.kernel.sysctl.number("vm/unprivileged_userfaultfd") !== 0;
  return isAllowed ? newUserfaultfd(t, flags) : -EPERM;
}

/**
 * Makes a descriptor, for the call and for USERFAULTFD_IOC_NEW: a task that may open
 * /dev/userfaultfd has the privilege.
 */
export function newUserfaultfd(t: Task, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)) !== 0) return -EINVAL;
  return installNew(
    t,
    new UserfaultFile(t.account, t.kernel, new Userfault(t.mm, flags)),
    (flags & O_CLOEXEC) !== 0,
  );
}
