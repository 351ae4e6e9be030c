/**
 * The supported flags and operations of seccomp(2), with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { each, type FlagSet, flagSet, refused } from "../../syscalls/flags/flag_set.ts";

export const SECCOMP_FLAGS: readonly FlagSet[] = [
  flagSet("seccomp", "operation", [
    each("flags_processes.seccomp_operations", "SECCOMP_GET_ACTION_AVAIL SECCOMP_GET_NOTIF_SIZES"),
    refused("EINVAL", "flags_processes.seccomp_operations", "SECCOMP_SET_MODE_STRICT"),
    refused("EFAULT", "flags_processes.seccomp_operations", "SECCOMP_SET_MODE_FILTER"),
  ]),
  flagSet("seccomp (SECCOMP_SET_MODE_FILTER)", "flags", [
    each(
      "flags_processes.filter_flags",
      `SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW
SECCOMP_FILTER_FLAG_NEW_LISTENER SECCOMP_FILTER_FLAG_TSYNC_ESRCH
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`,
    ),
  ]),
  flagSet("seccomp (SECCOMP_SET_MODE_FILTER)", "action", [
    each(
      "flags_processes.filter_actions",
      `SECCOMP_RET_ERRNO SECCOMP_RET_USER_NOTIF SECCOMP_RET_TRACE SECCOMP_RET_LOG
SECCOMP_RET_ALLOW`,
    ),
    refused(
      "EMLINK",
      "flags_processes.filter_actions",
      "SECCOMP_RET_KILL_PROCESS SECCOMP_RET_KILL_THREAD SECCOMP_RET_TRAP",
    ),
  ]),
];
