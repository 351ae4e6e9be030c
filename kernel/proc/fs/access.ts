/**
 * Access checks for the files of a process in /proc, and their owner (proc(5), ptrace(2) "Ptrace
 * access mode checking"). The caller's file system ids count. A PID namespace that does not show
 * the caller hides nothing from the check.
 */

import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import { BY_FS_IDS, isPerformanceMonitor, mayAccess } from "../../cred/task_access.ts";
import { INITIAL_USER_NAMESPACE, NO_ID } from "../../cred/user_namespace.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { ProcSource, ProcTask } from "./source.ts";

/** Whether the caller passes PTRACE_MODE_READ_FSCREDS and PTRACE_MODE_ATTACH_FSCREDS checks. */
export function mayInspect(source: ProcSource, target: ProcTask): boolean {
  const caller = source.caller();
  if (caller === null) return false;
  return caller.isOf(target) || mayAccess(caller.cred, BY_FS_IDS, target.cred, target.mm);
}

/** The check for all of its memory (mm_access with ATTACH); a process may always access its own. */
export function mayAttachMemory(source: ProcSource, target: ProcTask): boolean {
  if (isOwnMemory(source, target)) return true;
  return source.caller()?.isOutOfReach(target) === false && mayInspect(source, target);
}

function isOwnMemory(source: ProcSource, target: ProcTask): boolean {
  return target.mm !== null && source.caller()?.mm === target.mm;
}

/** The check for files about its memory (mm_access with READ); CAP_PERFMON passes it too. */
export function mayReadMemory(source: ProcSource, target: ProcTask): boolean {
  const caller = source.caller();
  if (caller !== null && isPerformanceMonitor(caller.cred)) return true;
  return isOwnMemory(source, target) || mayInspect(source, target);
}

/**
 * The mode of the directory that the process's effective user always owns (`ps` reads the owner).
 */
const OPEN_DIR = S_IFDIR | 0o555;

/**
 * Sets the owner of an inode of `task`: the process's user, or the root of the memory's user
 * namespace if the process is not dumpable.
 */
export function takeOwner(inode: Inode, task: ProcTask): void {
  const { mm } = task;
  if (inode.mode === OPEN_DIR || (mm !== null && mm.isDumpable)) {
    inode.uid = task.cred.euid;
    inode.gid = task.cred.egid;
    return;
  }
  const ns = mm === null ? INITIAL_USER_NAMESPACE : mm.ownerNs;
  const uid = ns.kernelUid(0), gid = ns.kernelGid(0);
  inode.uid = uid === NO_ID ? 0 : uid;
  inode.gid = gid === NO_ID ? 0 : gid;
}
