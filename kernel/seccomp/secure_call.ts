/**
 * A system call under seccomp: decides by mode and filters, and acts on the verdict
 * (__secure_computing of Linux). Runs before the call's handler.
 */

import { SIGKILL, SIGSYS } from "../../ffi/abi/signal.ts";
import { ENOSYS, MAX_ERRNO } from "../../ffi/abi/errno.ts";
import { statusKilled } from "../../ffi/abi/wait.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_MODE_STRICT,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../ffi/abi/seccomp.ts";
import { SYS_SECCOMP } from "../../ffi/abi/siginfo.ts";
import {
  SYS_exit,
  SYS_read,
  SYS_rt_sigreturn,
  SYS_write,
  syscallName,
} from "../../ffi/abi/syscall_numbers.ts";
import { GO_ON, IN_GUEST } from "../core/result.ts";
import { killGroup } from "../task/exit_request.ts";
import { SigInfo } from "../signal/pending.ts";
import { forceSignal } from "../signal/send.ts";
import { ENTRY_NOTIFY, type Task } from "../task/task.ts";
import { askSupervisor } from "./await_verdict.ts";
import { actionName } from "./actions.ts";
import { DATA_WORDS, Decision } from "./filter.ts";

const data = new Uint32Array(DATA_WORDS);
const decision = new Decision();

/** Receives SECCOMP_RET_TRACE for a tracer that requested it; null: there is none. */
export interface SeccompTracer {
  /** GO_ON, or the result in place of the call's. */
  onSeccompTrace(task: Task, message: number): number;
}

/**
 * Checks whether the task may make call `nr`. GO_ON, or a result in place of the handler's: a
 * number, IN_GUEST when a signal was forced, BLOCK when it waits for a supervisor. `again`: a
 * tracer has let the call pass and may have changed it.
 */
export function secureCall(
  task: Task,
  nr: number,
  tracer: SeccompTracer | null,
  again: boolean,
): number {
  if (task.seccompMode === SECCOMP_MODE_STRICT) return checkStrict(task, nr);
  const chain = task.seccomp;
  if (chain === null || chain.passes(nr)) return GO_ON;
  fillData(task, nr);
  decision.of(chain, data);
  const { verdict, filter } = decision, action = (verdict & SECCOMP_RET_ACTION_FULL) >>> 0;
  if (action === SECCOMP_RET_ALLOW || filter === null) return GO_ON;
  const message = verdict & SECCOMP_RET_DATA;
  if (filter.isLogging || isAlwaysLogged(action)) logVerdict(task, nr, action);
  switch (action) {
    case SECCOMP_RET_ERRNO:
      return 0 - Math.min(message, MAX_ERRNO);
    case SECCOMP_RET_TRAP:
      return sendTrap(task, nr, message);
    case SECCOMP_RET_TRACE:
      if (again) return GO_ON;
      return tracer === null ? -ENOSYS : tracer.onSeccompTrace(task, message);
    case SECCOMP_RET_USER_NOTIF:
      task.entryStep = ENTRY_NOTIFY;
      return askSupervisor(task, filter, data);
    case SECCOMP_RET_LOG:
      return GO_ON;
    default:
      return killTask(task, action);
  }
}

function fillData(task: Task, nr: number): void {
  const { rip } = task.ctx;
  data[0] = nr;
  data[1] = AUDIT_ARCH_X86_64;
  data[2] = rip % 0x100000000;
  data[3] = Math.floor(rip / 0x100000000);
  data.set(task.args.words, 4);
}

function checkStrict(task: Task, nr: number): number {
  if (nr === SYS_read || nr === SYS_write || nr === SYS_exit || nr === SYS_rt_sigreturn) {
    return GO_ON;
  }
  logVerdict(task, nr, SECCOMP_RET_KILL_THREAD);
  return endThread(task, SIGKILL);
}

function sendTrap(task: Task, nr: number, message: number): number {
  forceSignal(task, sysSignal(task, nr, message));
  return IN_GUEST;
}

/** A thread is killed alone only if other threads are left. */
function killTask(task: Task, action: number): number {
  if (action === SECCOMP_RET_KILL_THREAD && task.group.tasks.length > 1) {
    return endThread(task, SIGSYS);
  }
  killGroup(task.group, SIGSYS);
  return IN_GUEST;
}

function endThread(task: Task, sig: number): number {
  task.exitStatus = statusKilled(sig, false);
  task.exitRequested = true;
  task.attention = true;
  return IN_GUEST;
}

function sysSignal(task: Task, nr: number, message: number): SigInfo {
  const info = new SigInfo(SIGSYS, SYS_SECCOMP);
  info.errno = message;
  info.addr = task.ctx.rip;
  info.syscall = nr;
  return info;
}

function isAlwaysLogged(action: number): boolean {
  return action === SECCOMP_RET_LOG || action === SECCOMP_RET_KILL_THREAD ||
    action === SECCOMP_RET_KILL_PROCESS;
}

function logVerdict(task: Task, nr: number, action: number): void {
  task.kernel.log(
    `seccomp: ${actionName(action)}: ${syscallName(nr)} (${task.comm}, pid ${task.pid})`,
  );
}
