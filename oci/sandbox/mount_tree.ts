/**
 * The files of a sandbox: its root file system and what is mounted on it, as the boot spec says. Not here: what mount(2)
 * of the guest can do later (kernel/vfs/mount_operations.ts).
 */

import { MS_RDONLY } from "../../ffi/abi/mount.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import type { GoferClient } from "../../gofer/client/gofer_client.ts";
import { GoferFs } from "../../kernel/fs/gofer/gofer_fs.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { MountNamespace } from "../../kernel/vfs/mounts.ts";
import { UserError } from "../user_error.ts";
import type { BootSpec } from "./boot_spec.ts";

/** @throws UserError naming what could not be mounted */
export function buildMountTree(
  kernel: SandboxKernel,
  gofer: GoferClient,
  spec: BootSpec,
): MountNamespace {
  const root = GoferFs.attach(gofer, spec.root.goferAttach, kernel.memory, { isExclusive: true });
  if (typeof root === "number") throw new UserError(`the root directory: ${errnoName(root)}`);
  const flags = spec.root.readonly ? MS_RDONLY : 0;
  return MountNamespace.of(kernel.vfs, root, flags, "root");
}
