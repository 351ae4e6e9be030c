/**
 * One sandbox inside the boot process: the kernel on its machine, with files, devices and the first process.
 */

import { EACCES, EISDIR, ELOOP, ENOENT, ENOEXEC, ENOTDIR } from "../../ffi/abi/errno.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import type { OwnImage } from "../../ffi/sys/own_image.ts";
import { GoferClient } from "../../gofer/client/gofer_client.ts";
import { toText } from "../../kernel/core/bytes.ts";
import { Console } from "../../kernel/console.ts";
import type { Credentials } from "../../kernel/cred/credentials.ts";
import type { Task } from "../../kernel/task/task.ts";
import type { MountNamespace } from "../../kernel/vfs/mounts.ts";
import type { OpenFile } from "../../kernel/vfs/open_file.ts";
import { close } from "../../ffi/sys/files.ts";
import { TerminalBridge } from "../console/bridge.ts";
import { isTerminal } from "../console/terminal.ts";
import { type InitFailure, startInit } from "../../kernel/init.ts";
import { SandboxKernel } from "../../kernel/kernel.ts";
import { Strace } from "../../kernel/observe/strace.ts";
import { observeCalls } from "../../kernel/syscalls/dispatch.ts";
import { Timer } from "../../kernel/time/timer.ts";
import { EXIT_FAILURE, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, UserError } from "../user_error.ts";
import type { BootSpec } from "./boot_spec.ts";
import type { BootSocket } from "./control.ts";
import type { Request } from "./control_protocol.ts";
import { ControlServer, type RequestFds, type RequestHandler } from "./control_server.ts";
import { DebugLog } from "./debug_log.ts";
import { exitCodeOf } from "./exit_code.ts";
import { GuestClock } from "./guest_clock.ts";
import { credentialsOf, limitsOf, settle } from "./identity.ts";
import type { Machine } from "./machine.ts";
import { say } from "./messages.ts";
import { buildMountTree } from "./mount_tree.ts";
import { GoferWatch, LauncherLink, type OutsideListener } from "./outside.ts";
import { StdioFiles } from "./stdio_files.ts";

/** How long a guest may live on when its files are gone, in ns. */
const GRACE_NS = 2_000_000_000;

/** When a sandbox is likely to have started all that it is going to, in ns. */
const SETTLED_NS = 1_000_000_000;

export class Sandbox implements OutsideListener, RequestHandler {
  readonly kernel: SandboxKernel;
  readonly log: DebugLog;
  readonly #control: BootSocket;
  readonly #goferFd: number;
  readonly #spec: BootSpec;
  /** The first process, until it may run. */
  #held: Task | null = null;
  #bridge: TerminalBridge | null = null;
  #hasFailed = false;

  constructor(machine: Machine, spec: BootSpec, control: BootSocket) {
    const { host, platform, arena } = machine;
    const log = this.log = new DebugLog(spec.fds.debugLog);
    host.beforeSleep = () => log.flush();
    this.#control = control;
    this.#spec = spec;
    this.#goferFd = spec.fds.gofer;
    this.kernel = new SandboxKernel(host, platform, arena, {
      hostname: spec.hostname,
      log: (line) => log.line(line),
      cpuInfo: machine.cpuInfo,
      network: machine.network,
    });
    if (spec.domainname !== null) this.kernel.domainname = spec.domainname;
    if (spec.strace) observeCalls(new Strace((line) => log.line(line)));
    if (machine.clocks !== null) {
      host.guestClock = GuestClock.install(this.kernel.memory, machine.clocks);
    }
    const gofer = new GoferClient(spec.fds.gofer);
    if (gofer.start() < 0) throw new UserError("the file server of the sandbox does not answer");
    this.#startInit(gofer, spec);
  }

  #startInit(gofer: GoferClient, spec: BootSpec): void {
    const { kernel } = this, { process } = spec;
    const namespace = buildMountTree(kernel, gofer, spec);
    const cred = credentialsOf(process);
    const stdio = new StdioFiles(kernel, namespace, spec);
    const own = process.terminal ? openTerminal(kernel, namespace, cred, stdio, spec) : null;
    const init = startInit(kernel, namespace, {
      args: process.args,
      env: process.env,
      cwd: process.cwd,
      umask: process.umask,
      cred,
      limits: limitsOf(process),
      leadsSession: process.leadsSession || process.terminal,
      files: own?.files ?? [stdio.open(0), stdio.open(1), stdio.open(2)],
    });
    if ("errno" in init) throw startError(init, process.cwd);
    settle(init, process);
    if (spec.waitsForStart) this.#held = kernel.loop.runQueue.shift();
    if (own === null) return;
    own.console.control(init);
    this.#bridge = own.bridge;
  }

  /** A moment after the start the pages that it took are let go. */
  releaseImageLater(image: OwnImage): void {
    const { timers } = this.kernel;
    timers.arm(new ReleaseImage(image), this.kernel.now() + SETTLED_NS);
  }

  /** From now on signals and the ends of others are heard. */
  watchOutside(): void {
    const { host } = this.kernel;
    new LauncherLink(host, this.#control, this);
    new GoferWatch(host, this.#goferFd, this);
    const { server } = this.#spec.fds;
    if (server >= 0) new ControlServer(host, server, this);
  }

  onRequest(request: Request, _fds: RequestFds): object {
    if (request.id !== this.#spec.id) {
      throw new UserError(`container "${request.id}" is not in this sandbox: does not exist`);
    }
    switch (request.op) {
      case "start":
        return this.#start();
      case "signal":
        this.kernel.signalInit(request.signo);
        return {};
      case "state":
        return { status: this.#held === null ? "running" : "created" };
      default:
        throw new UserError(`the sandbox cannot do ${request.op}`);
    }
  }

  #start(): object {
    const held = this.#held;
    if (held === null) throw new UserError("cannot start a container that runs already");
    this.#held = null;
    this.kernel.enqueue(held);
    return { pid: 1 };
  }

  /** @returns the exit code */
  run(): number {
    const status = this.kernel.run();
    this.#bridge?.drain();
    this.log.flush();
    return this.#hasFailed || status < 0 ? EXIT_FAILURE : exitCodeOf(status);
  }

  onSignal(signo: number): void {
    this.kernel.signalInit(signo);
  }

  onResize(rows: number, columns: number): void {
    this.#bridge?.resize(rows, columns);
  }

  onLauncherGone(): void {
    this.kernel.loop.stop();
  }

  onGoferGone(): void {
    say("the file server of the sandbox is gone, and with it the files: the sandbox ends");
    this.#hasFailed = true;
    const { timers } = this.kernel;
    timers.arm(new EndOfGrace(this.kernel), this.kernel.now() + GRACE_NS);
  }
}

class ReleaseImage extends Timer {
  private readonly image: OwnImage;

  constructor(image: OwnImage) {
    super();
    this.image = image;
  }

  override onExpire(_nowNs: number): void {
    this.image.release();
  }
}

class EndOfGrace extends Timer {
  private readonly kernel: SandboxKernel;

  constructor(kernel: SandboxKernel) {
    super();
    this.kernel = kernel;
  }

  override onExpire(_nowNs: number): void {
    this.kernel.loop.stop();
  }
}

/** A terminal for the first process; stderr stays what it is outside if that is no terminal. */
function openTerminal(
  kernel: SandboxKernel,
  namespace: MountNamespace,
  cred: Credentials,
  stdio: StdioFiles,
  spec: BootSpec,
): { console: Console; files: OpenFile[]; bridge: TerminalBridge } {
  const opened = Console.open(kernel.terminals, namespace, cred);
  if (typeof opened === "number") {
    throw new UserError(`no terminal for the guest: ${errnoName(opened)}`);
  }
  const { console, files } = opened, [inFd, outFd, errFd] = spec.fds.stdio;
  if (isTerminal(errFd)) close(errFd);
  else {
    files.pop()?.drop();
    files.push(stdio.open(2));
  }
  const size = spec.process.consoleSize;
  if (size !== null) console.master.resize(size.rows, size.columns);
  return { console, files, bridge: new TerminalBridge(kernel.host, console, inFd, outFd) };
}

/** With the exit code that a shell has for it. */
function startError(failure: InitFailure, cwd: string): UserError {
  const { errno } = failure;
  const what = toText(failure.what);
  if (failure.what === cwd) {
    return new UserError(`the working directory ${what} cannot be used: ${errnoName(errno)}`);
  }
  if (errno === ENOENT || errno === ENOTDIR) {
    const why = what.includes("/")
      ? "no such file or directory"
      : "executable file not found in $PATH";
    return new UserError(`exec: "${what}": ${why}`, EXIT_NOT_FOUND);
  }
  const why = errno === EACCES || errno === EISDIR
    ? "permission denied: it may not be executed, or is a directory"
    : errno === ENOEXEC
    ? "it is no 64-bit x86 program, nor a script that begins with #!"
    : errno === ELOOP
    ? "too many levels of symbolic links or interpreters"
    : errnoName(errno);
  return new UserError(`${what}: cannot be executed: ${why}`, EXIT_NOT_EXECUTABLE);
}
