/**
 * The kernel of one sandbox: it owns what all tasks share, and the loop. `oci/boot` makes it
 * from a Host, a Platform and an Arena; `init.ts` starts the first process in it.
 */

import { SI_USER } from "../ffi/abi/siginfo.ts";
import { NamespaceCounts } from "./cred/namespace_counts.ts";
import type { Account } from "./core/account.ts";
import type { Arena } from "../ffi/mem/arena.ts";
import type { Platform } from "../platform/platform.ts";
import type { Host } from "./core/host.ts";
import type { LineLog } from "./core/line_log.ts";
import type { HostNetwork } from "./core/host_network.ts";
import { Containment, type ContainmentOptions } from "./containment.ts";
import { registerFileSystems } from "./file_systems.ts";
import { registerMemoryDevices } from "./fs/devfs/devices.ts";
import { LoopDevices, registerLoopDevices } from "./fs/devfs/loop.ts";
import { DevptsType } from "./fs/devpts/devpts_fs.ts";
import { registerTerminals, type Terminals } from "./fs/devpts/openers.ts";
import { AnonFiles } from "./fs/anonfd/anon_inode.ts";
import { FsTypes } from "./fs/fs_types.ts";
import type { UserNamespace } from "./cred/user_namespace.ts";
import { CpuInfo } from "./proc/fs/cpu_info.ts";
import { SysctlStore } from "./proc/fs/sysctl_store.ts";
import { MemfdStore } from "./fs/tmpfs/memfd.ts";
import { SecretStore } from "./fs/tmpfs/secret.ts";
import { TmpfsFs } from "./fs/tmpfs/tmpfs.ts";
import { Loop } from "./loop.ts";
import type { LoopDriver } from "./loop_driver.ts";
import { HostFdFs } from "./fs/hostfd/host_inode.ts";
import { FifoOpener } from "./ipc/fifo.ts";
import { HostFifoOpener } from "./ipc/host_fifo.ts";
import { IpcNamespace } from "./ipc/ipc_namespace.ts";
import { KeyStore } from "./keys/key_store.ts";
import { MemoryContext } from "./mm/memory_context.ts";
import { registerFamilies } from "./net/families.ts";
import { GenericFamilies } from "./net/netlink/generic.ts";
import { TaskStats } from "./task/task_stats.ts";
import { NetNamespace } from "./net/net_namespace.ts";
import { NetShared } from "./net/net_shared.ts";
import { type CallObserver, CallRecord } from "./task/call_record.ts";
import { UrgentSignals } from "./syscalls/io/async.ts";
import { BpfPrograms } from "./cgroup/bpf_programs.ts";
import { SandboxAccounts } from "./task/accounts.ts";
import { Cgroups } from "./cgroup/hierarchy.ts";
import { IoCharges } from "./cgroup/io.ts";
import { CpuClock } from "./task/cpu_clock.ts";
import { FutexTable } from "./futex/futex_table.ts";
import { ObjectRanks } from "./task/object_ranks.ts";
import { OomKiller } from "./oom/oom_killer.ts";
import { TaskNetworks } from "./task/net_finder.ts";
import { TaskIpcUser } from "./task/ipc_user.ts";
import { type Kernel, Scratch } from "./task/kernel_services.ts";
import { initialNamespaces, type Namespaces } from "./task/namespaces.ts";
import { PidNamespace } from "./task/pid_namespace.ts";
import type { NsFs } from "./proc/fs/ns_fs.ts";
import { ProcFacts } from "./proc/proc_facts.ts";
import { KernelProcSource } from "./proc/proc_source.ts";
import { SigInfo } from "./signal/pending.ts";
import { sendToGroup } from "./signal/send.ts";
import type { Task } from "./task/task.ts";
import { TaskTerminalHooks } from "./task/terminal_hooks.ts";
import type { ThreadGroup } from "./task/thread_group.ts";
import { TimerQueue } from "./time/timer.ts";
import { DeviceNumbers } from "./vfs/device_numbers.ts";
import { SpecialFiles } from "./vfs/special_files.ts";
import { Vfs } from "./vfs/vfs.ts";

interface KernelOptions extends ContainmentOptions {
  readonly hostname: string;
  /** The debug log; without one, its lines are dropped. */
  readonly log?: LineLog;
  /** Observes the calls of all tasks. */
  readonly observer?: CallObserver | null;
  /** Text of the host's /proc/cpuinfo, from which the guest's is made. */
  readonly cpuInfo?: string;
  /** Another kernel on the same arena, platform and driver. */
  readonly beside?: SandboxKernel;
  /** The network namespace outside, for sandboxes with host networking. */
  readonly network?: HostNetwork | null;
}

/** CPUID 1 EDX of the x86-64 baseline, for hosts without a usable `cpuid` instruction. */
const BASELINE_HWCAP = 0x178bfbff;

export class SandboxKernel implements Kernel {
  /**
   * Accounts of the kernel objects of guests. The first field, because objects made after it are
   * charged.
   */
  readonly accounts: SandboxAccounts = new SandboxAccounts();
  readonly userCounts: NamespaceCounts = new NamespaceCounts(true);
  readonly host: Host;
  readonly platform: Platform;
  readonly cpu: { readonly hwcap: number; readonly hwcap2: number } = {
    hwcap: BASELINE_HWCAP,
    hwcap2: 0,
  };
  readonly memory: MemoryContext;
  readonly timers: TimerQueue = new TimerQueue();
  readonly calls: CallRecord;
  readonly pids: PidNamespace = new PidNamespace();
  readonly futexes: FutexTable = new FutexTable();
  readonly keys: KeyStore;
  readonly bpf: BpfPrograms = new BpfPrograms();
  readonly oom: OomKiller;
  current: Task | null = null;
  readonly clock: CpuClock = new CpuClock();
  readonly taskStats: TaskStats;
  readonly scratch: Scratch = new Scratch();
  readonly vfs: Vfs;
  readonly fsTypes: FsTypes = new FsTypes();
  readonly anon: AnonFiles;
  readonly ranks: ObjectRanks = new ObjectRanks();
  readonly memfds: MemfdStore;
  readonly secrets: SecretStore;
  readonly net: NetShared;
  readonly namespaces: Namespaces;
  readonly terminals: Terminals;
  /** Contents of /proc and /sys. */
  readonly proc: KernelProcSource;
  readonly loop: Loop;
  readonly containment: Containment;
  readonly bootNs: number;
  /** Wait status of the first process, -1 while it lives. */
  initStatus: number = -1;
  readonly sysctl: SysctlStore;
  private readonly ipcUser: TaskIpcUser;
  private readonly debugLog: LineLog | null;

  constructor(
    host: Host,
    driver: LoopDriver,
    arena: Arena,
    options: KernelOptions,
  ) {
    const { platform } = driver;
    this.host = host;
    this.platform = platform;
    this.debugLog = options.log ?? null;
    this.calls = new CallRecord(options.observer ?? null);
    this.containment = new Containment(this, options);
    // The machine's uptime, as CLOCK_BOOTTIME has it; the kernel has no boot time of its own.
    this.bootNs = 0;
    this.memory = new MemoryContext(arena, platform, host, options.beside?.memory);
    this.oom = new OomKiller(this);
    const loops = new LoopDevices(), hooks = new TaskTerminalHooks(this);
    const devices = new DeviceNumbers(), special = this.makeSpecialFiles(devices);
    registerLoopDevices(special, loops);
    registerMemoryDevices(special, host, this);
    this.terminals = registerTerminals(special, host, hooks);
    this.vfs = new Vfs(host, { special, devices, charger: new IoCharges(this), server: this });
    this.anon = new AnonFiles(devices);
    const account = this.accounts.root;
    const unlimited = { pages: 0, inodes: 0 };
    this.memfds = new MemfdStore(
      account,
      this.vfs,
      new TmpfsFs(account, this.memory.frames, this.vfs, unlimited),
    );
    this.secrets = new SecretStore(account, this.vfs, this.memory.frames);
    this.loop = new Loop(this, driver, this.memory);
    const sysctl = new SysctlStore();
    this.sysctl = sysctl;
    this.keys = new KeyStore(sysctl, host, this.timers);
    const generic = new GenericFamilies();
    this.taskStats = new TaskStats(this, generic.nextId);
    generic.add(this.taskStats);
    this.net = new NetShared(this.memory.frames, host, devices, {
      timers: this.timers,
      deferred: this.vfs.deferred,
      calls: this,
      finder: new TaskNetworks(),
      generic,
      urgent: new UrgentSignals(),
      settings: sysctl,
    });
    const net = new NetNamespace(account, this.net, options.network ?? null);
    registerFamilies(net);
    if (options.network) net.adopt(options.network.settings);
    this.ipcUser = new TaskIpcUser(this);
    this.namespaces = initialNamespaces({
      hostname: options.hostname,
      ipc: new IpcNamespace(account, this.memory, this.vfs, this.ipcUser, sysctl),
      net,
      pids: this.pids,
      cgroups: new Cgroups(this, account),
    });
    const cpuInfo = CpuInfo.fromHost(options.cpuInfo ?? "");
    this.proc = new KernelProcSource(this, new ProcFacts(this, cpuInfo, sysctl), this.pids);
    registerFileSystems(this, this.proc, loops);
    this.fsTypes.register(new DevptsType(this.vfs, hooks));
  }

  /** The special files with an opener of FIFOs. */
  private makeSpecialFiles(devices: DeviceNumbers): SpecialFiles {
    const { host, timers, memory } = this, { frames } = memory;
    const hostFiles = new HostFdFs(host, devices, memory);
    return new SpecialFiles(new HostFifoOpener(new FifoOpener(frames), hostFiles, timers));
  }

  get namespaceFiles(): NsFs {
    return this.proc.namespaces;
  }

  now(): number {
    return this.host.monotonicNs();
  }

  enqueue(task: Task): void {
    this.loop.runQueue.push(task);
  }

  /** domainname of uname(2) in the first UTS namespace. */
  set domainname(name: string) {
    this.namespaces.uts.domainname = name;
  }

  newIpcNamespace(owner: UserNamespace, account: Account): IpcNamespace {
    return new IpcNamespace(
      account,
      this.memory,
      this.vfs,
      this.ipcUser,
      this.sysctl,
      owner,
      false,
    );
  }

  newNetNamespace(owner: UserNamespace, account: Account): NetNamespace {
    const net = new NetNamespace(account, this.net, null, owner, this.namespaces.net);
    registerFamilies(net);
    return net;
  }

  onInitExit(init: ThreadGroup): void {
    this.initStatus = init.exitStatus;
    this.loop.stop();
  }

  log(line: string): void {
    this.debugLog?.line(line);
  }

  /**
   * Sends a signal from outside (the launcher) to pid 1. A signal that pid 1 neither catches nor
   * ignores ends the sandbox, as it would end the command outside. DIFFERS from a PID namespace,
   * whose init is immune to it.
   */
  signalInit(signo: number): void {
    const init = this.pids.groups.get(1);
    if (init !== undefined) sendToGroup(init, new SigInfo(signo, SI_USER));
  }

  /**
   * Runs until the first process ends, and those of all kernels that the driver has beside this
   * one; returns its wait status.
   *
   * @throws KernelBug if the sandbox cannot go on
   */
  run(): number {
    this.loop.run();
    return this.initStatus;
  }
}
