/**
 * mq_notify(2): notify one process of a message to an empty queue, by a signal, or for SIGEV_THREAD
 * by a cookie on a netlink socket that a thread of the C library reads.
 */

import { EBADF, EBUSY, EFAULT, EINVAL, ENOTSOCK } from "../../../ffi/abi/errno.ts";
import {
  SI_MESGQ,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  Sigevent,
} from "../../../ffi/abi/siginfo.ts";
import { SIGRTMAX } from "../../../ffi/abi/signal.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import type { MessageQueue, MqueueNotifier } from "../mqueue/message_queue.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { NetlinkSocket } from "../../net/netlink/netlink_socket.ts";
import { Socket } from "../../net/socket.ts";
import type { Kernel } from "../../task/kernel_services.ts";
import { SigInfo } from "../../signal/pending.ts";
import { sendToGroup } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import type { ThreadGroup } from "../../task/thread_group.ts";
import { queueFile } from "./mqueue.ts";

/** Bytes of the cookie; the kernel sets the last one. */
const COOKIE_LENGTH = 32;
const WOKENUP = 1, REMOVED = 2;

abstract class QueueNotifier implements MqueueNotifier {
  private readonly files: object;
  readonly group: ThreadGroup;
  abstract readonly kind: number;
  readonly signo: number = 0;

  constructor(t: Task) {
    this.files = t.files;
    this.group = t.group;
  }

  /**
   * Whether `files` is the table of the process, or the one it had before execve(2) or
   * close_range(2).
   */
  hasTable(files: object): boolean {
    return files === this.files || this.group.tasks.some((task) => task.files === files);
  }
  get pid(): number {
    return this.group.pid;
  }
  notify(): void {}
  removed(): void {}
}

/** SIGEV_NONE: no notification, but no other process can register. */
export class SilentNotifier extends QueueNotifier {
  override readonly kind = SIGEV_NONE;
}

/**
 * The process registered for the signal, so no permission is checked. Therefore the signal is not
 * sent to a program that the process has executed since, which may have other rights.
 */
export class SignalNotifier extends QueueNotifier {
  override readonly kind = SIGEV_SIGNAL;
  override readonly signo: number;
  private readonly valueLo: number;
  private readonly valueHi: number;
  private readonly kernel: Kernel;
  private readonly mm: MemoryManager;
  private readonly userNs: UserNamespace;

  constructor(t: Task, signo: number, valueLo: number, valueHi: number) {
    super(t);
    this.kernel = t.kernel;
    this.mm = t.mm;
    this.userNs = t.cred.userNs;
    this.signo = signo;
    this.valueLo = valueLo;
    this.valueHi = valueHi;
  }

  override notify(): void {
    const target = this.group.tasks[0];
    // execve(2) always brings another address space.
    if (this.signo === 0 || target?.mm !== this.mm) return;
    const info = new SigInfo(this.signo, SI_MESGQ), sender = this.kernel.current;
    info.pid = sender?.group.id.numberIn(this.group.pids) ?? 0;
    if (sender !== null) info.uid = this.uidOf(sender.cred, target.cred.userNs);
    info.valueLo = this.valueLo;
    info.valueHi = this.valueHi;
    sendToGroup(this.group, info);
  }

  /**
   * The sender's real user id. Linux translates it twice: for the namespace that registered, and as
   * a number of the sender's namespace for the target's (send_signal_locked).
   */
  private uidOf({ uid, userNs }: Credentials, to: UserNamespace): number {
    const shown = this.userNs.shownUid(uid);
    return userNs === to ? shown : to.shownUid(userNs.kernelUid(shown));
  }
}

export class CookieNotifier extends QueueNotifier {
  override readonly kind = SIGEV_THREAD;
  private readonly socket: NetlinkSocket;
  private readonly cookie: Uint8Array<ArrayBuffer>;

  constructor(t: Task, socket: NetlinkSocket, cookie: Uint8Array<ArrayBuffer>) {
    super(t);
    this.socket = socket.hold();
    this.cookie = cookie;
  }

  override notify(): void {
    this.send(WOKENUP);
  }
  override removed(): void {
    this.send(REMOVED);
  }
  /** Drops the socket of a registration that failed. */
  abandon(): void {
    this.socket.drop();
  }
  private send(what: number): void {
    this.cookie[COOKIE_LENGTH - 1] = what;
    this.socket.queueEvent(this.cookie);
    this.socket.drop();
  }
}

/** mq_notify(2). */
export function sysMqNotify(t: Task, a: SyscallArgs): number {
  const notifier = a.u64(1) === 0 ? null : readEvent(t, a.u64(1));
  if (typeof notifier === "number") return notifier;
  const file = queueFile(t, a.i32(0));
  const r = file === null ? -EBADF : register(t, file.inode, notifier);
  if (r < 0 && notifier instanceof CookieNotifier) notifier.abandon();
  return r;
}

/** Registers a process, one at a time; without a notifier removes its own registration. */
function register(t: Task, queue: MessageQueue, notifier: QueueNotifier | null): number {
  const there = queue.notifier;
  if (notifier === null) {
    if (there instanceof QueueNotifier && there.group === t.group) queue.dropNotifier();
    return 0;
  }
  if (there !== null) return -EBUSY;
  queue.notifier = notifier;
  return 0;
}

function readEvent(t: Task, addr: number): QueueNotifier | number {
  const { u8, dv } = t.kernel.scratch, at = Sigevent.at;
  if (t.mm.copyIn(u8, 0, addr, Sigevent.size) !== 0) return -EFAULT;
  const signo = dv.getInt32(at.signo, true);
  const lo = dv.getUint32(at.value, true), hi = dv.getUint32(at.value + 4, true);
  switch (dv.getInt32(at.notify, true)) {
    case SIGEV_NONE:
      return new SilentNotifier(t);
    case SIGEV_SIGNAL:
      if (signo < 0 || signo > SIGRTMAX) return -EINVAL;
      return new SignalNotifier(t, signo, lo, hi);
    case SIGEV_THREAD: {
      const cookie = new Uint8Array(COOKIE_LENGTH);
      if (t.mm.copyIn(cookie, 0, lo + hi * 0x100000000, COOKIE_LENGTH) !== 0) return -EFAULT;
      const socket = t.files.get(signo);
      if (socket === null) return -EBADF;
      if (!(socket instanceof Socket)) return -ENOTSOCK;
      return socket instanceof NetlinkSocket ? new CookieNotifier(t, socket, cookie) : -EINVAL;
    }
    default:
      return -EINVAL;
  }
}
