/**
 * A task: one guest thread. The object is a hub of facets (memory, files, credentials, signals, the
 * wait in progress); behaviour is in topic files (`signal/`, `exit.ts`, `clone.ts`, `loop.ts`,
 * ...).
 */

import type { Account } from "../core/account.ts";
import type { SyscallArgs } from "../../platform/platform.ts";
import type { Context } from "../../platform/platform.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { MemPolicy } from "../mm/mem_policy.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { FdTable } from "../vfs/fd_table.ts";
import type { FsContext } from "../vfs/fs_context.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { SemUndoList } from "../ipc/sysv/sem_undo.ts";
import type { Trace } from "../ptrace/trace.ts";
import type { SigInfo } from "../signal/pending.ts";
import type { SeccompFilter } from "../seccomp/filter.ts";
import type { PiState } from "../futex/futex_pi.ts";
import type { TaskDelay } from "../cgroup/delay.ts";
import type { GroupSet } from "../cgroup/group_set.ts";
import type { FutexWaiter } from "../futex/futex_table.ts";
import type { Kernel } from "./kernel_services.ts";
import type { Namespaces } from "./namespaces.ts";
import type { PidNamespace, TaskPid } from "./pid_namespace.ts";
import type { ThreadGroup } from "./thread_group.ts";
import type { TurnAccount } from "./turn_account.ts";
import type { UserDispatch } from "./user_dispatch.ts";
import type { SignalHandlers } from "../signal/handlers.ts";
import { TaskSignals } from "../signal/task_signals.ts";
import { UserCursor } from "../mm/cursor.ts";
import { BLOCK } from "../core/result.ts";
import { EXTRA_WAITS } from "../core/quota.ts";
import type { WaitQueue } from "../core/wait.ts";
import { TaskKeyrings } from "../keys/task_keyrings.ts";
import type { RingFds } from "../uring/registered_rings.ts";
import { Progress } from "./progress.ts";
import { SchedAttributes } from "./sched_attributes.ts";
import { TaskTimeout, TaskWaiter } from "./task_wait.ts";
import { TransferCounts } from "./transfer_counts.ts";
import { PR_MCE_KILL_DEFAULT } from "../../ffi/abi/prctl.ts";
import {
  EAGAIN,
  EINTR,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from "../../ffi/abi/errno.ts";

/** `Task.state`: the context runs guest code. */
export const RUNNING = 0;
/** In the loop's run queue: its call will run again. */
export const READY = 1;
/** Inside a call that waits. */
export const BLOCKED = 2;
/** Stopped by job control or a tracer; `resume` goes on in returnToUser. */
export const STOPPED = 3;
/** Waits for TRAP_FULL, then continues in returnToUser. */
export const AWAIT_FULL = 4;
/** Ended. Its thread group may still need its exit status. */
export const DEAD = 5;
/** The loop is handling it now. */
export const HANDLING = 6;
/** Waits for TRAP_FULL, then its call's handler runs (rows with `needsFull`). */
export const AWAIT_CALL = 7;
/** In the loop's run queue: continues in returnToUser (new, or continued after a stop). */
export const RESUMING = 8;
/** In the loop's run queue, and no guest thread: the loop calls `work`. */
export const WORKING = 9;
/**
 * Its container or group is frozen, or it is delayed (container.ts); `resume` continues in
 * returnToUser.
 */
export const FROZEN = 10;
/** Stopped for its tracer (ptrace/stops.ts). */
export const TRACED = 11;
/** Waits for TRAP_FULL, then it is TRACED. */
export const AWAIT_TRACED = 12;

/** `Task.entryWork`: seccomp filters check each call. */
export const ENTRY_SECCOMP = 1;
/** `Task.entryWork`: it has a tracer. */
export const ENTRY_TRACED = 2;
/** `Task.entryWork`: calls from most of its code become signals (user_dispatch.ts). */
export const ENTRY_DISPATCH = 4;
/** `Task.afterStop`: after a stop for its tracer the task returns to guest code. */
export const THEN_LEAVE = 0;
/** `Task.afterStop`: the signal that the tracer saw is delivered. */
export const THEN_DELIVER = 1;
/** `Task.afterStop`: the seccomp filters check the call, before or after SECCOMP_RET_TRACE. */
export const THEN_FILTER = 2, THEN_BEGIN = 3;
/** `Task.afterStop`: the call's handler runs again, or the call ends with `result`. */
export const THEN_CALL = 4, THEN_FINISH = 5;
/** `Task.entryStep`: no check of the call waits. */
export const ENTRY_DONE = 0;
/** `Task.entryStep`: a seccomp filter's supervisor has to answer first (seccomp_unotify(2)). */
export const ENTRY_NOTIFY = 1;

/**
 * How a call continues when a signal interrupts its wait (signal(7), "Interruption of system
 * calls").
 */
export const RESTART_SYS = 0, RESTART_NOHAND = 1, RESTART_BLOCK = 2, RESTART_EINTR = 3;
export const RESTART_NOINTR = 4;

const RESTART_CODE: readonly number[] = [
  -ERESTARTSYS,
  -ERESTARTNOHAND,
  -ERESTART_RESTARTBLOCK,
  -EINTR,
  -ERESTARTNOINTR,
];

export class Task {
  readonly kernel: Kernel;
  /**
   * Its identity, and its number in its own PID namespace. They change only in an execve by a
   * thread that is not the leader.
   */
  id: TaskPid;
  tid: number;
  /** Its own PID namespace, in which the ids of its calls are looked up and shown. */
  readonly pids: PidNamespace;
  ns: Namespaces;
  readonly group: ThreadGroup;
  /** Rings that it registered; null for nearly all tasks. */
  ringFds: RingFds | null = null;
  /** Its control groups, and the CPU times that they have been charged. */
  cgroups: GroupSet;
  cgroupUserNs: number = 0;
  cgroupSystemNs: number = 0;
  /** Keeps it from guest code because its groups are over a limit; null for nearly all tasks. */
  delay: TaskDelay | null = null;
  state: number = HANDLING;
  /** The next step of its end (exit.ts). */
  endStep: number = 0;
  /**
   * The account of its turns of the loop (turn_account.ts); null before it is counted in its
   * groups, and at its end.
   */
  turnAccount: TurnAccount | null = null;

  ctx: Context;
  mm: MemoryManager;
  files: FdTable;
  fs: FsContext;
  cred: Credentials;
  sighand: SignalHandlers;
  readonly keyrings: TaskKeyrings;
  readonly signals: TaskSignals;

  /** The call in progress: number, arguments (private copy), how its wait restarts. -1: none. */
  nr: number = -1;
  args: SyscallArgs;
  restart: number = RESTART_SYS;
  readonly progress: Progress = new Progress();
  /** ENTRY_* bits: checks before each call's handler; 0 for nearly all tasks. */
  entryWork: number = 0;
  /** State of a call whose handler has not started. */
  entryStep: number = ENTRY_DONE;
  /** Calls that become signals; null for nearly all tasks. */
  userDispatch: UserDispatch | null = null;
  /** ptrace(2): its tracer and the tracer's options; null for nearly all tasks. */
  trace: Trace | null = null;
  /** The trap flag in its registers was set by its tracer. */
  hasTrapFlag: boolean = false;
  /** THEN_*; valid in and behind a stop. */
  afterStop: number = THEN_LEAVE;
  /** The signal of a stop, which is delivered if the tracer permits it. */
  stopInfo: SigInfo | null = null;
  /** The last stop of its process that its tracer was notified of (`ThreadGroup.stopSerial`). */
  stopSeen: number = 0;
  /** SECCOMP_MODE_*, and the newest of its filters. */
  seccompMode: number = 0;
  seccomp: SeccompFilter | null = null;
  /** This task alone must end (exit(2), or execve by another thread). */
  exitRequested: boolean = false;
  /** `ctx.regs` and `ctx.fpu` hold the whole state and may have changed: load them. */
  regsFetched: boolean = false;
  /** Result that is kept while the task waits for TRAP_FULL or is stopped. */
  result: number = 0;
  /** A signal (or SIGKILL) ended the wait: waits of the present run return their restart code. */
  interrupted: boolean = false;
  /** Only a fatal signal ends the present wait (vfork). */
  uninterruptible: boolean = false;
  /** Signals, a stop, a kill or an exit must be handled before guest code runs. */
  attention: boolean = false;

  /** Registrations of the wait; `waiter` is the one for a single queue. */
  readonly waiter: TaskWaiter = new TaskWaiter(this);
  moreWaiters: TaskWaiter[] | null = null;
  /** The further registrations stay while the call runs again (poll(2) of many descriptors). */
  keepsWaits: boolean = false;
  readonly timeout: TaskTimeout = new TaskTimeout(this);

  /** Reusable cursors into this task's memory. */
  readonly io: UserCursor;
  readonly io2: UserCursor;

  /** Name of /proc/PID/comm, at most 15 bytes. */
  comm: string = "";
  /** Address of CLONE_CHILD_CLEARTID and set_tid_address(2); 0: none. */
  clearChildTid: number = 0;
  /** Head of set_robust_list(2); 0: none. */
  robustList: number = 0;
  personality: number = 0;
  /** set_mempolicy(2); null: the default. */
  memPolicy: MemPolicy | null = null;
  parentDeathSignal: number = 0;
  /** PR_MCE_KILL_*: when it is notified of broken memory; and PR_SET_IO_FLUSHER. */
  memoryErrorPolicy: number = PR_MCE_KILL_DEFAULT;
  isIoFlusher: boolean = false;
  /** Wait status of this thread (wait(2) encoding). */
  exitStatus: number = 0;
  /** Scheduling attributes; they are kept and shown, and do not influence the host. */
  readonly sched: SchedAttributes = new SchedAttributes();
  /** The parent that waits in vfork for this task's exec or exit. */
  vforkParent: Task | null = null;
  /**
   * Operations that the end of the task undoes (semop(2)), shared with its threads; null until the
   * first SEM_UNDO.
   */
  semUndo: SemUndoList | null = null;
  /**
   * Its place in a futex queue, and the PI futexes with waiters that it owns; null until the first
   * one.
   */
  futexWaiter: FutexWaiter | null = null;
  ownedPi: Set<PiState> | null = null;
  /**
   * Processor state of the last exception, for the next signal frames: sigcontext's trapno, err,
   * cr2.
   */
  faultTrapno: number = 0;
  faultError: number = 0;
  faultAddress: number = 0;
  startNs: number;
  /** CPU time, ns: in guest code, and in the kernel for this task (cpu_clock.ts). */
  userNs: number = 0;
  systemNs: number = 0;
  /** System time of traps that is not yet charged. */
  owedNs: number = 0;
  /** Start of the present run of guest code; valid while RUNNING. */
  ranSinceNs: number = 0;
  /** Number of exits from guest code, of system calls, and of waits that blocked. */
  stopCount: number = 0;
  callCount: number = 0;
  blockCount: number = 0;
  readonly transfers: TransferCounts = new TransferCounts();
  /** The next task of the run queue (run_queue.ts). */
  next: Task | null = null;

  constructor(
    kernel: Kernel,
    id: TaskPid,
    group: ThreadGroup,
    ctx: Context,
    mm: MemoryManager,
    files: FdTable,
    fs: FsContext,
    cred: Credentials,
    sighand: SignalHandlers,
    ns: Namespaces,
  ) {
    this.kernel = kernel;
    this.id = id;
    this.tid = id.nr;
    this.pids = id.space;
    this.ns = ns;
    this.group = group;
    this.signals = new TaskSignals(group.account);
    this.cgroups = ns.cgroup.roots;
    this.ctx = ctx;
    this.args = ctx.args;
    this.mm = mm;
    this.files = files;
    this.fs = fs;
    this.cred = cred;
    this.sighand = sighand;
    this.keyrings = new TaskKeyrings(kernel.keys);
    this.io = new UserCursor(mm);
    this.io2 = new UserCursor(mm);
    this.startNs = kernel.now();
    ctx.owner = this;
  }

  /** Switches to another context and memory (execve). */
  rebind(ctx: Context, mm: MemoryManager): void {
    this.ctx.owner = null;
    this.ctx = ctx;
    this.args = ctx.args;
    this.mm = mm;
    this.io.mm = mm;
    this.io2.mm = mm;
    ctx.owner = this;
  }

  /** The task that is delayed when this one's group exceeds a limit. */
  get billed(): Task {
    return this;
  }

  /** The account of its process, for objects that it makes. */
  get account(): Account {
    return this.group.account;
  }

  get pid(): number {
    return this.group.pid;
  }

  /** The process's identity, as the sender of a message or a signal. */
  get processId(): TaskPid {
    return this.group.id;
  }

  /**
   * Waits for events of one queue; the call runs again after the wake-up. BLOCK, or the result of
   * an interrupted call. The caller has just tested its condition: no event can come in between,
   * because there is one thread.
   */
  waitFor(queue: WaitQueue, events: number): number {
    if (this.interrupted) return RESTART_CODE[this.restart]!;
    if (this.waiter.queue === null) {
      queue.add(this.waiter, events);
    } else {
      const extra = new TaskWaiter(this);
      (this.moreWaiters ??= []).push(extra);
      EXTRA_WAITS.add(1, this.group.account);
      queue.add(extra, events);
    }
    return BLOCK;
  }

  /**
   * Waits until `deadlineNs` (monotonic; Infinity: without limit) without a queue, or bounds the
   * wait just made.
   */
  waitUntil(deadlineNs: number): number {
    if (this.interrupted) return RESTART_CODE[this.restart]!;
    if (deadlineNs !== Infinity) this.kernel.timers.arm(this.timeout, deadlineNs);
    return BLOCK;
  }

  /**
   * Gives the other tasks a turn, for a call that would keep the loop busy: BLOCK and the call runs
   * again at once, or the result of an interrupted call. A task whose group or job has used up its
   * quota of CPU time gets no further turn before its period is over, unless its call holds the
   * lock of its memory, for which tasks of other groups may wait.
   */
  yieldTurn(): number {
    const soonestNs = Math.max(this.kernel.now(), this.delay?.untilNs ?? 0);
    if (this.mm.changes.owner === this) return this.waitUntil(soonestNs);
    const jobNs = this.group.job?.cpu.throttledUntilNs ?? 0;
    return this.waitUntil(Math.max(soonestNs, this.cgroups.throttledUntilNs, jobNs));
  }

  /** Waits for a file, or returns -EAGAIN when it is O_NONBLOCK. */
  waitForFile(file: OpenFile, events: number): number {
    if (file.neverBlocks) return -EAGAIN;
    const queue = file.waitQueue;
    return queue === null ? -EINTR : this.waitFor(queue, events);
  }

  /** Before the call runs again: removes its registrations, unless `keepsWaits`. */
  pauseWait(): void {
    if (!this.keepsWaits) return this.endWait();
    this.waiter.unlink();
    if (this.timeout.isArmed) this.kernel.timers.disarm(this.timeout);
  }

  /** Removes all registrations of the wait (the call is over, or the task exits). */
  endWait(): void {
    this.keepsWaits = false;
    this.waiter.unlink();
    if (this.moreWaiters !== null) {
      const { length } = this.moreWaiters;
      for (const w of this.moreWaiters) w.unlink();
      this.moreWaiters = null;
      EXTRA_WAITS.give(length, this.group.account);
    }
    if (this.timeout.isArmed) this.kernel.timers.disarm(this.timeout);
  }

  /** Runs a turn of a task that is no guest thread (WORKING). */
  work(): void {}

  /** Ends the wait (event, time-out): the call runs again. */
  wake(): void {
    if (this.state !== BLOCKED) return;
    this.state = READY;
    this.kernel.enqueue(this);
  }
}
