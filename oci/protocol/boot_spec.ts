/**
 * The boot spec: plain JSON that the launcher writes to a memfd and `dvisor boot` reads. It
 * describes the sandbox to start.
 *
 * Arguments, environment, paths and options are byte strings (kernel/core/bytes.ts): each character
 * is one byte.
 */

import type { TimeOffsets } from "../../kernel/cred/time_namespace.ts";
import type { CgroupLimits } from "../../kernel/cgroup/fs/limits.ts";
import type { SeccompSpec } from "../../kernel/seccomp/oci_filter.ts";
import type { SandboxInfo, UserName } from "./session/messages.ts";
import type { PlatformName } from "../../platform/select/candidates.ts";

export interface ProcessSpec {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** It leads a session of its own, as in a container; with `terminal` it does in any case. */
  readonly leadsSession: boolean;
  /** Where the environment has no HOME, it is what the passwd file says, as in a container. */
  readonly needsHome: boolean;
  /**
   * The guest has a terminal of its own, connected to the host terminal that stdin, stdout and
   * stderr are.
   */
  readonly terminal: boolean;
  readonly consoleSize: { readonly rows: number; readonly columns: number } | null;
  /** Numbers of capabilities; null: all for user 0, none for others. */
  readonly capabilities: CapabilitySpec | null;
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly RlimitSpec[];
  readonly umask: number;
  /** -1000..1000; absent: 0. */
  readonly oomScoreAdj?: number | null;
  readonly scheduler?: SchedulerSpec | null;
  /** As ioprio_set(2): class << 13 | level; absent: none is set. */
  readonly ioPriority?: number;
  /** As personality(2) sets it; absent: 0. */
  readonly personality?: number;
  /** Its filter of system calls; null and absent: none. */
  readonly seccomp?: SeccompSpec | null;
  /** Numbers of the CPUs that it may use; null and absent: all. */
  readonly affinity?: readonly number[] | null;
}

/** sched_setattr(2). Times in ns. */
export interface SchedulerSpec {
  /** SCHED_* */
  readonly policy: number;
  readonly nice: number;
  readonly priority: number;
  /** SCHED_FLAG_* */
  readonly flags: number;
  readonly runtimeNs: number;
  readonly deadlineNs: number;
  readonly periodNs: number;
}

/** A device node. */
export interface DeviceSpec {
  /** Absolute, in the sandbox. */
  readonly path: string;
  /** Character, block, or FIFO. */
  readonly type: "c" | "b" | "p";
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface CapabilitySpec {
  readonly bounding: readonly number[];
  readonly effective: readonly number[];
  readonly permitted: readonly number[];
  readonly inheritable: readonly number[];
  readonly ambient: readonly number[];
}

export interface RlimitSpec {
  /** RLIMIT_* */
  readonly resource: number;
  /** Infinity is null in JSON. */
  readonly soft: number | null;
  readonly hard: number | null;
}

export interface RootSpec {
  /** Name of the tree at the Gofer (attach name). */
  readonly goferAttach: string;
  readonly readonly: boolean;
  /**
   * Where writes go: into memory, into a tree of the Gofer for this container, or to the host's
   * directory.
   */
  readonly overlay: "memory" | "file" | "none";
  /** With "file": name of that tree. */
  readonly upperAttach?: string;
}

export interface MountSpec {
  /**
   * "gofer", or a file system type of the kernel: tmpfs, proc, sysfs, devtmpfs, devpts, overlay,
   * cgroup2, ...
   */
  readonly type: string;
  /** Absolute, in the sandbox. */
  readonly destination: string;
  /** For type "gofer". */
  readonly goferAttach: string | null;
  /** As in fstab: "ro", "nosuid", "size=64m". */
  readonly options: readonly string[];
  /** The source that mountinfo shows; the type if there is none. */
  readonly source?: string | null;
  /** For type "overlay": trees of the Gofer. */
  readonly layers?: OverlayLayers | null;
  /** Names the entry of config.json in messages: `mounts[3]`. */
  readonly jsonPath?: string;
}

/** Attach names at the Gofer. */
export interface OverlayLayers {
  /** The topmost first. */
  readonly lower: readonly string[];
  /** null: nothing can be changed. */
  readonly upper: string | null;
}

/** Limits that the sandbox's kernel keeps; null: none, or the default. */
export interface GuestLimits {
  /** Threads of all processes. */
  readonly tasks: number | null;
  /** Processors' worth of time, fractions too. */
  readonly cpus: number | null;
  /** Bytes that the guest may write to the root directory's overlay in memory. */
  readonly diskBytes: number | null;
  /** For messages about limits that were reached; absent: there are no messages. */
  readonly names?: LimitNames;
}

/** The limits as the caller knows them: "--memory 64M". */
export interface LimitNames {
  readonly memory: string;
  readonly tasks: string;
  readonly disk: string;
}

/** Properties of a container's files besides mounts. */
export interface FilesSpec {
  /** Nodes besides those of every container; null: /dev is left as the mounts make it. */
  readonly devices: readonly DeviceSpec[] | null;
  /** A mount option, as "rslave"; null: as it comes. */
  readonly rootPropagation: string | null;
  /** Names as in sysctl(8), and values. */
  readonly sysctl: readonly (readonly [name: string, value: string])[];
  /** The limits that its control group shows; a missing number is no limit. */
  readonly cgroup: Readonly<Partial<CgroupLimits>>;
}

/**
 * `none` and `loopback` are the same: the sandbox's own loopback. `auto`: host sockets if the
 * namespace has a link besides `lo` when the guest first uses the network.
 */
export type NetworkMode = "auto" | "none" | "loopback" | "host";

/**
 * Host descriptors that a guest process has from the start: its files 0, 1, 2, and further ones.
 */
export type GuestFds = readonly [number, number, number, ...number[]];

/** Descriptor numbers in the boot process; -1: none. */
interface BootFds {
  /** Connected socket of the Gofer. */
  readonly gofer: number;
  readonly stdio: GuestFds;
  /** Socket to the launcher (launcher_channel.ts). */
  readonly control: number;
  readonly debugLog: number;
  /** Socket to the guest's waiter (launcher_channel.ts); -1: the launcher becomes the waiter. */
  readonly waiter: number;
  /** Listening socket for commands (control_protocol.ts). */
  readonly server: number;
  /** /dev/kvm, if the platform needs it. */
  readonly kvm: number;
  /** Absent: no session. */
  readonly session?: SessionFds;
  /** Listening sockets of `published`, in its order; absent: none. */
  readonly published?: readonly number[];
  /** The snapshot file of `restore`; absent: none. */
  readonly image?: number;
}

/** Descriptor numbers in the boot process. */
export interface SessionFds {
  /** Both ends of the owner's connection, non-blocking. */
  readonly input: number;
  readonly output: number;
  /** Listening socket for further clients; -1: none. */
  readonly listener: number;
}

/** A sandbox that clients use by the session protocol (docs/protocol.md). */
export interface SessionSpec {
  readonly info: Omit<SandboxInfo, "protocol" | "platform" | "deadlineMs">;
  /** The user of its programs by name or numbers; null: that of `process`. */
  readonly user: UserName | null;
  readonly timeoutMs: number | null;
  readonly idleMs: number | null;
}

/** How a sandbox goes on from a snapshot, in place of a new one that begins. */
export interface RestoreSpec {
  /** What is done if files of the host are not as they were. */
  readonly changedFiles: "refuse" | "accept";
  /** What is done with connections of the host's network. */
  readonly sockets: "refuse" | "reset";
}

export interface BootSpec {
  /** The id of the container; "" for the guest of `do`, which commands cannot name. */
  readonly id: string;
  /** null: the best that works. */
  readonly platform: PlatformName | null;
  /**
   * The best platform as far as is known; null: the boot process measures it. Absent: the default.
   */
  readonly bestPlatform?: PlatformName | null;
  readonly hostname: string;
  /** null: none. */
  readonly domainname: string | null;
  readonly process: ProcessSpec;
  readonly root: RootSpec;
  readonly mounts: readonly MountSpec[];
  /** The attach names of the Gofer's trees, by number, which is their name if this is absent. */
  readonly trees?: readonly string[];
  /**
   * Paths in the sandbox that are hidden, and that are made read-only. Those that do not exist are
   * ignored.
   */
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** A time namespace of its own; null and absent: the host's clocks. */
  readonly timeOffsets?: TimeOffsets | null;
  /** Absent for what is no container. */
  readonly files?: FilesSpec;
  /** Limits of the guest of `do`, which has no control groups of the host. */
  readonly limits?: GuestLimits;
  readonly fds: BootFds;
  /** The part of the boot process's network namespace that guests have; absent: none. */
  readonly network?: NetworkMode;
  /** Ports of the guest's loopback that are published on the host; absent: none. */
  readonly published?: readonly number[];
  /** Absent: no session. `process` has the defaults of its programs. */
  readonly session?: SessionSpec;
  /**
   * The sandbox goes on from the snapshot in `fds.image`, with its processes and mounts. Of the
   * spec the descriptors, the limits and the Gofer's trees count. Absent: it begins.
   */
  readonly restore?: RestoreSpec;
  /** The first process runs when a command says `start`, not at once. */
  readonly waitsForStart: boolean;
  /** Every call to the debug log. */
  readonly strace: boolean;
  /** The largest size of the debug log, if that is a file. */
  readonly debugLogBytes: number;
  /** The longest turns of the kernel go to the debug log, at the end. */
  readonly turns?: boolean;
  /** Does not print what the host refused of the confinement; absent: prints it. */
  readonly isQuiet?: boolean;
  /** Whether a missing seccomp filter is an error. */
  readonly requireSandbox: boolean;
  /** A bug in the kernel ends the sandbox; otherwise it ends the process that met it. */
  readonly panicOnBug: boolean;
  /**
   * Whether the host has control groups that keep the container's limits of memory and of processor
   * time too; absent: it has. The kernel keeps those of memory and of tasks in any case.
   */
  readonly hostKeeps?: { readonly memory: boolean; readonly cpu: boolean };
  /** The memory and processors that guests see. */
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** Guests may have sockets of the host. */
export function hasHostNetwork({ network }: BootSpec): boolean {
  return network === "auto" || network === "host";
}

/** Descriptor numbers that the launcher gives to the boot process. */
export const BOOT_FDS = {
  spec: 3,
  control: 4,
  gofer: 5,
  stdio: [6, 7, 8],
  debugLog: 9,
  waiter: 10,
  server: 11,
  kvm: 12,
  sessionInput: 13,
  sessionOutput: 14,
  sessionListener: 15,
  image: 16,
} as const;

/** From here on are further files of the guest, and then nothing. */
export const FIRST_FREE_FD = 17;

/** LIMIT: bytes of a file that the command line names. */
export const NAMED_LOG_BYTES = 2 ** 30;
/** LIMIT: bytes of a file that annotations of a container ask for. */
export const ANNOTATED_LOG_BYTES = 16 * 2 ** 20;
