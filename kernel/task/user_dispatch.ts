/**
 * Syscall user dispatch (PR_SET_SYSCALL_USER_DISPATCH of prctl(2)): calls from outside a range of
 * code raise SIGSYS, while a byte of the program permits it. It serves programs that emulate
 * another system. Children and new programs begin without it.
 */

import { SIGSEGV, SIGSYS } from "../../ffi/abi/signal.ts";
import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import {
  PR_SYS_DISPATCH_OFF,
  PR_SYS_DISPATCH_ON,
  SYSCALL_DISPATCH_FILTER_ALLOW as ALLOW,
  SYSCALL_DISPATCH_FILTER_BLOCK as BLOCK,
} from "../../ffi/abi/prctl.ts";
import { SYS_USER_DISPATCH } from "../../ffi/abi/siginfo.ts";
import { killGroup } from "./exit_request.ts";
import { forceSignal } from "../signal/send.ts";
import { SigInfo } from "../signal/pending.ts";
import { ENTRY_DISPATCH, type Task } from "./task.ts";

export interface UserDispatch {
  /** Start of the code whose calls are always served. */
  readonly start: number;
  readonly length: number;
  /** Address of the selector byte; 0: all other calls raise SIGSYS. */
  readonly selector: number;
}

/** Sets PR_SYS_DISPATCH_ON or OFF, by the task itself or its tracer: 0 or -errno. */
export function changeUserDispatch(
  task: Task,
  mode: number,
  start: number,
  length: number,
  selector: number,
): number {
  if (mode === PR_SYS_DISPATCH_ON) return setUserDispatch(task, { start, length, selector });
  if (mode !== PR_SYS_DISPATCH_OFF || start + length + selector !== 0) return -EINVAL;
  return setUserDispatch(task, null);
}

/** 0; -EINVAL for a range that wraps; -EFAULT for a byte outside of user memory. */
export function setUserDispatch(task: Task, wanted: UserDispatch | null): number {
  if (wanted !== null) {
    const { start, length, selector } = wanted;
    if (start !== 0 && (length === 0 || start + length >= 2 ** 64)) return -EINVAL;
    if (selector >= task.mm.layout.maxAddress) return -EFAULT;
  }
  task.userDispatch = wanted;
  if (wanted === null) task.entryWork &= ~ENTRY_DISPATCH;
  else task.entryWork |= ENTRY_DISPATCH;
  return 0;
}

/** True if the task's call becomes a signal, which is then queued. */
export function isDispatched(task: Task, nr: number): boolean {
  const { rip } = task.ctx, { start, length, selector } = task.userDispatch!;
  if (rip >= start && rip - start < length) return false;
  if (selector !== 0) {
    const state = task.mm.load8(selector);
    if (state === ALLOW) return false;
    if (state !== BLOCK) {
      killGroup(task.group, state < 0 ? SIGSEGV : SIGSYS);
      return true;
    }
  }
  const info = new SigInfo(SIGSYS, SYS_USER_DISPATCH);
  info.addr = rip;
  info.syscall = nr;
  forceSignal(task, info);
  return true;
}
