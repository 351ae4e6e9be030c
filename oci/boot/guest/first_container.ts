/**
 * The container in the kernel's first namespaces, without a process yet: of `do`, and of sandboxes
 * for scripts. No command names it.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { Container } from "../../../kernel/task/container.ts";
import { type BootSpec, hasHostNetwork } from "../../protocol/boot_spec.ts";
import { UserError } from "../../user_error.ts";
import { buildMountTree } from "../rootfs/mount_tree.ts";
import { addLonelyLink } from "./unconnected_link.ts";

/** @throws UserError */
export function makeFirstContainer(
  kernel: SandboxKernel,
  spec: BootSpec,
  gofer: GoferClient,
): Container {
  if (gofer.start() < 0) throw new UserError("the file server of the sandbox does not answer");
  if (!hasHostNetwork(spec)) addLonelyLink(kernel.namespaces.net);
  const ns = kernel.namespaces.hold(), accounts = kernel.accounts.open();
  const mounts = buildMountTree(accounts.all, kernel, gofer, spec);
  return new Container("", kernel.pids, mounts.hold(), ns, accounts);
}
