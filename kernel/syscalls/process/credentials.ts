/**
 * User and group ids: getuid(2), setuid(2), setresuid(2), setgroups(2) and their families. Rules:
 * cred/change_ids.ts.
 */

import { NGROUPS_MAX } from "../../../ffi/abi/fs.ts";
import { EFAULT, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import * as change from "../../cred/change_ids.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import { changeCredentials } from "../../task/change_credentials.ts";
import type { Task } from "../../task/task.ts";

export function sysGetuid(t: Task): number {
  return t.cred.userNs.shownUid(t.cred.uid);
}
export function sysGeteuid(t: Task): number {
  return t.cred.userNs.shownUid(t.cred.euid);
}
export function sysGetgid(t: Task): number {
  return t.cred.userNs.shownGid(t.cred.gid);
}
export function sysGetegid(t: Task): number {
  return t.cred.userNs.shownGid(t.cred.egid);
}

/**
 * Translates the first `count` arguments to kernel ids; false: one is not mapped in the caller's
 * user namespace.
 */
function uidArgs(t: Task, a: SyscallArgs, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const id = a.u32(i);
    ids[i] = t.cred.userNs.kernelUid(id);
    if (id !== change.KEEP_ID && ids[i] === NO_ID) return false;
  }
  return true;
}
function gidArgs(t: Task, a: SyscallArgs, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const id = a.u32(i);
    ids[i] = t.cred.userNs.kernelGid(id);
    if (id !== change.KEEP_ID && ids[i] === NO_ID) return false;
  }
  return true;
}
const ids = [0, 0, 0];

function applyIds(t: Task, cred: Credentials | number): number {
  if (typeof cred === "number") return cred;
  changeCredentials(t, cred);
  return 0;
}

export function sysSetuid(t: Task, a: SyscallArgs): number {
  if (!uidArgs(t, a, 1)) return -EINVAL;
  return applyIds(t, change.setuid(t.cred, ids[0]!));
}
export function sysSetgid(t: Task, a: SyscallArgs): number {
  if (!gidArgs(t, a, 1)) return -EINVAL;
  return applyIds(t, change.setgid(t.cred, ids[0]!));
}
export function sysSetreuid(t: Task, a: SyscallArgs): number {
  if (!uidArgs(t, a, 2)) return -EINVAL;
  return applyIds(t, change.setreuid(t.cred, ids[0]!, ids[1]!));
}
export function sysSetregid(t: Task, a: SyscallArgs): number {
  if (!gidArgs(t, a, 2)) return -EINVAL;
  return applyIds(t, change.setregid(t.cred, ids[0]!, ids[1]!));
}
export function sysSetresuid(t: Task, a: SyscallArgs): number {
  if (!uidArgs(t, a, 3)) return -EINVAL;
  return applyIds(t, change.setresuid(t.cred, ids[0]!, ids[1]!, ids[2]!));
}
export function sysSetresgid(t: Task, a: SyscallArgs): number {
  if (!gidArgs(t, a, 3)) return -EINVAL;
  return applyIds(t, change.setresgid(t.cred, ids[0]!, ids[1]!, ids[2]!));
}

/** setfsuid(2): returns the old id, whether or not it was changed. */
export function sysSetfsuid(t: Task, a: SyscallArgs): number {
  const { userNs, fsuid } = t.cred;
  changeCredentials(t, change.setfsuid(t.cred, userNs.kernelUid(a.u32(0))));
  return userNs.shownUid(fsuid);
}
export function sysSetfsgid(t: Task, a: SyscallArgs): number {
  const { userNs, fsgid } = t.cred;
  changeCredentials(t, change.setfsgid(t.cred, userNs.kernelGid(a.u32(0))));
  return userNs.shownGid(fsgid);
}

export function sysGetresuid(t: Task, a: SyscallArgs): number {
  const { mm, cred } = t, { userNs } = cred;
  const bad = mm.store32(a.u64(0), userNs.shownUid(cred.uid)) ||
    mm.store32(a.u64(1), userNs.shownUid(cred.euid)) ||
    mm.store32(a.u64(2), userNs.shownUid(cred.suid));
  return bad === 0 ? 0 : -EFAULT;
}
export function sysGetresgid(t: Task, a: SyscallArgs): number {
  const { mm, cred } = t, { userNs } = cred;
  const bad = mm.store32(a.u64(0), userNs.shownGid(cred.gid)) ||
    mm.store32(a.u64(1), userNs.shownGid(cred.egid)) ||
    mm.store32(a.u64(2), userNs.shownGid(cred.sgid));
  return bad === 0 ? 0 : -EFAULT;
}

export function sysGetgroups(t: Task, a: SyscallArgs): number {
  const size = a.i32(0), { groups } = t.cred;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) return -EINVAL;
  const { userNs } = t.cred, bytes = new Uint32Array(groups.map((gid) => userNs.shownGid(gid)));
  const r = t.mm.copyOut(a.u64(1), new Uint8Array(bytes.buffer), 0, bytes.byteLength);
  return r === 0 ? groups.length : -EFAULT;
}

export function sysSetgroups(t: Task, a: SyscallArgs): number {
  const size = a.u32(0);
  const allowed = change.setgroups(t.cred, []);
  if (typeof allowed === "number") return allowed;
  if (size > NGROUPS_MAX) return -EINVAL;
  const groups = new Uint32Array(size);
  const bytes = new Uint8Array(groups.buffer);
  if (size > 0 && t.mm.copyIn(bytes, 0, a.u64(1), bytes.length) !== 0) return -EFAULT;
  const { userNs } = t.cred, { container } = t.group;
  for (let i = 0; i < size; i++) {
    const gid = userNs.kernelGid(groups[i]!);
    if (gid === NO_ID) return -EINVAL;
    groups[i] = gid;
  }
  const { groupLists } = container?.accounts ?? t.kernel.accounts;
  const kept = groupLists.sharedList([...groups.sort()], t.account);
  return kept === null ? -ENOMEM : applyIds(t, change.setgroups(t.cred, kept));
}
