/** exit(2), exit_group(2): a task ends on its way back to guest code (task/return_to_user.ts). */

import { statusExited } from "../../../ffi/abi/wait.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { exitGroup } from "../../task/exit_request.ts";
import type { Task } from "../../task/task.ts";

/** exit(2): this thread alone. */
export function sysExit(t: Task, a: SyscallArgs): number {
  t.exitStatus = statusExited(a.i32(0));
  t.exitRequested = true;
  t.attention = true;
  return 0;
}

/** exit_group(2). */
export function sysExitGroup(t: Task, a: SyscallArgs): number {
  exitGroup(t.group, statusExited(a.i32(0)));
  return 0;
}
