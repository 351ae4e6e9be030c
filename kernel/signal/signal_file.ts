/**
 * signalfd(2): pending signals as reads. They are the signals of the reading or polling task, not
 * of the task that made the descriptor.
 *
 * DIFFERS: io_uring reads signals of the process, and none of the submitting thread's own.
 */

import { SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP } from "../../ffi/abi/signal.ts";
import { SI_KERNEL, SI_QUEUE, SI_SIGIO, SI_TIMER } from "../../ffi/abi/siginfo.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import type { Account } from "../core/account.ts";
import { EAGAIN, EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import { SignalfdSiginfo } from "../../ffi/abi/epoll.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import type { WaitQueue } from "../core/wait.ts";
import { AnonFile } from "../fs/anonfd/anon_inode.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { Task } from "../task/task.ts";
import { dequeueFrom } from "./dequeue.ts";
import type { SigInfo } from "./pending.ts";
import { SigSet } from "./sigset.ts";

const SIZE = SignalfdSiginfo.size, AT = SignalfdSiginfo.at;
const buffer = new Uint8Array(SIZE);
const view = new DataView(buffer.buffer);

export class SignalFile extends AnonFile {
  /** Signals that it delivers. */
  readonly mask: SigSet = new SigSet();
  /** The task that made it: its signals are read where no task's call is served. */
  private readonly maker: Task;

  /** @param flags O_NONBLOCK or 0 */
  constructor(account: Account, task: Task, flags: number) {
    super(account, task.kernel.anon, O_RDWR | flags);
    this.maker = task;
  }

  private get subject(): Task {
    return this.maker.kernel.current ?? this.maker;
  }

  override get waitQueue(): WaitQueue {
    return this.subject.sighand.arrived;
  }

  override poll(): number {
    const { signals, group } = this.subject, { mask } = this;
    const own = signals.pending.set, shared = group.pending.set;
    const found = ((own.lo | shared.lo) & mask.lo) | ((own.hi | shared.hi) & mask.hi);
    return found !== 0 ? POLLIN : 0;
  }

  override get readsNow(): boolean {
    return true;
  }

  /** Reads as many pending signals as fit. */
  override read(io: IoCursor, _offset: number): number {
    if (io.remaining < SIZE) return -EINVAL;
    let done = 0;
    while (io.remaining >= SIZE) {
      const info = dequeueFrom(this.subject, this.mask);
      if (info === null) break;
      fillInfo(info);
      const n = io.putBytes(buffer, 0, SIZE);
      // A signal whose copy fails is lost.
      if (n < SIZE) return done > 0 ? done : -EFAULT;
      done += n;
    }
    return done > 0 ? done : -EAGAIN;
  }

  /** There is no position; lseek(2) succeeds without effect. */
  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "anon_inode:[signalfd]";
  }

  override fdinfo(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return `sigmask:\t${hex(this.mask.hi)}${hex(this.mask.lo)}\n`;
  }
}

/** Writes struct signalfd_siginfo (signalfd_copyinfo of Linux). */
function fillInfo(info: SigInfo): void {
  buffer.fill(0);
  view.setUint32(AT.signo, info.signo, true);
  view.setInt32(AT.errno, info.errno, true);
  view.setInt32(AT.code, info.code, true);
  if (info.raw !== null) return fillRaw(info.raw);
  if (info.code > 0 && info.code < SI_KERNEL) {
    fillKernelArm(info);
  } else if (info.code === SI_TIMER) {
    view.setUint32(AT.tid, info.timerId, true);
    view.setUint32(AT.overrun, info.status, true);
    setValue(info.valueLo, info.valueHi);
  } else if (info.code === SI_SIGIO) {
    fillPoll(info);
  } else {
    view.setUint32(AT.pid, info.pid, true);
    view.setUint32(AT.uid, info.uid, true);
    if (info.code <= SI_QUEUE) setValue(info.valueLo, info.valueHi);
  }
}

function fillKernelArm(info: SigInfo): void {
  switch (info.signo) {
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
      return setU64(AT.addr, info.addr);
    case SIGCHLD:
      view.setUint32(AT.pid, info.pid, true);
      view.setUint32(AT.uid, info.uid, true);
      view.setInt32(AT.status, info.status, true);
      setU64(AT.utime, info.utimeTicks);
      return setU64(AT.stime, info.stimeTicks);
    case SIGSYS:
      setU64(AT.callAddr, info.addr);
      return view.setInt32(AT.syscall, info.syscall, true);
    default:
      return fillPoll(info);
  }
}

function fillPoll(info: SigInfo): void {
  view.setUint32(AT.band, info.band, true);
  view.setInt32(AT.fd, info.fd, true);
}

/** The siginfo of rt_sigqueueinfo: pid, uid and value at 16, 20, 24. */
function fillRaw(raw: Uint8Array<ArrayBuffer>): void {
  const from = new DataView(raw.buffer, raw.byteOffset);
  view.setInt32(AT.errno, from.getInt32(4, true), true);
  view.setInt32(AT.code, from.getInt32(8, true), true);
  view.setUint32(AT.pid, from.getUint32(16, true), true);
  view.setUint32(AT.uid, from.getUint32(20, true), true);
  setValue(from.getUint32(24, true), from.getUint32(28, true));
}

function setValue(lo: number, hi: number): void {
  view.setUint32(AT.int, lo, true);
  view.setUint32(AT.ptr, lo, true);
  view.setUint32(AT.ptr + 4, hi, true);
}

function setU64(at: number, value: number): void {
  view.setUint32(at, value % 0x100000000, true);
  view.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}
