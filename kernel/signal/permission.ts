/** The permission to send a signal: kill(2). */

import { SIGCONT } from "../../ffi/abi/signal.ts";
import { CAP_KILL } from "../../ffi/abi/capability.ts";
import { LANDLOCK_SCOPE_SIGNAL } from "../../ffi/abi/landlock.ts";
import { hasCapIn } from "../cred/credentials.ts";
import { isScoped } from "../landlock/domain.ts";
import type { Task } from "../task/task.ts";

/** True if `task` may send `sig` to `target`. 0 tests the permission alone. */
export function mayKill(task: Task, target: Task, sig: number): boolean {
  if (task.group === target.group) return true;
  if (isScoped(task.cred.domain, target.cred.domain, LANDLOCK_SCOPE_SIGNAL)) return false;
  const from = task.cred, to = target.cred;
  if (from.euid === to.suid || from.euid === to.uid) return true;
  if (from.uid === to.suid || from.uid === to.uid) return true;
  if (hasCapIn(from, to.userNs, CAP_KILL)) return true;
  return sig === SIGCONT && task.group.session === target.group.session;
}
