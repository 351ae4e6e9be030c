/** Makes a container in the kernel, with its files and without processes. */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import type { CgroupLimits } from "../../../kernel/cgroup/fs/limits.ts";
import { dropContainer, newContainer } from "../../../kernel/containers.ts";
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import { TimeNamespace, type TimeOffsets } from "../../../kernel/cred/time_namespace.ts";
import { INITIAL_USER_NAMESPACE } from "../../../kernel/cred/user_namespace.ts";
import { ContainerCaller } from "../../../kernel/init.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { ContainerAccounts } from "../../../kernel/task/accounts.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { MountNamespace } from "../../../kernel/vfs/mounts.ts";
import type { AddressSpace } from "../../../platform/platform.ts";
import type { BootSpec } from "../../protocol/boot_spec.ts";
import { UserError } from "../../user_error.ts";
import { MountTree } from "../rootfs/mount_tree.ts";

export interface MadeContainer {
  readonly container: Container;
  /** The limits that its cgroup files show. */
  readonly limits: CgroupLimits;
}

/** The containers whose namespaces a new one shares. */
interface SharedContainers {
  readonly pid: Container | null;
  readonly ipc: Container | null;
  readonly uts: Container | null;
  readonly time: Container | null;
}

/**
 * @param template the address space that its programs begin as copies of; null: the platform's
 * @throws UserError
 */
export function makeContainer(
  kernel: SandboxKernel,
  spec: BootSpec,
  gofer: GoferClient,
  shares: SharedContainers,
  template: AddressSpace | null,
): MadeContainer {
  const accounts = kernel.accounts.open();
  try {
    if (gofer.start() < 0) {
      throw new UserError("the file server of the container does not answer");
    }
    const tree = new MountTree(accounts.all, kernel, gofer, spec);
    const container = fromTree(kernel, spec, accounts, shares, tree, template);
    return { container, limits: tree.limits };
  } catch (error) {
    accounts.close(kernel.vfs.deferred);
    throw error;
  }
}

function fromTree(
  kernel: SandboxKernel,
  spec: BootSpec,
  accounts: ContainerAccounts,
  shares: SharedContainers,
  tree: MountTree,
  template: AddressSpace | null,
): Container {
  // Released with the container, or here if it cannot be made.
  const mounts = tree.namespace.hold();
  try {
    const container = withNamespaces(kernel, spec, accounts, shares, mounts);
    container.template = template;
    return filled(container, tree);
  } finally {
    mounts.drop();
  }
}

function withNamespaces(
  kernel: SandboxKernel,
  spec: BootSpec,
  accounts: ContainerAccounts,
  { pid, ipc, uts, time }: SharedContainers,
  mounts: MountNamespace,
): Container {
  return newContainer(kernel, {
    id: spec.id,
    accounts,
    mounts,
    hostname: spec.hostname,
    ...(spec.domainname === null ? {} : { domainname: spec.domainname }),
    shares: {
      ...(pid === null ? {} : { pid }),
      ...(ipc === null ? {} : { ipc }),
      ...(uts === null ? {} : { uts }),
      ...(time === null ? {} : { time }),
    },
    ...(spec.timeOffsets ? { time: timeNamespace(kernel, spec.timeOffsets) } : {}),
  });
}

/** @throws UserError if a clock cannot have the offset */
function timeNamespace(kernel: SandboxKernel, offsets: TimeOffsets): TimeNamespace {
  const ns = TimeNamespace.withOffsets(offsets, INITIAL_USER_NAMESPACE, kernel.now());
  if (typeof ns !== "number") return ns;
  throw new UserError(`config.json: linux.timeOffsets is out of range: ${errnoName(-ns)}`);
}

/**
 * Fills the container's files.
 * @throws UserError; the container is gone then
 */
function filled(container: Container, tree: MountTree): Container {
  const caller = new ContainerCaller(container, rootCredentials(), 0);
  try {
    tree.fill(caller);
  } catch (error) {
    dropContainer(container);
    throw error;
  } finally {
    caller.close();
  }
  return container;
}
