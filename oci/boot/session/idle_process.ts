/** Stands in for the idle process until the kernel loads programs from open files. */
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import { startIn } from "../../../kernel/init.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { Limits } from "../../../kernel/task/limits.ts";
export function startIdle(kernel: SandboxKernel, container: Container): void {
  startIn(kernel, container, {
    args: ["/bin/sleep", "infinity"],
    env: [],
    cwd: "/",
    umask: 0,
    cred: rootCredentials(),
    limits: new Limits(null),
    leadsSession: true,
    files: [],
  }, null);
}
