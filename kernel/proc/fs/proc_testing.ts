/**
 * A /proc for unit tests, over tasks that the test makes: a Vfs with a ProcFs at /proc, and a
 * caller of choice.
 */

import { NamespaceCounts } from "../../cred/namespace_counts.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { Namespace, type NamespaceKind } from "../../cred/namespace.ts";
import { PidSpace } from "../../cred/pid.ts";
import { INITIAL_USER_NAMESPACE } from "../../cred/user_namespace.ts";
import type { Caller } from "../../vfs/caller.ts";
import { NsFs } from "./ns_fs.ts";
import type { NamespaceLink } from "./source.ts";
import { rootCredentials, userCredentials } from "../../cred/credentials.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { Account } from "../../core/account.ts";
import type { Host } from "../../core/host.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { DeviceNumbers } from "../../vfs/device_numbers.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import type { FsContext } from "../../vfs/fs_context.ts";
import { addMount } from "../../vfs/mount_operations.ts";
import type { Inode } from "../../vfs/inode.ts";
import { Vfs } from "../../vfs/vfs.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { findAt } from "../../vfs/status.ts";
import { errno, mustOpen, readBytes, TestCaller, TestFiles } from "../../vfs/vfs_testing.ts";
import { AnonFiles } from "../../fs/anonfd/anon_inode.ts";
import type { FsType } from "../../fs/fs_types.ts";
import { CpuInfo } from "./cpu_info.ts";
import { NetTables } from "./net_tables.ts";
import { ProcFsType } from "./procfs.ts";
import type {
  MachineStat,
  NetSettings,
  ProcCaller,
  ProcSource,
  ProcTask,
  ProcTransfers,
  ProcViewer,
  TaskLimits,
  TaskStat,
} from "./source.ts";
import { SysctlStore } from "./sysctl_store.ts";

export const PLAIN_STAT: TaskStat = {
  state: "S",
  ppid: 1,
  pgrp: 1,
  session: 1,
  tty: 0,
  foreground: -1,
  minorFaults: 1,
  majorFaults: 2,
  childMinorFaults: 3,
  childMajorFaults: 4,
  userNs: 1.25e9,
  systemNs: 0.5e9,
  childUserNs: 0,
  childSystemNs: 0,
  nice: 0,
  policy: 0,
  rtPriority: 0,
  threads: 1,
  startNs: 3e9,
  exitSignal: 17,
  exitCode: 0,
  pending: { lo: 0, hi: 0 },
  sharedPending: { lo: 0x4000, hi: 0 },
  blocked: { lo: 0x80000001, hi: 0 },
  ignored: { lo: 0, hi: 0 },
  caught: { lo: 2, hi: 0x80000000 },
  queuedSignals: 1,
  voluntarySwitches: 5,
  involuntarySwitches: 0,
  affinity: null,
  tracer: 0,
  seccompMode: 0,
  seccompFilters: 0,
  personality: 0,
};

class FakeNamespace extends Namespace {
  override readonly kind: NamespaceKind;

  constructor(kind: NamespaceKind) {
    super(INITIAL_USER_NAMESPACE, true);
    this.kind = kind;
  }
}

const FAKE_TIME = new FakeNamespace("time");
const FAKE_NAMESPACES: ReadonlyMap<NamespaceLink, Namespace> = new Map([
  ["cgroup", new FakeNamespace("cgroup")],
  ["ipc", new FakeNamespace("ipc")],
  ["net", new FakeNamespace("net")],
  ["time", FAKE_TIME],
  ["time_for_children", FAKE_TIME],
  ["uts", new FakeNamespace("uts")],
]);

export class FakeTask implements ProcTask, ProcCaller {
  readonly tid: number;
  readonly tgid: number;
  startNs: number;
  comm: string = "fake";
  cred: Credentials = rootCredentials();
  mm: MemoryManager | null = null;
  files: FdTable | null = null;
  readonly account: Account = TEST_ACCOUNT;
  fs: FsContext | null = null;
  exe: OpenFile | null = null;
  limits: TaskLimits = { soft: [10, Infinity], hard: [20, Infinity] };
  oomScoreAdj: number = 0;
  oomScoreAdjMin: number = 0;
  timerSlackNs: number = 50_000;
  loginUid: number = 0xffffffff;
  coredumpFilter: number = 0x33;
  threads: number[];
  children: number[] = [];
  numbers: TaskStat = PLAIN_STAT;

  constructor(tid: number, tgid: number = tid, startNs: number = 0) {
    this.tid = tid;
    this.tgid = tgid;
    this.startNs = startNs;
    this.threads = [tgid];
  }
  readonly pidSpace: PidSpace = new PidSpace(null, INITIAL_USER_NAMESPACE);
  get nestedIds(): readonly (readonly number[])[] {
    return [[this.tgid], [this.tid], [this.numbers.pgrp], [this.numbers.session]];
  }
  namespaceOf(link: NamespaceLink): Namespace | null {
    switch (link) {
      case "mnt":
        return this.fs?.namespace ?? null;
      case "user":
        return this.cred.userNs;
      case "pid":
      case "pid_for_children":
        return this.pidSpace;
      default:
        return FAKE_NAMESPACES.get(link) ?? null;
    }
  }
  isOf(task: ProcTask): boolean {
    return task.tgid === this.tgid;
  }
  isOutOfReach(): boolean {
    return false;
  }
  callText(): string {
    return "running\n";
  }
  timersText(): string {
    return "";
  }
  cgroupText(): string {
    return "0::/\n";
  }
  cpusetText(): string {
    return "/\n";
  }
  threadIds(): number[] {
    return this.threads;
  }
  childIds(): number[] {
    return this.children;
  }
  stat(_whole: boolean): TaskStat {
    return this.numbers;
  }
  transfers(_whole: boolean): ProcTransfers {
    return { readBytes: 1, writtenBytes: 2, reads: 3, writes: 4, fetchedBytes: 5, storedBytes: 6 };
  }
}

class FakeSource implements ProcSource {
  readonly viewers: Set<ProcViewer> = new Set();
  forgetName(): void {}
  readonly host: Host;
  readonly vfs: Vfs;
  readonly account: Account = new Account(null, 1);
  readonly userCounts: NamespaceCounts = new NamespaceCounts(true);
  readonly cpuInfo: CpuInfo = CpuInfo.fromHost("");
  readonly net: NetTables = new NetTables();
  readonly sysctl: SysctlStore = new SysctlStore();
  readonly netSettings: NetSettings = {
    isGone: false,
    isFirst: true,
    store: this.sysctl,
    isAdministrator: () => false,
    links: () => new Map([[1, "lo"]]),
    read: () => 0,
    write: () => 0,
  };
  hostname: string = "fake";
  domainname: string = "(none)";
  readonly release = "6.1.0";
  readonly version = "#1 SMP";
  readonly tasks: Map<number, FakeTask> = new Map();
  /** The task whose call is served. */
  acting: FakeTask | null = null;
  /** The caller is in another PID namespace. */
  hidesCaller: boolean = false;
  totals: MachineStat = {
    uptimeNs: 100e9,
    userNs: 12e9,
    systemNs: 3e9,
    forks: 9,
    lastPid: 9,
    contextSwitches: 7,
    runningTasks: 1,
    tasks: 2,
    loads: [0.5, 0.25, 0.125],
    usedBytes: 1 << 20,
    faults: 5,
    oomKills: 0,
  };

  readonly namespaces: NsFs;
  readonly pids: PidSpace = new PidSpace(null, INITIAL_USER_NAMESPACE);

  constructor(host: Host) {
    this.host = host;
    this.vfs = new Vfs(host);
    this.namespaces = new NsFs(TEST_ACCOUNT, this.vfs, this);
  }
  seenBy(_caller: Caller): ProcSource {
    return this;
  }
  add(task: FakeTask): FakeTask {
    this.tasks.set(task.tid, task);
    return task;
  }
  caller(): ProcCaller | null {
    return this.acting;
  }
  current(): ProcTask | null {
    return this.hidesCaller ? null : this.acting;
  }
  currentCred(): Credentials | null {
    return this.acting?.cred ?? null;
  }
  task(id: number): ProcTask | null {
    return this.tasks.get(id) ?? null;
  }
  chooseLastPid(pid: number): number {
    this.totals = { ...this.totals, lastPid: pid };
    return 0;
  }
  processNumber(kernelPid: number): number {
    return kernelPid;
  }
  processIds(): number[] {
    return [...this.tasks.values()].filter((t) => t.tid === t.tgid).map((t) => t.tid)
      .sort((a, b) => a - b);
  }
  machine(): MachineStat {
    return this.totals;
  }
  cgroups(): string {
    return "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";
  }
  keys(): string {
    return "";
  }
  keyUsers(): string {
    return "";
  }
  sysvipc(kind: string): string {
    return `${kind}\n`;
  }
  filesystems(): string {
    return "nodev\tproc\n";
  }
}

/** A ProcFs mounted at /proc, with process 1 as the caller. */
export class ProcLab {
  readonly files: TestFiles = new TestFiles();
  readonly source: FakeSource = new FakeSource(this.files.host);
  readonly root: TestCaller = this.files.root;
  readonly init: FakeTask;

  constructor(options: string = "", type: FsType = new ProcFsType(this.source)) {
    this.init = this.source.add(new FakeTask(1));
    this.init.fs = this.root.fs;
    this.init.files = this.root.files;
    this.source.acting = this.init;
    this.mount(type, "/proc", options);
  }

  mount(type: FsType, at: string, options: string): void {
    const fs = type.create(this.root, type.name, options);
    if (typeof fs === "number") throw new Error(`mount ${at}: ${errno(fs)}`);
    mkdirAt(this.root, AT_FDCWD, at, 0o755);
    const path = findAt(this.root, AT_FDCWD, at, 0);
    if (typeof path === "number") throw new Error(`mount ${at}: ${errno(path)}`);
    const r = addMount(this.root, fs, path, 0, type.name);
    if (r < 0) throw new Error(`mount ${at}: ${errno(r)}`);
  }

  /** A caller with these ids and no capabilities. */
  as(task: FakeTask, uid: number): TestCaller {
    task.cred = userCredentials(uid, uid, [], { lo: 0, hi: 0 });
    this.source.acting = task;
    return this.root.as(uid);
  }

  text(path: string, caller: TestCaller = this.root): string {
    const file = mustOpen(caller, path, 0);
    const bytes = readBytes(file, 0, 1 << 20);
    file.drop();
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** An open file without a name. */
export class NamelessFile extends OpenFile {
  override readonly inode: Inode = new AnonFiles(new DeviceNumbers()).others.root;

  override describe(): string {
    return "anon_inode:[test]";
  }
  override fdinfo(): string {
    return "test:\t1\n";
  }
}
