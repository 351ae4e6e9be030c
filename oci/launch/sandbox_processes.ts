/**
 * Starts the processes of one sandbox: the boot process with the kernel, the Gofer, and the sockets
 * between them and this process.
 *
 * Both children die with this process (parent-death signal) unless they are detached. Not here:
 * what is in the sandbox (protocol/boot_spec.ts), the waiters for its end (foreground_sandbox.ts,
 * proxy_process.ts).
 */

import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
} from "../../ffi/abi/fcntl.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { CAP_NET_BIND_SERVICE, CAP_NET_RAW } from "../../ffi/abi/capability.ts";
import { PR_SET_DUMPABLE } from "../../ffi/abi/prctl.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_pidfd_send_signal, SYS_prctl, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, wExitStatus, wifExited, wTermSig } from "../../ffi/abi/wait.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, fcntl, memfdCreate, pwrite, socketpair } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import {
  BOOT_FDS,
  type BootSpec,
  FIRST_FREE_FD,
  type GuestFds,
  type NetworkMode,
  type ProcessSpec,
  type SessionFds,
} from "../protocol/boot_spec.ts";
import {
  type BootMessage,
  controlPair,
  type LauncherSocket,
} from "../protocol/launcher_channel.ts";
import { openDevice } from "../../platform/kvm/device.ts";
import type { PlatformName } from "../../platform/select/candidates.ts";
import { shownLines } from "../shown_text.ts";
import { RequestError } from "../protocol/request_error.ts";
import { explain, UserError } from "../user_error.ts";
import { emptyRoot } from "./empty_root.ts";
import { allowedMemory } from "../host/host_limits.ts";
import { waitReadable } from "./command_signals.ts";
import { goferProgram, heapFlag, sentryProgram } from "./executables.ts";
import { type GoferRoot, startGofer } from "./gofer_process.ts";
import type { Launched } from "./confinement_levels.ts";
import { planPlatform } from "./platform_plan.ts";
import type { PlatformMemory } from "./remembered_platform.ts";
import { type SentryNetwork, startSentry } from "./sentry_process.ts";

interface SandboxOptions {
  /** All but the descriptors, which are made here. */
  readonly spec: Omit<BootSpec, "fds">;
  /** Gofer trees: tree i is attached to by the name `String(i)`. */
  readonly roots: readonly GoferRoot[];
  /** The guest's stdin, stdout and stderr. */
  readonly stdio: GuestFds;
  /** Debug log, or -1. */
  readonly debugLog: number;
  /** Where messages of the processes go. */
  readonly stderr: number;
  /** The network namespace that guests may use; -1: this process's. */
  readonly namespace: number;
  /** For a sandbox that outlives this process: its end of the socket to the waiter; else -1. */
  readonly waiter: number;
  /** Listening socket for commands, or -1. */
  readonly server: number;
  /** Connections of a session, or null. */
  readonly session?: SessionFds | null;
  /** Listening sockets of the spec's published ports; absent: none. */
  readonly published?: readonly number[];
  /** The snapshot file of the spec's `restore`; absent or -1: none. */
  readonly image?: number;
  /** The user namespace that the Gofer is in; absent or -1: this process's. */
  readonly users?: number;
  /**
   * Without a named platform kvm may be chosen. Not for containers, because limits of a pod are
   * weaker on kvm.
   */
  readonly mayBeOnKvm?: boolean;
  /** First steps of each process: control groups, the processor. */
  readonly join?: (script: SpawnScript) => void;
}

const NO_SESSION: SessionFds = { input: -1, output: -1, listener: -1 };

/** LIMIT: how long the kernel may take for each step of its start, ms. */
const START_MS = 600_000;

/**
 * Starts the processes. Of the descriptors in `options` only `stderr` is needed here afterwards.
 * @throws UserError
 */
export function startSandbox(options: SandboxOptions): StartedSandbox {
  const { memoryBytes } = options.spec, flag = heapFlag(memoryBytes, allowedMemory());
  const gofer = goferProgram(), boot = sentryProgram(flag);
  const control = controlPair();
  const pair = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  if (typeof pair === "number") throw new UserError(`socketpair: errno ${-pair}`);
  const choice = choose(options), { kvm } = choice, specFd = writeSpec(options, choice);
  const { stdio, debugLog, waiter, server, stderr } = options, isDetached = waiter >= 0;
  const join = options.join ?? (() => {});
  const [stdin, stdout, stderrOfGuest, ...further] = stdio;
  const ends = [specFd, control.bootFd, pair[0]];
  const { input, output, listener } = options.session ?? NO_SESSION;
  const { published = [], image = -1 } = options;
  const own = [debugLog, waiter, server, kvm, input, output, listener, image];
  const given = [...ends, stdin, stdout, stderrOfGuest, ...own, ...further, ...published];
  // The boot process is started first, because it has more to do before the guest runs.
  const fds = [-1, -1, stderr, ...given], network = networkOf(options.spec);
  const sentry = startSentry(boot, ["boot"], {
    fds,
    network,
    namespace: options.namespace,
    isDetached,
    join,
  });
  try {
    const server = startGofer(gofer, {
      roots: options.roots,
      socket: pair[1],
      requireSandbox: options.spec.requireSandbox,
      isQuiet: options.spec.isQuiet === true,
      isDetached,
      stderr,
      join,
      users: options.users ?? -1,
    });
    const { memory = null } = choice;
    return new StartedSandbox(control.launcher, sentry, server, options.spec, memory);
  } catch (error) {
    end(sentry);
    throw error;
  } finally {
    // A child that shares this memory has changed its ids, which made this process undumpable and
    // /proc/self another user's.
    syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    for (const fd of [...given, pair[1], gofer.fd, boot.fd]) if (fd > 2) close(fd);
  }
}

/** Guests of user 0 have all capabilities unless the spec lists them. */
export function networkOf(
  { network, process }: {
    readonly network?: NetworkMode;
    readonly process: Pick<ProcessSpec, "uid" | "capabilities">;
  },
): SentryNetwork {
  const all = process.uid === 0 ? [CAP_NET_BIND_SERVICE, CAP_NET_RAW] : [];
  return {
    isHost: network === "host" || network === "auto",
    capabilities: process.capabilities?.bounding ?? all,
  };
}

interface Choice {
  /** /dev/kvm for the boot process, or -1. */
  readonly kvm: number;
  /** As in BootSpec. */
  readonly best?: PlatformName | null;
  readonly memory?: PlatformMemory | null;
}

/**
 * Without virtual machines there is one choice, the default platform.
 * @throws UserError
 */
function choose({ spec, mayBeOnKvm = false }: SandboxOptions): Choice {
  if (spec.platform !== null) return { kvm: spec.platform === "kvm" ? openKvm() : -1 };
  const kvm = mayBeOnKvm ? tryOpenKvm() : -1;
  if (kvm < 0) return { kvm };
  const plan = planPlatform(true);
  if (plan.kind === "kvm") return { kvm, best: "kvm" };
  if (plan.kind === "measure") return { kvm, best: null, memory: plan.memory };
  close(kvm);
  return { kvm: -1 };
}

function writeSpec(options: SandboxOptions, { kvm, best }: Choice): number {
  const fds = {
    gofer: BOOT_FDS.gofer,
    stdio: numbersOf(options.stdio.length - BOOT_FDS.stdio.length),
    control: BOOT_FDS.control,
    debugLog: options.debugLog < 0 ? -1 : BOOT_FDS.debugLog,
    waiter: options.waiter < 0 ? -1 : BOOT_FDS.waiter,
    server: options.server < 0 ? -1 : BOOT_FDS.server,
    kvm: kvm < 0 ? -1 : BOOT_FDS.kvm,
    ...(options.session ? { session: sessionNumbers(options.session) } : {}),
    ...(options.published ? { published: publishedNumbers(options) } : {}),
    ...((options.image ?? -1) < 0 ? {} : { image: BOOT_FDS.image }),
  };
  const spec: BootSpec = {
    ...options.spec,
    ...(best === undefined ? {} : { bestPlatform: best }),
    fds,
  };
  const text = new TextEncoder().encode(JSON.stringify(spec));
  const bytes = allocBuffer(text.length);
  bytes.set(text);
  const fd = check(memfdCreate("dvisor-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  check(pwrite(fd, addressOf(bytes), bytes.length, 0), "write the boot spec");
  check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), "fcntl F_ADD_SEALS");
  return fd;
}

function tryOpenKvm(): number {
  try {
    return openDevice();
  } catch {
    return -1;
  }
}

/**
 * Opened here, because the boot process may not open it.
 * @throws UserError
 */
function openKvm(): number {
  try {
    return openDevice();
  } catch (cause) {
    throw new RequestError(
      "Unsupported",
      `the platform kvm does not work on this host: ${explain(cause)}`,
    );
  }
}

/** Behind the guest's further files. */
function publishedNumbers({ published = [], stdio }: SandboxOptions): number[] {
  const first = FIRST_FREE_FD + stdio.length - BOOT_FDS.stdio.length;
  return published.map((_, i) => first + i);
}

function sessionNumbers({ listener }: SessionFds): SessionFds {
  const { sessionInput, sessionOutput, sessionListener } = BOOT_FDS;
  return {
    input: sessionInput,
    output: sessionOutput,
    listener: listener < 0 ? -1 : sessionListener,
  };
}

/** Numbers of the guest's files in the boot process. */
function numbersOf(further: number): GuestFds {
  return [...BOOT_FDS.stdio, ...Array.from({ length: further }, (_, i) => FIRST_FREE_FD + i)];
}

/** What is done about a confinement that the host refuses. */
type Strictness = Pick<BootSpec, "requireSandbox" | "isQuiet">;

/** A sandbox before its guest runs. */
export class StartedSandbox {
  readonly control: LauncherSocket;
  readonly sentry: Launched;
  readonly gofer: Launched;
  readonly #spec: Strictness;
  readonly #memory: PlatformMemory | null;

  constructor(
    control: LauncherSocket,
    sentry: Launched,
    gofer: Launched,
    spec: Strictness,
    memory: PlatformMemory | null,
  ) {
    this.control = control;
    this.sentry = sentry;
    this.gofer = gofer;
    this.#spec = spec;
    this.#memory = memory;
  }

  /**
   * Waits until the kernel needs no names of the host any more, then takes its root directory away.
   * @throws UserError
   */
  confine(): void {
    const message = this.#expect("ready");
    this.#takeRoot();
    if (message.type !== "ready" || message.bestPlatform === undefined) return;
    this.#memory?.remember(message.bestPlatform);
  }

  /**
   * Waits until the guest can run.
   * @throws UserError, for instance because the command does not exist
   */
  load(): void {
    this.#expect("loaded");
  }

  /**
   * Detaches the sandbox, and waits until it accepts commands.
   * @throws UserError
   */
  release(): void {
    this.go();
    this.#expect("running");
  }

  #expect(type: BootMessage["type"]): BootMessage {
    if (!waitReadable(this.control.fd, START_MS)) {
      throw new UserError(`the kernel of the sandbox does not start: "${type}" does not come`);
    }
    const message = this.control.receive();
    if (message === "end") {
      throw new UserError(`the kernel of the sandbox ${describeEnd(end(this.sentry))}`);
    }
    if (message.type === "failed") {
      const { error: { code, message: text, errno, path }, exitCode } = message;
      throw new RequestError(code, text, errno, path, exitCode);
    }
    if (message.type !== type) {
      throw new UserError(`the kernel of the sandbox says ${message.type} in place of ${type}`);
    }
    return message;
  }

  /** Ends everything. */
  destroy(): void {
    end(this.sentry);
    end(this.gofer);
  }

  /** Lets the guest run. Messages of the control socket report a failure. */
  go(): void {
    this.control.send({ type: "go" });
  }

  #takeRoot(): void {
    const refused = emptyRoot(this.sentry.pidfd, this.sentry.level);
    // The boot process has sent the reason.
    if (refused?.isGone) this.load();
    const { sentry, gofer } = this, weaker = sentry.weaker ?? gofer.weaker;
    const problems = weaker === null ? [...sentry.problems] : [weaker];
    if (sentry.level !== "none" && refused !== null) problems.push(refused.message);
    if (problems.length === 0) return;
    const text = problems.join("; ");
    const { requireSandbox, isQuiet } = this.#spec;
    if (requireSandbox) {
      throw new UserError(`the host does not permit the whole confinement: ${text}`);
    }
    if (isQuiet) return;
    if (sentry.level === "none" || weaker !== null || refused !== null) {
      console.error(shownLines(`dvisor: running with less confinement than usual: ${text}`));
    }
  }
}

/**
 * Kills a child unless it has ended.
 * @returns its wait(2) status; may be called again
 */
function end(child: Launched): number {
  syscall(SYS_pidfd_send_signal, child.pidfd, SIGKILL, 0, 0);
  const r = syscall(SYS_wait4, child.pid, scratch.area(0), __WALL, 0);
  return r === child.pid ? scratch.dv.getInt32(scratch.areaOffset(0), true) : 0;
}

function describeEnd(status: number): string {
  return wifExited(status)
    ? `ended unexpectedly with exit code ${wExitStatus(status)}`
    : `was killed by signal ${wTermSig(status)}`;
}
