/**
 * ProcTask of proc/fs: a thread or a process. A view: made for one use, as it refers to the task. A
 * process whose leader has ended is shown as a zombie, as on Linux.
 */

import { SIG_DFL, SIG_IGN, SIGRTMAX } from "../../ffi/abi/signal.ts";
import type { Account } from "../core/account.ts";
import { type Credentials, rootCredentials } from "../cred/credentials.ts";
import type { Namespace } from "../cred/namespace.ts";
import type { PidSpace } from "../cred/pid.ts";
import type {
  NamespaceLink,
  ProcCaller,
  ProcTask,
  SignalBits,
  TaskLimits,
  TaskStat,
} from "./fs/source.ts";
import type { NetTables } from "./fs/net_tables.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { FdTable } from "../vfs/fd_table.ts";
import type { FsContext } from "../vfs/fs_context.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { affinityOf } from "../cgroup/cpuset.ts";
import { cpusetText, groupsText } from "../cgroup/proc_text.ts";
import type { CgroupNamespace } from "../cgroup/namespace.ts";
import { groupSystemNs, groupUserNs, threadUserNs } from "../task/cpu_clock.ts";
import { isOutOfReach } from "../job/job_boundary.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { tellName } from "../task/process_events.ts";
import type { SignalHandlers } from "../signal/handlers.ts";
import { SigSet } from "../signal/sigset.ts";
import type { PidNamespace, TaskPid } from "../task/pid_namespace.ts";
import { BLOCKED, DEAD, FROZEN, STOPPED, type Task, TRACED } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { TransferCounts } from "../task/transfer_counts.ts";
import { callText, timersText } from "./task_texts.ts";
import { netTablesOf } from "./socket_tables.ts";

const NO_SIGNALS: SignalBits = { lo: 0, hi: 0 };
const NO_CRED: Credentials = rootCredentials();

export class TaskView implements ProcTask, ProcCaller {
  private readonly kernel: Kernel;
  /** The PID namespace whose ids are shown. */
  private readonly pids: PidNamespace;
  readonly group: ThreadGroup;
  /** Null: the leader of `group`, which has ended. */
  private readonly task: Task | null;

  constructor(kernel: Kernel, pids: PidNamespace, group: ThreadGroup, task: Task | null) {
    this.kernel = kernel;
    this.pids = pids;
    this.group = group;
    this.task = task;
  }

  get net(): NetTables | null {
    const { task } = this;
    return task === null || task.state === DEAD ? null : netTablesOf(task.ns.net);
  }
  get tid(): number {
    return (this.task ?? this.group).id.numberIn(this.pids);
  }
  get tgid(): number {
    return this.group.id.numberIn(this.pids);
  }
  get pidSpace(): PidSpace {
    return this.group.pids;
  }
  get nestedIds(): readonly (readonly number[])[] {
    const { group } = this, ids = [group.id, (this.task ?? group).id, group.pgrp.id];
    const session = group.session.id;
    return [...ids.map((id) => this.nested(id)), session === null ? [0] : this.nested(session)];
  }
  private nested(id: TaskPid): number[] {
    return this.pids.encloses(id.space) ? id.numbers.slice(this.pids.level) : [0];
  }
  namespaceOf(link: NamespaceLink): Namespace | null {
    const { task } = this;
    if (link === "pid") return this.group.pids;
    if (link === "user") return this.cred.userNs;
    if (task === null || task.state === DEAD) return null;
    switch (link) {
      case "mnt":
        return task.fs.namespace;
      case "pid_for_children": {
        const { pidForChildren } = task.ns;
        return pidForChildren.init === null ? null : pidForChildren;
      }
      case "time_for_children":
        return task.ns.timeForChildren;
      default:
        return task.ns[link];
    }
  }
  /** A process keeps its birth when another of its threads calls execve(2). */
  get startNs(): number {
    return this.task === null || this.tid === this.tgid ? this.group.startNs : this.task.startNs;
  }
  get comm(): string {
    return this.task?.comm ?? this.group.lastComm;
  }
  set comm(name: string) {
    if (this.task === null) this.group.lastComm = name;
    else {
      this.task.comm = name;
      tellName(this.task);
    }
  }
  get cred(): Credentials {
    return this.task?.cred ?? this.group.lastCred ?? NO_CRED;
  }
  isOf(task: ProcTask): boolean {
    return task instanceof TaskView && task.group === this.group;
  }
  isOutOfReach(task: ProcTask): boolean {
    return task instanceof TaskView && isOutOfReach(this.group.job, task.group.job);
  }
  get mm(): MemoryManager | null {
    return this.task?.mm ?? null;
  }
  get account(): Account {
    return this.group.account;
  }
  get files(): FdTable | null {
    return this.task?.files ?? null;
  }
  get fs(): FsContext | null {
    return this.task?.fs ?? null;
  }
  get exe(): OpenFile | null {
    return this.task === null ? null : this.group.exe;
  }
  get limits(): TaskLimits {
    return this.group.limits;
  }
  get oomScoreAdj(): number {
    return this.group.oomScoreAdj;
  }
  set oomScoreAdj(value: number) {
    this.group.oomScoreAdj = value;
  }
  get oomScoreAdjMin(): number {
    return this.group.oomScoreAdjMin;
  }
  set oomScoreAdjMin(value: number) {
    this.group.oomScoreAdjMin = value;
  }
  get timerSlackNs(): number {
    return this.task?.sched.timerSlackNs ?? 0;
  }
  set timerSlackNs(ns: number) {
    this.task?.sched.setTimerSlack(ns);
  }
  get loginUid(): number {
    return this.group.loginUid;
  }
  set loginUid(uid: number) {
    this.group.loginUid = uid;
  }
  get coredumpFilter(): number {
    return this.group.coredumpFilter;
  }
  set coredumpFilter(value: number) {
    this.group.coredumpFilter = value;
  }

  cgroupText(): string {
    const { task, reader } = this;
    return task === null ? "0::/\n" : groupsText(task, reader);
  }
  callText(): string {
    return callText(this.task);
  }
  timersText(): string {
    return timersText(this.group, this.pids);
  }
  cpusetText(): string {
    const { task, reader } = this;
    return task === null ? "/\n" : cpusetText(task, reader);
  }
  private get reader(): CgroupNamespace {
    return (this.kernel.current?.ns ?? this.kernel.namespaces).cgroup;
  }

  threadIds(): number[] {
    const { group } = this;
    const ids = group.tasks.map((t) => t.id.numberIn(this.pids));
    if (group.leader === null) ids.push(this.tgid);
    return ids.sort(ascending);
  }

  /** DIFFERS: children count for the leader, whichever thread made them. */
  childIds(): number[] {
    if (this.tid !== this.tgid) return [];
    return [...this.group.children].map((g) => g.id.numberIn(this.pids)).sort(ascending);
  }

  transfers(whole: boolean): TransferCounts {
    const { group, task } = this;
    if (task !== null && !whole) return task.transfers;
    const all = new TransferCounts();
    all.add(group.usage.transfers);
    all.add(group.childUsage.transfers);
    for (const { transfers } of group.tasks) all.add(transfers);
    return all;
  }
  stat(whole: boolean): TaskStat {
    const { group, task } = this, { usage, childUsage, session } = group;
    const terminal = group.hasLeftTerminal ? null : session.terminal;
    const isOne = task !== null && !whole;
    return {
      state: this.state,
      ppid: group.parent?.id.numberIn(this.pids) ?? 0,
      pgrp: group.pgrp.id.numberIn(this.pids),
      session: session.numberIn(this.pids),
      tty: terminal?.rdev ?? 0,
      foreground: terminal === null ? -1 : terminal.foregroundPgid,
      minorFaults: usage.minorFaults,
      majorFaults: usage.majorFaults,
      childMinorFaults: childUsage.minorFaults,
      childMajorFaults: childUsage.majorFaults,
      userNs: isOne ? threadUserNs(task) : groupUserNs(group),
      systemNs: isOne ? task.systemNs : groupSystemNs(group),
      childUserNs: childUsage.userNs,
      childSystemNs: childUsage.systemNs,
      nice: task?.sched.nice ?? group.lastNice,
      policy: task?.sched.policy ?? 0,
      rtPriority: task?.sched.priority ?? 0,
      threads: group.tasks.length + (group.leader === null ? 1 : 0),
      startNs: this.startNs - this.kernel.bootNs + this.boottimeShift,
      exitSignal: this.tid === this.tgid ? group.exitSignal : -1,
      exitCode: task === null ? group.exitStatus : 0,
      pending: task?.signals.pending.set ?? NO_SIGNALS,
      sharedPending: group.pending.set,
      blocked: task?.signals.blocked ?? NO_SIGNALS,
      ignored: task === null ? NO_SIGNALS : actionSet(task.sighand, true),
      caught: task === null ? NO_SIGNALS : actionSet(task.sighand, false),
      queuedSignals: (task?.signals.pending.count ?? 0) + group.pending.count,
      voluntarySwitches: task?.blockCount ?? usage.voluntarySwitches,
      involuntarySwitches: usage.involuntarySwitches,
      affinity: task === null ? null : affinityOf(task),
      tracer: this.tracer,
      seccompMode: task?.seccompMode ?? 0,
      seccompFilters: task?.seccomp?.count ?? 0,
      personality: task?.personality ?? 0,
    };
  }

  /** The offset of the reader's boot-time clock. */
  private get boottimeShift(): number {
    return this.kernel.current?.ns.time.boottimeNs ?? 0;
  }

  private get tracer(): number {
    const trace = this.task?.trace ?? null;
    if (trace === null) return 0;
    return (trace.tracer?.id ?? trace.group.id).numberIn(this.pids);
  }

  private get state(): string {
    const { task } = this;
    if (task === null || task.state === DEAD) return "Z";
    if (task.state === STOPPED) return "T";
    if (task.state === TRACED) return "t";
    if (task.state === FROZEN) return "S";
    if (task.state !== BLOCKED) return "R";
    return task.uninterruptible ? "D" : "S";
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** The ignored signals, or those with a handler. */
function actionSet(handlers: SignalHandlers, ignored: boolean): SigSet {
  const set = new SigSet();
  for (let sig = 1; sig <= SIGRTMAX; sig++) {
    const { handler } = handlers.of(sig);
    if (ignored ? handler === SIG_IGN : handler !== SIG_IGN && handler !== SIG_DFL) set.add(sig);
  }
  return set;
}
