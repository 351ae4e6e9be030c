/**
 * epoll_create(2), epoll_ctl(2), epoll_wait(2), epoll_pwait(2), epoll_pwait2(2),
 * ioctl_eventpoll(2).
 */

import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import { EBADF, EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import {
  EP_MAX_EVENTS,
  EPIOCGPARAMS,
  EPIOCSPARAMS,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EpollEvent,
  EpollParams,
  EPOLLWAKEUP,
} from "../../../ffi/abi/epoll.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { hasCap } from "../../cred/credentials.ts";
import { EpollFile } from "../epoll_file.ts";
import { isRestartCode } from "../../task/return_to_user.ts";
import { restoreMask } from "../../signal/mask.ts";
import type { Task } from "../../task/task.ts";
import { readTimeout } from "../../syscalls/timespec.ts";
import { installNew } from "../../syscalls/io/install.ts";
import { useMask } from "../../syscalls/io/poll.ts";

const DATA_AT = EpollEvent.at.data, EVENT_BYTES = EpollEvent.size;

export function sysEpollCreate(t: Task, a: SyscallArgs): number {
  return a.i32(0) <= 0 ? -EINVAL : installNew(t, newSet(t), false);
}

export function sysEpollCreate1(t: Task, a: SyscallArgs): number {
  const flags = a.i32(0);
  return flags & ~EPOLL_CLOEXEC ? -EINVAL : installNew(t, newSet(t), flags !== 0);
}

function newSet(t: Task): EpollFile {
  return new EpollFile(t.account, t.kernel.anon, t.fs.namespace.vfs.deferred);
}

export function sysEpollCtl(t: Task, a: SyscallArgs): number {
  const op = a.i32(1), fd = a.i32(2), addr = a.u64(3);
  let events = 0, dataLo = 0, dataHi = 0;
  if (op !== EPOLL_CTL_DEL) {
    events = t.mm.load32(addr);
    dataLo = t.mm.load32(addr + DATA_AT);
    dataHi = t.mm.load32(addr + DATA_AT + 4);
    if (events < 0 || dataLo < 0 || dataHi < 0) return -EFAULT;
  }
  const set = t.files.get(a.i32(0)), file = t.files.get(fd);
  if (set === null || file === null) return -EBADF;
  if (!(set instanceof EpollFile)) return -EINVAL;
  // The sandbox cannot suspend the machine.
  events &= ~EPOLLWAKEUP;
  switch (op) {
    case EPOLL_CTL_ADD:
      return set.add(file, fd, events, dataLo, dataHi);
    case EPOLL_CTL_MOD:
      return set.modify(file, fd, events, dataLo, dataHi);
    case EPOLL_CTL_DEL:
      return set.delete(file, fd);
    default:
      return -EINVAL;
  }
}

/**
 * LIMIT: items that one call checks in one turn of the loop: it may return fewer events than there
 * are.
 */
const ITEMS_A_TURN = 1024;

/** HOT */
export function sysEpollWait(t: Task, a: SyscallArgs): number {
  setDeadlineMs(t, a.i32(3));
  return waitForEvents(t, a);
}

export function sysEpollPwait(t: Task, a: SyscallArgs): number {
  setDeadlineMs(t, a.i32(3));
  return withMask(t, a);
}

/** epoll_pwait2(2): the time-out is a timespec. */
export function sysEpollPwait2(t: Task, a: SyscallArgs): number {
  if (t.progress.deadlineNs < 0) {
    const r = readTimeout(t, a.u64(3));
    if (r < 0) return r;
  }
  return withMask(t, a);
}

function setDeadlineMs(t: Task, timeoutMs: number): void {
  if (t.progress.deadlineNs >= 0) return;
  if (timeoutMs < 0) t.progress.deadlineNs = Infinity;
  else t.progress.deadlineNs = timeoutMs === 0 ? 0 : t.kernel.now() + timeoutMs * 1e6;
}

function withMask(t: Task, a: SyscallArgs): number {
  const r = useMask(t, a.u64(4), a.u64(5));
  if (r < 0) return r;
  const n = waitForEvents(t, a);
  if (n !== BLOCK && !isRestartCode(n)) restoreMask(t);
  return n;
}

function waitForEvents(t: Task, a: SyscallArgs): number {
  const addr = a.u64(1), max = a.i32(2);
  if (max <= 0 || max > EP_MAX_EVENTS) return -EINVAL;
  if (addr + max * EVENT_BYTES > t.mm.layout.maxAddress) return -EFAULT;
  const set = t.files.get(a.i32(0));
  if (set === null) return -EBADF;
  if (!(set instanceof EpollFile)) return -EINVAL;
  const n = storeEvents(t, set, addr, max);
  if (n !== 0) return n;
  // More items were ready than one turn checks, and the checked ones are not ready any more.
  if (set.scanEnd !== null) return t.yieldTurn();
  const { deadlineNs } = t.progress;
  if (deadlineNs !== Infinity && (deadlineNs === 0 || t.kernel.now() >= deadlineNs)) return 0;
  const r = t.waitFor(set.waitQueue, 0);
  return r === BLOCK ? t.waitUntil(deadlineNs) : r;
}

/**
 * Stores ready events, at most `max`: their number, or -EFAULT when the first one cannot be stored.
 * HOT
 */
function storeEvents(t: Task, set: EpollFile, addr: number, max: number): number {
  const { mm } = t, end = set.scanEnd;
  if (end === null) return 0;
  let n = 0;
  for (let left = ITEMS_A_TURN; n < max && left > 0; left--) {
    const item = set.shiftReady();
    if (item === null) break;
    const bits = item.readyBits();
    if (bits !== 0) {
      const at = addr + n * EVENT_BYTES;
      const failed = mm.store32(at, bits) < 0 || mm.store32(at + DATA_AT, item.dataLo) < 0 ||
        mm.store32(at + DATA_AT + 4, item.dataHi) < 0;
      if (failed) {
        set.unshiftReady(item);
        return n > 0 ? n : -EFAULT;
      }
      set.reported(item);
      n++;
    }
    if (item === end) break;
  }
  return n;
}

/** Greatest number of packets of a device poll without privileges. */
const NAPI_POLL_WEIGHT = 64;

const params = new Uint8Array(EpollParams.size), paramsView = new DataView(params.buffer);

/** ioctl_eventpoll(2): busy-poll settings of the set. */
export function epollRequest(t: Task, set: EpollFile, request: number, arg: number): number {
  const { size, at } = EpollParams;
  if (request === EPIOCGPARAMS) return t.mm.copyOut(arg, set.busyPoll, 0, size) < 0 ? -EFAULT : 0;
  if (request !== EPIOCSPARAMS) return -EINVAL;
  if (t.mm.copyIn(params, 0, arg, size) < 0) return -EFAULT;
  if (params[at.pad] !== 0) return -EINVAL;
  if (paramsView.getInt32(at.busyPollUsecs, true) < 0) return -EINVAL;
  if (params[at.preferBusyPoll]! > 1) return -EINVAL;
  const isMuch = paramsView.getUint16(at.busyPollBudget, true) > NAPI_POLL_WEIGHT;
  if (isMuch && !hasCap(t.cred, CAP_NET_ADMIN)) return -EPERM;
  set.busyPoll.set(params);
  return 0;
}
