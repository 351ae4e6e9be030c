/**
 * The owner of a file, which gets its SIGIO: fcntl(2) F_SETOWN, F_SETOWN_EX, F_SETSIG. It is kept
 * on the open file as a FileOwner. The owner is an identity, not a number, because a number may be
 * reused before the signal. The ids that the setting task had at that time decide whether the owner
 * may be signalled.
 */

import { SIGRTMAX } from "../../../ffi/abi/signal.ts";
import { EFAULT, EINVAL, ESRCH } from "../../../ffi/abi/errno.ts";
import { F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID } from "../../../ffi/abi/fcntl.ts";
import type { Domain } from "../../landlock/domain.ts";
import type { PidNamespace, TaskPid } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";
import type { ProcessGroup, ThreadGroup } from "../../task/thread_group.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

export class FileOwner {
  /** F_OWNER_*: the kind of `target`. */
  type: number = F_OWNER_PID;
  /** Null: no owner is set. */
  target: TaskPid | null = null;
  /** 0: SIGIO without details. */
  signal: number = 0;
  uid: number = 0;
  euid: number = 0;
  /** Domain of landlock(7) of the task that set the owner, unless it is the owner itself. */
  domain: Domain | null = null;
}

function ownerOf(file: OpenFile): FileOwner {
  if (file.owner instanceof FileOwner) return file.owner;
  const owner = new FileOwner();
  file.owner = owner;
  return owner;
}

/** The task, process or group with such an id in `pids`; undefined: none. */
function bearerOf(
  pids: PidNamespace,
  type: number,
  id: number,
): Task | ThreadGroup | ProcessGroup | undefined {
  if (type === F_OWNER_TID) return pids.tasks.get(id);
  return type === F_OWNER_PID ? pids.groups.get(id) : pids.processGroups.get(id);
}

/**
 * The owner's number in the caller's namespace; 0: no owner, it has ended, or it is not visible.
 */
function numberOf(t: Task, { type, target }: FileOwner): number {
  const isThere = target !== null && bearerOf(target.space, type, target.nr)?.id === target;
  return isThere ? target.numberIn(t.pids) : 0;
}

function set(t: Task, file: OpenFile, type: number, id: number): number {
  const bearer = id === 0 ? undefined : bearerOf(t.pids, type, id);
  if (id !== 0 && bearer === undefined) return -ESRCH;
  const owner = ownerOf(file);
  owner.type = type;
  owner.target = bearer?.id ?? null;
  owner.uid = t.cred.uid;
  owner.euid = t.cred.euid;
  const isOwn = type === F_OWNER_TID ? t.pids.tasks.get(id)?.group === t.group : id === t.pid;
  owner.domain = isOwn && type !== F_OWNER_PGRP ? null : t.cred.domain;
  // A poll makes sockets of the host report urgent data.
  file.poll();
  return 0;
}

/** Sets the owner unless one was set. */
export function ownerByDefault(t: Task, file: OpenFile, type: number, id: number): void {
  if (ownerOf(file).target === null) set(t, file, type, id);
}

/** Removes the owner. */
export function dropOwner(file: OpenFile): void {
  const owner = ownerOf(file);
  owner.target = null;
  owner.signal = 0;
}

/** A negative number means a process group. */
export function setOwner(t: Task, file: OpenFile, id: number): number {
  if (id === -0x80000000) return -EINVAL;
  return id < 0 ? set(t, file, F_OWNER_PGRP, -id) : set(t, file, F_OWNER_PID, id);
}

export function getOwner(t: Task, file: OpenFile): number {
  if (!(file.owner instanceof FileOwner)) return 0;
  const { type } = file.owner, id = numberOf(t, file.owner);
  if (type !== F_OWNER_PGRP || id === 0) return id;
  // The result for a process group is a negative int; where that looks like an error, the unsigned
  // 32 bits, of which the caller reads the low half.
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
    t.mm.store32(addr + 4, owner === null ? 0 : numberOf(t, owner)) < 0;
  return failed ? -EFAULT : 0;
}

/**
 * F_GETOWNER_UIDS: real and effective user of the task that set the owner, in the caller's user
 * namespace.
 */
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
