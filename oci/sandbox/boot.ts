/**
 * `dvisor boot`: makes the kernel of one sandbox, confines this process for good, and runs the guest to its end.
 *
 * Everything that needs the host's names happens before `ready`; the launcher then takes the root directory away and
 * answers `go`; the seccomp filter is the last thing before the first guest instruction.
 */

import { SYS_exit_group } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, read } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { EXIT_FAILURE, explain, UserError } from "../user_error.ts";
import type { PlatformName } from "../../platform/registry.ts";
import { BOOT_FDS, type BootSpec, FIRST_FREE_FD } from "./boot_spec.ts";
import { confineSelf, dropDescriptors } from "./confine_self.ts";
import { type BootSocket, ControlSocket } from "./control.ts";
import { createMachine } from "./machine.ts";
import { Sandbox } from "./sandbox.ts";

/** Runs a sandbox; ends the process. */
export function boot(): never {
  const control: BootSocket = new ControlSocket(BOOT_FDS.control);
  try {
    const status = run(control);
    control.send({ type: "exit", status });
  } catch (error) {
    const exitCode = error instanceof UserError ? error.exitCode : EXIT_FAILURE;
    if (!(error instanceof UserError)) console.error("dvisor: this is a bug in dvisor:", error);
    control.send({ type: "failed", message: explain(error), exitCode });
  }
  // Deno's own way out makes calls that the filter does not allow.
  syscall(SYS_exit_group, 0);
  throw new Error("exit_group returned");
}

function run(control: BootSocket): number {
  const spec = readSpec();
  dropDescriptors(FIRST_FREE_FD);
  const machine = createMachine(spec);
  control.send({ type: "ready" });
  // The launcher takes the root directory away while this goes on.
  const sandbox = new Sandbox(machine, spec, control);
  const answer = control.receive(true);
  if (answer.kind !== "message" || answer.message.type !== "go") {
    throw new UserError("the launcher is gone");
  }
  confine(machine.platformName, spec, control);
  return sandbox.run();
}

function confine(platform: PlatformName, spec: BootSpec, control: BootSocket): void {
  const problems = confineSelf(platform);
  if (problems.length === 0) return;
  const text = problems.join("; ");
  if (spec.requireSandbox) {
    throw new UserError(`the host does not permit the whole confinement: ${text}`);
  }
  control.send({ type: "note", message: `running with less confinement than usual: ${text}` });
}

function readSpec(): BootSpec {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const n = read(BOOT_FDS.spec, scratch.area(0), 65536);
    if (n <= 0) break;
    const at = scratch.areaOffset(0);
    text += decoder.decode(scratch.u8.subarray(at, at + n), { stream: true });
  }
  close(BOOT_FDS.spec);
  if (text === "") throw new UserError("boot is for dvisor itself; try: dvisor help");
  return JSON.parse(text);
}
