/**
 * A thread group (a process): what POSIX calls process attributes. Sessions and process groups are objects too,
 * with the members that signals and terminals need (credentials(7), setpgid(2)).
 */

import { Account } from "../core/account.ts";
import { WaitQueue } from "../core/wait.ts";
import type { ControllingTerminal, TtyGroup, TtySession } from "../fs/devpts/hooks.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { AioContexts } from "../aio/aio.ts";
import type { Limits } from "./limits.ts";
import type { Container } from "./container.ts";
import type { PidNamespace, TaskPid } from "./pid_namespace.ts";
import { ProcessTimers } from "./process_timers.ts";
import { PendingSignals } from "../signal/pending.ts";
import type { DeadTracee } from "../ptrace/trace.ts";
import type { Task } from "./task.ts";
import { TransferCounts } from "./transfer_counts.ts";

export class Session implements TtySession {
  /** Its leader's; null: it comes from outside of all namespaces and is seen as 0. */
  readonly id: TaskPid | null;
  readonly groups: Set<ProcessGroup> = new Set();
  /** Controlling terminal; null: none. */
  terminal: ControllingTerminal | null = null;
  /** Foreground group of a terminal that was hung up: it hears of the leader's end. */
  hungUpGroup: TtyGroup | null = null;

  constructor(id: TaskPid | null) {
    this.id = id;
  }

  /** Its number as somebody of `pids` sees it; 0: it is outside. */
  numberIn(pids: PidNamespace): number {
    return this.id === null ? 0 : this.id.numberIn(pids);
  }
}

export class ProcessGroup implements TtyGroup {
  readonly id: TaskPid;
  readonly session: Session;
  readonly members: Set<ThreadGroup> = new Set();

  constructor(id: TaskPid, session: Session) {
    this.id = id;
    this.session = session;
    session.groups.add(this);
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

/** Has requests of processes under way, which do not outlive them. */
export interface RequestSource {
  cancelAll(group: ThreadGroup): void;
}

/** The memory that they work on goes away. */
export function cancelRequests(group: ThreadGroup): void {
  for (const source of group.rings ?? []) source.cancelAll(group);
  group.rings = null;
}

/** Who wants to know when a process ends that has no parent in the sandbox. */
export interface ExitListener {
  /** All its tasks are gone. */
  onProcessEnd(group: ThreadGroup): void;
}

export class ThreadGroup {
  /** What the kernel objects that it makes are charged to. */
  readonly account: Account;
  readonly id: TaskPid;
  /** Its number in its own PID namespace. */
  readonly pid: number;
  /** Live tasks, leader first as long as it lives. */
  readonly tasks: Task[] = [];
  leader: Task | null = null;
  parent: ThreadGroup | null;
  readonly children: Set<ThreadGroup> = new Set();
  pgrp: ProcessGroup;
  /** Signal sent to the parent at exit (SIGCHLD, or that of clone). */
  exitSignal: number;
  limits: Limits;
  readonly pending: PendingSignals;
  readonly usage: Usage = new Usage();
  /** It has had more than one thread. */
  hadThreads: boolean = false;
  readonly childUsage: Usage = new Usage();
  readonly timers: ProcessTimers = new ProcessTimers();

  /** Woken when a child changes state: wait4(2) and waitid(2) wait here. */
  readonly childEvents: WaitQueue = new WaitQueue();
  /** Woken when this process ends: pidfds wait here. */
  readonly exitEvents: WaitQueue = new WaitQueue();

  /** Exiting: every task must end with `exitStatus`. */
  isExiting: boolean = false;
  /** All tasks are gone and the parent has not waited yet. */
  isZombie: boolean = false;
  isReaped: boolean = false;
  /**
   * How far its end has come: a step of exit.ts; and whether it is reaped at once, as its parent
   * does not wait.
   */
  endStep: number = 0;
  isReapedAtOnce: boolean = false;
  /** Wait status (wait(2) encoding). */
  exitStatus: number = 0;

  /** Job control: the signal that stops it, 0 when it runs; `isStopped` once every task stands still. */
  stopSignal: number = 0;
  isStopped: boolean = false;
  /** Counts stops. */
  stopSerial: number = 0;
  /** ptrace(2): threads that threads of this process trace, and those that ended and were not waited for. */
  tracees: Set<Task> | null = null;
  deadTracees: DeadTracee[] | null = null;
  /** Traced processes, children of others, that ended or whose leader did. */
  deadLeaders: Set<ThreadGroup> | null = null;
  /** Whose tracee its leader was when it ended: hears of the end before the parent does. */
  leaderTracer: ThreadGroup | null = null;
  /** What wait(2) was not told yet. */
  stopReported: boolean = true;
  continuedReported: boolean = true;
  /** What it was started in, with all its descendants; null: nothing (tests). */
  container: Container | null;
  exitListener: ExitListener | null = null;
  /** Signals whose action is the default one do not reach it (init of a PID namespace, pid_namespaces(7)). */
  isUnkillable: boolean = false;
  /**
   * The thread that is in execve(2), its new credentials decided, and writes its arguments or waits
   * until it is the only one left.
   */
  execTask: Task | null = null;
  /** Woken when a thread ends, and when `execTask` becomes null. */
  readonly threadExits: WaitQueue = new WaitQueue();

  /** Executable (exe link) and what /proc/PID/cmdline, environ show: ranges in its memory. */
  exe: OpenFile | null = null;
  argStart: number = 0;
  argEnd: number = 0;
  envStart: number = 0;
  envEnd: number = 0;
  auxv: Uint8Array<ArrayBuffer> | null = null;
  isSubreaper: boolean = false;
  /** Asynchronous I/O (io_setup(2)); null until the first context. */
  aio: AioContexts | null = null;
  /** Rings of io_uring_setup(2) that its tasks submitted to. */
  rings: Set<RequestSource> | null = null;
  /** It gave its controlling terminal up for itself alone (TIOCNOTTY); children inherit that. */
  hasLeftTerminal: boolean;
  /** It has called execve since it was forked (setpgid(2) EACCES). */
  hasExeced: boolean = false;
  /**
   * Counts its programs, and what that of its parent was when it was born: a later one chose no
   * `exitSignal`.
   */
  execSerial: number = 0;
  parentExecSerial: number = 0;
  oomScoreAdj: number = 0;
  oomScoreAdjMin: number = 0;
  /** MEMBARRIER_CMD_REGISTER_* that were made; execve takes them back. */
  membarriers: number = 0;
  /** Real user id of its last task, for SIGCHLD after that is gone. */
  lastUid: number = 0;
  /** Name, credentials and nice value that its leader had, for /proc/PID after that is gone. */
  lastComm: string = "";
  lastCred: Credentials | null = null;
  lastNice: number = 0;
  /** Audit's login uid (2^32 - 1: not set) and what a core dump would hold; both are inherited. */
  loginUid: number;
  coredumpFilter: number;
  /** Status line "State:" etc. come from its leader. */
  startNs: number;

  constructor(
    id: TaskPid,
    parent: ThreadGroup | null,
    pgrp: ProcessGroup,
    exitSignal: number,
    limits: Limits,
    startNs: number,
  ) {
    this.id = id;
    this.pid = id.nr;
    this.account = new Account(parent?.account.parent ?? null, 1);
    this.pending = new PendingSignals(this.account);
    this.parent = parent;
    this.container = parent === null ? null : parent.container;
    this.pgrp = pgrp;
    this.exitSignal = exitSignal;
    this.limits = limits;
    this.startNs = startNs;
    this.hasLeftTerminal = parent !== null && parent.hasLeftTerminal;
    this.loginUid = parent === null ? 0xffffffff : parent.loginUid;
    this.coredumpFilter = parent === null ? 0x33 : parent.coredumpFilter;
    pgrp.members.add(this);
    if (parent !== null) parent.children.add(this);
  }

  /** The first process of its PID namespace. */
  get isInit(): boolean {
    return this.pid === 1;
  }

  get pids(): PidNamespace {
    return this.id.space;
  }

  /** Its own PID namespace is the kernel's first: with its init the sandbox ends. */
  get isRootInit(): boolean {
    return this.pid === 1 && this.id.space.outer === null;
  }

  /** It leads its session. */
  get isSessionLeader(): boolean {
    return this.pgrp.session.id === this.id;
  }

  /** Its parent as its own namespace sees it; 0: it is outside, or there is none. */
  get parentPid(): number {
    return this.parent === null ? 0 : this.parent.id.numberIn(this.id.space);
  }

  get session(): Session {
    return this.pgrp.session;
  }
}
