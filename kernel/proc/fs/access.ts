/**
 * Which callers may look into a process, and which user owns its files in /proc (proc(5), ptrace(2)
 * "Ptrace access mode checking"). The caller is judged by its file system ids, wherever it is: a
 * PID namespace that does not show it hides nothing from the check.
 */

import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import { BY_FS_IDS, isPerformanceMonitor, mayAccess } from "../../cred/task_access.ts";
import { INITIAL_USER_NAMESPACE, NO_ID } from "../../cred/user_namespace.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { ProcSource, ProcTask } from "./source.ts";

/** PTRACE_MODE_READ_FSCREDS and PTRACE_MODE_ATTACH_FSCREDS. */
export function mayInspect(source: ProcSource, target: ProcTask): boolean {
  const caller = source.caller();
  if (caller === null) return false;
  return caller.isOf(target) || mayAccess(caller.cred, BY_FS_IDS, target.cred, target.mm);
}

/**
 * The same for all of its memory (mm_access with ATTACH): what the caller runs in itself is open to
 * it.
 */
export function mayAttachMemory(source: ProcSource, target: ProcTask): boolean {
  const isOwn = target.mm !== null && source.caller()?.mm === target.mm;
  return isOwn || mayInspect(source, target);
}

/** What files tell of its memory (mm_access with READ), also to callers with CAP_PERFMON. */
export function mayReadMemory(source: ProcSource, target: ProcTask): boolean {
  const caller = source.caller();
  return (caller !== null && isPerformanceMonitor(caller.cred)) || mayAttachMemory(source, target);
}

/** The directory whose owner always is the process's effective user (`ps` looks there). */
const OPEN_DIR = S_IFDIR | 0o555;

/**
 * Give `inode`, one of `task`'s, its owner: root of where its memory belongs when the process must
 * not be inspected by its own user.
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
