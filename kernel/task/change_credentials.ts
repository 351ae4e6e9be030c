/**
 * Gives a running task new credentials, and updates what depends on them (commit_creds of Linux).
 */

import { CAP_IPC_LOCK } from "../../ffi/abi/capability.ts";
import { isSubset } from "../cred/cap_set.ts";
import { type Credentials, hasCap } from "../cred/credentials.ts";
import { tellIds } from "./process_events.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/**
 * Sets the credentials of the current task. A process whose ids changed can no longer be inspected.
 */
export function changeCredentials(task: Task, cred: Credentials): void {
  const old = task.cred;
  if (old === cred) return;
  task.cred = cred;
  if (old.uid !== cred.uid) chargeTo(task.group, cred.uid);
  tellIds(task, old);
  if (old.uid !== cred.uid || old.userNs !== cred.userNs) task.kernel.clock.accounts.join(task);
  if (old.userNs !== cred.userNs) {
    cred.userNs.hold();
    old.userNs.drop();
  }
  task.mm.limits.mayLockAll = hasCap(cred, CAP_IPC_LOCK);
  task.keyrings.onIdChange(cred);
  const isSame = old.euid === cred.euid && old.egid === cred.egid && old.fsuid === cred.fsuid &&
    old.fsgid === cred.fsgid && gainsNothing(old, cred);
  if (isSame) return;
  task.mm.isDumpable = false;
  task.parentDeathSignal = 0;
}

/** The process has another real user: charges its objects to that user's account. */
function chargeTo(group: ThreadGroup, uid: number): void {
  if (group.container !== null) group.account.moveTo(group.container.accounts.ofUser(uid));
}

/** True if `cred` has no new capability. In its own user namespace a task had them all anyway. */
function gainsNothing(old: Credentials, cred: Credentials): boolean {
  if (old.userNs === cred.userNs) return isSubset(cred.permitted, old.permitted);
  for (let ns = cred.userNs; ns.parent !== null; ns = ns.parent) {
    if (ns.parent === old.userNs && ns.ownerUid === old.euid) return true;
  }
  return false;
}
