/**
 * The files of a sandbox: its root file system and what is mounted on it, as the boot spec says. Not here: what mount(2)
 * of the guest can do later (kernel/vfs/mount_operations.ts).
 */

import { ENOENT, ENOTDIR } from "../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { MS_RDONLY } from "../../ffi/abi/mount.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../ffi/abi/stat.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import type { GoferClient } from "../../gofer/client/gofer_client.ts";
import { toText } from "../../kernel/core/bytes.ts";
import { rootCredentials } from "../../kernel/cred/credentials.ts";
import { GoferFs } from "../../kernel/fs/gofer/gofer_fs.ts";
import { memoryOverlay } from "../../kernel/fs/overlay/memory_overlay.ts";
import { InitCaller } from "../../kernel/init.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import type { Caller } from "../../kernel/vfs/caller.ts";
import { mkdirAt, mknodAt } from "../../kernel/vfs/create.ts";
import type { Path } from "../../kernel/vfs/dentry.ts";
import type { FileSystem } from "../../kernel/vfs/inode.ts";
import { addMount, bindMount, mountFlags, remount } from "../../kernel/vfs/mount_operations.ts";
import { MountNamespace } from "../../kernel/vfs/mounts.ts";
import { findAt } from "../../kernel/vfs/status.ts";
import { UserError } from "../user_error.ts";
import type { BootSpec, MountSpec, RootSpec } from "./boot_spec.ts";
import { parseMountOptions } from "./mount_options.ts";

/** Mode of directories that are made for mounts. */
const DIRECTORY_MODE = 0o755;

/** @throws UserError naming what could not be mounted */
export function buildMountTree(
  kernel: SandboxKernel,
  gofer: GoferClient,
  spec: BootSpec,
): MountNamespace {
  const fs = rootFileSystem(kernel, gofer, spec.root);
  const flags = spec.root.readonly ? MS_RDONLY : 0;
  const namespace = MountNamespace.of(kernel.vfs, fs, mountFlags(0), fs.source);
  // Not dropped: the first process is going to take the namespace over.
  const caller = new InitCaller(namespace, rootCredentials(), 0);
  for (const mount of spec.mounts) mountOne(kernel, caller, gofer, mount);
  for (const path of spec.readonlyPaths) makeReadOnly(caller, path);
  for (const path of spec.maskedPaths) mask(kernel, caller, path);
  namespace.root.flags |= flags;
  return namespace;
}

function rootFileSystem(kernel: SandboxKernel, gofer: GoferClient, spec: RootSpec): FileSystem {
  const isCovered = spec.overlay === "memory";
  const lower = attach(kernel, gofer, spec.goferAttach, isCovered);
  if (typeof lower === "number") throw new UserError(`the root directory: ${errnoName(lower)}`);
  if (!isCovered) {
    lower.source = "root";
    return lower;
  }
  const { frames } = kernel.memory;
  return memoryOverlay(lower.root, frames, kernel.host, "lowerdir=/,upperdir=memory");
}

/** `isExclusive`: what others change meanwhile need not be seen at once. */
function attach(
  kernel: SandboxKernel,
  gofer: GoferClient,
  name: string,
  isExclusive: boolean,
): GoferFs | number {
  return GoferFs.attach(gofer, name, kernel.memory, { isExclusive });
}

function mountOne(
  kernel: SandboxKernel,
  caller: Caller,
  gofer: GoferClient,
  spec: MountSpec,
): void {
  const where = toText(spec.destination);
  const { flags, data } = parseMountOptions(spec.options);
  const fs = spec.goferAttach === null
    ? newFileSystem(kernel, caller, isDev(spec) ? "devtmpfs" : spec.type, data)
    : attach(kernel, gofer, spec.goferAttach, false);
  if (typeof fs === "number") throw new UserError(`cannot mount ${where}: ${errnoName(fs)}`);
  if ((flags & MS_RDONLY) !== 0 && spec.goferAttach === null) fs.readOnly = true;
  fs.source = spec.goferAttach === null ? spec.type : "volume";
  const isDirectory = (fs.root.mode & S_IFMT) === S_IFDIR;
  const at = mountpoint(caller, spec.destination, isDirectory);
  const r = typeof at === "number" ? at : addMount(caller, fs, at, flags, fs.source);
  if (r < 0) throw new UserError(`cannot mount ${where}: ${errnoName(r)}`);
}

/** Where a runtime makes the devices that every program expects. */
function isDev(spec: MountSpec): boolean {
  return spec.type === "tmpfs" && spec.destination === "/dev";
}

function newFileSystem(
  kernel: SandboxKernel,
  caller: Caller,
  typeName: string,
  data: string,
): FileSystem | number {
  const type = kernel.fsTypes.find(typeName);
  if (type === null) throw new UserError(`there is no file system type ${typeName}`);
  return type.create(caller, typeName, data);
}

/** Shows a path once more, over itself, without the right to write. */
function makeReadOnly(caller: Caller, path: string): void {
  const at = existing(caller, path);
  if (at === null) return;
  const r = bindMount(caller, at, at, true);
  const copy = findAt(caller, AT_FDCWD, path, 0);
  if (r < 0 || typeof copy === "number") throw cannot("make read-only", path, r);
  const flags = copy.mount.flags | MS_RDONLY;
  const changed = remount(caller, copy, flags, true, "");
  if (changed < 0) throw cannot("make read-only", path, changed);
}

/** Hides a directory behind an empty one and a file behind /dev/null. */
function mask(kernel: SandboxKernel, caller: Caller, path: string): void {
  const at = existing(caller, path);
  if (at === null) return;
  let r: number;
  if (((at.dentry.inode?.mode ?? 0) & S_IFMT) === S_IFDIR) {
    const empty = newFileSystem(kernel, caller, "tmpfs", "mode=0755,size=0");
    if (typeof empty === "number") throw cannot("hide", path, empty);
    empty.readOnly = true;
    r = addMount(caller, empty, at, MS_RDONLY, "tmpfs");
  } else {
    const none = findAt(caller, AT_FDCWD, "/dev/null", 0);
    r = typeof none === "number" ? none : bindMount(caller, none, at, false);
  }
  if (r < 0) throw cannot("hide", path, r);
}

/** A path that is there, or null. */
function existing(caller: Caller, path: string): Path | null {
  const found = findAt(caller, AT_FDCWD, path, 0);
  if (typeof found !== "number") return found;
  if (found === -ENOENT || found === -ENOTDIR) return null;
  throw cannot("find", path, found);
}

function cannot(what: string, path: string, error: number): UserError {
  return new UserError(`cannot ${what} ${toText(path)}: ${errnoName(error)}`);
}

/** The place for a mount; it is made if it is missing, with its parents. */
function mountpoint(caller: Caller, path: string, isDirectory: boolean): Path | number {
  const found = findAt(caller, AT_FDCWD, path, 0);
  if (found !== -ENOENT) return found;
  const names = path.split("/").filter((name) => name !== "");
  let at = "";
  for (const [i, name] of names.entries()) {
    at += `/${name}`;
    if (typeof findAt(caller, AT_FDCWD, at, 0) !== "number") continue;
    const isLast = i === names.length - 1;
    const r = isLast && !isDirectory
      ? mknodAt(caller, AT_FDCWD, at, S_IFREG | 0o644, 0)
      : mkdirAt(caller, AT_FDCWD, at, DIRECTORY_MODE);
    if (r < 0) return r;
  }
  return findAt(caller, AT_FDCWD, path, 0);
}
