/**
 * Runs a sandbox in the foreground, for `do` and `run`: standard streams, terminal and signals.
 * Then this process becomes the waiter, which exits as the guest does.
 */

import { isolateProcessor, type ProcessorIsolation } from "./processor_isolation.ts";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { openat } from "../../ffi/sys/files.ts";
import type { PlatformName } from "../../platform/select/candidates.ts";
import { isTerminal, RawTerminal, terminalSize } from "../host/terminal.ts";
import {
  type FilesSpec,
  type GuestLimits,
  type MountSpec,
  NAMED_LOG_BYTES,
  type NetworkMode,
  type ProcessSpec,
  type RootSpec,
} from "../protocol/boot_spec.ts";
import { errnoText } from "../file_error.ts";
import { usageError, UserError } from "../user_error.ts";
import { forwardedSignals } from "./command_signals.ts";
import type { GoferRoot } from "./gofer_process.ts";
import { allowedCpus, allowedMemory } from "../host/host_limits.ts";
import { type StartedSandbox, startSandbox } from "./sandbox_processes.ts";
import { type OpenPort, openPorts, type PublishedPort } from "./published_ports.ts";
import { releaseStdio, stdioFor } from "./stdio.ts";
import { WaiterProgram } from "../proxy/waiter.ts";

/** A guest to run, after every look-up on the host. */
export interface GuestPlan {
  readonly hostname: string;
  readonly domainname: string | null;
  readonly process: Omit<ProcessSpec, "terminal" | "consoleSize">;
  /** null: that of the host's terminal. */
  readonly consoleSize: ProcessSpec["consoleSize"];
  readonly root: RootSpec;
  readonly mounts: readonly MountSpec[];
  /** Tree i is what the specs above call `String(i)`. */
  readonly goferRoots: readonly GoferRoot[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly files?: FilesSpec;
  /** Bytes and processors that the sandbox gets, if less than this process has. */
  readonly memoryLimit: number | null;
  readonly cpuLimit: number | null;
  readonly limits?: GuestLimits;
  /** Ports of its loopback that are published on this host. */
  readonly published?: readonly PublishedPort[];
  readonly sandbox: SandboxSettings;
}

/** The caller's options about the sandbox itself. */
export interface SandboxSettings {
  readonly platform: PlatformName | null;
  readonly tty: "auto" | "on" | "off";
  readonly strace: boolean;
  readonly turns: boolean;
  /** Host path, or null. */
  readonly debugLog: string | null;
  readonly requireSandbox: boolean;
  /** A bug in the kernel ends the sandbox. */
  readonly panicOnBug: boolean;
  /** Does not print what the host refused of the confinement. */
  readonly isQuiet: boolean;
  readonly network: NetworkMode;
  readonly processor: ProcessorIsolation;
}

/**
 * Does not return: the process exits as the guest does.
 * @throws UserError if the sandbox cannot be started
 */
export function runForeground(plan: GuestPlan): never {
  const hasTerminal = wantsTerminal(plan.sandbox.tty);
  const sandbox = start(plan, hasTerminal);
  const terminal = hasTerminal ? new RawTerminal(0) : null;
  try {
    sandbox.confine();
    const waiter = waiterFor(sandbox, terminal);
    sandbox.load();
    terminal?.enter();
    if (terminal === null) releaseStdio();
    sandbox.go();
    return waiter.execute();
  } catch (error) {
    sandbox.destroy();
    terminal?.restore();
    throw error;
  }
}

function waiterFor(sandbox: StartedSandbox, terminal: RawTerminal | null): WaiterProgram {
  return new WaiterProgram({
    control: sandbox.control.fd,
    sentryPid: sandbox.sentry.pid,
    goferPid: sandbox.gofer.pid,
    signals: forwardedSignals(terminal !== null),
    terminal,
  }, ["dvisor", ...Deno.args]);
}

function start(plan: GuestPlan, hasTerminal: boolean): StartedSandbox {
  const { platform, strace, turns, requireSandbox, panicOnBug, debugLog, network, processor } =
    plan.sandbox;
  const { isQuiet } = plan.sandbox, asked = plan.published ?? [], published = openPorts(asked);
  published.forEach((port, i) => {
    if (asked[i]?.hostPort === 0) announce(port);
  });
  return startSandbox({
    spec: {
      id: "",
      platform,
      hostname: plan.hostname,
      domainname: plan.domainname,
      process: {
        ...plan.process,
        terminal: hasTerminal,
        consoleSize: hasTerminal ? plan.consoleSize ?? terminalSize(0) : null,
      },
      root: plan.root,
      mounts: plan.mounts,
      maskedPaths: plan.maskedPaths,
      readonlyPaths: plan.readonlyPaths,
      ...(plan.files === undefined ? {} : { files: plan.files }),
      ...(plan.limits === undefined ? {} : { limits: plan.limits }),
      published: published.map(({ guestPort }) => guestPort),
      network,
      waitsForStart: false,
      strace,
      debugLogBytes: NAMED_LOG_BYTES,
      turns,
      isQuiet,
      requireSandbox,
      panicOnBug,
      memoryBytes: Math.min(allowedMemory(), plan.memoryLimit ?? Infinity),
      cpus: Math.min(allowedCpus(), Math.max(1, Math.ceil(plan.cpuLimit ?? Infinity))),
    },
    mayBeOnKvm: true,
    roots: plan.goferRoots,
    published: published.map(({ fd }) => fd),
    stdio: [stdioFor(0), stdioFor(1), stdioFor(2)],
    debugLog: openDebugLog(debugLog),
    stderr: 2,
    namespace: -1,
    waiter: -1,
    server: -1,
    join: (script) => isolateProcessor(script, processor),
  });
}

/** Prints a port that the host chose. */
function announce({ address, hostPort, guestPort }: OpenPort): void {
  console.error(`dvisor: port ${guestPort} of the sandbox is ${address}:${hostPort}`);
}

function wantsTerminal(tty: SandboxSettings["tty"]): boolean {
  const isThere = isTerminal(0) && isTerminal(1);
  if (tty === "on" && !isThere) {
    throw usageError(
      "a terminal is asked for, but stdin or stdout is no terminal (--tty off runs without one)",
    );
  }
  return tty !== "off" && isThere;
}

export function openDebugLog(path: string | null): number {
  if (path === null) return -1;
  const fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644);
  if (fd < 0) throw new UserError(`cannot write the debug log ${path}: ${errnoText(fd)}`);
  return fd;
}
