/** The options of sandboxes and programs, and their checks. */

import type { JobLimits, MountMessage, UserName } from "../protocol/session/messages.ts";
import { MEMORY_MIN } from "../protocol/session/limits.ts";
import * as is from "./option_checks.ts";

/** A directory or file of the host inside a sandbox; `readonly` is false by default. */
export type Mount = MountMessage;

/** Options of {@linkcode Sandbox.create}. */
export interface SandboxOptions {
  /** Name of the sandbox on this host. Default: a new one. */
  readonly id?: string;
  /** What {@linkcode Sandbox.list} selects by. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Directory of the host that is the root of the sandbox. Default: the host's own root. */
  readonly rootfs?: string;
  /** Where writes to the root go: into memory (default), or through to the host. */
  readonly overlay?: "memory" | "none";
  readonly mounts?: readonly Mount[];
  /** Paths of the host's root that programs do not see, besides those of the default. */
  readonly hide?: readonly string[];
  /** Paths of the host's root that programs see, though the default hides them. */
  readonly show?: readonly string[];
  /** `none` (default): only the sandbox's own loopback; `host`: the host's network. */
  readonly network?: "none" | "host";
  /** Name of the machine. Default "dvisor". */
  readonly hostname?: string;
  /** Default: the best that works on this host. */
  readonly platform?: "systrap" | "ptrace" | "kvm";
  /** Bytes of memory of all programs and of files in memory. Default: what this process may use. */
  readonly memoryBytes?: number;
  /** Processors, also in fractions. Default: those of this process. */
  readonly cpus?: number;
  /** Processes and threads together; `"max"` is any number. Default 1024. */
  readonly pids?: number | "max";
  /** Bytes of files that are written to the overlay. */
  readonly diskBytes?: number;
  /**
   * Environment of all programs, besides LANG, HOME and PATH; the script's own is not passed. PATH
   * has /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin and /bin.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** User of programs, by name or numbers. Default: that of the script. */
  readonly user?: UserName;
  /** Directory of programs. Default: that of the script, and with `rootfs` "/". */
  readonly cwd?: string;
  /** The sandbox ends after this time; {@linkcode Sandbox.extend} changes that. Default: never. */
  readonly timeoutMs?: number | null;
  /** The sandbox ends when it had no request and no program for this time. Default: never. */
  readonly idleMs?: number | null;
  /** It goes on when the script ends; {@linkcode Sandbox.connect} finds it again. */
  readonly persistent?: boolean;
  /** The `dvisor` executable. Default: `$DVISOR`, the installed package, or the one in PATH. */
  readonly binary?: string;
  /** How long the start may take. Default 60 seconds. */
  readonly startTimeoutMs?: number;
  /** Gives up the start. It has no effect on a sandbox that runs. */
  readonly signal?: AbortSignal;
}

/** Options of every program. */
export interface ProgramOptions {
  /** Default: that of the sandbox. */
  readonly cwd?: string;
  /** Added to the environment of the sandbox. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: that of the sandbox. */
  readonly user?: UserName;
  /** The program and all that came from it are killed when it takes longer; 0 is at once. */
  readonly timeoutMs?: number;
  /** They are killed when they write more than this to stdout and stderr together. */
  readonly maxOutputBytes?: number;
  /** Ends the program and all that came from it when it is aborted. */
  readonly signal?: AbortSignal;
  /** Processes that the program leaves behind go on after its end. */
  readonly detached?: boolean;
  /** Bounds of the program and all that came from it, below those of the sandbox. */
  readonly limits?: JobLimits;
}

/** Options of {@linkcode Sandbox.exec}; `maxOutputBytes` is 64 MiB by default. */
export interface ExecOptions extends ProgramOptions {
  /** Standard input. Default: empty. */
  readonly stdin?: string | Uint8Array | ReadableStream<Uint8Array>;
  /**
   * Gets the output while the program runs; the result has all of it too. A character may be in two
   * pieces. What it throws ends the program, and is the failure of `exec`.
   */
  readonly onStdout?: (piece: Uint8Array) => void;
  /** As `onStdout`. */
  readonly onStderr?: (piece: Uint8Array) => void;
}

/** Options of {@linkcode Program.lines}. */
export interface LinesOptions {
  /** A longer line is a LimitError. Default 1 MiB. */
  readonly maxLineBytes?: number;
}

/** Size of a terminal in characters. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** Options of {@linkcode Sandbox.spawn}. */
export interface SpawnOptions extends ProgramOptions {
  /** The program's standard streams are a terminal of this size; `env` names its TERM. */
  readonly pty?: TerminalSize;
}

const memory = is.whole(MEMORY_MIN, "of at least 4 MiB");
const count = is.whole(1, "of at least 1");
const terminalSide = is.whole(1, "from 1 to 65535", 65535);
const terminal: is.Checks = { cols: terminalSide, rows: terminalSide };
const mount: is.Checks = {
  source: is.text,
  destination: is.absolutePath,
  readonly: is.boolean,
};

export const SANDBOX_CHECKS: is.Checks = {
  id: is.text,
  labels: is.textRecord,
  rootfs: is.text,
  overlay: is.oneOf("memory", "none"),
  mounts: is.objects("a mount", mount, ["source", "destination"]),
  hide: is.absolutePaths,
  show: is.absolutePaths,
  network: is.oneOf("none", "host"),
  hostname: is.text,
  platform: is.oneOf("systrap", "ptrace", "kvm"),
  memoryBytes: memory,
  cpus: is.processors,
  pids: is.orText("max", count),
  diskBytes: is.whole(0, "of bytes"),
  env: is.textRecord,
  user: is.user,
  cwd: is.absolutePath,
  timeoutMs: is.orNull(is.lifetime),
  idleMs: is.orNull(is.lifetime),
  persistent: is.boolean,
  binary: is.text,
  startTimeoutMs: is.delay,
  signal: is.abortSignal,
};

const PROGRAM_CHECKS: is.Checks = {
  cwd: is.absolutePath,
  env: is.textRecord,
  user: is.user,
  timeoutMs: is.milliseconds,
  maxOutputBytes: is.whole(0, "of bytes"),
  signal: is.abortSignal,
  detached: is.boolean,
  limits: is.object("limits", {
    memoryBytes: memory,
    cpus: is.processors,
    cpuMs: count,
    pids: count,
  }),
};
export const EXEC_CHECKS: is.Checks = {
  ...PROGRAM_CHECKS,
  stdin: is.bytesOrStream,
  onStdout: is.callback,
  onStderr: is.callback,
};
export const LINES_CHECKS: is.Checks = { maxLineBytes: is.whole(1, "of at least 1") };
export const SPAWN_CHECKS: is.Checks = {
  ...PROGRAM_CHECKS,
  pty: is.object("pty", terminal),
};
export const RESIZE_CHECKS: is.Checks = terminal;
