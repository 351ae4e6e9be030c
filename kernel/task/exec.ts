/**
 * execve(2): a task goes on in another program. Everything that can fail is done first; then the other threads end, and
 * from there on nothing fails.
 *
 * DIFFERS: a program whose file turns out broken leaves the caller alive with an error, where Linux may kill it.
 */

import { setUserDispatch } from "./user_dispatch.ts";
import { EAGAIN, EINTR } from "../../ffi/abi/errno.ts";
import {
  ADDR_COMPAT_LAYOUT,
  ADDR_NO_RANDOMIZE,
  MMAP_PAGE_ZERO,
  READ_IMPLIES_EXEC,
} from "../../ffi/abi/system.ts";
import { BLOCK, IN_GUEST } from "../core/result.ts";
import { blankClock } from "../loader/vdso.ts";
import { mustEnd } from "./alert.ts";
import { changeCredentials } from "./change_credentials.ts";
import { endOtherThreads } from "./exit_request.ts";
import { releaseMemory } from "./exit.ts";
import { discardPendingExec, PendingExec } from "./pending_exec.ts";
import { RLIMIT_STACK } from "./limits.ts";
import { makeProgram, type Program, type ProgramRequest } from "./program.ts";
import { dismissTask, enrollTask } from "./pid_namespace.ts";
import { tellExec } from "./process_events.ts";
import { traceExec } from "./ptrace/attach.ts";
import { SignalHandlers } from "./signal/handlers.ts";
import { SIGCHLD } from "./signal/sigset.ts";
import type { Task } from "./task.ts";
import { cancelRequests } from "./thread_group.ts";
import { enterTimeForChildren } from "./unshare.ts";

/** Personality bits that a program with more privilege does not inherit. */
const PER_CLEAR_ON_SETID = READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT |
  MMAP_PAGE_ZERO;
/** LIMIT: stack limit of a program that gains privilege. */
const SECURE_STACK = 8 << 20;

/** Is the call in its second part? Then `continueExec` goes on. */
export function isExecPending(task: Task): boolean {
  return task.progress.object instanceof PendingExec;
}

/** Load the program and, once the task is alone in its process, become it: IN_GUEST, -errno or BLOCK. */
export function execProgram(task: Task, request: ProgramRequest): number {
  const { group } = task;
  if (group.execTask !== null) return -EAGAIN;
  const program = makeProgram(task.kernel, task, group.container, group.limits, request);
  if (typeof program === "number") return program;
  task.progress.object = new PendingExec(program);
  return continueExec(task);
}

export function continueExec(task: Task): number {
  const pending = task.progress.object, { group } = task;
  if (!(pending instanceof PendingExec)) return -EINTR;
  if (mustEnd(task)) {
    task.uninterruptible = false;
    discardPendingExec(task);
    return -EINTR;
  }
  if (group.tasks.length > 1) {
    group.execTask = task;
    task.uninterruptible = true;
    endOtherThreads(task);
    group.threadExits.add(task.waiter, 0);
    return BLOCK;
  }
  task.uninterruptible = false;
  group.execTask = null;
  become(task, pending.program);
  return IN_GUEST;
}

/** The point of no return. */
function become(task: Task, program: Program): void {
  const { group, trace } = task;
  const oldTid = trace === null ? 0 : task.id.numberIn(trace.group.pids);
  program.mm.inheritPolicies(task.mm);
  releaseMemory(task);
  task.rebind(program.ctx, program.mm);
  // From here on the task's end gives the program back.
  task.progress.object = null;
  takeOverLeader(task);
  task.regsFetched = true;
  task.hasTrapFlag = false;
  if (task.files.refs > 1) {
    const files = task.files.copy();
    task.files.drop();
    task.files = files;
  }
  task.files.closeOnExec();
  task.ringFds?.release();
  task.ringFds = null;
  enterTimeForChildren(task);
  if (task.ns.time.isShifted) blankClock(task.mm);
  if (task.sighand.refs > 1) {
    const own = new SignalHandlers(task.sighand);
    task.sighand.refs--;
    task.sighand = own;
  }
  task.sighand.clearHandlers();
  task.signals.altBase = 0;
  task.signals.altSize = 0;
  setUserDispatch(task, null);
  task.keyrings.onExec();
  group.aio?.destroy();
  group.aio = null;
  cancelRequests(group);
  group.timers.removePosix();
  group.membarriers = 0;
  group.hasExeced = true;
  group.exe?.drop();
  group.exe = program.exe;
  task.comm = program.comm;
  task.faultTrapno = 0;
  task.faultError = 0;
  task.faultAddress = 0;
  if (program.isSecure) {
    task.personality &= ~PER_CLEAR_ON_SETID;
    task.parentDeathSignal = 0;
    const { limits } = group;
    if (limits.get(RLIMIT_STACK) > SECURE_STACK) limits.soft[RLIMIT_STACK] = SECURE_STACK;
  }
  changeCredentials(task, program.cred);
  const { cred } = task;
  group.dumpable = cred.euid === cred.uid && cred.egid === cred.gid && !program.isSecure;
  task.attention = true;
  tellExec(task);
  traceExec(task, oldTid);
}

/** The process keeps its id: whichever thread called execve has it now. */
function takeOverLeader(task: Task): void {
  const { group } = task;
  group.exitSignal = SIGCHLD;
  if (group.leader === task) return;
  dismissTask(task);
  task.id = group.id;
  task.tid = group.pid;
  enrollTask(task);
  group.leader = task;
}
