/**
 * The file systems behind a container's mounts: the Gofer's trees, overlays of them, and the
 * kernel's own.
 */

import { ENODEV } from "../../../ffi/abi/errno.ts";
import { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { CgroupLimits } from "../../../kernel/cgroup/fs/limits.ts";
import { GoferFs, type GoferOptions } from "../../../kernel/fs/gofer/gofer_fs.ts";
import { memoryOverlay } from "../../../kernel/fs/overlay/memory_overlay.ts";
import { ownOverlay } from "../../../kernel/fs/overlay/own_overlay.ts";
import { OverlayFs } from "../../../kernel/fs/overlay/overlay_fs.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { containerView } from "../../../kernel/cgroup/mount_types.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { holdPath, Path } from "../../../kernel/vfs/dentry.ts";
import type { FileSystem, Inode } from "../../../kernel/vfs/inode.ts";
import { internalMount } from "../../../kernel/vfs/mount_links.ts";
import type { BootSpec, MountSpec, OverlayLayers, RootSpec } from "../../protocol/boot_spec.ts";
import type { Account } from "../../../kernel/core/account.ts";

/**
 * LIMIT: ns for which running processes may miss a change that the host makes to the root
 * directory, as `docker cp` does. Names and attributes only: bytes are never kept.
 */
const ROOT_LEASE_NS = 250_000_000;

/** The connection to the Gofer of a container. @param fd which it owns */
export function goferOf({ id, trees }: Pick<BootSpec, "id" | "trees">, fd: number): GoferClient {
  return new GoferClient(fd, { name: id, ...(trees === undefined ? {} : { roots: trees }) });
}

export class FileSystems {
  /** The account that the overlays are charged to. */
  readonly #account: Account;
  readonly #kernel: SandboxKernel;
  readonly #gofer: GoferClient;
  readonly #limits: CgroupLimits;

  constructor(
    account: Account,
    kernel: SandboxKernel,
    gofer: GoferClient,
    limits: CgroupLimits,
  ) {
    this.#account = account;
    this.#kernel = kernel;
    this.#gofer = gofer;
    this.#limits = limits;
  }

  /**
   * The root directory, or -errno. Below an overlay the host is not expected to change it.
   * @param diskBytes what an overlay in memory may take; null: half of the memory
   */
  root(spec: RootSpec, diskBytes: number | null): FileSystem | number {
    const { memory, vfs } = this.#kernel, { overlay } = spec;
    const fs = this.#attach(spec.goferAttach, {
      isExclusive: true,
      leaseNs: overlay === "none" ? ROOT_LEASE_NS : 0,
    });
    if (typeof fs === "number" || overlay === "none") return fs;
    const text = `lowerdir=/,upperdir=${overlay}`;
    if (overlay === "memory") {
      return memoryOverlay(
        this.#account,
        fs.root,
        memory.frames,
        vfs,
        text,
        diskBytes ?? undefined,
        this.#kernel,
      );
    }
    // A tree that only this container sees.
    const upper = this.#attach(spec.upperAttach ?? "", { isExclusive: true });
    if (typeof upper === "number") return upper;
    const { frames } = memory, { devices } = vfs;
    return ownOverlay(this.#account, fs.root, upper, frames, devices, text, this.#kernel);
  }

  #attach(name: string, options: GoferOptions): GoferFs | number {
    const { vfs, memory } = this.#kernel;
    return GoferFs.attach(this.#gofer, name, vfs, memory, options);
  }

  /**
   * The file system of a mount, or -errno.
   * @param data the options for the file system itself
   */
  of(caller: Caller, spec: MountSpec, data: string): FileSystem | number {
    if (spec.goferAttach !== null) return this.#shared(spec.goferAttach);
    if (spec.layers !== undefined && spec.layers !== null) return this.#overlay(spec.layers, data);
    // Both types show the sandbox's cgroup v2 tree.
    if (spec.type === "cgroup" || spec.type === "cgroup2") {
      return containerView(this.#kernel, caller, this.#limits);
    }
    return this.#kernel.fsTypes.find(spec.type)?.create(caller, spec.type, data) ?? -ENODEV;
  }

  #shared(name: string): GoferFs | number {
    return this.#attach(name, { isExclusive: false });
  }

  /** As the kernel's overlayFromOptions, with trees of the Gofer instead of paths. */
  #overlay(layers: OverlayLayers, text: string): OverlayFs | number {
    const { memory: { frames }, vfs: { devices } } = this.#kernel;
    const trees: GoferFs[] = [];
    for (const name of layers.upper === null ? layers.lower : [...layers.lower, layers.upper]) {
      const tree = this.#shared(name);
      if (typeof tree === "number") return tree;
      trees.push(tree);
    }
    const pinned = trees.map((fs) => this.#pin(fs));
    const roots = trees.map((fs) => fs.root);
    const upper = layers.upper === null ? null : roots.pop() ?? null;
    const options = {
      devices,
      isPersistent: true,
      account: this.#account,
      payers: this.#kernel,
      stackDepth: 1,
      text,
      frames,
      owned: null,
    };
    const last = roots.pop();
    if (last === undefined) return -ENODEV;
    let lower: Inode = last;
    for (const top of roots.reverse()) {
      const stack: OverlayFs = new OverlayFs(lower, top, { ...options, pinned: [] });
      stack.readOnly = true;
      lower = stack.root;
    }
    return new OverlayFs(lower, upper, { ...options, pinned });
  }

  #pin(fs: GoferFs): Path {
    const mount = internalMount(this.#account, this.#kernel.vfs, fs);
    return holdPath(new Path(mount, mount.root));
  }
}
