/**
 * Messages of the session protocol (docs/protocol.md): JSON objects in frames (frame.ts). Both ends
 * use these types. Strings are Unicode; a path or argument with other bytes has each of them as a
 * character of U+DC80 to U+DCFF, as Python's surrogateescape has it.
 */

/** A user of the sandbox by name or number; absent: the sandbox's own. */
export type UserName = string | { readonly uid: number; readonly gid: number };

/** Bounds of a job: a program and all processes that come from it. Absent: those of the sandbox. */
export interface JobLimits {
  readonly memoryBytes?: number;
  /** Processors, also in fractions. */
  readonly cpus?: number;
  /** Processor time of all its processes together, ms. */
  readonly cpuMs?: number;
  /** Processes and threads. */
  readonly pids?: number;
}

export interface MountMessage {
  /** Absolute, on the host. */
  readonly source: string;
  /** Absolute, in the sandbox. */
  readonly destination: string;
  readonly readonly?: boolean;
}

/**
 * HELLO of the owner, on the standard input of `dvisor sandbox`: makes a sandbox. Absent members
 * have defaults.
 */
export interface CreateMessage {
  readonly protocol: number;
  /** Letters, digits, and . _ + -; absent: a new one. */
  readonly id?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly rootfs?: string;
  readonly overlay?: "memory" | "none";
  readonly mounts?: readonly MountMessage[];
  /** Paths of the host's root that are hidden or shown besides the defaults. */
  readonly hide?: readonly string[];
  readonly show?: readonly string[];
  readonly network?: "none" | "host";
  readonly hostname?: string;
  readonly platform?: "systrap" | "ptrace" | "kvm";
  readonly memoryBytes?: number;
  readonly cpus?: number;
  /** Processes and threads; "max" is any number. Absent: 1024. */
  readonly pids?: number | "max";
  readonly diskBytes?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: UserName;
  readonly cwd?: string;
  /** The sandbox ends after this time; null: it does not. */
  readonly timeoutMs?: number | null;
  /** The sandbox ends when it had no request and no program for this time. */
  readonly idleMs?: number | null;
  /** It outlives the connection of its owner. */
  readonly persistent?: boolean;
  /** The sandbox goes on from a snapshot file of a sandbox with the same options. */
  readonly restore?: { readonly path: string; readonly changedFiles?: "refuse" | "accept" };
}

/** HELLO of every other client, on the sandbox's socket. */
export interface AttachMessage {
  readonly protocol: number;
  /** The number of a fork of the sandbox; absent: the sandbox itself. */
  readonly fork?: number;
}

/** HELLO of the sandbox: its answer to either. */
export interface SandboxInfo {
  readonly protocol: number;
  /** Of dvisor. */
  readonly version: string;
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the process on the host that waits for the sandbox's end; 0: unknown. */
  readonly pid: number;
  /** Path of the socket for further clients; "": there is none. */
  readonly socket: string;
  readonly platform: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly persistent: boolean;
  /** When it ends; null: it has no time limit. */
  readonly deadlineMs: number | null;
}

/** How a job ended. */
export type Reason = "exit" | "signal" | "timeout" | "cpu" | "oom" | "output" | "killed";

/** OPEN: what a channel is for. */
export type Request =
  /**
   * Runs a program. INPUT is its stdin, OUTPUT and ERRORS are its stdout and stderr; with `pty` all
   * are its terminal. EVENT {@linkcode StartedEvent}; RESULT {@linkcode ExecResultMessage}.
   * CONTROL: {@linkcode ProgramControl}.
   */
  | {
    readonly op: "exec";
    readonly argv: readonly string[];
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly user?: UserName;
    /** False: stdin is empty. */
    readonly stdin?: boolean;
    readonly pty?: { readonly cols: number; readonly rows: number };
    readonly timeoutMs?: number;
    /** Of stdout and stderr together. */
    readonly maxOutputBytes?: number;
    /** Processes that it leaves behind go on; the time limit is for the main process. */
    readonly detached?: boolean;
    readonly limits?: JobLimits;
  }
  /** RESULT { path }: of the program that `exec` would run for a name; null: there is none. */
  | { readonly op: "which"; readonly name: string; readonly user?: UserName }
  /** The file's bytes on OUTPUT. RESULT {}. */
  | {
    readonly op: "readFile";
    readonly path: string;
    readonly offset?: number;
    readonly length?: number;
    readonly user?: UserName;
  }
  /** The file's new bytes on INPUT. RESULT { bytes }. */
  | {
    readonly op: "writeFile";
    readonly path: string;
    /** Of a new file; absent: 0o666 without the umask's bits. */
    readonly mode?: number;
    readonly append?: boolean;
    readonly createNew?: boolean;
    readonly user?: UserName;
  }
  /** RESULT {@linkcode FileStatus}; `follow` false: of a symbolic link itself. */
  | {
    readonly op: "stat";
    readonly path: string;
    readonly follow?: boolean;
    readonly user?: UserName;
  }
  /** EVENT { entries: FileStatus[] }, any number; RESULT {}. */
  | { readonly op: "list"; readonly path: string; readonly user?: UserName }
  /** RESULT {}, as of the following ones. */
  | {
    readonly op: "mkdir";
    readonly path: string;
    readonly mode?: number;
    readonly recursive?: boolean;
    readonly user?: UserName;
  }
  | {
    readonly op: "remove";
    readonly path: string;
    readonly recursive?: boolean;
    readonly user?: UserName;
  }
  | {
    readonly op: "rename";
    readonly from: string;
    readonly to: string;
    readonly user?: UserName;
  }
  | { readonly op: "chmod"; readonly path: string; readonly mode: number; readonly user?: UserName }
  | {
    readonly op: "symlink";
    readonly target: string;
    readonly path: string;
    readonly user?: UserName;
  }
  /** RESULT { target }. */
  | { readonly op: "readlink"; readonly path: string; readonly user?: UserName }
  /**
   * EVENT {@linkcode ReadyEvent} when all is watched, {@linkcode WatchEvent} until CONTROL
   * { close: true }. RESULT {}.
   */
  | {
    readonly op: "watch";
    readonly path: string;
    readonly recursive?: boolean;
    readonly user?: UserName;
  }
  /** A connection to a TCP port on the guest's loopback: INPUT and OUTPUT. RESULT {} at its end. */
  | { readonly op: "connectPort"; readonly port: number }
  /** RESULT {} when a program listens on a TCP port of the guest's loopback; else `Timeout`. */
  | { readonly op: "waitPort"; readonly port: number; readonly timeoutMs: number }
  /** RESULT {@linkcode StatsMessage}. */
  | { readonly op: "stats" }
  /**
   * EVENT {@linkcode ReadyEvent}, then {@linkcode SandboxEvent} until CONTROL { close: true }.
   * RESULT {}.
   */
  | { readonly op: "events" }
  /** EVENT { changes: Change[] }, any number: what was written to the root. RESULT {}. */
  | { readonly op: "diff" }
  /** RESULT { jobs: JobInfo[] }. */
  | { readonly op: "jobs" }
  /** A signal to all processes of a job. RESULT {}. */
  | { readonly op: "signalJob"; readonly job: number; readonly signal: string | number }
  /** RESULT {} when the job has no process. */
  | { readonly op: "waitJob"; readonly job: number }
  /** RESULT { processes: ProcessInfo[] }: those of all programs. */
  | { readonly op: "ps" }
  /** RESULT { text }: what the sandbox's processes and threads are doing, for people. */
  | { readonly op: "debug" }
  | { readonly op: "pause" }
  | { readonly op: "resume" }
  /**
   * Saves the sandbox in a file. Two descriptors come with the frame (SCM_RIGHTS), so the client
   * has come by the socket: as `checkpoint` of control_protocol.ts. RESULT { bytes }.
   */
  | {
    readonly op: "checkpoint";
    readonly leaveRunning: boolean;
    readonly compression: number;
    readonly sockets: "refuse" | "reset";
  }
  /** Keeps the state of the sandbox in its memory. RESULT {@linkcode SnapshotInfo}. */
  | { readonly op: "snapshot"; readonly name?: string }
  /**
   * The sandbox goes on from a snapshot, in place of what it is. Requests of all clients end with
   * `RolledBack`. RESULT {}.
   */
  | { readonly op: "rollback"; readonly snapshot: number }
  /** RESULT { snapshots: SnapshotInfo[] }. */
  | { readonly op: "snapshots" }
  /**
   * A further sandbox goes on from a snapshot, beside this one. RESULT { fork }: its number, for
   * {@linkcode AttachMessage}.
   */
  | { readonly op: "fork"; readonly snapshot: number }
  | { readonly op: "deleteSnapshot"; readonly snapshot: number }
  /** The sandbox ends `timeoutMs` from now; null: never. RESULT { deadlineMs }. */
  | { readonly op: "extend"; readonly timeoutMs: number | null }
  /** Ends the sandbox. The connection ends. */
  | { readonly op: "kill" };

export type Op = Request["op"];

/** EVENT of `exec`: the program runs. */
export interface StartedEvent {
  /** In the sandbox. */
  readonly pid: number;
  /** Number of its job, for `signalJob` and `waitJob`. */
  readonly job: number;
}

/**
 * EVENT of `exec`: the program has ended, but the client has not read all of its output. RESULT
 * follows behind the output.
 */
export interface EndedEvent {
  readonly ended: ExecResultMessage;
}

/** EVENT of any request: a CONTROL that is not valid. The request goes on without it. */
export interface RefusedEvent {
  readonly refused: ErrorMessage;
}

/** A job that runs. */
export interface JobInfo {
  readonly job: number;
  /** Of the main process. */
  readonly pid: number;
  /** The main process has ended; processes that it has left go on. */
  readonly background: boolean;
  /** The beginning of the command. */
  readonly argv: readonly string[];
  readonly startedMs: number;
  readonly processes: number;
}

/** A snapshot in the memory of a sandbox. */
export interface SnapshotInfo {
  /** Its number, which is not used again. */
  readonly snapshot: number;
  /** "": it has none. */
  readonly name: string;
  readonly createdMs: number;
  /** Of guests and their files; it is shared until it is written. */
  readonly memoryBytes: number;
}

export interface ExecResultMessage {
  /** null: a signal ended it. */
  readonly code: number | null;
  /** As `SIGKILL`. */
  readonly signal: string | null;
  readonly reason: Reason;
  readonly durationMs: number;
  readonly peakMemoryBytes: number;
  readonly cpuMs: number;
}

/** CONTROL of a program. */
export type ProgramControl =
  /** To the main process, by name or number; `SIGKILL` to the whole job. */
  | { readonly signal: string | number }
  | { readonly resize: { readonly cols: number; readonly rows: number } }
  /** The client does not read this stream any more: the program gets EPIPE. */
  | { readonly closeStream: number };

export interface FileStatus {
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "fifo" | "socket" | "char" | "block";
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
  readonly atimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
  readonly nlink: number;
}

/** EVENT of `watch` and `events`: from now on nothing that happens is missed. */
export interface ReadyEvent {
  readonly ready: true;
}

export interface WatchEvent {
  readonly kind: "create" | "modify" | "remove" | "rename" | "attributes" | "overflow";
  readonly path: string;
}

export interface StatsMessage {
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly diskBytes: number;
  readonly cpuMs: number;
  readonly processes: number;
  readonly threads: number;
  readonly programs: number;
  readonly uptimeMs: number;
}

export type SandboxEvent =
  | {
    readonly kind: "start";
    readonly pid: number;
    readonly argv: readonly string[];
    readonly timeMs: number;
  }
  | {
    readonly kind: "end";
    readonly pid: number;
    readonly reason: Reason;
    readonly code: number | null;
    readonly signal: string | null;
    readonly timeMs: number;
  }
  /** A process was killed for want of memory. */
  | {
    readonly kind: "oom";
    readonly pid: number;
    /** Its name (`comm` of proc(5)). */
    readonly command: string;
    readonly timeMs: number;
  }
  /** Events were lost, because the client did not read them. */
  | { readonly kind: "lost"; readonly count: number; readonly timeMs: number };

export interface Change {
  readonly path: string;
  readonly kind: "added" | "modified" | "removed";
}

/** Codes of ERROR. A failed call of the kernel has the name of its errno in `errno`. */
export type ErrorCode =
  | "NotFound"
  | "AlreadyExists"
  | "PermissionDenied"
  | "NotADirectory"
  | "IsADirectory"
  | "NotEmpty"
  | "InvalidArgument"
  | "Limit"
  | "Timeout"
  | "Unsupported"
  | "Gone"
  | "RolledBack"
  | "Protocol"
  | "Failed";

/** ERROR: ends the channel; on channel 0 the connection. */
export interface ErrorMessage {
  readonly code: ErrorCode;
  readonly message: string;
  readonly errno?: string;
  readonly path?: string;
}
