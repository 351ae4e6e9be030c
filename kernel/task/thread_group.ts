/**
 * A thread group: the process of POSIX, with its attributes. Sessions and process groups are
 * objects too, with the members that signals and terminals need (credentials(7), setpgid(2)).
 */

import { Account } from "../core/account.ts";
import { WaitQueue } from "../core/wait.ts";
import type { ControllingTerminal, TtyGroup, TtySession } from "../fs/devpts/hooks.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { AioContexts } from "../aio/aio.ts";
import type { Job } from "../job/job.ts";
import type { Limits } from "./limits.ts";
import type { Container } from "./container.ts";
import type { PidNamespace, TaskPid } from "./pid_namespace.ts";
import { ProcessTimers } from "./process_timers.ts";
import { PendingSignals } from "../signal/pending.ts";
import type { DeadTracee } from "../ptrace/trace.ts";
import type { Task } from "./task.ts";
import { TransferCounts } from "./transfer_counts.ts";

export class Session implements TtySession {
  /** Its leader's id; null: the leader is outside of all namespaces and shown as 0. */
  readonly id: TaskPid | null;
  readonly groups: Set<ProcessGroup> = new Set();
  /** Controlling terminal; null: none. */
  terminal: ControllingTerminal | null = null;
  /** Foreground group of a terminal that was hung up; it gets SIGHUP at the leader's end. */
  hungUpGroup: TtyGroup | null = null;

  constructor(id: TaskPid | null) {
    this.id = id;
  }

  /** Its number in `pids`; 0: it is outside. */
  numberIn(pids: PidNamespace): number {
    return this.id === null ? 0 : this.id.numberIn(pids);
  }
}

export class ProcessGroup implements TtyGroup {
  readonly id: TaskPid;
  readonly session: Session;
  /** In the order in which they joined (`ThreadGroup.placeInGroup`). */
  readonly members: Set<ThreadGroup> = new Set();
  private lastPlace: number = 0;

  constructor(id: TaskPid, session: Session) {
    this.id = id;
    this.session = session;
    session.groups.add(this);
  }

  add(group: ThreadGroup): void {
    group.placeInGroup = ++this.lastPlace;
    this.members.add(group);
  }
}

/** CPU times in ns and fault counts of getrusage(2). */
export class Usage {
  userNs: number = 0;
  systemNs: number = 0;
  maxRssKiB: number = 0;
  minorFaults: number = 0;
  majorFaults: number = 0;
  voluntarySwitches: number = 0;
  involuntarySwitches: number = 0;
  readonly transfers: TransferCounts = new TransferCounts();

  clear(): void {
    this.userNs = 0;
    this.systemNs = 0;
    this.maxRssKiB = 0;
    this.minorFaults = 0;
    this.majorFaults = 0;
    this.voluntarySwitches = 0;
    this.involuntarySwitches = 0;
    this.transfers.clear();
  }

  add(o: Usage): void {
    this.userNs += o.userNs;
    this.systemNs += o.systemNs;
    this.maxRssKiB = Math.max(this.maxRssKiB, o.maxRssKiB);
    this.minorFaults += o.minorFaults;
    this.majorFaults += o.majorFaults;
    this.voluntarySwitches += o.voluntarySwitches;
    this.involuntarySwitches += o.involuntarySwitches;
    this.transfers.add(o.transfers);
  }
}

/** A ring of io_uring with requests of processes, which do not outlive the memory they use. */
interface RequestSource {
  cancelAll(group: ThreadGroup): void;
}

/** Cancels a process's requests of io_uring: the memory that they work on goes away. */
export function cancelRequests(group: ThreadGroup): void {
  for (const source of group.rings ?? []) source.cancelAll(group);
  group.rings = null;
}

/** A listener for the end of a process without a parent in the sandbox. */
export interface ExitListener {
  /** All tasks of the process have ended. */
  onProcessEnd(group: ThreadGroup): void;
}

export class ThreadGroup {
  /** The account for kernel objects that it makes. */
  readonly account: Account;
  readonly id: TaskPid;
  /** Its number in its own PID namespace. */
  readonly pid: number;
  /** Live tasks, the leader first while it lives. */
  readonly tasks: Task[] = [];
  leader: Task | null = null;
  parent: ThreadGroup | null;
  readonly children: Set<ThreadGroup> = new Set();
  pgrp: ProcessGroup;
  /**
   * Counts up with each process of the sandbox, and with each member of its process group: kill(2)
   * of many processes goes on behind the last one it signalled.
   */
  place: number = 0;
  placeInGroup: number = 0;
  /** Signal to the parent at the exit (SIGCHLD, or the one that clone(2) named). */
  exitSignal: number;
  limits: Limits;
  readonly pending: PendingSignals;
  readonly usage: Usage = new Usage();
  /** It has had more than one thread (taskstats, task_stats.ts). */
  hadThreads: boolean = false;
  readonly childUsage: Usage = new Usage();
  readonly timers: ProcessTimers = new ProcessTimers();

  /** Woken when a child changes state: wait4(2) and waitid(2) wait here. */
  readonly childEvents: WaitQueue = new WaitQueue();
  /** Woken when this process ends: pidfds wait here. */
  readonly exitEvents: WaitQueue = new WaitQueue();

  /** It is exiting: every task must end with `exitStatus`. */
  isExiting: boolean = false;
  /** All tasks have ended and the parent has not waited yet. */
  isZombie: boolean = false;
  isReaped: boolean = false;
  /**
   * The next step of its end (exit.ts), and whether it is reaped at once because its parent does
   * not wait.
   */
  endStep: number = 0;
  isReapedAtOnce: boolean = false;
  /** Wait status (wait(2) encoding). */
  exitStatus: number = 0;

  /**
   * Job control: the signal that stops it, 0 while it runs. `isStopped` is set when every task is
   * stopped.
   */
  stopSignal: number = 0;
  isStopped: boolean = false;
  /** Number of stops; a task compares it with the last stop that its tracer saw. */
  stopSerial: number = 0;
  /**
   * ptrace(2): the tracees of this process's threads, ended ones included until they were waited
   * for.
   */
  tracees: Set<Task> | null = null;
  deadTracees: DeadTracee[] | null = null;
  /** Traced children of other processes that ended, or whose leaders did. */
  deadLeaders: Set<ThreadGroup> | null = null;
  /**
   * The tracer of its leader when the leader ended, which is notified of the end before the parent.
   */
  leaderTracer: ThreadGroup | null = null;
  /** State changes that wait(2) has already reported. */
  stopReported: boolean = true;
  continuedReported: boolean = true;
  /** The container in which it was started, with all its descendants; null: none (tests). */
  container: Container | null;
  /** The job that it comes from; null: none. */
  job: Job | null;
  exitListener: ExitListener | null = null;
  /**
   * Signals with the default action do not reach it (init of a PID namespace, pid_namespaces(7)).
   */
  isUnkillable: boolean = false;
  /**
   * Process 1 of a sandbox without a program of its own (idle_process.ts): it never runs, and no
   * process may trace it or end it.
   */
  isIdle: boolean = false;
  /**
   * The thread that is in execve(2) with its new credentials decided, and writes its arguments or
   * waits until it is the only thread.
   */
  execTask: Task | null = null;
  /** Woken when a thread ends, and when `execTask` becomes null. */
  readonly threadExits: WaitQueue = new WaitQueue();

  /**
   * Executable (the exe link), and the ranges of memory that /proc/PID/cmdline and environ show.
   */
  exe: OpenFile | null = null;
  argStart: number = 0;
  argEnd: number = 0;
  envStart: number = 0;
  envEnd: number = 0;
  auxv: Uint8Array<ArrayBuffer> | null = null;
  isSubreaper: boolean = false;
  /** Contexts of asynchronous I/O (io_setup(2)); null until the first one. */
  aio: AioContexts | null = null;
  /** Rings of io_uring_setup(2) that its tasks submitted to. */
  rings: Set<RequestSource> | null = null;
  /** It gave up its controlling terminal for itself alone (TIOCNOTTY); children inherit that. */
  hasLeftTerminal: boolean;
  /** It has called execve since its fork (setpgid(2) EACCES). */
  hasExeced: boolean = false;
  /**
   * The number of its program, and the number of its parent's program when it was born: a later
   * program of the parent did not choose `exitSignal`.
   */
  execSerial: number = 0;
  parentExecSerial: number = 0;
  oomScoreAdj: number = 0;
  oomScoreAdjMin: number = 0;
  /** MEMBARRIER_CMD_REGISTER_* that were registered; execve resets them. */
  membarriers: number = 0;
  /** Real user id of its last task, for a SIGCHLD after the end of that task. */
  lastUid: number = 0;
  /** Name, credentials and nice value of its leader, for /proc/PID after the end of the leader. */
  lastComm: string = "";
  lastCred: Credentials | null = null;
  lastNice: number = 0;
  /**
   * Login uid of audit (2^32 - 1: not set), and the filter of core dumps; children inherit both.
   */
  loginUid: number;
  coredumpFilter: number;
  /** Start time of its leader, ns. */
  startNs: number;

  /**
   * @param maker the process that called clone(2), from which it inherits: with CLONE_PARENT it is
   * not the parent
   */
  constructor(
    id: TaskPid,
    parent: ThreadGroup | null,
    pgrp: ProcessGroup,
    exitSignal: number,
    limits: Limits,
    startNs: number,
    maker: ThreadGroup | null = parent,
  ) {
    this.id = id;
    this.pid = id.nr;
    this.account = new Account(maker?.account.parent ?? null, 1);
    this.pending = new PendingSignals(this.account);
    this.parent = parent;
    this.container = maker === null ? null : maker.container;
    this.job = maker === null ? null : maker.job;
    this.pgrp = pgrp;
    this.exitSignal = exitSignal;
    this.limits = limits;
    this.startNs = startNs;
    this.hasLeftTerminal = maker !== null && maker.hasLeftTerminal;
    this.loginUid = maker === null ? 0xffffffff : maker.loginUid;
    this.coredumpFilter = maker === null ? 0x33 : maker.coredumpFilter;
    pgrp.add(this);
    if (parent !== null) parent.children.add(this);
  }

  /** The first process of its PID namespace. */
  get isInit(): boolean {
    return this.pid === 1;
  }

  get pids(): PidNamespace {
    return this.id.space;
  }

  /**
   * Its PID namespace is the kernel's first one, and it is the init there: the sandbox ends with
   * it.
   */
  get isRootInit(): boolean {
    return this.pid === 1 && this.id.space.outer === null;
  }

  /** It leads its session. */
  get isSessionLeader(): boolean {
    return this.pgrp.session.id === this.id;
  }

  /** Its parent's number in its own namespace; 0: the parent is outside, or absent. */
  get parentPid(): number {
    return this.parent === null ? 0 : this.parent.id.numberIn(this.id.space);
  }

  get session(): Session {
    return this.pgrp.session;
  }
}
