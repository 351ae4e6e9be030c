/** The guest's standard files: host descriptors that the launcher gave. */

import type { SandboxKernel } from "../../kernel/kernel.ts";
import type { OpenFile } from "../../kernel/vfs/open_file.ts";
import type { BootSpec } from "./boot_spec.ts";
import { EarlyStdio } from "./early_stdio.ts";

export function openStdio(kernel: SandboxKernel, spec: BootSpec): OpenFile[] {
  return spec.fds.stdio.map((fd, i) => new EarlyStdio(fd, kernel.memory, i === 0 ? 0 : 1));
}
