/** Who gets SIGIO of a file: fcntl(2) F_SETOWN, F_SETOWN_EX, F_SETSIG. Kept on the description as a FileOwner. */

import { EFAULT, EINVAL, ESRCH } from "../../../ffi/abi/errno.ts";
import { F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID } from "../../../ffi/abi/fcntl.ts";
import type { Domain } from "../../cred/landlock.ts";
import { SIGRTMAX } from "../../task/signal/sigset.ts";
import type { PidNamespace } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

export class FileOwner {
  /** F_OWNER_*, and the id as in `pids`; id 0: nobody. */
  type: number = F_OWNER_PID;
  id: number = 0;
  pids: PidNamespace | null = null;
  /** 0: SIGIO without details. */
  signal: number = 0;
  uid: number = 0;
  euid: number = 0;
  /** Of whoever named it, unless that is the owner itself: landlock(7). */
  domain: Domain | null = null;
}

function ownerOf(file: OpenFile): FileOwner {
  if (file.owner instanceof FileOwner) return file.owner;
  const owner = new FileOwner();
  file.owner = owner;
  return owner;
}

function exists(t: Task, type: number, id: number): boolean {
  const pids = t.pids;
  if (type === F_OWNER_TID) return pids.tasks.has(id);
  return type === F_OWNER_PID ? pids.groups.has(id) : pids.processGroups.has(id);
}

function set(t: Task, file: OpenFile, type: number, id: number): number {
  if (id !== 0 && !exists(t, type, id)) return -ESRCH;
  const owner = ownerOf(file);
  owner.type = type;
  owner.id = id;
  owner.pids = t.pids;
  owner.uid = t.cred.uid;
  owner.euid = t.cred.euid;
  const isOwn = type === F_OWNER_TID ? t.pids.tasks.get(id)?.group === t.group : id === t.pid;
  owner.domain = isOwn && type !== F_OWNER_PGRP ? null : t.cred.domain;
  // Sockets of the host begin to tell of urgent data when somebody asks.
  file.poll();
  return 0;
}

/** Who is signalled if nobody was named yet. */
export function ownerByDefault(t: Task, file: OpenFile, type: number, id: number): void {
  if (ownerOf(file).id === 0) set(t, file, type, id);
}

/** Nobody is signalled any more. */
export function dropOwner(file: OpenFile): void {
  const owner = ownerOf(file);
  owner.id = 0;
  owner.signal = 0;
}

/** A negative number names a process group. */
export function setOwner(t: Task, file: OpenFile, id: number): number {
  if (id === -0x80000000) return -EINVAL;
  return id < 0 ? set(t, file, F_OWNER_PGRP, -id) : set(t, file, F_OWNER_PID, id);
}

export function getOwner(file: OpenFile): number {
  if (!(file.owner instanceof FileOwner)) return 0;
  const { type, id } = file.owner;
  if (type !== F_OWNER_PGRP) return id;
  // A process group is a negative int; beyond the range of errors as the 32 bits that the caller looks at.
  return id < 4096 ? -id : 0x100000000 - id;
}

/** struct f_owner_ex: type s32, pid s32. */
export function setOwnerEx(t: Task, file: OpenFile, addr: number): number {
  const type = t.mm.load32(addr), id = t.mm.load32(addr + 4);
  if (type < 0 || id < 0) return -EFAULT;
  if (type !== F_OWNER_TID && type !== F_OWNER_PID && type !== F_OWNER_PGRP) return -EINVAL;
  return set(t, file, type, id | 0);
}

export function getOwnerEx(t: Task, file: OpenFile, addr: number): number {
  const owner = file.owner instanceof FileOwner ? file.owner : null;
  const failed = t.mm.store32(addr, owner?.type ?? F_OWNER_PID) < 0 ||
    t.mm.store32(addr + 4, owner?.id ?? 0) < 0;
  return failed ? -EFAULT : 0;
}

/** F_GETOWNER_UIDS: real and effective user of who named the owner, as the caller's namespace numbers them. */
export function getOwnerUids(t: Task, file: OpenFile, addr: number): number {
  const owner = file.owner instanceof FileOwner ? file.owner : null;
  const { userNs } = t.cred;
  const failed = t.mm.store32(addr, userNs.shownUid(owner?.uid ?? 0)) < 0 ||
    t.mm.store32(addr + 4, userNs.shownUid(owner?.euid ?? 0)) < 0;
  return failed ? -EFAULT : 0;
}

export function setSignal(file: OpenFile, sig: number): number {
  if (sig < 0 || sig > SIGRTMAX) return -EINVAL;
  ownerOf(file).signal = sig;
  return 0;
}

export function signalOf(file: OpenFile): number {
  return file.owner instanceof FileOwner ? file.owner.signal : 0;
}
