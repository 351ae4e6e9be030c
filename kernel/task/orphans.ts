/**
 * Process groups that become orphaned: stopped members get SIGHUP and SIGCONT (credentials(7),
 * _Exit of POSIX).
 */

import { SIGCONT, SIGHUP } from "../../ffi/abi/signal.ts";
import { SI_KERNEL } from "../../ffi/abi/siginfo.ts";
import { hasStoppedMember, isOrphaned } from "../signal/job_control.ts";
import { sendToProcessGroup } from "../signal/send.ts";
import type { ThreadGroup } from "./thread_group.ts";

/**
 * `group` lost `parent`, which tied its process group to the session. With `leaving` the group
 * itself ends.
 */
export function hangUpOrphans(
  group: ThreadGroup,
  parent: ThreadGroup | null,
  leaving: ThreadGroup | null,
): void {
  const pgrp = group.pgrp;
  if (parent === null || parent.pgrp === pgrp || parent.session !== pgrp.session) return;
  if (!isOrphaned(pgrp, leaving) || !hasStoppedMember(pgrp)) return;
  sendToProcessGroup(pgrp, SIGHUP, SI_KERNEL);
  sendToProcessGroup(pgrp, SIGCONT, SI_KERNEL);
}
