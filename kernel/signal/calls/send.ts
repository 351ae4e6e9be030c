/** Sending signals: kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), pidfd_send_signal(2). */

import { SIGRTMAX } from "../../../ffi/abi/signal.ts";
import { EBADF, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { SI_TKILL, SI_USER, SiginfoRt } from "../../../ffi/abi/siginfo.ts";
import {
  PIDFD_SIGNAL_PROCESS_GROUP,
  PIDFD_SIGNAL_THREAD,
  PIDFD_SIGNAL_THREAD_GROUP,
} from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { TaskDir } from "../../proc/fs/task_dir.ts";
import { mustEnd } from "../../task/alert.ts";
import { PidFd } from "../../task/pidfd.ts";
import { TaskView } from "../../proc/task_view.ts";
import { readGivenInfo } from "../given_info.ts";
import { SigInfo } from "../pending.ts";
import { mayKill } from "../permission.ts";
import { sendToGroup, sendToTask, userSignal } from "../send.ts";
import type { Task } from "../../task/task.ts";
import type { ProcessGroup, ThreadGroup } from "../../task/thread_group.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

/** kill(2). */
export function sysKill(t: Task, a: SyscallArgs): number {
  const { object } = t.progress;
  if (object instanceof ManyKills) return killSome(t, object);
  const pid = a.i32(0), sig = a.i32(1), { pids } = t;
  if (pid === -0x80000000) return -ESRCH;
  if (pid > 0) {
    const group = pids.groups.get(pid) ?? pids.tasks.get(pid)?.group;
    return group === undefined ? -ESRCH : killOne(t, group, sig, userSignal(sig, t));
  }
  if (pid === -1) return killSome(t, new ManyKills(null, sig));
  const pgrp = pid === 0 ? t.group.pgrp : pids.processGroups.get(-pid);
  return pgrp === undefined ? -ESRCH : killSome(t, new ManyKills(pgrp, sig));
}

/** Sends a signal to one process. Number 0 only tests the permission. */
function killOne(t: Task, group: ThreadGroup, sig: number, info: SigInfo): number {
  if (sig < 0 || sig > SIGRTMAX) return -EINVAL;
  const target = group.leader ?? group.tasks[0];
  // A zombie accepts every signal without effect.
  if (target === undefined) return 0;
  if (!mayKill(t, target, sig)) return -EPERM;
  if (sig === 0) return 0;
  comeFrom(t, group, info);
  return sendToGroup(group, info);
}

/**
 * Completes the sender's fields. A sender outside all PID namespaces of the target has no number
 * there, and can kill even its init.
 */
function comeFrom(t: Task, group: ThreadGroup, info: SigInfo): void {
  if (info.raw === null) {
    const to = (group.leader ?? group.tasks[0])?.cred.userNs;
    if (to !== undefined) info.uid = to.shownUid(t.cred.uid);
  }
  if (t.pids === group.pids || group.pids.encloses(t.pids)) return;
  info.pid = 0;
  info.isFromOutside = true;
}

/** LIMIT: processes that are signalled in one turn of the loop. */
export const TURN_KILLS = 256;

/** A signal for many processes, kept in `progress.object` between turns. */
export class ManyKills {
  readonly sig: number;
  /** Null for kill(-1), which skips init and the caller's own process. */
  readonly pgrp: ProcessGroup | null;
  /**
   * The place of the last process that was signalled. A process that is made or joins meanwhile is
   * behind it, and gets the signal too.
   */
  last: number = 0;
  private isSent: boolean = false;
  private error: number;

  constructor(pgrp: ProcessGroup | null, sig: number) {
    this.pgrp = pgrp;
    this.sig = sig;
    this.error = pgrp === null ? 0 : -ESRCH;
  }

  get isForAll(): boolean {
    return this.pgrp === null;
  }

  placeOf(group: ThreadGroup): number {
    return this.pgrp === null ? group.place : group.placeInGroup;
  }

  /**
   * Records one result. The call succeeds when any process got the signal. For kill(-1) processes
   * that the caller may not signal do not count.
   */
  note(r: number): void {
    if (this.isForAll) {
      this.isSent = true;
      if (r !== -EPERM) this.error = r;
    } else if (r === 0) this.isSent = true;
    else this.error = r;
  }

  get result(): number {
    if (this.isForAll) return this.isSent ? this.error : -ESRCH;
    return this.isSent ? 0 : this.error;
  }
}

/**
 * Signals some of the processes: BLOCK, or the result when all are done. No signal interrupts the
 * call. A caller that is killed, perhaps by its own signal, completes it at once: all processes get
 * the signal, as on Linux.
 */
function killSome(t: Task, work: ManyKills): number {
  const { pgrp, isForAll } = work;
  let left = TURN_KILLS;
  for (const group of pgrp === null ? t.pids.groups.values() : pgrp.members) {
    const place = work.placeOf(group);
    if (place <= work.last) continue;
    if (left-- <= 0 && !mustEnd(t)) return continueLater(t, work);
    work.last = place;
    if (isForAll && (group === t.pids.init || group === t.group)) continue;
    work.note(killOne(t, group, work.sig, userSignal(work.sig, t)));
  }
  return work.result;
}

function continueLater(t: Task, work: ManyKills): number {
  t.progress.object = work;
  t.uninterruptible = true;
  return t.yieldTurn();
}

/** tkill(2). */
export function sysTkill(t: Task, a: SyscallArgs): number {
  return a.i32(0) <= 0 ? -EINVAL : signalThread(t, -1, a.i32(0), a.i32(1));
}

/** tgkill(2). */
export function sysTgkill(t: Task, a: SyscallArgs): number {
  if (a.i32(0) <= 0 || a.i32(1) <= 0) return -EINVAL;
  return signalThread(t, a.i32(0), a.i32(1), a.i32(2));
}

function signalThread(t: Task, tgid: number, tid: number, sig: number): number {
  const info = new SigInfo(sig, SI_TKILL);
  info.pid = t.pid;
  info.uid = t.cred.uid;
  return sendToThread(t, tgid, tid, sig, info);
}

function sendToThread(t: Task, tgid: number, tid: number, sig: number, info: SigInfo): number {
  const target = t.pids.tasks.get(tid);
  if (target === undefined || (tgid > 0 && target.group.id.numberIn(t.pids) !== tgid)) {
    return isDeadLeader(t, tgid, tid) ? 0 : -ESRCH;
  }
  if (sig < 0 || sig > SIGRTMAX) return -EINVAL;
  if (!mayKill(t, target, sig)) return -EPERM;
  if (sig === 0) return 0;
  comeFrom(t, target.group, info);
  return sendToTask(target, info);
}

/**
 * True for the id of a dead leader, which stays allocated, and accepts signals, until its process
 * is reaped.
 */
function isDeadLeader(t: Task, tgid: number, tid: number): boolean {
  return (tgid <= 0 || tgid === tid) && t.pids.groups.has(tid);
}

/** rt_sigqueueinfo(2). */
export function sysRtSigqueueinfo(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), sig = a.i32(1);
  const info = userInfo(t, a.u64(2), sig);
  if (typeof info === "number") return info;
  if (isForged(info) && pid !== t.tid) return -EPERM;
  const group = t.pids.groups.get(pid) ?? t.pids.tasks.get(pid)?.group;
  return group === undefined ? -ESRCH : killOne(t, group, sig, info);
}

/** rt_tgsigqueueinfo(2). */
export function sysRtTgsigqueueinfo(t: Task, a: SyscallArgs): number {
  const tgid = a.i32(0), tid = a.i32(1), sig = a.i32(2);
  const info = userInfo(t, a.u64(3), sig);
  if (typeof info === "number") return info;
  if (tgid <= 0 || tid <= 0) return -EINVAL;
  if (isForged(info) && tid !== t.tid) return -EPERM;
  return sendToThread(t, tgid, tid, sig, info);
}

/** Only the kernel may create the codes of kill(2), tkill(2) and of its own signals. */
function isForged(info: SigInfo): boolean {
  return info.code >= 0 || info.code === SI_TKILL;
}

/** The caller's siginfo_t, with the number of the call's argument. */
function userInfo(t: Task, addr: number, sig: number): SigInfo | number {
  const raw = readGivenInfo(t.mm, addr, sig);
  if (typeof raw === "number") return raw;
  const dv = new DataView(raw.buffer);
  const info = new SigInfo(sig, dv.getInt32(SiginfoRt.at.code, true));
  info.raw = raw;
  info.errno = dv.getInt32(SiginfoRt.at.errno, true);
  info.pid = dv.getInt32(SiginfoRt.at.pid, true);
  info.uid = dv.getUint32(SiginfoRt.at.uid, true);
  info.valueLo = dv.getUint32(SiginfoRt.at.value, true);
  info.valueHi = dv.getUint32(SiginfoRt.at.value + 4, true);
  return info;
}

/**
 * The process that a pidfd or an open /proc/PID refers to; -EBADF for other files, -ESRCH when it
 * was reaped.
 */
function groupOf(file: OpenFile | null): ThreadGroup | number {
  if (file instanceof PidFd) return file.group.isReaped ? -ESRCH : file.group;
  if (!(file?.inode instanceof TaskDir) || file.inode.ref.isThread) return -EBADF;
  const task = file.inode.ref.get();
  return task instanceof TaskView ? task.group : -ESRCH;
}

/** pidfd_send_signal(2). */
export function sysPidfdSendSignal(t: Task, a: SyscallArgs): number {
  const { object } = t.progress;
  if (object instanceof ManyKills) return killSome(t, object);
  const sig = a.i32(1), addr = a.u64(2), flags = a.u32(3);
  const known = PIDFD_SIGNAL_THREAD | PIDFD_SIGNAL_THREAD_GROUP | PIDFD_SIGNAL_PROCESS_GROUP;
  // At most one of the target flags.
  if ((flags & ~known) !== 0 || (flags & (flags - 1)) !== 0) return -EINVAL;
  const file = t.files.get(a.i32(0));
  const group = groupOf(file);
  if (group === -EBADF) return -EBADF;
  let info = userSignal(sig, t);
  if (addr !== 0) {
    const given = userInfo(t, addr, sig);
    if (typeof given === "number") return given;
    const signo = t.mm.load32(addr);
    if (signo !== sig) return -EINVAL;
    if (isForged(given) && group !== t.group) return -EPERM;
    info = given;
  }
  if (typeof group === "number") return group;
  // A process outside the caller's PID namespace cannot be signalled through a descriptor either.
  if (!t.pids.encloses(group.pids)) return -EINVAL;
  if (flags === PIDFD_SIGNAL_PROCESS_GROUP) {
    // The process group that it leads, if there is one.
    const led = t.pids.processGroups.get(group.id.numberIn(t.pids));
    return led === undefined ? -ESRCH : killSome(t, new ManyKills(led, sig));
  }
  const thread = file instanceof PidFd ? file.thread : null;
  const toThread = flags === PIDFD_SIGNAL_THREAD || (flags === 0 && thread !== null);
  if (!toThread) return killOne(t, group, sig, info);
  const target = thread ?? group.leader;
  if (target === null) return group.isZombie ? 0 : -ESRCH;
  if (info.raw === null) info.code = SI_USER;
  return sendToThread(t, group.id.numberIn(t.pids), target.id.numberIn(t.pids), sig, info);
}
