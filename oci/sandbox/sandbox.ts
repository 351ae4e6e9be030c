/**
 * One sandbox inside the boot process: the kernel on its machine, with files, devices and the first process.
 */

import { EACCES, EISDIR, ELOOP, ENOENT, ENOEXEC, ENOTDIR } from "../../ffi/abi/errno.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { GoferClient } from "../../gofer/client/gofer_client.ts";
import { toText } from "../../kernel/core/bytes.ts";
import { type InitFailure, startInit } from "../../kernel/init.ts";
import { SandboxKernel } from "../../kernel/kernel.ts";
import { Strace } from "../../kernel/observe/strace.ts";
import { observeCalls } from "../../kernel/syscalls/dispatch.ts";
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, UserError } from "../user_error.ts";
import type { BootSpec } from "./boot_spec.ts";
import type { BootSocket } from "./control.ts";
import { DebugLog } from "./debug_log.ts";
import { GuestClock } from "./guest_clock.ts";
import { credentialsOf, limitsOf } from "./identity.ts";
import { LauncherLink, type LauncherListener } from "./launcher_link.ts";
import type { Machine } from "./machine.ts";
import { buildMountTree } from "./mount_tree.ts";
import { openStdio } from "./stdio_files.ts";

export class Sandbox implements LauncherListener {
  readonly kernel: SandboxKernel;
  readonly log: DebugLog;

  constructor(machine: Machine, spec: BootSpec, control: BootSocket) {
    const { host, platform, arena } = machine;
    const log = this.log = new DebugLog(spec.fds.debugLog);
    host.beforeSleep = () => log.flush();
    this.kernel = new SandboxKernel(host, platform, arena, {
      hostname: spec.hostname,
      log: (line) => log.line(line),
    });
    if (spec.strace) observeCalls(new Strace((line) => log.line(line)));
    if (machine.clocks !== null) {
      host.guestClock = GuestClock.install(this.kernel.memory, machine.clocks);
    }
    const gofer = new GoferClient(spec.fds.gofer);
    if (gofer.start() < 0) throw new UserError("the file server of the sandbox does not answer");
    this.#startInit(gofer, spec);
    new LauncherLink(host, control, this);
  }

  #startInit(gofer: GoferClient, spec: BootSpec): void {
    const { process } = spec;
    const init = startInit(this.kernel, buildMountTree(this.kernel, gofer, spec), {
      args: process.args,
      env: process.env,
      cwd: process.cwd,
      umask: process.umask,
      cred: credentialsOf(process),
      limits: limitsOf(process),
      files: openStdio(this.kernel, spec),
    });
    if ("errno" in init) throw startError(init);
  }

  /** @returns the wait(2) status of the first process */
  run(): number {
    const status = this.kernel.run();
    this.log.flush();
    return status;
  }

  onSignal(signo: number): void {
    this.kernel.signalInit(signo);
  }

  onResize(_rows: number, _columns: number): void {
  }

  onLauncherGone(): void {
    this.kernel.loop.stop();
  }
}

/** With the exit code that a shell has for it. */
function startError(failure: InitFailure): UserError {
  const { errno } = failure;
  const what = toText(failure.what);
  if (errno === ENOENT || errno === ENOTDIR) {
    return new UserError(`${what}: no such command`, EXIT_NOT_FOUND);
  }
  const why = errno === EACCES || errno === EISDIR
    ? "it may not be executed, or is a directory"
    : errno === ENOEXEC
    ? "it is no program of this machine's kind, nor a script with #!"
    : errno === ELOOP
    ? "too many levels of symbolic links or interpreters"
    : errnoName(errno);
  return new UserError(`${what}: cannot be executed: ${why}`, EXIT_NOT_EXECUTABLE);
}
