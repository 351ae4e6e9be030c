/**
 * Signal-driven I/O (fcntl(2), O_ASYNC): when a file becomes ready, the owner that F_SETOWN named
 * gets SIGIO, or the signal of F_SETSIG. A listener is on the file's wait queue as long as O_ASYNC
 * is set.
 */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import { SIGIO, SIGRTMIN, SIGURG } from "../../../ffi/abi/signal.ts";
import { F_OWNER_PID, F_OWNER_TID } from "../../../ffi/abi/fcntl.ts";
import {
  POLL_ERR,
  POLL_HUP,
  POLL_IN,
  POLL_MSG,
  POLL_OUT,
  POLL_PRI,
  SI_KERNEL,
} from "../../../ffi/abi/siginfo.ts";
import { LANDLOCK_SCOPE_SIGNAL } from "../../../ffi/abi/landlock.ts";
import { isScoped } from "../../landlock/domain.ts";
import { Waiter } from "../../core/wait.ts";
import type { UrgentListener } from "../../net/net_shared.ts";
import type { Socket } from "../../net/socket.ts";
import { SigInfo } from "../../signal/pending.ts";
import { sendToGroup, sendToTask } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import type { ThreadGroup } from "../../task/thread_group.ts";
import type { FileWatcher, OpenFile } from "../../vfs/open_file.ts";
import { EPOLLMSG as POLLMSG } from "../../../ffi/abi/epoll.ts";
import { FileOwner } from "./owner.ts";

/** si_band by si_code (band_table of fs/fcntl.c). */
const BANDS: readonly number[] = [
  0,
  POLLIN | POLLRDNORM,
  POLLOUT | POLLWRNORM | POLLWRBAND,
  POLLIN | POLLRDNORM | POLLMSG,
  POLLERR,
  POLLPRI | POLLRDBAND,
  POLLHUP | POLLERR,
];

export class AsyncListener extends Waiter implements FileWatcher {
  prevWatcher: FileWatcher | null = null;
  nextWatcher: FileWatcher | null = null;
  readonly deferred = null;
  readonly file: OpenFile;
  private readonly fd: number;

  constructor(file: OpenFile, fd: number) {
    super();
    this.file = file;
    this.fd = fd;
  }

  override onWake(events: number): void {
    const { owner } = this.file;
    if (!(owner instanceof FileOwner) || owner.target === null) return;
    const bits = events & (POLLIN | POLLOUT | POLLPRI | POLLERR | POLLHUP);
    if (bits !== 0) signalOwner(owner, bits, this.fd);
  }

  onFileGone(): void {
    setListener(this.file, null);
  }
}

function findListener(file: OpenFile): AsyncListener | null {
  for (let w = file.watchers; w !== null; w = w.nextWatcher) {
    if (w instanceof AsyncListener) return w;
  }
  return null;
}

function setListener(file: OpenFile, listener: AsyncListener | null): void {
  const old = findListener(file);
  if (old !== null) {
    old.unlink();
    file.removeWatcher(old);
  }
  if (listener === null || file.waitQueue === null) return;
  file.addWatcher(listener);
  file.waitQueue.add(listener, 0);
}

/** O_ASYNC was set or cleared through `fd`, which siginfo shows. */
export function setAsync(file: OpenFile, on: boolean, fd: number = -1): void {
  setListener(file, on ? new AsyncListener(file, fd) : null);
}

function infoOf(owner: FileOwner, bits: number, fd: number): SigInfo {
  const sig = owner.signal === 0 ? SIGIO : owner.signal;
  if (owner.signal === 0) return new SigInfo(sig, SI_KERNEL);
  const code = codeOf(bits), info = new SigInfo(sig, code);
  info.band = BANDS[code]!;
  info.fd = fd;
  return info;
}

function codeOf(bits: number): number {
  if (bits & POLLMSG) return POLL_MSG;
  if (bits & POLLIN) return POLL_IN;
  if (bits & POLLOUT) return POLL_OUT;
  if (bits & POLLERR) return POLL_ERR;
  return bits & POLLPRI ? POLL_PRI : POLL_HUP;
}

/**
 * Sends a message signal (POLL_MSG) to the owner of `file`: a lease is being broken, or a directory
 * changed.
 */
export function signalMessage(file: OpenFile, fd: number): void {
  const { owner } = file;
  if (owner instanceof FileOwner && owner.target !== null) signalOwner(owner, POLLMSG, fd);
}

/** Urgent data arrived at a socket: sends SIGURG to the owner, with or without O_ASYNC. */
export function signalUrgent(file: OpenFile | null): void {
  const owner = file?.owner;
  if (!(owner instanceof FileOwner) || owner.target === null) return;
  deliverSignal(owner, new SigInfo(SIGURG, SI_KERNEL));
}

/** As signalUrgent, for sockets of the host, which report urgent data themselves. */
export class UrgentSignals implements UrgentListener {
  onUrgent(socket: Socket): void {
    signalUrgent(socket);
  }
}

/** A full queue of a real-time signal falls back to SIGIO (fcntl(2), F_SETSIG). */
function signalOwner(owner: FileOwner, bits: number, fd: number): void {
  const info = infoOf(owner, bits, fd);
  if (deliverSignal(owner, info) < 0 && info.signo >= SIGRTMIN) {
    deliverSignal(owner, new SigInfo(SIGIO, SI_KERNEL));
  }
}

/** Sends the signal to the process, thread or group that still has the owner's identity. */
function deliverSignal(owner: FileOwner, info: SigInfo): number {
  const { type, target } = owner;
  if (target === null) return 0;
  const { space, nr } = target;
  if (type === F_OWNER_TID) {
    const task = space.tasks.get(nr);
    return task?.id !== target || !mayReach(owner, task) ? 0 : sendToTask(task, info);
  }
  if (type === F_OWNER_PID) {
    const group = space.groups.get(nr);
    return group?.id !== target ? 0 : toGroup(owner, group, info);
  }
  const led = space.processGroups.get(nr);
  if (led?.id === target) { for (const group of [...led.members]) toGroup(owner, group, info); }
  return 0;
}

function toGroup(owner: FileOwner, group: ThreadGroup, info: SigInfo): number {
  const task = group.leader ?? group.tasks[0];
  if (task === undefined || !mayReach(owner, task)) return 0;
  return sendToGroup(group, info);
}

/** The caller of F_SETOWN must have been allowed to signal the target (sigio_perm of Linux). */
function mayReach(owner: FileOwner, target: Task): boolean {
  const { uid, suid } = target.cred;
  if (isScoped(owner.domain, target.cred.domain, LANDLOCK_SCOPE_SIGNAL)) return false;
  return owner.euid === 0 || owner.euid === suid || owner.euid === uid || owner.uid === suid ||
    owner.uid === uid;
}
