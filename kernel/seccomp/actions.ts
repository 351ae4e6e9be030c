/** The actions of seccomp(2) by name, for /proc/sys/kernel/seccomp and SECCOMP_GET_ACTION_AVAIL. */

import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../ffi/abi/seccomp.ts";

/** In order of precedence. */
const ACTIONS: ReadonlyMap<number, string> = new Map([
  [SECCOMP_RET_KILL_PROCESS, "kill_process"],
  [SECCOMP_RET_KILL_THREAD, "kill_thread"],
  [SECCOMP_RET_TRAP, "trap"],
  [SECCOMP_RET_ERRNO, "errno"],
  [SECCOMP_RET_USER_NOTIF, "user_notif"],
  [SECCOMP_RET_TRACE, "trace"],
  [SECCOMP_RET_LOG, "log"],
  [SECCOMP_RET_ALLOW, "allow"],
]);

/** Whether Linux knows the action (SECCOMP_RET_*, without data). */
export function isAction(action: number): boolean {
  return ACTIONS.has(action);
}

/** The name of an action for logs. */
export function actionName(action: number): string {
  return ACTIONS.get(action) ?? `action ${action.toString(16)}`;
}
