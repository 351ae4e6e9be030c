/**
 * Builds the files of a container from the boot spec, in runc's order: the root file system,
 * mounts, /dev, masked and read-only paths. Not here: mount(2) of the guest
 * (kernel/vfs/mount_operations.ts).
 */

import { ENOTDIR } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { MS_BIND, MS_RDONLY, MS_REMOUNT } from "../../../ffi/abi/mount.ts";
import { toText } from "../../../kernel/core/bytes.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import { type CgroupLimits, noLimits } from "../../../kernel/cgroup/fs/limits.ts";
import { copyTree } from "../../../kernel/fs/overlay/copy_tree.ts";
import { InitCaller } from "../../../kernel/init.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { cgroupNamespaceOf } from "../../../kernel/cgroup/mount_types.ts";
import { isDirectory } from "../../../kernel/vfs/access.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { findAt } from "../../../kernel/vfs/status.ts";
import { dropPath, holdPath, type Mount, Path } from "../../../kernel/vfs/dentry.ts";
import type { Account } from "../../../kernel/core/account.ts";
import {
  addMount,
  changePropagation,
  mountFlags,
  remount,
} from "../../../kernel/vfs/mount_operations.ts";
import { MountNamespace } from "../../../kernel/vfs/mounts.ts";
import { setUpDev } from "./devices.ts";
import { cannot } from "../../file_error.ts";
import { FileSystems } from "./file_systems.ts";
import { makeReadOnly, mask } from "./masks.ts";
import { makePlace } from "./mountpoint.ts";
import { setSysctls } from "./sysctl.ts";
import { UserError } from "../../user_error.ts";
import type { BootSpec, MountSpec } from "../../protocol/boot_spec.ts";
import { parseMountOptions } from "../../protocol/mount_options.ts";

type MountTreeSpec = Pick<
  BootSpec,
  "root" | "mounts" | "maskedPaths" | "readonlyPaths" | "files" | "process" | "limits"
>;

/**
 * Mounts the files of the first container, in the kernel's first namespaces.
 *
 * @throws UserError naming what could not be done, and the place in config.json
 */
export function buildMountTree(
  account: Account,
  kernel: SandboxKernel,
  gofer: GoferClient,
  spec: MountTreeSpec,
): MountNamespace {
  const tree = new MountTree(account, kernel, gofer, spec);
  // Not dropped: the first process is going to take the namespace over.
  tree.fill(new InitCaller(account, tree.namespace, rootCredentials(), 0));
  return tree.namespace;
}

/** The limits of the boot spec. */
export function limitsOf(spec: Pick<BootSpec, "files">): CgroupLimits {
  return { ...noLimits(), ...spec.files?.cgroup };
}

/**
 * The mounts of a container. It is made with the root directory alone; a task of the container
 * fills it, because /proc, /dev/mqueue and others show that task's namespaces.
 */
export class MountTree {
  readonly namespace: MountNamespace;
  /**
   * The limits that the container's cgroup files show. A change of this object changes the files.
   */
  readonly limits: CgroupLimits;
  readonly #kernel: SandboxKernel;
  readonly #types: FileSystems;
  readonly #spec: MountTreeSpec;
  /** Mounts that become read-only when all mounts are in place. */
  readonly #readOnly: Mount[] = [];

  /** @throws UserError */
  constructor(account: Account, kernel: SandboxKernel, gofer: GoferClient, spec: MountTreeSpec) {
    this.#kernel = kernel;
    this.#spec = spec;
    this.limits = limitsOf(spec);
    this.#types = new FileSystems(account, kernel, gofer, this.limits);
    const fs = this.#types.root(spec.root, spec.limits?.diskBytes ?? null);
    if (typeof fs === "number") throw cannot("cannot use", "/", fs, "root.path");
    if (spec.root.overlay === "none") fs.source = "root";
    this.namespace = MountNamespace.of(account, kernel.vfs, fs, mountFlags(0), fs.source);
  }

  /**
   * @param caller root of the container, with umask 0
   * @throws UserError naming what could not be done, and the place in config.json
   */
  fill(caller: Caller): void {
    const { namespace } = this, kernel = this.#kernel, spec = this.#spec, { files } = spec;
    const { owner } = cgroupNamespaceOf(kernel, caller).roots.unified.hierarchy;
    owner.limits = this.limits;
    if (files === undefined) owner.becomeMachine();
    for (const mount of spec.mounts) this.#mount(caller, mount);
    if (files !== undefined && files.devices !== null) {
      setUpDev(kernel, caller, files.devices, spec.process.terminal);
    }
    // A missing working directory is made, as with runc.
    if (files !== undefined) makeDirectory(caller, spec.process.cwd);
    for (const mount of this.#readOnly) mount.flags |= MS_RDONLY;
    setSysctls(kernel, caller, files?.sysctl ?? []);
    spec.readonlyPaths.forEach((path, i) =>
      makeReadOnly(caller, path, `linux.readonlyPaths[${i}]`)
    );
    spec.maskedPaths.forEach((path, i) => mask(kernel, caller, path, `linux.maskedPaths[${i}]`));
    const { root } = namespace;
    if (files !== undefined && files.rootPropagation !== null) {
      const { propagation } = parseMountOptions([files.rootPropagation]);
      for (const change of propagation) {
        changePropagation(caller, new Path(root, root.root), change);
      }
    }
    if (spec.root.readonly) root.flags |= MS_RDONLY;
  }

  /** Changes the options of an existing mount. */
  #remount(caller: Caller, destination: string, flags: number, data: string): number {
    const found = findAt(caller, AT_FDCWD, destination, 0);
    if (typeof found === "number") return found;
    const at = this.namespace.topOf(found), now = flags & ~MS_RDONLY;
    const r = remount(caller, at, now, (flags & MS_BIND) !== 0, data);
    if (r === 0 && (flags & MS_RDONLY) !== 0) this.#readOnly.push(at.mount);
    return r;
  }

  #mount(caller: Caller, spec: MountSpec): void {
    const { flags, data, propagation, copiesUp } = parseMountOptions(spec.options);
    const fail = (r: number) => cannot("cannot mount", spec.destination, r, spec.jsonPath ?? null);
    if ((flags & MS_REMOUNT) !== 0) {
      const r = this.#remount(caller, spec.destination, flags, data);
      if (r < 0) throw fail(r);
      return;
    }
    requireOrdinaryPlace(caller, spec);
    const fs = this.#types.of(caller, spec, data);
    if (typeof fs === "number") throw fail(fs);
    const isFromHost = spec.goferAttach !== null;
    fs.source = isFromHost ? "volume" : spec.source ?? spec.type;
    const isOld = typeof findAt(caller, AT_FDCWD, spec.destination, 0) !== "number";
    const at = makePlace(caller, spec.destination, isDirectory(fs.root));
    if (typeof at === "number") throw fail(at);
    holdPath(at);
    // A tmpfs without a mode option takes the mode of the directory below it, as with runc.
    const { inode } = this.namespace.topOf(at).dentry;
    if (spec.type === "tmpfs" && isOld && inode !== null && !/(^|,)mode=/.test(data)) {
      fs.root.mode = inode.mode;
    }
    let r = copiesUp && inode !== null
      ? copyTree(caller.account, inode, fs.root, this.#kernel.memory.frames)
      : 0;
    // The Gofer refuses writes itself; in others there may be places for mounts to make.
    const now = isFromHost ? flags : flags & ~MS_RDONLY;
    if (r === 0) r = addMount(caller, fs, at, now, fs.source);
    dropPath(at);
    if (r < 0) throw fail(r);
    const top = this.namespace.topOf(at);
    if ((flags & MS_RDONLY) !== 0 && !isFromHost) this.#readOnly.push(top.mount);
    for (const change of propagation) changePropagation(caller, top, change);
  }
}

/**
 * File systems that programs trust as the kernel's: they must be where config.json says, as with
 * runc.
 */
const KERNEL_TYPES = ["proc", "sysfs"];

/** @throws UserError if the path is no directory, for instance a link of the image */
function requireOrdinaryPlace(caller: Caller, { type, destination, jsonPath }: MountSpec): void {
  if (!KERNEL_TYPES.includes(type)) return;
  const found = findAt(caller, AT_FDCWD, destination, AT_SYMLINK_NOFOLLOW);
  const inode = typeof found === "number" ? null : found.dentry.inode;
  if (inode === null || isDirectory(inode)) return;
  const where = jsonPath === undefined ? "" : `config.json: ${jsonPath}: `,
    at = toText(destination);
  throw new UserError(`${where}${type} must be mounted on an ordinary directory, not at ${at}`);
}

function makeDirectory(caller: Caller, path: string): void {
  const place = makePlace(caller, path, true);
  const { inode } = typeof place === "number" ? { inode: null } : place.dentry;
  const isUsable = inode !== null && isDirectory(inode);
  if (isUsable) return;
  throw cannot("cannot use", path, typeof place === "number" ? place : -ENOTDIR, "process.cwd");
}
