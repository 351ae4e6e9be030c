/**
 * execve(2): a task continues in another program. Everything that can fail comes first, in several
 * turns of the loop if the arguments are long. Then the other threads end; from there on nothing
 * fails.
 *
 * DIFFERS: a program whose file proves broken leaves the caller alive with an error, where Linux
 * may kill it.
 */

import { SIGCHLD } from "../../ffi/abi/signal.ts";
import { RLIMIT_STACK } from "../../ffi/abi/resource.ts";
import { setUserDispatch } from "./user_dispatch.ts";
import { CAP_SYS_PTRACE } from "../../ffi/abi/capability.ts";
import { EINTR } from "../../ffi/abi/errno.ts";
import { BLOCK, IN_GUEST } from "../core/result.ts";
import { hasCapIn } from "../cred/credentials.ts";
import { blankClock } from "../loader/vdso.ts";
import { mustEnd } from "./alert.ts";
import { changeCredentials } from "./change_credentials.ts";
import { endOtherThreads } from "./exit_request.ts";
import { releaseMemory } from "./exit.ts";
import { discardPendingExec, endExec, PendingExec } from "./pending_exec.ts";
import { applyMemoryLimits } from "./memory_limits.ts";
import { makeProgram, type Program, type ProgramRequest, SECURE_STACK } from "./program.ts";
import { dismissTask, enrollTask } from "./pid_namespace.ts";
import { tellExec } from "./process_events.ts";
import { traceExec } from "../ptrace/attach.ts";
import { SignalHandlers } from "../signal/handlers.ts";
import type { Task } from "./task.ts";
import { cancelRequests } from "./thread_group.ts";
import { enterTimeForChildren } from "./unshare.ts";

/** True if the call is in its second part, which `continueExec` runs. */
export function isExecPending(task: Task): boolean {
  return task.progress.object instanceof PendingExec;
}

type ExecRequest = Omit<ProgramRequest, "isUnsafe">;

/**
 * Another process shares the root and working directory and could change them (LSM_UNSAFE_SHARE).
 */
function sharesFs({ fs, group }: Task): boolean {
  let own = 0;
  for (const t of group.tasks) if (t.fs === fs) own++;
  return fs.refs > own;
}

/**
 * The tracer, when it attached, had too few privileges for a program that gains privileges
 * (LSM_UNSAFE_PTRACE).
 */
function isTracedByWeaker({ trace, cred }: Task): boolean {
  return trace !== null && !hasCapIn(trace.cred, cred.userNs, CAP_SYS_PTRACE);
}

/**
 * Loads the program and, once the task is alone in its process, starts it: IN_GUEST, -errno or
 * BLOCK. No other thread of the process is in execve (`awaitExec`).
 */
export function execProgram(task: Task, request: ExecRequest): number {
  const { group } = task, isShared = sharesFs(task);
  const program = makeProgram(task.kernel, task, group.container, group.limits, {
    ...request,
    isUnsafe: isShared || isTracedByWeaker(task),
  });
  if (typeof program === "number") return program;
  task.progress.object = new PendingExec(program);
  // The checks stay valid while the call waits: no tracer can attach (ptrace/access.ts), and no
  // task can start to share `fs`.
  group.execTask = task;
  if (!isShared) task.fs.isInExec = true;
  return continueExec(task);
}

export function continueExec(task: Task): number {
  const pending = task.progress.object, { group } = task;
  if (!(pending instanceof PendingExec)) return -EINTR;
  if (mustEnd(task)) {
    discardPendingExec(task);
    return -EINTR;
  }
  const written = pending.program.stack.writeStrings();
  if (written < 0) {
    discardPendingExec(task);
    return written;
  }
  task.uninterruptible = true;
  if (written > 0) return task.yieldTurn();
  if (group.tasks.length > 1) {
    endOtherThreads(task);
    group.threadExits.add(task.waiter, 0);
    return BLOCK;
  }
  replaceProgram(task, pending.program);
  endExec(task);
  return IN_GUEST;
}

/** Replaces the task's program. This is the point of no return. */
function replaceProgram(task: Task, program: Program): void {
  const { group, trace } = task;
  const oldTid = trace === null ? 0 : task.id.numberIn(trace.group.pids);
  program.mm.inheritPolicies(task.mm);
  releaseMemory(task);
  task.rebind(program.ctx, program.mm);
  // From here on the end of the task releases the program.
  task.progress.object = null;
  takeOverLeader(task);
  task.regsFetched = true;
  task.hasTrapFlag = false;
  if (task.files.refs > 1) {
    const files = task.files.copy(task.account);
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
  group.execSerial++;
  group.exe?.drop();
  group.exe = program.exe;
  task.comm = program.comm;
  task.faultTrapno = 0;
  task.faultError = 0;
  task.faultAddress = 0;
  task.personality &= ~program.clearedPersonality;
  if (program.isSecure) {
    task.parentDeathSignal = 0;
    const { limits } = group;
    if (limits.get(RLIMIT_STACK) > SECURE_STACK) limits.soft[RLIMIT_STACK] = SECURE_STACK;
  }
  // The limits may have changed while the call waited.
  applyMemoryLimits(task.mm, group.limits);
  // The old ids count here; `changeCredentials` handles the effects of the new ones.
  const { cred } = task;
  task.mm.isDumpable = cred.euid === cred.uid && cred.egid === cred.gid && !program.isUnreadable;
  changeCredentials(task, program.cred);
  task.attention = true;
  tellExec(task);
  traceExec(task, oldTid);
}

/** Gives the calling thread the id of the leader: the process keeps its id. */
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
