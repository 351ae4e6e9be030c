/**
 * A lab with one task in a kernel of fakes, for tests of system call handlers: a tmpfs at "/", user
 * memory, arguments. task_lab.ts has labs with several tasks.
 */

import { NamespaceCounts } from "../cred/namespace_counts.ts";
import type { Account } from "../core/account.ts";
import { SandboxAccounts } from "../task/accounts.ts";
import { BpfPrograms } from "../cgroup/bpf_programs.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE } from "../../ffi/abi/mman.ts";
import { type AddressSpace, Context, SyscallArgs } from "../../platform/platform.ts";
import { bytesToString, stringToBytes } from "../core/bytes.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { rootCredentials } from "../cred/credentials.ts";
import { AnonFiles } from "../fs/anonfd/anon_inode.ts";
import { FsType, FsTypes } from "../fs/fs_types.ts";
import { SysctlStore } from "../proc/fs/sysctl_store.ts";
import { MemfdStore } from "../fs/tmpfs/memfd.ts";
import { SecretStore } from "../fs/tmpfs/secret.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { KeyStore } from "../keys/key_store.ts";
import { MemoryContext } from "../mm/memory_context.ts";
import { MemoryManager } from "../mm/memory_manager.ts";
import { FifoOpener } from "../ipc/fifo.ts";
import { registerFamilies } from "../net/families.ts";
import { IpcNamespace } from "../ipc/ipc_namespace.ts";
import { NetNamespace } from "../net/net_namespace.ts";
import { NetShared } from "../net/net_shared.ts";
import { joinGroups } from "../cgroup/group_set.ts";
import { Cgroups } from "../cgroup/hierarchy.ts";
import { TaskStats } from "../task/task_stats.ts";
import { CpuClock } from "../task/cpu_clock.ts";
import { FutexTable } from "../futex/futex_table.ts";
import { ObjectRanks } from "../task/object_ranks.ts";
import { OomKiller } from "../oom/oom_killer.ts";
import { TaskIpcUser } from "../task/ipc_user.ts";
import { CallRecord } from "../task/call_record.ts";
import { type Kernel, Scratch } from "../task/kernel_services.ts";
import { Limits } from "../task/limits.ts";
import { initialNamespaces, type Namespaces } from "../task/namespaces.ts";
import { enrollGroup, enrollTask, PidNamespace, TaskPid } from "../task/pid_namespace.ts";
import { SignalHandlers } from "../signal/handlers.ts";
import { Task } from "../task/task.ts";
import { ProcessGroup, Session, ThreadGroup } from "../task/thread_group.ts";
import { TimerQueue } from "../time/timer.ts";
import { FdTable } from "../vfs/fd_table.ts";
import { FsContext } from "../vfs/fs_context.ts";
import { MountNamespace } from "../vfs/mounts.ts";
import type { FileSystem } from "../vfs/inode.ts";
import { SpecialFiles } from "../vfs/special_files.ts";
import { Vfs } from "../vfs/vfs.ts";
import { ERRNO_NAMES } from "../../ffi/abi/errno.ts";
import { FakePlatform } from "./fake_platform.ts";
import { IoHost } from "./io_host.ts";

/** The bytes of the task's guest memory, readable and writable. */
const MEMORY_BYTES = 1 << 20;

export class FakeContext extends Context {
  rip: number = 0;
  rsp: number = 0;
  readonly space: AddressSpace;
  readonly fpu: Uint8Array<ArrayBuffer> = new Uint8Array(512);

  constructor(space: AddressSpace) {
    super();
    this.space = space;
  }
  fetchRegs(): void {}
  fetchFpu(): void {}
  resumeRet(_result: number): void {}
  resumeAll(_withFpu: boolean): void {}
  requestFull(): void {}
  park(): void {}
  interrupt(): void {}
  release(): void {}
}

class LabKernel implements Kernel {
  readonly accounts: SandboxAccounts = new SandboxAccounts();
  readonly userCounts: NamespaceCounts = new NamespaceCounts(true);
  readonly host: IoHost = new IoHost();
  readonly platform: FakePlatform;
  readonly cpu: { readonly hwcap: number; readonly hwcap2: number } = { hwcap: 0, hwcap2: 0 };
  readonly memory: MemoryContext;
  readonly timers: TimerQueue = new TimerQueue();
  readonly calls: CallRecord = new CallRecord(null);
  readonly pids: PidNamespace = new PidNamespace();
  readonly futexes: FutexTable = new FutexTable();
  readonly bpf: BpfPrograms = new BpfPrograms();
  readonly keys: KeyStore = new KeyStore(new SysctlStore(), this.host, this.timers);
  readonly oom: OomKiller;
  current: Task | null = null;
  readonly clock: CpuClock = new CpuClock();
  readonly taskStats: TaskStats = new TaskStats(this, 0);
  readonly scratch: Scratch = new Scratch();
  readonly vfs: Vfs;
  readonly fsTypes: FsTypes = new FsTypes();
  readonly anon: AnonFiles;
  readonly ranks: ObjectRanks = new ObjectRanks();
  readonly memfds: MemfdStore;
  readonly secrets: SecretStore;
  readonly sysctl: SysctlStore = new SysctlStore();
  readonly namespaces: Namespaces;
  readonly bootNs: number = 0;
  /** The tasks that were woken. */
  readonly queued: Task[] = [];

  constructor(arena: Arena) {
    this.platform = new FakePlatform(arena);
    this.memory = new MemoryContext(arena, this.platform, this.host);
    this.oom = new OomKiller(this);
    this.vfs = new Vfs(this.host, {
      special: new SpecialFiles(new FifoOpener(this.memory.frames)),
    });
    this.anon = new AnonFiles(this.vfs.devices);
    this.memfds = new MemfdStore(this.accounts.root, this.vfs, this.newTmpfs());
    this.secrets = new SecretStore(this.accounts.root, this.vfs, this.memory.frames);
    const shared = new NetShared(this.memory.frames, this.host, this.vfs.devices);
    const net = new NetNamespace(this.accounts.root, shared);
    this.namespaces = initialNamespaces({
      hostname: "lab",
      ipc: this.newIpcNamespace(INITIAL_USER_NAMESPACE, this.accounts.root),
      net,
      pids: this.pids,
      cgroups: new Cgroups(this, this.accounts.root),
    });
    registerFamilies(net);
  }
  newTmpfs(): TmpfsFs {
    return new TmpfsFs(this.accounts.root, this.memory.frames, this.vfs, {
      pages: 0,
      inodes: 0,
      mode: 0o755,
    });
  }
  newIpcNamespace(owner: UserNamespace, account: Account): IpcNamespace {
    const user = new TaskIpcUser(this);
    return new IpcNamespace(account, this.memory, this.vfs, user, new SysctlStore(), owner);
  }
  newNetNamespace(owner: UserNamespace, account: Account): NetNamespace {
    return new NetNamespace(account, this.namespaces.net.shared, null, owner, this.namespaces.net);
  }
  get namespaceFiles(): never {
    throw new Error("a lab has no files of namespaces");
  }
  now(): number {
    return this.host.monotonicNs();
  }
  enqueue(task: Task): void {
    this.queued.push(task);
  }
  onInitExit(_init: ThreadGroup): void {}
  log(_line: string): void {}
}

/** tmpfs, for mount(2). */
export class LabTmpfs extends FsType {
  override readonly name = "tmpfs";
  private readonly kernel: LabKernel;
  constructor(kernel: LabKernel) {
    super();
    this.kernel = kernel;
  }
  override create(): FileSystem {
    return this.kernel.newTmpfs();
  }
}

type Argument = number | string;

export class CallLab {
  readonly kernel: LabKernel;
  readonly namespace: MountNamespace;
  readonly task: Task;
  /**
   * The guest address of the task's memory. `call` puts strings at its end; tests put structs into
   * the rest.
   */
  readonly memory: number;
  private text: number = 0;

  constructor() {
    const kernel = this.kernel = new LabKernel(labArena());
    this.namespace = MountNamespace.of(
      kernel.accounts.root,
      kernel.vfs,
      kernel.newTmpfs(),
      0,
      "tmpfs",
    );
    const root = this.namespace.rootPath();
    const fs = new FsContext(this.namespace, root, root, 0o022);
    const limits = new Limits(null);
    const id = new TaskPid(kernel.pids, [1]), pgrp = new ProcessGroup(id, new Session(id));
    const group = new ThreadGroup(id, null, pgrp, 0, limits, 0);
    const mm = new MemoryManager(group.account, kernel.memory, kernel.platform.newAddressSpace());
    this.task = new Task(
      kernel,
      id,
      group,
      new FakeContext(mm.space),
      mm,
      new FdTable(group.account),
      fs,
      rootCredentials(),
      new SignalHandlers(null),
      kernel.namespaces.hold(),
    );
    group.tasks.push(this.task);
    group.leader = this.task;
    enrollTask(this.task);
    joinGroups(this.task);
    enrollGroup(group);
    this.memory = mm.mmap(0, MEMORY_BYTES, 3, MAP_PRIVATE | MAP_ANONYMOUS, null, 0);
  }

  /**
   * Calls a handler; strings are put into user memory first. Returns a number >= 0, "ENOENT", or
   * "-4096" for BLOCK.
   */
  call(
    handler: (t: Task, a: SyscallArgs) => number,
    ...args: readonly Argument[]
  ): number | string {
    this.text = MEMORY_BYTES;
    const a = new SyscallArgs();
    args.forEach((value, i) => {
      const n = typeof value === "string" ? this.string(value) : value;
      a.words[2 * i] = n % 0x100000000;
      a.words[2 * i + 1] = Math.floor(n / 0x100000000);
    });
    this.task.progress.reset();
    const r = handler(this.task, a);
    return r < 0 ? ERRNO_NAMES[-r] ?? `${r}` : r;
  }

  private string(value: string): number {
    this.text -= value.length + 1;
    const addr = this.memory + this.text;
    this.task.mm.copyOut(addr, stringToBytes(value + "\0"), 0, value.length + 1);
    return addr;
  }

  /** The bytes of user memory from `offset` on. */
  bytes(offset: number, len: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(len);
    if (this.task.mm.copyIn(out, 0, this.memory + offset, len) < 0) throw new Error("EFAULT");
    return out;
  }
  view(offset: number, len: number): DataView {
    return new DataView(this.bytes(offset, len).buffer);
  }
  textAt(offset: number, len: number): string {
    return bytesToString(this.bytes(offset, len), 0, len);
  }
  poke(offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.task.mm.copyOut(this.memory + offset, bytes, 0, bytes.length);
  }
  poke64(offset: number, value: number): void {
    this.task.mm.store64(this.memory + offset, value);
  }
  /** Writes signed words of 8 or 4 bytes from `offset` on; returns their guest address. */
  words(bits: 64 | 32, offset: number, ...values: readonly number[]): number {
    const dv = new DataView(new ArrayBuffer(values.length * bits / 8));
    values.forEach((value, i) => {
      if (bits === 32) dv.setInt32(4 * i, value, true);
      else dv.setBigInt64(8 * i, BigInt(value), true);
    });
    this.poke(offset, new Uint8Array(dv.buffer));
    return this.memory + offset;
  }
  /** Reads signed words of 8 or 4 bytes from `offset` on. */
  readWords(bits: 64 | 32, offset: number, count: number): number[] {
    const dv = this.view(offset, count * bits / 8);
    return Array.from(
      { length: count },
      (_, i) => bits === 32 ? dv.getInt32(4 * i, true) : Number(dv.getBigInt64(8 * i, true)),
    );
  }
  /** The guest address `n` bytes before the end of memory. */
  edge(n: number): number {
    return this.memory + MEMORY_BYTES - n;
  }
}

let arena: Arena | null = null;
function labArena(): Arena {
  if (arena === null) arena = Arena.create(256 << 20, 8 << 21);
  else arena.punch(0, arena.size);
  return arena;
}
