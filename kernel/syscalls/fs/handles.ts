/** name_to_handle_at(2), open_by_handle_at(2): no file system here exports handles. */

import { EINVAL, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { CAP_DAC_READ_SEARCH } from "../../../ffi/abi/capability.ts";
import { AT_EMPTY_PATH, AT_HANDLE_FID, AT_SYMLINK_FOLLOW } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { Task } from "../../task/task.ts";

export function sysNameToHandleAt(_t: Task, a: SyscallArgs): number {
  const known = AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID;
  return (a.i32(4) & ~known) !== 0 ? -EINVAL : -EOPNOTSUPP;
}

export function sysOpenByHandleAt(t: Task, _a: SyscallArgs): number {
  return hasCap(t.cred, CAP_DAC_READ_SEARCH) ? -EOPNOTSUPP : -EPERM;
}
