/**
 * Whether a task may inspect another task, trace it, and use its memory: ptrace(2), "Ptrace access
 * mode checking" (__ptrace_may_access and cap_ptrace_access_check of Linux). Pure functions of
 * credentials. READ and ATTACH are the same here, since no security module distinguishes them.
 *
 * ptrace/access.ts and proc/fs/access.ts choose the credentials and call this.
 */

import { CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE } from "../../ffi/abi/capability.ts";
import { isSubset } from "./cap_set.ts";
import { type Credentials, hasCap, hasCapIn } from "./credentials.ts";
import { isWithin } from "../landlock/domain.ts";
import type { UserNamespace } from "./user_namespace.ts";

/**
 * The check uses the caller's file system ids and effective capabilities (PTRACE_MODE_FSCREDS):
 * files of /proc.
 */
export const BY_FS_IDS = 0;
/**
 * The check uses the caller's real ids and permitted capabilities (PTRACE_MODE_REALCREDS): system
 * calls.
 */
export const BY_REAL_IDS = 1;

/** The properties of a process's memory that protect the process. */
export interface GuardedMemory {
  /** Its own user may read it (SUID_DUMP_USER). */
  readonly isDumpable: boolean;
  /**
   * The user namespace whose CAP_SYS_PTRACE overrides that: the one of the execve(2), or an
   * ancestor (mm->user_ns).
   */
  readonly ownerNs: UserNamespace;
}

/**
 * Whether `caller` may access a task of another process, whose credentials and memory (null for a
 * zombie) are given. A process may always access itself.
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
 * Whether the task may read the memory of any process where a file shows it, without changing it
 * (perfmon_capable).
 */
export function isPerformanceMonitor(cred: Credentials): boolean {
  return hasCap(cred, CAP_PERFMON) || hasCap(cred, CAP_SYS_ADMIN);
}

/**
 * Whether `parent` may become the tracer of a child that calls PTRACE_TRACEME (cap_ptrace_traceme).
 */
export function mayTraceChild(parent: Credentials, child: Credentials): boolean {
  const hasAllCaps = parent.userNs === child.userNs && isSubset(child.permitted, parent.permitted);
  if (!hasAllCaps && !hasCapIn(parent, child.userNs, CAP_SYS_PTRACE)) return false;
  return isWithin(child.domain, parent.domain);
}

/**
 * Whether a tracer may use the memory of its tracee. `tracer` are its credentials of the attach:
 * the tracee may have gained privilege since (ptracer_capable).
 */
export function mayUseMemory(tracer: Credentials, memory: GuardedMemory): boolean {
  return memory.isDumpable || hasCapIn(tracer, memory.ownerNs, CAP_SYS_PTRACE);
}
