/**
 * Who may look into a process, and who owns its files in /proc (proc(5), ptrace(2) "Ptrace access mode checking").
 */

import { CAP_SYS_PTRACE } from "../../../ffi/abi/capability.ts";
import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import { isSubset } from "../../cred/cap_set.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import { isWithin } from "../../cred/landlock.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { ProcSource, ProcTask } from "./source.ts";

/** PTRACE_MODE_READ_FSCREDS (and ATTACH: there is no security module that tells them apart). */
export function mayInspect(source: ProcSource, target: ProcTask): boolean {
  const caller = source.current();
  if (caller === null || caller.tgid === target.tgid) return true;
  const { cred } = caller, to = target.cred;
  if (!isWithin(to.domain, cred.domain)) return false;
  if (hasCapIn(cred, to.userNs, CAP_SYS_PTRACE)) return true;
  const isSameUser = cred.fsuid === to.euid && cred.fsuid === to.suid && cred.fsuid === to.uid &&
    cred.fsgid === to.egid && cred.fsgid === to.sgid && cred.fsgid === to.gid;
  if (!isSameUser || (target.mm !== null && !target.isDumpable)) return false;
  return cred.userNs === to.userNs && isSubset(to.permitted, cred.effective);
}

/** The directory whose owner always is the process's effective user (`ps` looks there). */
const OPEN_DIR = S_IFDIR | 0o555;

/** Give `inode`, one of `task`'s, its owner: root when the process must not be inspected. */
export function takeOwner(inode: Inode, task: ProcTask): void {
  const isRoots = inode.mode !== OPEN_DIR && (task.mm === null || !task.isDumpable);
  inode.uid = isRoots ? 0 : task.cred.euid;
  inode.gid = isRoots ? 0 : task.cred.egid;
}
