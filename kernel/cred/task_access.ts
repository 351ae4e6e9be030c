/**
 * May one task look into another, trace it, and use its memory: ptrace(2), "Ptrace access mode
 * checking" (__ptrace_may_access and cap_ptrace_access_check of Linux). Pure: credentials in, an
 * answer out. READ and ATTACH are the same here, since no module of this kernel tells them apart.
 *
 * Neighbours: ptrace/access.ts and proc/fs/access.ts say whose credentials are asked.
 */

import { CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE } from "../../ffi/abi/capability.ts";
import { isSubset } from "./cap_set.ts";
import { type Credentials, hasCap, hasCapIn } from "./credentials.ts";
import { isWithin } from "../landlock/domain.ts";
import type { UserNamespace } from "./user_namespace.ts";

/**
 * The caller is judged by its file system ids and effective capabilities (PTRACE_MODE_FSCREDS):
 * files of /proc.
 */
export const BY_FS_IDS = 0;
/** ... by its real ids and permitted capabilities (PTRACE_MODE_REALCREDS): system calls. */
export const BY_REAL_IDS = 1;

/** What of a process's memory guards the process. */
export interface GuardedMemory {
  /** Its own user may look into it (SUID_DUMP_USER). */
  readonly isDumpable: boolean;
  /**
   * Whose CAP_SYS_PTRACE overrides that: where the program was executed, or further out
   * (mm->user_ns).
   */
  readonly ownerNs: UserNamespace;
}

/**
 * `target` and `memory` (null: a zombie has none) are those of a task of another process: a process
 * may always look into itself.
 */
export function mayAccess(
  caller: Credentials,
  by: typeof BY_FS_IDS | typeof BY_REAL_IDS,
  target: Credentials,
  memory: GuardedMemory | null,
): boolean {
  const isByFs = by === BY_FS_IDS;
  const uid = isByFs ? caller.fsuid : caller.uid, gid = isByFs ? caller.fsgid : caller.gid;
  const isSameUser = uid === target.euid && uid === target.suid && uid === target.uid &&
    gid === target.egid && gid === target.sgid && gid === target.gid;
  const mayTrace = hasCapIn(caller, target.userNs, CAP_SYS_PTRACE);
  if (!isSameUser && !mayTrace) return false;
  if (memory !== null && !memory.isDumpable) {
    if (!hasCapIn(caller, memory.ownerNs, CAP_SYS_PTRACE)) return false;
  }
  const caps = isByFs ? caller.effective : caller.permitted;
  const hasAllCaps = caller.userNs === target.userNs && isSubset(target.permitted, caps);
  return (hasAllCaps || mayTrace) && isWithin(target.domain, caller.domain);
}

/**
 * It may read what any process has in memory where a file shows it, not change it
 * (perfmon_capable).
 */
export function isPerformanceMonitor(cred: Credentials): boolean {
  return hasCap(cred, CAP_PERFMON) || hasCap(cred, CAP_SYS_ADMIN);
}

/**
 * May `parent` become the tracer of a child that asks for it? PTRACE_TRACEME (cap_ptrace_traceme).
 */
export function mayTraceChild(parent: Credentials, child: Credentials): boolean {
  const hasAllCaps = parent.userNs === child.userNs && isSubset(child.permitted, parent.permitted);
  if (!hasAllCaps && !hasCapIn(parent, child.userNs, CAP_SYS_PTRACE)) return false;
  return isWithin(child.domain, parent.domain);
}

/**
 * May a tracer use the memory of its tracee? `tracer` are the credentials that it had when it
 * attached: what the tracee became since may be more (ptracer_capable).
 */
export function mayUseMemory(tracer: Credentials, memory: GuardedMemory): boolean {
  return memory.isDumpable || hasCapIn(tracer, memory.ownerNs, CAP_SYS_PTRACE);
}
