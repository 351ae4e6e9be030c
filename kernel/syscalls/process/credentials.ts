/** User and group ids: getuid(2), setuid(2), setresuid(2), setgroups(2) and their families. Rules: cred/change_ids.ts. */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import * as change from "../../cred/change_ids.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { changeCredentials } from "../../task/change_credentials.ts";
import type { Task } from "../../task/task.ts";

/** LIMIT: NGROUPS_MAX. */
const NGROUPS_MAX = 65536;

export function sysGetuid(t: Task): number {
  return t.cred.uid;
}
export function sysGeteuid(t: Task): number {
  return t.cred.euid;
}
export function sysGetgid(t: Task): number {
  return t.cred.gid;
}
export function sysGetegid(t: Task): number {
  return t.cred.egid;
}

function apply(t: Task, cred: Credentials | number): number {
  if (typeof cred === "number") return cred;
  changeCredentials(t, cred);
  return 0;
}

export function sysSetuid(t: Task, a: SyscallArgs): number {
  return apply(t, change.setuid(t.cred, a.u32(0)));
}
export function sysSetgid(t: Task, a: SyscallArgs): number {
  return apply(t, change.setgid(t.cred, a.u32(0)));
}
export function sysSetreuid(t: Task, a: SyscallArgs): number {
  return apply(t, change.setreuid(t.cred, a.u32(0), a.u32(1)));
}
export function sysSetregid(t: Task, a: SyscallArgs): number {
  return apply(t, change.setregid(t.cred, a.u32(0), a.u32(1)));
}
export function sysSetresuid(t: Task, a: SyscallArgs): number {
  return apply(t, change.setresuid(t.cred, a.u32(0), a.u32(1), a.u32(2)));
}
export function sysSetresgid(t: Task, a: SyscallArgs): number {
  return apply(t, change.setresgid(t.cred, a.u32(0), a.u32(1), a.u32(2)));
}

/** The old id, whether or not it was changed. */
export function sysSetfsuid(t: Task, a: SyscallArgs): number {
  const old = t.cred.fsuid;
  changeCredentials(t, change.setfsuid(t.cred, a.u32(0)));
  return old;
}
export function sysSetfsgid(t: Task, a: SyscallArgs): number {
  const old = t.cred.fsgid;
  changeCredentials(t, change.setfsgid(t.cred, a.u32(0)));
  return old;
}

export function sysGetresuid(t: Task, a: SyscallArgs): number {
  const { mm, cred } = t;
  const bad = mm.store32(a.u64(0), cred.uid) || mm.store32(a.u64(1), cred.euid) ||
    mm.store32(a.u64(2), cred.suid);
  return bad === 0 ? 0 : -EFAULT;
}
export function sysGetresgid(t: Task, a: SyscallArgs): number {
  const { mm, cred } = t;
  const bad = mm.store32(a.u64(0), cred.gid) || mm.store32(a.u64(1), cred.egid) ||
    mm.store32(a.u64(2), cred.sgid);
  return bad === 0 ? 0 : -EFAULT;
}

export function sysGetgroups(t: Task, a: SyscallArgs): number {
  const size = a.i32(0), { groups } = t.cred;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) return -EINVAL;
  const bytes = new Uint32Array(groups);
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
  if (groups.includes(change.KEEP_ID)) return -EINVAL;
  return apply(t, change.setgroups(t.cred, [...groups]));
}
