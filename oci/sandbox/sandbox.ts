/**
 * One sandbox inside the boot process: the kernel on its machine, with files, devices and the first process.
 */

import { EACCES, EISDIR, ENOENT, ENOEXEC, ENOTDIR } from "../../ffi/abi/errno.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { GoferClient } from "../../gofer/client/gofer_client.ts";
import { toText } from "../../kernel/core/bytes.ts";
import { type InitFailure, startInit } from "../../kernel/init.ts";
import { SandboxKernel } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task/task.ts";
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, UserError } from "../user_error.ts";
import type { BootSocket } from "./boot.ts";
import type { BootSpec } from "./boot_spec.ts";
import { GuestClock } from "./guest_clock.ts";
import { credentialsOf, limitsOf } from "./identity.ts";
import type { Machine } from "./machine.ts";
import { buildMountTree } from "./mount_tree.ts";
import { openStdio } from "./stdio_files.ts";

export class Sandbox {
  readonly kernel: SandboxKernel;
  readonly init: Task;

  constructor(machine: Machine, spec: BootSpec, _control: BootSocket) {
    const { host, platform, arena } = machine;
    this.kernel = new SandboxKernel(host, platform, arena, {
      hostname: spec.hostname,
      log: (line) => console.error(line),
    });
    if (machine.clocks !== null) {
      host.guestClock = GuestClock.install(this.kernel.memory, machine.clocks);
    }
    const gofer = new GoferClient(spec.fds.gofer);
    if (gofer.start() < 0) throw new UserError("the file server of the sandbox does not answer");
    const cred = credentialsOf(spec.process);
    const namespace = buildMountTree(this.kernel, gofer, spec);
    const init = startInit(this.kernel, namespace, {
      args: spec.process.args,
      env: spec.process.env,
      cwd: spec.process.cwd,
      umask: spec.process.umask,
      cred,
      limits: limitsOf(spec.process),
      files: openStdio(this.kernel, spec),
    });
    if ("errno" in init) throw startError(init);
    this.init = init;
  }

  run(): number {
    return this.kernel.run();
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
    : errnoName(errno);
  return new UserError(`${what}: cannot be executed: ${why}`, EXIT_NOT_EXECUTABLE);
}
