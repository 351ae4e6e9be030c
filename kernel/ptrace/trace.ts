/**
 * ptrace(2): the tracing state of a tracee. Neighbours: stops.ts (stops), attach.ts (start and
 * end), wait_tracees.ts (the tracer's wait), ptrace/calls/ptrace.ts (the requests).
 */

import type { Credentials } from "../cred/credentials.ts";
import type { DebugRegisters } from "./debug_registers.ts";
import type { SigInfo } from "../signal/pending.ts";
import type { TaskPid } from "../task/pid_namespace.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

/** How far the tracer lets the tracee run. */
export const RUN_FREE = 0, RUN_TO_CALL = 1, RUN_ONE_STEP = 2, RUN_EMULATED = 3;

/** The kind of a stop for PTRACE_GET_SYSCALL_INFO (PTRACE_SYSCALL_INFO_*). */
export const AT_NONE = 0, AT_CALL_ENTRY = 1, AT_CALL_EXIT = 2, AT_SECCOMP = 3;

export class Trace {
  /**
   * The tracing process, and its thread; the thread is null until one makes a request
   * (PTRACE_TRACEME).
   */
  readonly group: ThreadGroup;
  tracer: Task | null;
  readonly isSeized: boolean;
  /**
   * Credentials of the call that started the tracing (ptracer_cred of Linux): the tracer's, or the
   * tracee's for PTRACE_TRACEME.
   */
  readonly cred: Credentials;
  /** PTRACE_O_* */
  options: number = 0;
  mode: number = RUN_FREE;
  /** The value of PTRACE_GETEVENTMSG. */
  message: number = 0;
  /** The event for which the running call stops before it ends; 0: none. */
  event: number = 0;
  /** A stop without a signal is due (PTRACE_INTERRUPT, and the first stop of a seized child). */
  isTrapDue: boolean = false;
  /** PTRACE_LISTEN: stopped, but no longer for its tracer. */
  isListening: boolean = false;
  /** Its stop at exit was made. */
  isExitTold: boolean = false;

  /**
   * The stop as in wait(2)'s status without the low byte: signal, and event << 8. 0: wait(2) has
   * reported it.
   */
  code: number = 0;
  /** The code of the stop, kept after wait(2). */
  stopCode: number = 0;
  /** The siginfo of the stop; null for a group stop. */
  info: SigInfo | null = null;
  /** PTRACE_SYSEMU: the tracer emulates the call, so it is not made. */
  isEmulated: boolean = false;
  /** AT_* */
  at: number = AT_NONE;
  /** Data of SECCOMP_RET_TRACE. */
  retData: number = 0;
  /** Number of the call that the registers belong to; -1: none. A tracer may change it. */
  origRax: number = -1;
  /** The signal with which the tracee continues. */
  signal: number = 0;
  /** Null until a debug register is set. */
  debug: DebugRegisters | null = null;

  constructor(group: ThreadGroup, tracer: Task | null, cred: Credentials, isSeized: boolean) {
    this.group = group;
    this.tracer = tracer;
    this.cred = cred;
    this.isSeized = isSeized;
  }

  /** True if the tracee runs one instruction at a time. */
  get isStepping(): boolean {
    return this.mode === RUN_ONE_STEP || (this.debug !== null && this.debug.isActive);
  }

  /** True if it stops for this PTRACE_EVENT. */
  wants(event: number): boolean {
    return (this.options & (1 << event)) !== 0;
  }
}

/** A traced thread that ended, kept until its tracer has waited for it. */
export interface DeadTracee {
  readonly id: TaskPid;
  readonly group: ThreadGroup;
  readonly status: number;
}
