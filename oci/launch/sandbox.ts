/**
 * Starts the processes of one sandbox and stays with them until the guest ends: the Gofer, the boot process with the
 * kernel, and the control socket between it and here.
 *
 * Both children die with this process (parent-death signal). Not here: what is in the sandbox (boot_spec.ts), the
 * terminal (console/).
 */

import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
} from "../../ffi/abi/fcntl.ts";
import { EPOLLIN } from "../../ffi/abi/epoll.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { PR_SET_DUMPABLE } from "../../ffi/abi/prctl.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_pidfd_send_signal, SYS_prctl, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, wExitStatus, wifExited, wTermSig } from "../../ffi/abi/wait.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, fcntl, memfdCreate, pwrite, read, socketpair } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { signalToEventfd } from "../../ffi/sys/signals.ts";
import type { TerminalSize } from "../console/terminal.ts";
import { BOOT_FDS, type BootSpec } from "../sandbox/boot_spec.ts";
import { controlPair } from "../sandbox/control.ts";
import { EXIT_FAILURE, UserError } from "../user_error.ts";
import { emptyRoot } from "./empty_root.ts";
import { type GoferRoot, startGofer } from "./gofer_process.ts";
import type { Launched } from "./levels.ts";
import { goferProgram, sentryProgram } from "./program.ts";
import { startSentry } from "./sentry_process.ts";

export interface SandboxOptions {
  /** All but the descriptors, which are made here. */
  readonly spec: Omit<BootSpec, "fds">;
  /** Gofer trees: tree i is attached to by the name `String(i)`. */
  readonly roots: readonly GoferRoot[];
  /** The guest's stdin, stdout and stderr. */
  readonly stdio: readonly [number, number, number];
  /** Debug log, or -1. */
  readonly debugLog: number;
  /** Signals that are passed on to the guest's first process. */
  readonly forward: readonly number[];
  /** A signal that is not passed on but calls this: the terminal's size changed. */
  readonly onResize: { readonly signo: number; readonly size: () => TerminalSize | null } | null;
}

/** How long a sandbox may live on when its files are gone, in ms. */
const GRACE_MS = 2000;

const TOKEN_CONTROL = 0x10000, TOKEN_SENTRY = 0x10001, TOKEN_GOFER = 0x10002;

/** Starts the processes; the descriptors of `options` are not needed here any more. @throws UserError */
export function startSandbox(options: SandboxOptions): Supervisor {
  const control = controlPair();
  const gofer = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  if (typeof gofer === "number") throw new UserError(`socketpair: errno ${-gofer}`);
  const specFd = writeSpec(options);
  const goferProcess = startGofer(goferProgram(), {
    roots: options.roots,
    socket: gofer[1],
    requireSandbox: options.spec.requireSandbox,
  });
  close(gofer[1]);
  const fds = [-1, -1, 2, specFd, control.bootFd, gofer[0], ...options.stdio, options.debugLog];
  const sentry = startSentry(sentryProgram(), ["boot"], fds);
  // A change of ids in a child that shares this memory made it undumpable, and /proc/self not ours.
  syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  const given = [specFd, control.bootFd, gofer[0], ...options.stdio, options.debugLog];
  for (const fd of given) if (fd > 2) close(fd);
  return new Supervisor(options, control.launcher, goferProcess, sentry);
}

function writeSpec(options: SandboxOptions): number {
  const fds = {
    gofer: BOOT_FDS.gofer,
    stdio: BOOT_FDS.stdio,
    control: BOOT_FDS.control,
    debugLog: options.debugLog < 0 ? -1 : BOOT_FDS.debugLog,
  };
  const spec: BootSpec = { ...options.spec, fds };
  const text = new TextEncoder().encode(JSON.stringify(spec));
  const bytes = allocBuffer(text.length);
  bytes.set(text);
  const fd = check(memfdCreate("dvisor-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  check(pwrite(fd, addressOf(bytes), bytes.length, 0), "write the boot spec");
  check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), "fcntl F_ADD_SEALS");
  return fd;
}

/** Watches the processes of one sandbox. */
export class Supervisor {
  readonly #options: SandboxOptions;
  readonly #control: ReturnType<typeof controlPair>["launcher"];
  readonly #gofer: Launched;
  readonly #sentry: Launched;
  readonly #epoll = new Epoll();
  /** Token = signal number. */
  readonly #signalFds = new Map<number, number>();
  #status = -1;
  #failure: UserError | null = null;
  #sentryEnd = -1;
  /** performance.now() when the sandbox must be gone. */
  #deadline = Infinity;

  constructor(
    options: SandboxOptions,
    control: ReturnType<typeof controlPair>["launcher"],
    gofer: Launched,
    sentry: Launched,
  ) {
    this.#options = options;
    this.#control = control;
    this.#gofer = gofer;
    this.#sentry = sentry;
    this.#watch(control.fd, TOKEN_CONTROL);
    this.#watch(sentry.pidfd, TOKEN_SENTRY);
    this.#watch(gofer.pidfd, TOKEN_GOFER);
    const resize = options.onResize === null ? [] : [options.onResize.signo];
    for (const signo of [...options.forward, ...resize]) {
      const fd = signalToEventfd(signo);
      this.#signalFds.set(signo, fd);
      this.#watch(fd, signo);
    }
  }

  #watch(fd: number, token: number): void {
    check(this.#epoll.add(fd, EPOLLIN, token), "epoll_ctl");
  }

  /** Waits for the end. @returns the guest's wait(2) status. @throws UserError */
  run(): number {
    while (this.#sentryEnd < 0) {
      const left = this.#deadline - performance.now();
      const n = this.#epoll.wait(left === Infinity ? -1 : Math.max(0, Math.ceil(left)));
      if (n === 0 && performance.now() >= this.#deadline) this.#kill();
      for (let i = 0; i < n; i++) this.#handle(this.#epoll.token(i));
    }
    if (this.#failure !== null) throw this.#failure;
    if (this.#status >= 0) return this.#status;
    throw new UserError(`the kernel of the sandbox ${describeEnd(this.#sentryEnd)}`);
  }

  #handle(token: number): void {
    if (token === TOKEN_CONTROL) this.#readControl();
    else if (token === TOKEN_SENTRY) this.#reapSentry();
    else if (token === TOKEN_GOFER) this.#reapGofer();
    else this.#onSignal(token);
  }

  /** All messages that there are; at their end the process ends too. */
  #readControl(): void {
    for (;;) {
      const received = this.#control.receive(false);
      if (received.kind === "end") this.#epoll.del(this.#control.fd);
      if (received.kind !== "message") return;
      const { message } = received;
      if (message.type === "ready") this.#go();
      else if (message.type === "note") console.error(`dvisor: ${message.message}`);
      else if (message.type === "exit") this.#status = message.status;
      else this.#failure ??= new UserError(message.message, message.exitCode);
    }
  }

  #go(): void {
    const refused = emptyRoot(this.#sentry.pidfd, this.#sentry.level);
    const problems = [...this.#sentry.problems];
    if (this.#sentry.level !== "none" && refused !== null) problems.push(refused);
    if (problems.length > 0 && !this.#mayGoOn(problems)) return;
    this.#control.send({ type: "go" });
  }

  #mayGoOn(problems: readonly string[]): boolean {
    const text = problems.join("; ");
    if (this.#options.spec.requireSandbox) {
      const message = `the host does not permit the whole confinement: ${text}`;
      this.#failure = new UserError(message, EXIT_FAILURE);
      this.#kill();
      return false;
    }
    if (this.#sentry.level === "none") {
      console.error(`dvisor: running with less confinement than usual: ${text}`);
    }
    return true;
  }

  #onSignal(signo: number): void {
    const fd = this.#signalFds.get(signo);
    if (fd === undefined) return;
    read(fd, scratch.area(0), 8);
    const resize = this.#options.onResize;
    if (resize === null || signo !== resize.signo) {
      this.#control.send({ type: "signal", signo });
      return;
    }
    const size = resize.size();
    if (size !== null) this.#control.send({ type: "resize", ...size });
  }

  #reapSentry(): void {
    this.#readControl();
    this.#sentryEnd = reap(this.#sentry.pid);
    close(this.#sentry.pidfd);
  }

  /** The Gofer ends by itself when the boot process has; before that it is a failure. */
  #reapGofer(): void {
    const end = reap(this.#gofer.pid);
    this.#epoll.del(this.#gofer.pidfd);
    close(this.#gofer.pidfd);
    this.#readControl();
    if (this.#status >= 0 || this.#failure !== null) return;
    this.#failure = new UserError(`the file server of the sandbox ${describeEnd(end)}`);
    this.#deadline = performance.now() + GRACE_MS;
  }

  #kill(): void {
    this.#deadline = Infinity;
    syscall(SYS_pidfd_send_signal, this.#sentry.pidfd, SIGKILL, 0, 0);
  }
}

/** Waits for a child that has ended: its wait(2) status. */
function reap(pid: number): number {
  const r = syscall(SYS_wait4, pid, scratch.area(0), __WALL, 0);
  return r === pid ? scratch.dv.getInt32(scratch.areaOffset(0), true) : 0;
}

function describeEnd(status: number): string {
  return wifExited(status)
    ? `ended unexpectedly with exit code ${wExitStatus(status)}`
    : `was killed by signal ${wTermSig(status)}`;
}
