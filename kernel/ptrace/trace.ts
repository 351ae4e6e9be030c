/**
 * ptrace(2): what a traced task knows of its tracer. Neighbours: stops.ts (standing still), attach.ts (begin and end),
 * wait_tracees.ts (the tracer's wait), ptrace/calls/ptrace.ts (the requests).
 */

import type { Credentials } from "../cred/credentials.ts";
import type { DebugRegisters } from "./debug_registers.ts";
import type { SigInfo } from "../signal/pending.ts";
import type { TaskPid } from "../task/pid_namespace.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

/** How the tracer lets it run. */
export const RUN_FREE = 0, RUN_TO_CALL = 1, RUN_ONE_STEP = 2, RUN_EMULATED = 3;

/** What PTRACE_GET_SYSCALL_INFO tells of a stop (PTRACE_SYSCALL_INFO_*). */
export const AT_NONE = 0, AT_ENTRY = 1, AT_EXIT = 2, AT_SECCOMP = 3;

export class Trace {
  /** The tracing process, and its thread; null until one asked for something (PTRACE_TRACEME). */
  readonly group: ThreadGroup;
  tracer: Task | null;
  readonly isSeized: boolean;
  /**
   * The caller's of the call that began it (ptracer_cred of Linux): the tracer's, or its own of
   * PTRACE_TRACEME.
   */
  readonly cred: Credentials;
  /** PTRACE_O_* */
  options: number = 0;
  mode: number = RUN_FREE;
  /** PTRACE_GETEVENTMSG. */
  message: number = 0;
  /** An event that the running call is to stop for before it ends; 0: none. */
  event: number = 0;
  /** A stop without a signal is due (PTRACE_INTERRUPT, and what a seized child begins with). */
  isTrapDue: boolean = false;
  /** PTRACE_LISTEN: it stands still, but no longer for its tracer. */
  isListening: boolean = false;
  /** Its stop at exit was made. */
  isExitTold: boolean = false;

  /** The stop: wait(2)'s status without the low byte: signal, and event << 8. 0: wait(2) was told. */
  code: number = 0;
  /** The same, kept behind wait(2). */
  stopCode: number = 0;
  /** The stop has a siginfo; that of a group stop does not. */
  info: SigInfo | null = null;
  /** The call that it stands at is the tracer's to make (PTRACE_SYSEMU). */
  isEmulated: boolean = false;
  /** AT_* */
  at: number = AT_NONE;
  /** Data of SECCOMP_RET_TRACE. */
  retData: number = 0;
  /** The call that the registers belong to; -1: none. A tracer may change it. */
  origRax: number = -1;
  /** The signal that it goes on with. */
  signal: number = 0;
  /** null until one is set. */
  debug: DebugRegisters | null = null;

  constructor(group: ThreadGroup, tracer: Task | null, cred: Credentials, isSeized: boolean) {
    this.group = group;
    this.tracer = tracer;
    this.cred = cred;
    this.isSeized = isSeized;
  }

  /** It runs one instruction at a time. */
  get isStepping(): boolean {
    return this.mode === RUN_ONE_STEP || (this.debug !== null && this.debug.isActive);
  }

  /** Does it stop for this PTRACE_EVENT? */
  wants(event: number): boolean {
    return (this.options & (1 << event)) !== 0;
  }
}

/** A traced thread that ended, until its tracer has waited for it. */
export interface DeadTracee {
  readonly id: TaskPid;
  readonly group: ThreadGroup;
  readonly status: number;
}
