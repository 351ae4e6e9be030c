/**
 * A lab of tasks for unit tests: a kernel without a loop on the fake platform. A test makes calls
 * as a guest would, checks their results, and runs the tasks that became ready. call_lab.ts is for
 * single handlers.
 */

import { NamespaceCounts } from "../cred/namespace_counts.ts";
import type { Account } from "../core/account.ts";
import { BpfPrograms } from "../cgroup/bpf_programs.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import {
  Context,
  RAX,
  RIP,
  RSP,
  TRAP_FULL,
  TRAP_INTERRUPT,
  TRAP_NONE,
  TRAP_SYSCALL,
} from "../../platform/platform.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { rootCredentials } from "../cred/credentials.ts";
import { AnonFiles } from "../fs/anonfd/anon_inode.ts";
import { FsTypes } from "../fs/fs_types.ts";
import { SysctlStore } from "../proc/fs/sysctl_store.ts";
import { MemfdStore } from "../fs/tmpfs/memfd.ts";
import { RunQueue } from "../run_queue.ts";
import { IpcNamespace } from "../ipc/ipc_namespace.ts";
import { NetNamespace } from "../net/net_namespace.ts";
import { NetShared } from "../net/net_shared.ts";
import { KeyStore } from "../keys/key_store.ts";
import type { MemoryContext } from "../mm/memory_context.ts";
import { FairTurns } from "../fair_turns.ts";
import { CallRecord } from "../task/call_record.ts";
import { dispatch, onFull, runQueued } from "../syscalls/dispatch.ts";
import { joinGroups } from "../cgroup/group_set.ts";
import { SandboxAccounts } from "../task/accounts.ts";
import { Cgroups } from "../cgroup/hierarchy.ts";
import { CpuClock } from "../task/cpu_clock.ts";
import { onException } from "../task/exception.ts";
import { TaskStats } from "../task/task_stats.ts";
import { SecretStore } from "../fs/tmpfs/secret.ts";
import { FutexTable } from "../futex/futex_table.ts";
import { ObjectRanks } from "../task/object_ranks.ts";
import { OomKiller } from "../oom/oom_killer.ts";
import { TaskIpcUser } from "../task/ipc_user.ts";
import { type Kernel, Scratch } from "../task/kernel_services.ts";
import { Limits } from "../task/limits.ts";
import { initialNamespaces, type Namespaces } from "../task/namespaces.ts";
import {
  enrollGroup,
  enrollProcessGroup,
  enrollSession,
  enrollTask,
  PidNamespace,
} from "../task/pid_namespace.ts";
import { getReg, setReg } from "../task/registers.ts";
import { SignalHandlers } from "../signal/handlers.ts";
import { BLOCKED, DEAD, RUNNING, Task } from "../task/task.ts";
import { ProcessGroup, Session, ThreadGroup } from "../task/thread_group.ts";
import { TimerQueue } from "../time/timer.ts";
import type { Vfs } from "../vfs/vfs.ts";
import { FileLab } from "./file_lab.ts";
import type { FakeHost } from "./fake_host.ts";
import type { FakePlatform, FakeSpace } from "./fake_platform.ts";
import { MemoryLab } from "./memory_lab.ts";

/** The addresses at which every process of a lab has some pages, and its stack pointer. */
export const DATA = 0x10000, STACK_TOP = 0x40000;
const DATA_BYTES = STACK_TOP - DATA;
/**
 * The results of `LabKernel.call` for a call that waits, and for one that does not return to its
 * caller.
 */
export const WAITS = "waits", GONE = "gone";

/** A context without a thread: the test is the guest. */
export class FakeContext extends Context {
  rip: number = 0;
  rsp: number = 0;
  readonly space: FakeSpace;
  readonly fpu: Uint8Array<ArrayBuffer>;
  /** The last result that was returned; null after `resumeAll`. */
  result: number | null = null;
  /** Resumed and not stopped since. */
  isRunning: boolean = false;
  wasInterrupted: boolean = false;
  private readonly onFullAsked: (ctx: FakeContext) => void;

  constructor(space: FakeSpace, fpuSize: number, onFullAsked: (ctx: FakeContext) => void) {
    super();
    this.space = space;
    this.fpu = new Uint8Array(fpuSize);
    this.onFullAsked = onFullAsked;
  }

  fetchRegs(): void {}
  fetchFpu(): void {}
  resumeRet(result: number): void {
    this.result = result;
    setReg(this.regs, RAX, result);
    this.run();
  }
  resumeAll(_withFpu: boolean): void {
    this.result = null;
    this.run();
  }
  private run(): void {
    this.isRunning = true;
    this.isFull = this.isNew = false;
    this.trap = TRAP_NONE;
  }
  requestFull(): void {
    this.trap = TRAP_FULL;
    this.isFull = true;
    this.onFullAsked(this);
  }
  park(): void {}
  interrupt(): void {
    this.wasInterrupted = true;
  }
  release(): void {
    this.isReleased = true;
    this.owner = null;
  }
}

export class LabKernel implements Kernel {
  readonly accounts: SandboxAccounts = new SandboxAccounts();
  readonly userCounts: NamespaceCounts = new NamespaceCounts(true);
  readonly lab: MemoryLab = new MemoryLab(64 << 20);
  readonly files: FileLab;
  readonly host: FakeHost;
  readonly platform: FakePlatform;
  readonly cpu = { hwcap: 0, hwcap2: 0 };
  readonly memory: MemoryContext;
  readonly timers: TimerQueue = new TimerQueue();
  readonly calls: CallRecord = new CallRecord(null);
  readonly pids: PidNamespace = new PidNamespace();
  readonly futexes: FutexTable = new FutexTable();
  readonly oom: OomKiller;
  current: Task | null = null;
  readonly clock: CpuClock = new CpuClock();
  readonly taskStats: TaskStats = new TaskStats(this, 0);
  readonly scratch: Scratch = new Scratch();
  readonly fsTypes: FsTypes = new FsTypes();
  readonly anon: AnonFiles;
  readonly ranks: ObjectRanks = new ObjectRanks();
  readonly memfds: MemfdStore;
  readonly secrets: SecretStore;
  readonly sysctl: SysctlStore = new SysctlStore();
  readonly keys: KeyStore;
  readonly bpf: BpfPrograms = new BpfPrograms();
  readonly namespaces: Namespaces;
  readonly bootNs = 0;
  readonly logged: string[] = [];
  /** The exit status of the first process. */
  initStatus: number = -1;
  readonly loop = {
    runQueue: new RunQueue(),
    fair: new FairTurns(this.clock.accounts),
    restartClock: (): void => {
      this.clock.nowNs = this.now();
    },
  };
  private readonly full: FakeContext[] = [];

  constructor() {
    this.host = this.lab.host;
    this.keys = new KeyStore(this.sysctl, this.host, this.timers);
    this.platform = this.lab.platform;
    this.memory = this.lab.ctx;
    this.oom = new OomKiller(this);
    this.files = new FileLab(this.accounts.root, this.lab);
    this.anon = new AnonFiles(this.vfs.devices);
    this.memfds = new MemfdStore(this.accounts.root, this.vfs, this.files.tmpfs);
    this.secrets = new SecretStore(this.accounts.root, this.vfs, this.memory.frames);
    this.namespaces = initialNamespaces({
      hostname: "lab",
      ipc: this.newIpcNamespace(INITIAL_USER_NAMESPACE, this.accounts.root),
      net: new NetNamespace(
        this.accounts.root,
        new NetShared(this.memory.frames, this.host, this.vfs.devices, {
          deferred: this.vfs.deferred,
        }),
      ),
      pids: this.pids,
      cgroups: new Cgroups(this, this.accounts.root),
    });
    this.platform.contextMaker = (space) =>
      new FakeContext(space, this.platform.fpuSize, (ctx) => this.full.push(ctx));
  }

  newIpcNamespace(owner: UserNamespace, account: Account): IpcNamespace {
    const user = new TaskIpcUser(this);
    return new IpcNamespace(account, this.memory, this.files.vfs, user, this.sysctl, owner);
  }
  newNetNamespace(owner: UserNamespace, account: Account): NetNamespace {
    return new NetNamespace(account, this.namespaces.net.shared, null, owner, this.namespaces.net);
  }
  get vfs(): Vfs {
    return this.files.vfs;
  }
  get namespaceFiles(): never {
    throw new Error("a lab has no files of namespaces");
  }
  now(): number {
    return this.host.monotonicNs();
  }
  enqueue(task: Task): void {
    this.loop.runQueue.push(task);
  }
  onInitExit(init: ThreadGroup): void {
    this.initStatus = init.exitStatus;
  }
  log(line: string): void {
    this.logged.push(line);
  }

  close(): void {
    this.lab.close();
  }

  /** Makes the first process, running, with memory at DATA and a stack. */
  start(): Task {
    const mm = this.lab.newManager();
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    mm.mmap(DATA, DATA_BYTES, PROT_READ | PROT_WRITE, flags, null, 0);
    const id = this.pids.allocate();
    if (id === null) throw new Error("no id");
    const pgrp = new ProcessGroup(id, new Session(id));
    const group = new ThreadGroup(id, null, pgrp, 0, new Limits(null), this.now());
    group.account.moveTo(this.accounts.root);
    const ctx = mm.space.newContext();
    if (ctx === null) throw new Error("no context");
    const { files, fs } = this.files.newCaller(group.account);
    const cred = rootCredentials();
    const handlers = new SignalHandlers(null), ns = this.namespaces.hold();
    const task = new Task(this, id, group, ctx, mm, files, fs, cred, handlers, ns);
    group.tasks.push(task);
    group.leader = task;
    enrollTask(task);
    joinGroups(task);
    enrollGroup(group);
    enrollProcessGroup(pgrp);
    enrollSession(group.session);
    setReg(ctx.regs, RSP, STACK_TOP - 0x1000);
    setReg(ctx.regs, RIP, 0x5000);
    task.state = RUNNING;
    contextOf(task).isRunning = true;
    ctx.isNew = false;
    return task;
  }

  /**
   * Makes a call as the task, then runs all tasks that became ready: the result, WAITS, or GONE.
   * Arguments may be negative.
   */
  call(task: Task, name: string, ...args: number[]): number | string {
    const ctx = contextOf(task), nr = NAMES.indexOf(name);
    if (!ctx.isRunning) throw new Error(`task ${task.tid} does not run`);
    ctx.isRunning = false;
    ctx.result = null;
    ctx.trap = TRAP_SYSCALL;
    ctx.nr = nr;
    ctx.rip = getReg(ctx.regs, RIP);
    ctx.rsp = getReg(ctx.regs, RSP);
    for (let i = 0; i < 6; i++) {
      const value = args[i] ?? 0;
      ctx.args.words[2 * i] = value % 0x100000000;
      ctx.args.words[2 * i + 1] = Math.floor(value / 0x100000000);
    }
    dispatch(task);
    this.settle();
    return this.outcome(task);
  }

  /** The outcome of the task's call. */
  outcome(task: Task): number | string {
    if (task.state === BLOCKED) return WAITS;
    const ctx = contextOf(task);
    return task.state === DEAD || !ctx.isRunning || ctx.result === null ? GONE : ctx.result;
  }

  /** Delivers the interrupt that the kernel requested. */
  interrupt(task: Task): void {
    this.trap(task, TRAP_INTERRUPT);
  }

  /** Stops the task for anything but a call; the test has set the fields of the trap. */
  trap(task: Task, trap: number): void {
    const ctx = contextOf(task);
    ctx.isRunning = false;
    ctx.wasInterrupted = false;
    ctx.trap = trap;
    onException(task);
    this.settle();
  }

  /** Advances the time: timers that are due fire. */
  pass(ns: number): void {
    this.host.nowNs += ns;
    this.clock.nowNs = this.host.nowNs + this.host.monotonicOffsetNs;
    this.timers.expire(this.clock.nowNs);
    this.settle();
  }

  /** Runs ready tasks and delivers interrupts until there are none. */
  settle(): void {
    for (let turn = 0; turn < 1000; turn++) {
      const ctx = this.full.shift();
      if (ctx !== undefined) {
        if (ctx.owner instanceof Task) onFull(ctx.owner);
        continue;
      }
      const task = this.loop.runQueue.shift();
      if (task !== null) {
        runQueued(task);
        continue;
      }
      const asked = this.findInterrupted();
      if (asked === null) return;
      contextOf(asked).wasInterrupted = false;
      contextOf(asked).isRunning = false;
      contextOf(asked).trap = TRAP_INTERRUPT;
      contextOf(asked).isFull = true;
      onException(asked);
    }
    throw new Error("the tasks do not come to rest");
  }

  private findInterrupted(): Task | null {
    for (const task of this.pids.tasks.values()) {
      const ctx = contextOf(task);
      if (ctx.wasInterrupted && ctx.isRunning) return task;
      ctx.wasInterrupted = false;
    }
    return null;
  }
}

/** The fake context of a lab's task. */
export function contextOf(task: Task): FakeContext {
  if (!(task.ctx instanceof FakeContext)) throw new Error("not a fake context");
  return task.ctx;
}
