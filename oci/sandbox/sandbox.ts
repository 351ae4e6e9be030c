/**
 * One sandbox inside the boot process: the kernel on its machine, with files, devices and the first process.
 */

import { GoferClient } from "../../gofer/client/gofer_client.ts";
import { SandboxKernel } from "../../kernel/kernel.ts";
import { UserError } from "../user_error.ts";
import type { BootSpec } from "./boot_spec.ts";
import type { BootSocket } from "./boot.ts";
import { GuestClock } from "./guest_clock.ts";
import type { Machine } from "./machine.ts";

export class Sandbox {
  readonly kernel: SandboxKernel;
  readonly gofer: GoferClient;

  constructor(machine: Machine, spec: BootSpec, _control: BootSocket) {
    const { host, platform, arena } = machine;
    this.kernel = new SandboxKernel(host, platform, arena, {
      hostname: spec.hostname,
      log: (line) => console.error(line),
    });
    if (machine.clocks !== null) {
      host.guestClock = GuestClock.install(this.kernel.memory, machine.clocks);
    }
    this.gofer = new GoferClient(spec.fds.gofer);
    const r = this.gofer.start();
    if (r < 0) throw new UserError(`the file server does not answer: errno ${-r}`);
  }

  run(): number {
    return 0;
  }
}
