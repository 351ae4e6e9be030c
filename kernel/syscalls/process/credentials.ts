/**
 * User and group ids: getuid(2), setuid(2), setresuid(2), setgroups(2) and their families. Rules:
 * cred/change_ids.ts.
 */

import { NGROUPS_MAX } from "../../../ffi/abi/fs.ts";
import { EFAULT, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import * as change from "../../cred/change_ids.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { GROUPS_A_TURN, GroupSort } from "../../cred/group_sort.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import { changeCredentials } from "../../task/change_credentials.ts";
import type { Task } from "../../task/task.ts";

/** Bytes that a sort keeps for each group. */
const SORT_BYTES = 12;

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

/** getgroups(2), some groups a turn: `progress.done` are copied. */
export function sysGetgroups(t: Task, a: SyscallArgs): number {
  const size = a.i32(0), { progress, cred: { groups, userNs } } = t;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) return -EINVAL;
  const from = progress.done, shown = new Uint32Array(turnOf(from, groups.length));
  for (let i = 0; i < shown.length; i++) shown[i] = userNs.shownGid(groups[from + i]!);
  const bytes = new Uint8Array(shown.buffer);
  if (t.mm.copyOut(a.u64(1) + 4 * from, bytes, 0, bytes.length) !== 0) return -EFAULT;
  progress.done += shown.length;
  return progress.done < groups.length ? goOn(t) : groups.length;
}

/** setgroups(2), some groups a turn: `progress.done` are read, then they are put in order. */
export function sysSetgroups(t: Task, a: SyscallArgs): number {
  const { progress } = t, { container } = t.group;
  const sort = progress.object instanceof GroupSort ? progress.object : beginSort(t, a.u32(0));
  if (typeof sort === "number") return sort;
  if (progress.done < a.u32(0)) {
    const r = readGroups(t, sort, a.u64(1), turnOf(progress.done, a.u32(0)));
    if (r < 0) return r;
    if (progress.done < a.u32(0)) return goOn(t);
  }
  if (!sort.merge()) return goOn(t);
  const { groupLists } = container?.accounts ?? t.kernel.accounts;
  const kept = groupLists.sharedList(sort.groups, t.account, sort.hash);
  return kept === null ? -ENOMEM : applyIds(t, change.setgroups(t.cred, kept));
}

function beginSort(t: Task, size: number): GroupSort | number {
  const allowed = change.setgroups(t.cred, []);
  if (typeof allowed === "number") return allowed;
  if (size > NGROUPS_MAX) return -EINVAL;
  if (size > GROUPS_A_TURN && !t.progress.keepBytes(size * SORT_BYTES, t.account)) return -ENOMEM;
  const sort = new GroupSort(size);
  t.progress.object = sort;
  return sort;
}

/** Reads the next `count` groups: 0 or -errno. */
function readGroups(t: Task, sort: GroupSort, addr: number, count: number): number {
  const piece = new Uint32Array(count), bytes = new Uint8Array(piece.buffer);
  const { progress, cred: { userNs } } = t;
  if (t.mm.copyIn(bytes, 0, addr + 4 * progress.done, bytes.length) !== 0) return -EFAULT;
  for (let i = 0; i < count; i++) {
    const gid = userNs.kernelGid(piece[i]!);
    if (gid === NO_ID) return -EINVAL;
    piece[i] = gid;
  }
  sort.add(piece);
  progress.done += count;
  return 0;
}

function turnOf(done: number, count: number): number {
  return Math.min(GROUPS_A_TURN, count - done);
}

/** The call goes on in another turn; Linux does not interrupt it. */
function goOn(t: Task): number {
  t.uninterruptible = true;
  return t.yieldTurn();
}
