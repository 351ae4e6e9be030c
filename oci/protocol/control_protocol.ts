/**
 * Requests of commands to a running sandbox, over the control socket in its state directory: one
 * connection, one request, one answer, as JSON in packets that carry descriptors. Both ends are
 * this program, of the same version.
 *
 * Neighbours: boot/control/control_server.ts answers, container/control_client.ts sends.
 * launcher_channel.ts is another socket, between a process of the sandbox and its waiter.
 */

import type { CgroupLimits } from "../../kernel/cgroup/fs/limits.ts";
import type { BootSpec, ProcessSpec } from "./boot_spec.ts";

/** LIMIT: bytes of a packet; longer requests come in a memfd. */
export const PACKET_MAX = 65536;

/** A further container: a boot spec of its own, without the members about the sandbox. */
export type ContainerSpec = BootSpec;

/**
 * Containers of the same sandbox whose namespaces a new one uses; null: the new one gets its own.
 */
export interface SharedNamespaces {
  readonly pid: string | null;
  readonly ipc: string | null;
  readonly uts: string | null;
  readonly time: string | null;
}

/** A hook that runs in the container. Byte strings but `jsonPath`. */
export interface StartHook {
  /** The program first. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeoutSeconds: number | null;
  readonly jsonPath: string;
}

export type Request =
  /**
   * Runs the hooks and then the first process of a created container. Descriptors: the three
   * standard streams of each hook. The answer comes after the hooks.
   */
  | { readonly op: "start"; readonly id: string; readonly hooks: readonly StartHook[] }
  /** `all`: for every process of the container, else for its first one. */
  | { readonly op: "signal"; readonly id: string; readonly signo: number; readonly all: boolean }
  /**
   * Descriptors: stdin, stdout, stderr, the sandbox's end of the control pair of the waiter, and
   * further files of the guest from 3 on.
   */
  | {
    readonly op: "exec";
    readonly id: string;
    readonly process: ProcessSpec;
    /** Of the waiter, for lists of processes. */
    readonly hostPid: number;
    /** The process goes on if its waiter is killed; it has no terminal any more then. */
    readonly isOutlived: boolean;
    readonly ignorePaused: boolean;
  }
  /**
   * Reserves a place for a further container. Descriptor: the sandbox's end of the control pair of
   * the waiter; the place is kept for `createContainer` until the pair ends. Where guests are
   * processes of the host, the answer carries the pidfd of the process that the container's will be
   * copies of, for its control groups.
   */
  | { readonly op: "reserve"; readonly id: string }
  /**
   * Makes the container in its reserved place. Descriptors: the Gofer's socket, stdin, stdout,
   * stderr, a witness if there is a memory limit, and further files of the guest.
   */
  | {
    readonly op: "createContainer";
    readonly id: string;
    readonly spec: ContainerSpec;
    readonly shares: SharedNamespaces;
  }
  | { readonly op: "ps"; readonly id: string }
  | { readonly op: "pause"; readonly id: string }
  | { readonly op: "resume"; readonly id: string }
  | { readonly op: "stats"; readonly id: string }
  /** Limits that the host keeps already; the kernel keeps and shows them too. */
  | { readonly op: "update"; readonly id: string; readonly limits: LimitsChange }
  /** Descriptor: a witness, for a container that has got a memory limit (proxy/oom_witness.ts). */
  | { readonly op: "witness"; readonly id: string }
  | { readonly op: "debug"; readonly id: string }
  | { readonly op: "state"; readonly id: string }
  /**
   * Writes the state of the container's whole sandbox into a snapshot file. Descriptors: the file,
   * empty, for reading and writing, and the reading end of a pipe. The answer comes when the file
   * is whole. Where that fails, or the pipe ends before, the sandbox goes on, and the file is one
   * that no restore takes.
   */
  | ({ readonly op: "checkpoint"; readonly id: string } & CheckpointOptions)
  /** Ends a container, at once. */
  | { readonly op: "destroy"; readonly id: string };

export interface CheckpointOptions {
  /**
   * Otherwise all processes stand still when the file is whole, until the client has given it a
   * name: then a byte comes from the pipe, and they are killed. If its end comes, they go on.
   */
  readonly leaveRunning: boolean;
  /** The level of zstd, 1 to 19; 0: nothing is compressed. */
  readonly compression: number;
  /** Connections of the host's network: they fail the request, or are reset at the restore. */
  readonly sockets: "refuse" | "reset";
}

export type RequestOf<O extends Request["op"]> = Extract<Request, { readonly op: O }>;

/** Some of the limits of a control group; -1 is none. */
export type LimitsChange = Readonly<Partial<CgroupLimits>>;

/** A request that is too long for a packet: its JSON is in the first descriptor. */
export interface RequestInMemfd {
  readonly op: "memfd";
  readonly bytes: number;
}

/** A process of the guest. */
export interface ProcessInfo {
  /** In its container. */
  readonly pid: number;
  /** Of the process that stands for it on the host; 0: none does. */
  readonly hostPid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly threads: number;
  /** Since its start, ms. */
  readonly ageMs: number;
  readonly command: string;
}

export interface Answers {
  readonly start: Record<never, never>;
  readonly signal: Record<never, never>;
  /** `pid` in the container. */
  readonly exec: { readonly pid: number };
  readonly reserve: Record<never, never>;
  readonly createContainer: Record<never, never>;
  readonly ps: { readonly processes: readonly ProcessInfo[] };
  readonly pause: Record<never, never>;
  /** The status after the request. */
  readonly resume: { readonly status: "created" | "running" | "paused" | "stopped" };
  /** Whether the container has a memory limit and no witness for it. */
  readonly update: { readonly needsWitness: boolean };
  readonly witness: Record<never, never>;
  readonly stats: { readonly stats: ContainerStats };
  readonly debug: { readonly text: string };
  readonly state: { readonly status: "created" | "running" | "paused" | "stopped" };
  /** Bytes of the file. */
  readonly checkpoint: { readonly bytes: number };
  readonly destroy: Record<never, never>;
}

/** Counters of the kernel of the sandbox. */
export interface ContainerStats {
  readonly processes: number;
  readonly threads: number;
  /** CPU time of the guest, ns. */
  readonly cpuNs: number;
  /**
   * Bytes of guest memory that the container's processes have; for the sandbox's first container,
   * of the whole sandbox.
   */
  readonly memoryBytes: number;
  /** The limits of memory, bytes, and of tasks, which the kernel keeps; null: none. */
  readonly memoryMax: number | null;
  readonly tasksMax: number | null;
  /** Calls served by the whole sandbox. */
  readonly syscalls: number;
  /** Bugs of the sandbox's kernel that ended one process each. */
  readonly containedBugs: number;
}

export type Op = keyof Answers;

export type Answer<O extends Op> =
  | ({ readonly ok: true } & Answers[O])
  /** `code` is the exit code for the error. */
  | { readonly ok: false; readonly message: string; readonly code: number };
