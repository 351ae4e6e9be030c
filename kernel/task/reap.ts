/** Removes the last trace of a process: its id, its place in a process group and a session. */

import { dismissGroup, dismissProcessGroup, dismissSession } from "./pid_namespace.ts";
import type { ProcessGroup, ThreadGroup } from "./thread_group.ts";

/** Removes a zombie that no process may wait for any more. */
export function reapGroup(group: ThreadGroup): void {
  if (group.isReaped) return;
  group.isReaped = true;
  group.lastCred?.userNs.drop();
  group.parent?.children.delete(group);
  dismissGroup(group);
  leaveProcessGroup(group);
  group.container?.groups.delete(group);
  group.account.close();
}

/** Removes a process from its process group, and empty groups and sessions with it. */
function leaveProcessGroup(group: ThreadGroup): void {
  const pgrp = group.pgrp;
  pgrp.members.delete(group);
  if (pgrp.members.size > 0) return;
  dismissProcessGroup(pgrp);
  const session = pgrp.session;
  session.groups.delete(pgrp);
  if (session.groups.size === 0) dismissSession(session);
}

/** Moves a process to another process group. */
export function joinProcessGroup(group: ThreadGroup, pgrp: ProcessGroup): void {
  if (group.pgrp === pgrp) return;
  leaveProcessGroup(group);
  group.pgrp = pgrp;
  pgrp.add(group);
}
