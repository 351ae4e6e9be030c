/**
 * set_robust_list(2), get_robust_list(2). The list is walked when the thread ends:
 * futex/robust_list.ts.
 */

import { EFAULT, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { RobustListHead } from "../../../ffi/abi/futex.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import { mayAccessByReal } from "../../ptrace/access.ts";

/** set_robust_list(2): 0, or -EINVAL for another size. */
export function sysSetRobustList(t: Task, a: SyscallArgs): number {
  if (a.u64(1) !== RobustListHead.size) return -EINVAL;
  t.robustList = a.u64(0);
  return 0;
}

/** get_robust_list(2): 0, -ESRCH, -EPERM or -EFAULT. */
export function sysGetRobustList(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0);
  const target = pid === 0 ? t : t.pids.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (!mayAccessByReal(t, target)) return -EPERM;
  if (t.mm.store64(a.u64(2), RobustListHead.size) !== 0) return -EFAULT;
  return t.mm.store64(a.u64(1), target.robustList) === 0 ? 0 : -EFAULT;
}
