/**
 * The files of a container that the host sees at /proc/PID/root of the proxy
 * (launch/proxy_root.ts).
 */

import { type ShownMount, type ShownRoot, showRoot } from "../launch/proxy_root.ts";
import type { RootfsPlan } from "./rootfs_plan.ts";
import type { MountSpec } from "../protocol/boot_spec.ts";
import type { Bundle } from "./bundle.ts";
import { namespaceInode } from "./host_namespaces.ts";
import type { ContainerCreation } from "./container_creation.ts";

/**
 * Called for a container with mounts of its own.
 * @returns why the host refused, or null
 */
export function showFiles(
  { bundle, proxy }: Pick<ContainerCreation, "bundle" | "proxy">,
): string | null {
  if (!hasOwnMounts(bundle)) return null;
  const hasUsers = namespaceInode(`/proc/${proxy.pid}/ns/user`) !==
    namespaceInode("/proc/self/ns/user");
  return showRoot(proxy.pidfd, shownRoot(bundle.files), hasUsers);
}

function hasOwnMounts(bundle: Bundle): boolean {
  return bundle.hostNamespaces.some(({ type, path }) => type === "mount" && path === null);
}

/**
 * Mounts of the sandbox's own kernel are left out as read-only directories, so that a write there
 * does not seem to work.
 */
function shownRoot({ root, mounts, goferRoots }: RootfsPlan): ShownRoot {
  const tree = goferRoots.find(({ name }) => name === root.goferAttach);
  if (tree === undefined) throw new Error("a plan without a root directory");
  const isReadOnly = tree.isReadOnly || root.readonly || root.overlay === "memory";
  return {
    root: { ...tree, isReadOnly },
    mounts: mounts.map((mount) => ({
      destination: mount.destination,
      tree: treeOf(mount, goferRoots),
    })),
  };
}

function treeOf(mount: MountSpec, trees: RootfsPlan["goferRoots"]): ShownMount["tree"] {
  if (mount.type === "proc") return "proc";
  return trees.find(({ name }) => name === mount.goferAttach) ?? "memory";
}
