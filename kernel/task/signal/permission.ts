/** Who may signal whom: kill(2). */

import { CAP_KILL } from "../../../ffi/abi/capability.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import type { Task } from "../task.ts";
import { SIGCONT } from "./sigset.ts";

/** May `task` send `sig` (0: only the question) to `target`? */
export function mayKill(task: Task, target: Task, sig: number): boolean {
  if (task.group === target.group) return true;
  const from = task.cred, to = target.cred;
  if (from.euid === to.suid || from.euid === to.uid) return true;
  if (from.uid === to.suid || from.uid === to.uid) return true;
  if (hasCapIn(from, to.userNs, CAP_KILL)) return true;
  return sig === SIGCONT && task.group.session === target.group.session;
}
